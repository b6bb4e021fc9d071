"""One example: rules are put on the world, rows are written, and each value stays true.

It is text, and prints as text that can be pasted into a test: ``play(Example.read('''...'''))``.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core import serializers
from django.db import connection, models, transaction
from django.test import override_settings
from django.utils import timezone

from syncfields import coalesce, conf, flush, reconcile, register, unsynced
from syncfields.declare import rules
from syncfields.plan import registry
from syncfields.testing import assert_in_sync
from syncfields.transactions import pending
from tests.declarations import models as world
from tests.declarations.grammar import Drawing, declarations
from tests.declarations.relations import TOUCHED, own_slots, relations
from tests.declarations.truth import NAMES, drifts, meaning, truths
from tests.declarations.words import Declared, Draw
from tests.declarations.writes import writings
from tests.undo import rolled_back

TOUCHING = f'touch="{TOUCHED}"'
OPTIONS = ("depends_on", "touch", "tracking")


class WrongError(AssertionError):
    """A value that is not true, or a write that fails because of the library."""


@dataclass(frozen=True)
class Example:
    rules: Sequence[Declared]
    seeds: Sequence[str]
    """Lines that make the rows which are there before the rules are."""
    lines: Sequence[str]
    """Writes, after each of which every value is compared with the truth."""
    at_commit: bool = False
    """Whether effects wait, until after each line: as they do for COMMIT."""

    @classmethod
    def drawn(cls, draw: Draw) -> Example:
        drawing = Drawing(draw)
        found = declarations(drawing)
        return cls(found, *writings(draw, found, drawing.seen), at_commit=drawing.chance(15))

    @classmethod
    def read(cls, text: str) -> Example:
        """What ``str()`` has written."""
        seeds, declared, lines = (part.strip() for part in text.split(BORDER))
        return cls(
            [
                each
                for line in re.split(NEXT, declared)
                if line != AT_COMMIT
                for each in declarations_in(line)
            ],
            seeds.splitlines(),
            re.split(NEXT, lines) if lines else [],
            AT_COMMIT in declared,
        )

    def __str__(self) -> str:
        settings = [AT_COMMIT] if self.at_commit else []
        parts = (self.seeds, [*settings, *map(str, self.rules)], self.lines)
        return f"\n{BORDER}\n".join("\n".join(part) for part in parts)


BORDER = "# ---"
NEXT = r"\n(?! )"
AT_COMMIT = 'SYNCFIELDS["APPLY"] = "commit"'


@dataclass
class Outcome:
    """What became of the rules of some examples."""

    examples: int = 0
    steps: int = 0
    failed_steps: int = 0
    """Writes that Django refuses by itself."""
    declared: int = 0
    impossible: int = 0
    """Rules that not even ``annotate()`` takes."""
    refused: Counter[str] = field(default_factory=Counter)
    """By the id of the check."""


class Player:
    """The rows of one example, and what the names in its lines mean."""

    def __init__(self) -> None:
        self.stale: dict[Any, Any] = {}
        targeted = connection.features.supports_update_conflicts_with_target
        self.names: dict[str, Any] = {
            **NAMES,
            "row": self.row,
            "rows": self.rows,
            "pks": lambda model, *numbers: [each.pk for each in self.rows(model, *numbers)],
            "key": lambda row, name: getattr(row, name) if row else None,
            "stale": self.held,
            "save": self.save,
            "copied": copied,
            "loaded": loaded,
            "content_type": ContentType.objects.get_for_model,
            "bulk_update": self.bulk_update,
            "by_code": {"unique_fields": ["code"]} if targeted else {},
            "atomic": transaction.atomic,
            "coalesce": coalesce,
            "flush": flush,
            "override": timezone.override,
            "rolled_back": rolled_back,
            "unsynced": unsynced,
        }

    def perform(self, line: str) -> list[models.Model]:
        """Carry out a line; returns the instances that it has saved."""
        with transaction.atomic():
            if line.startswith("with "):
                exec(line, self.names)
                result = None
            else:
                result = eval(line, self.names)
            if conf.apply() == "commit":
                flush()
            if connection.vendor != "mysql":  # The others look when the transaction ends.
                connection.check_constraints()
        found = result if isinstance(result, (list, tuple)) else [result]
        return [each for each in found if isinstance(each, models.Model)]

    def row(self, model: Any, number: int) -> Any:
        found = self.rows(model, number)
        return found[0] if found else None

    def rows(self, model: Any, *numbers: int) -> list[Any]:
        known = list(models.QuerySet(model).order_by("pk").values_list("pk", flat=True))
        chosen = [known[each] for each in {each % len(known) for each in numbers if known}]
        return list(models.QuerySet(model).filter(pk__in=chosen).order_by("pk")) if chosen else []

    def held(self, model: Any, number: int) -> Any:
        """A row as it was when it was first asked for."""
        row = self.row(model, number)
        return row and copy(self.stale.setdefault((model, row.pk), row))

    def save(self, row: Any, values: dict[str, Any], **options: Any) -> Any:
        if row is not None:
            assign(row, values)
            row.save(**options)
        return row

    def bulk_update(self, model: Any, rows: Sequence[Any], values: dict[str, Any]) -> None:
        for row in rows:
            assign(row, values)
        if rows:
            model.objects.bulk_update(rows, [*values])


def assign(row: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)


def copied(row: Any) -> Any:
    """The row once more, under another key."""
    if row is not None:
        for field in row._meta.concrete_fields:
            if field.primary_key or getattr(field.remote_field, "parent_link", False):
                setattr(row, field.attname, None)
        row._state.adding = True
        row.save()
    return row


def loaded(row: Any) -> None:
    for each in serializers.deserialize(
        "json", serializers.serialize("json", [row] if row else [])
    ):
        each.save()


@contextmanager
def only(found: Sequence[Declared]) -> Iterator[None]:
    """These rules are in the plan, and none is in any that follows."""
    before = list(rules.registered)
    pending.flush_all()  # By the plan that it was noted by.
    try:
        rules.registered.clear()
        for rule in found:
            meaning(str(rule), register=register)
        registry.rebuild()
        yield
    finally:
        rules.registered[:] = before
        registry.rebuild()


def play(example: Example, outcome: Outcome | None = None) -> None:
    """Raise ``WrongError`` where a value is not the truth, or a write fails that Django can do."""
    outcome = outcome or Outcome()
    applied = {"APPLY": "commit"} if example.at_commit else {}
    with override_settings(SYNCFIELDS=applied), rolled_back():
        player = Player()
        for line in example.seeds:
            with suppress(Exception):  # What the database refuses is not there.
                player.perform(line)
        declared = [rule for rule in example.rules if possible(rule) is not None]
        outcome.examples += 1
        outcome.declared += len(declared)
        outcome.impossible += len(example.rules) - len(declared)
        with only(declared):
            kept = accepted(declared, outcome)
        with only(kept):
            reconcile()
            asked = verify(kept, "reconcile()")
            for line in example.lines:
                outcome.steps += 1
                values = untouched(kept)
                saved = performed(line, player, kept)
                outcome.failed_steps += saved is None
                asked = verify(asked, line)
                verify_touched(values, line)
                verify_memory(asked, line, saved or ())
            if asked:
                assert_in_sync(*(rule.label for rule in asked))


def possible(rule: Declared) -> dict[Any, Any] | None:
    """What a plain ``annotate()`` says, if it takes the expression."""
    try:
        with transaction.atomic():
            return truths(rule)
    except Exception:  # noqa: BLE001 - Django's, or the database's
        return None


def accepted(found: Sequence[Declared], outcome: Outcome) -> list[Declared]:
    """The rules that no check refuses."""
    kept = {rule.label for rule in registry.plan().rules}
    for rule in found:
        if rule.label not in kept:
            ids = [each.id for each in registry.errors() if rule.label in each.message]
            assert ids, f"{rule} is not kept, and no check says why."
            outcome.refused[ids[0]] += 1
    return [rule for rule in found if rule.label in kept]


def performed(line: str, player: Player, kept: Sequence[Declared]) -> Sequence[models.Model] | None:
    """The instances that a line has saved; None where Django refuses it by itself."""
    try:
        return player.perform(line)
    except Exception as error:
        if not fails_by_itself(line, player, kept):
            raise WrongError(f"{line}\nraises {error!r}") from error
        return None


def fails_by_itself(line: str, player: Player, kept: Sequence[Declared]) -> bool:
    """Whether Django refuses the write too where there is no rule, or the truths after it."""
    try:
        with only(()), rolled_back():
            player.perform(line)
            for rule in kept:
                truths(rule)
    except Exception:  # noqa: BLE001 - Django's, or the database's
        return True
    return False


def verify(kept: Sequence[Declared], line: str) -> list[Declared]:
    """The rules of which each value is true; without those that nobody can tell that of any more:
    MariaDB gives texts for some dates, which Django cannot read.
    """
    told: list[Declared] = []
    for rule in kept:
        if (expected := possible(rule)) is not None:
            told.append(rule)
            if found := drifts(rule, expected):
                raise WrongError("\n".join(["After", line, *found]))
    return told


def untouched(kept: Sequence[Declared]) -> dict[Declared, dict[Any, Any]]:
    """The values of the rules that touch a column, which is emptied."""
    found = [rule for rule in kept if TOUCHING in rule.options]
    for rule in found:
        with unsynced():  # An opaque rule evaluates anew for any column.
            models.QuerySet(rule.model).update(touched=None)
    return {rule: stored(rule, rule.slot.name) for rule in found}


def verify_touched(before: dict[Declared, dict[Any, Any]], line: str) -> None:
    """Each row whose value is another is touched."""
    for rule, values in before.items():
        touched = stored(rule, TOUCHED)
        for pk, value in stored(rule, rule.slot.name).items():
            if pk in values and values[pk] != value and touched[pk] is None:
                raise WrongError(f"After\n{line}\n{rule.label} of {pk} is {value!r}, not touched.")


def stored(rule: Declared, name: str) -> dict[Any, Any]:
    return dict(models.QuerySet(rule.model).order_by().values_list("pk", name))


def verify_memory(kept: Sequence[Declared], line: str, saved: Sequence[models.Model]) -> None:
    """What was saved, and a target that is cached on it, holds no other value than its row."""
    for instance in saved:
        for rule in kept:
            for each in (instance, *cached(instance, rule)):
                if not isinstance(each, rule.model):
                    continue
                row = models.QuerySet(rule.model).filter(pk=each.pk)
                for value in row.values_list(rule.slot.name, flat=True):
                    held = getattr(each, rule.slot.name, value)
                    if held != value:
                        raise WrongError(
                            f"After\n{line}\n{each!r} holds {held!r} as {rule.slot.name}, "
                            f"its row has {value!r}"
                        )


def cached(instance: models.Model, rule: Declared) -> Iterator[models.Model]:
    """The targets of a rule that an instance leads to by the one relation that the rule names."""
    names = {each.name for each in relations(rule.model)}
    read = names & set(re.findall(r"[a-z]+", re.sub(r"__\w+", "", rule.text)))
    if "objects" in rule.text:
        return
    keys = [each for each in instance._meta.concrete_fields if each.is_relation]
    for key in keys:
        far = key.get_cached_value(instance, default=None)
        rows = [getattr(instance, each.attname) for each in keys if each.related_model is type(far)]
        if read == {key.remote_field.name} and rows.count(getattr(instance, key.attname)) == 1:
            yield far


def declarations_in(line: str) -> Iterator[Declared]:
    """``register(Item, int_=Count("toys"), flt=Sum("toys__heat"))``, read back."""
    call: Any = ast.parse(line, mode="eval").body
    model = getattr(world, call.args[0].id)
    given = {each.arg: ast.get_source_segment(line, each.value) or "" for each in call.keywords}
    slots = [each for each in own_slots(model, inherited=True) if each.name in given]
    options = tuple(f"{name}={given[name]}" for name in OPTIONS if name in given)
    for slot in slots:
        yield Declared(model, slot, given[slot.name], options)
