"""Whether two fields keep the same value in the same form.

A copy is made by the database, which copies what is stored, and for a new row also by Python, which
reads a value and stores it again. Both are the same where no field on the way does something of its
own. That is certain of Django's fields that ``holding.py`` lists; a class that overrides none of
their hooks is not refused, and its rows are evaluated by the database.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import JSONField

from syncfields.declare.rules import Rule
from syncfields.exceptions import RuleError
from syncfields.sql.fields import stored_as
from syncfields.sql.holding import is_steady

DECODING = ("from_db_value", "get_db_converters", "select_format")
ENCODING = ("get_prep_value", "get_db_prep_value", "get_db_prep_save", "pre_save")


def hooks(field: Any, names: Collection[str]) -> dict[str, Any]:
    """The hooks that the class of a field does not have from Django, by name."""
    kind = type(field)
    djangos = next(each for each in kind.__mro__ if each.__module__.startswith("django."))
    found = {name: getattr(kind, name, None) for name in names}
    return {name: hook for name, hook in found.items() if hook is not getattr(djangos, name, None)}


def keeps_form(given: Any, field: Any) -> bool:
    """Whether what Python reads of one field and stores in the other is what was stored: known of
    fields of Django, by their exact class, and of JSON that no code of the user's reads or writes.
    """
    return all(map(reads_what_it_stores, (given, field)))


def reads_what_it_stores(field: Any) -> bool:
    stored = stored_as(field)
    if type(stored) is JSONField:
        return stored.encoder is None and stored.decoder is None
    return is_steady(stored)


def check_form(rule: Rule, given: Any) -> None:
    """Raise ``RuleError`` where the field and the expression, of which ``given`` is the output
    field, have different ways to read or to store a value.
    """
    field: Any = rule.field
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        raise RuleError(
            f"{rule.label} has auto_now or auto_now_add, which would store another value.",
            id="E017",
            hint="Leave it out: the rule says what the field holds.",
            obj=rule.model,
        )
    decoding = hooks(given, DECODING), hooks(field, DECODING)
    encoding = hooks(given, ENCODING), hooks(field, ENCODING)
    differing = [each for each in (*decoding[0], *decoding[1]) if differs(each, *decoding)]
    differing += [each for each in encoding[1] if differs(each, *encoding)]
    if differing:
        raise RuleError(
            f"{rule.label} is a {type(field).__name__}, and its expression gives a "
            f"{type(given).__name__}: they do not have the same {differing[0]}(), so that what one "
            "stores is something else to the other.",
            id="E017",
            hint="Use the same class for both fields, or one without such methods.",
            obj=rule.model,
        )


def differs(name: str, given: dict[str, Any], taken: dict[str, Any]) -> bool:
    return given.get(name) is not taken.get(name)
