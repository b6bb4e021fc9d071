"""Rules with errors are said aloud at start-up, also where nobody runs the checks."""

from __future__ import annotations

import logging
import sys

from syncfields.plan import registry
from syncfields.plan.plan import Plan

logger = logging.getLogger("syncfields")
_said: set[str] = set()


def say(plan: Plan) -> None:
    """Log each error of a declared rule, once."""
    for error in registry.errors():
        if error.message not in _said and not checks_follow():
            extra = {"check": error.id}
            logger.error("%s: %s %s", error.id, error.message, error.hint, extra=extra)
            _said.add(error.message)


def checks_follow() -> bool:
    """Whether ``manage.py`` is starting, which runs the checks and prints the same."""
    management = sys.modules.get("django.core.management")
    if management is None or "--skip-checks" in sys.argv:
        return False
    starting = management.ManagementUtility.execute.__code__
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code is starting:
            return True
    return False
