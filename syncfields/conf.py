"""The setting ``SYNCFIELDS``, with its defaults."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed


def choices() -> dict[str, tuple[object, ...]]:
    """Each option, and what it may be."""
    return {
        "APPLY": ("immediately", "commit"),
        "LABEL_SQL": (True, False),
        "RUNS_CACHE": tuple(settings.CACHES),
        "TRACKING": ("database", "memory"),
    }


def user_settings() -> Any:
    return getattr(settings, "SYNCFIELDS", {})


def tracking() -> str:
    """Where old values come from, for rules that do not say it themselves."""
    return str(user_settings().get("TRACKING", "database"))


@cache
def apply() -> str:
    """When deltas are written: at once, or as the last thing before COMMIT."""
    return str(user_settings().get("APPLY", "immediately"))


def runs_cache() -> str:
    """The alias of the cache that keeps what is known of a run: see ``tasks/runs.py``."""
    return str(user_settings().get("RUNS_CACHE", "default"))


def label_sql() -> bool:
    """Whether the library's own statements begin with a comment; asked once, at start-up."""
    return bool(user_settings().get("LABEL_SQL", False))


def forget(**_: object) -> None:
    apply.cache_clear()


setting_changed.connect(forget)
