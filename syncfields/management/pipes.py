"""What a command prints where nobody reads on, as in ``manage.py syncfields | head``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

NOT_READ_ON = 141
"""As a shell says it of a process that SIGPIPE has ended."""


@contextmanager
def ending_quietly() -> Iterator[None]:
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more when it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(NOT_READ_ON)
