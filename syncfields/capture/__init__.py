"""Where writes are noticed. Each file hands what it notices to the engine and decides nothing.

Django has no signal for most writes, so a few of its methods are wrapped, once, when the app
registry is ready. A wrapper looks its model up in the plan and calls the original, at once where
no rule is concerned.
"""

from syncfields.capture import content_types, deletes, instances, querysets, reads, relations


def connect() -> None:
    """Wrap Django's methods of writing; calling it again changes nothing."""
    instances.connect()
    querysets.connect()
    deletes.connect()
    reads.connect()
    relations.connect()
    content_types.connect()
