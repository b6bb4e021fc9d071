"""A database for scripts that start other processes, with the tables of ``tests.distributed``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def scratch() -> Iterator[None]:
    """Set Django up, with a database that is there for the block. Processes that are started in it
    use the same.
    """
    os.environ["SYNCFIELDS_TEST_DATABASE"] = "postgresql"
    os.environ.setdefault("SYNCFIELDS_TEST_RUNS", "")
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.distributed.settings"
    import django
    from django.test.utils import setup_databases, teardown_databases

    django.setup()
    made = setup_databases(verbosity=0, interactive=False)
    os.environ["SYNCFIELDS_TEST_WORKER"] = "1"
    try:
        yield
    finally:
        teardown_databases(made, verbosity=0)
