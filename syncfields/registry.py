"""The rules collected and the plan made of them: the only mutable module state."""

from __future__ import annotations

from collections.abc import Callable

from syncfields import statements
from syncfields.compiler import compile_rules
from syncfields.exceptions import RuleError
from syncfields.plan import Plan
from syncfields.rules import collect, registered

_plan: Plan | None = None
_errors: list[RuleError] = []
_registered: int = 0
_listeners: list[Callable[[Plan], None]] = []


def plan() -> Plan:
    """The plan for all rules declared so far; made anew when ``register()`` added some."""
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


def rebuild() -> Plan:
    global _plan, _errors, _registered
    _registered = len(registered)
    _plan, _errors = compile_rules(collect())
    statements.forget_all()
    for listener in _listeners:
        listener(_plan)
    return _plan
