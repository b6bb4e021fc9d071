"""How long a run may take, and how much of the time it leaves to others."""

from __future__ import annotations

import time


class TimeIsUp(Exception):
    """No further chunk is to be begun."""


class Pace:
    """Asked before each chunk. The first one is always done, so that a run comes on however little
    time it has.
    """

    def __init__(self, max_seconds: float | None = None, sleep: float = 0) -> None:
        self.deadline = None if max_seconds is None else time.monotonic() + max_seconds
        self.sleep = sleep
        self.begun = False

    def wait(self) -> None:
        """Raises ``TimeIsUp`` where there is none for another chunk."""
        if self.begun:
            if self.deadline is not None and time.monotonic() + self.sleep >= self.deadline:
                raise TimeIsUp
            if self.sleep:
                time.sleep(self.sleep)
        self.begun = True
