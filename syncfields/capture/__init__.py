"""Where writes are noticed. Each file hands what it notices to the engine and decides nothing.

The rules register receivers for the models that they read. Django has no signal for most writes, so
a few of its methods are wrapped, too, once, when the app registry is ready. A wrapper looks its
model up in the plan and calls the original, at once where no rule is concerned.
"""

from syncfields.capture import (
    content_types,
    deletes,
    instances,
    querysets,
    reads,
    receivers,
    relations,
)


def connect() -> None:
    """Wrap Django's methods of writing; calling it again changes nothing."""
    receivers.connect()
    instances.connect()
    querysets.connect()
    deletes.connect()
    reads.connect()
    relations.connect()
    content_types.connect()
