"""The setting ``SYNCFIELDS``, with its defaults."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

CHOICES = {"TRACKING": ("database", "memory"), "APPLY": ("immediately", "commit")}


def user_settings() -> Any:
    return getattr(settings, "SYNCFIELDS", {})


def tracking() -> str:
    """Where old values come from, for rules that do not say it themselves."""
    return str(user_settings().get("TRACKING", "database"))


@cache
def apply() -> str:
    """When deltas are written: at once, or as the last thing before COMMIT."""
    return str(user_settings().get("APPLY", "immediately"))


def forget(**_: object) -> None:
    apply.cache_clear()


setting_changed.connect(forget)
