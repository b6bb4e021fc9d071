"""The rules collected and the plan made of them: the only mutable module state."""

from __future__ import annotations

from collections.abc import Callable

from django.apps import apps
from django.core.signals import setting_changed
from django.db.models import Model

from syncfields.declare.rules import before_changes, collect, registered
from syncfields.exceptions import RuleError
from syncfields.plan.compiler import compile_rules
from syncfields.plan.plan import Plan
from syncfields.sql.once import forget_all

_plan: Plan | None = None
_errors: list[RuleError] = []
_registered: int = 0
_listeners: list[Callable[[Plan], None]] = []


def plan() -> Plan:
    """The plan for all rules declared so far; made anew when ``register()`` added some, or when a
    model was defined since: tests do so, and plug-ins.
    """
    if _plan is None or _registered != len(registered):
        return rebuild()
    return _plan


def errors() -> list[RuleError]:
    """What is wrong with the declared rules. Those rules are not in the plan."""
    plan()
    return _errors


def on_rebuild(listener: Callable[[Plan], None]) -> None:
    """Call ``listener`` with the plan, and with each plan made later."""
    if listener not in _listeners:
        _listeners.append(listener)
        listener(plan())


def outdate(sender: type[Model], **kwargs: object) -> None:
    """A model class is about to be known, which may have rules, or be what other rules read."""
    global _plan
    if _plan is None or sender._meta.apps is not apps:
        return
    about_to_change()
    _plan = None


def about_to_change() -> None:
    for act in before_changes:
        act()


def forget(*, setting: str, **_: object) -> None:
    """The values of rules are meant in the project's time zone, and in its language."""
    global _plan
    if setting in ("TIME_ZONE", "USE_TZ", "LANGUAGE_CODE"):
        about_to_change()
        _plan = None


setting_changed.connect(forget)


def rebuild() -> Plan:
    global _plan, _errors, _registered
    _registered = len(registered)
    _plan, _errors = compile_rules(collect())
    if _errors:
        forget_unresolved()
    forget_all()
    for listener in _listeners:
        listener(_plan)
    return _plan


def forget_unresolved() -> None:
    """Let Django resolve relations anew whose models were not there when a rule asked for them:
    it remembers their names in place of the models.
    """
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.local_fields:
            if isinstance(vars(field).get("related_model"), str):
                del vars(field)["related_model"]
