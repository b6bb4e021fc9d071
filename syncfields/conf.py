"""The setting ``SYNCFIELDS``, with its defaults."""

from __future__ import annotations

from typing import Any

from django.conf import settings

CHOICES = {"TRACKING": ("database", "memory"), "APPLY": ("immediately", "commit")}


def user_settings() -> Any:
    return getattr(settings, "SYNCFIELDS", {})


def tracking() -> str:
    """Where old values come from, for rules that do not say it themselves."""
    return str(user_settings().get("TRACKING", "database"))


def apply() -> str:
    """When deltas are written: at once, or as the last thing before COMMIT."""
    return str(user_settings().get("APPLY", "immediately"))
