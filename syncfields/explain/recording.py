"""What each kind of write sends, recorded: it is carried out on sample rows, and taken back.

The writes are Django's own, as the library keeps them. What a model's own ``save()`` adds is not
carried out, nor are receivers called: they may do what no ROLLBACK takes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from typing import Any

from django.apps import apps
from django.db import connections, router, transaction
from django.db.models import ProtectedError, RestrictedError, signals

from syncfields import contexts
from syncfields.declare.paths import Model
from syncfields.exceptions import in_one_line
from syncfields.explain.sample_rows import Samples
from syncfields.explain.sample_values import HIGH, LOW, MIDDLE, NoSample
from syncfields.explain.sent import ROWS, Sent, is_of_transaction, recorded, shape
from syncfields.explain.writes import Kind, Stage, kinds, many_to_many
from syncfields.maintenance.extreme import Extreme
from syncfields.plan import registry
from syncfields.transactions import scope

EACH_ROW = "it grows with the number of rows"
MANY, FEWER = 3, 2
READ = "SELECT"
SIGNALS: tuple[Any, ...] = (
    signals.pre_save,
    signals.post_save,
    signals.pre_delete,
    signals.post_delete,
    signals.m2m_changed,
)
OURS = __name__.partition(".")[0] + "."


@dataclass(frozen=True, slots=True)
class Statement:
    what: str
    """Its verb and its table."""
    sql: str
    own: bool
    """It is the user's, and is sent without the library, too."""


@dataclass(frozen=True, slots=True)
class Write:
    """What one kind of write sends."""

    name: str
    changed: tuple[str, ...] = ()
    """The columns of which one changes; empty where all are written, or none that matters."""
    sent: tuple[Statement, ...] = ()
    where_extreme: tuple[Statement, ...] | None = None
    """The same, where the row held the minimum and maximum of each rule that keeps one; None where
    that makes no difference."""
    more: str = ""
    """Why more may be sent."""
    failed: str = ""
    """Why it could not be carried out."""

    @property
    def extra(self) -> tuple[str, ...]:
        return extra(self.sent)


def extra(sent: Iterable[Statement]) -> tuple[str, ...]:
    """What is sent beside the user's own statements."""
    return tuple(each.what for each in sent if not each.own)


def record(using: str, model: Model) -> list[Write]:
    """Each kind of write of a source, carried out and taken back."""
    found = list(kinds(model))
    with scope.resumed(), quiet(), alone(using):
        usual = outcomes(using, model, found, levels=(MIDDLE, LOW, HIGH))
        leaving = [kind for kind in found if kind.leaves and keeps_extremes(model)]
        extreme = outcomes(using, model, leaving, levels=(MIDDLE,))
    return alike(usual[kind].joined(extreme.get(kind), kind) for kind in found)


def keeps_extremes(model: Model) -> bool:
    """Whether a minimum or maximum follows from rows of the model."""
    plan = registry.plan()
    reached, left = {model}, [model]
    while left:
        for watch in plan.sources.get(left.pop(), ()):
            if isinstance(watch.maintenance, Extreme):
                return True
            if watch.maintenance.target not in reached:
                reached.add(watch.maintenance.target)
                left.append(watch.maintenance.target)
    return False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a kind of write sent, or why it could not be carried out."""

    sent: tuple[Statement, ...] = ()
    more: str = ""
    failed: str = ""

    def joined(self, extreme: Outcome | None, kind: Kind) -> Write:
        alone = None if extreme is None or extreme.failed or self.failed else extreme.sent
        differs = alone is not None and len(extra(alone)) != len(extra(self.sent))
        return Write(
            kind.name,
            (kind.changed,) if kind.changed else (),
            self.sent,
            alone if differs else None,
            kind.more or self.more,
            self.failed,
        )


def outcomes(
    using: str, model: Model, found: Sequence[Kind], levels: Sequence[int]
) -> Mapping[Kind, Outcome]:
    """What each kind of write sends for rows of the first level, among those of the others."""
    results: dict[Kind, Outcome] = {}
    for number in (1, MANY):
        chosen = [kind for kind in found if kind.several == (number > 1)]
        if not chosen:
            continue
        with undone(using):
            reason, stage = said(partial(set_up, using, model, levels, number))
            for kind in chosen:
                results[kind] = attempt(stage, kind) if stage else Outcome(failed=reason)
    return results


def set_up(using: str, model: Model, levels: Sequence[int], number: int) -> Stage:
    samples = Samples(using)
    levels = [levels[0]] * number + [*levels[1:]]
    with transaction.atomic(using=using):
        if model._meta.auto_created:
            return set_up_many_to_many(using, model, samples, levels, number)
        rows = [samples.saved(model, level) for level in levels]
        for row in rows[:number]:
            samples.surround(row)
    return Stage(model=model, using=using, samples=samples, rows=rows, number=number)


def set_up_many_to_many(
    using: str, model: Model, samples: Samples, levels: Sequence[int], number: int
) -> Stage:
    field = many_to_many(model)
    near = samples.saved(field.model)
    if router.db_for_write(model, instance=near) != using:
        raise NoSample(f"The router writes {model._meta.label} elsewhere.")
    rows = [samples.stranger(field.related_model, level) for level in levels]
    stage = Stage(model=model, using=using, samples=samples, rows=rows, near=near, number=number)
    stage.manager().add(*rows)
    return stage


def attempt(stage: Stage, kind: Kind) -> Outcome:
    reason, sent = said(partial(carried_out, stage, kind))
    if sent is None:
        return Outcome(failed=reason)
    if stage.number > 1:
        _, fewer = said(partial(carried_out, replace(stage, number=FEWER), kind))
        if fewer is not None and len(extra(fewer)) < len(extra(sent)):
            return Outcome(sent, EACH_ROW)
    return Outcome(sent)


def carried_out(stage: Stage, kind: Kind) -> tuple[Statement, ...]:
    try:
        return tuple(statements(stage, kind, sent_by(stage, kind)))
    except (ProtectedError, RestrictedError):
        if stage.bare:
            raise
        return carried_out(replace(stage, bare=True), kind)


def statements(stage: Stage, kind: Kind, found: Iterable[Sent]) -> Iterator[Statement]:
    """What was sent, and which of it is the user's own: no row but the user's is inserted or
    deleted, and where the library sends the user's UPDATE itself, it is the first of that table.
    """
    found = list(found)
    shapes = [shape(sql) for sql, _ in found]
    own = [not ours or what.startswith(ROWS) for what, (_, ours) in zip(shapes, found, strict=True)]
    update = f"UPDATE {stage.model._meta.db_table}"
    if kind.updates and update in shapes:
        places = [number for number, what in enumerate(shapes) if what == update]
        if not any(own[number] for number in places):
            own[places[0]] = True
    for what, (sql, _), is_own in zip(shapes, found, own, strict=True):
        yield Statement(what, sql, is_own)


def sent_by(stage: Stage, kind: Kind) -> list[Sent]:
    using = stage.using
    with undone(using):
        write = kind.prepare(stage)
        contexts.flush(using)  # What waits for COMMIT belongs to the rows that were made.
        with recorded(using) as found:
            write()
            contexts.flush(using)
        return found


def alike(found: Iterable[Write]) -> list[Write]:
    """Writes that send the same, as one with the columns of all."""
    groups: dict[object, Write] = {}
    for each in found:
        extremes = None if each.where_extreme is None else extra(each.where_extreme)
        key = each.name, each.extra, extremes, each.more, each.failed
        known = groups.get(key)
        groups[key] = replace(known, changed=known.changed + each.changed) if known else each
    return list(groups.values())


def said(act: Callable[[], Any]) -> tuple[str, Any]:
    """Why it cannot be done, or what it gives."""
    try:
        return "", act()
    except Exception as error:  # noqa: BLE001 - a model's own code may raise anything
        reason = in_one_line(error)
        return f"{type(error).__name__}: {reason}", None


# Without a trace ---------------------------------------------------------------------------------


@contextmanager
def undone(using: str) -> Iterator[None]:
    """What is written within the block is taken back at its end, and what waits for COMMIT never
    runs.
    """
    with transaction.atomic(using=using):
        yield
        transaction.set_rollback(True, using=using)


@contextmanager
def alone(using: str) -> Iterator[None]:
    """Let a router, or a model's own code, write to no other database within the block."""

    def refuse(execute: Callable[..., Any], sql: Any, *rest: Any) -> Any:
        text = str(sql)
        if is_of_transaction(text) or text.lstrip().upper().startswith(READ):
            return execute(sql, *rest)
        raise NoSample(f"{shape(text)} is sent to another database.")

    with ExitStack() as stack:
        for alias in connections:
            if alias != using:
                stack.enter_context(connections[alias].execute_wrapper(refuse))
        yield
    if apps.is_installed("django.contrib.contenttypes"):
        from django.contrib.contenttypes.models import ContentType

        ContentType.objects.clear_cache()  # It may know some that were taken back.


_one = Lock()
"""Receivers are the process's own, so that one thread at a time can have them quiet."""
_quiet: ContextVar[bool] = ContextVar("syncfields_quiet", default=False)


@contextmanager
def quiet() -> Iterator[None]:
    """Call no receivers but the library's within the block, in this context only. What Django asks
    of them, whether there are any, has the same answer as ever.
    """
    with _one, scope.holding(_quiet, True), ExitStack() as stack:
        for signal in SIGNALS:
            send = signal.send
            signal.send = quietly(signal, send)
            stack.callback(vars(signal).__delitem__, "send")
        yield


def quietly(signal: Any, send: Callable[..., Any]) -> Callable[..., Any]:
    def send_quietly(sender: Any, **named: Any) -> Any:
        if not _quiet.get():
            return send(sender, **named)
        receivers = signal._live_receivers(sender)[0]
        return [
            (each, each(signal=signal, sender=sender, **named))
            for each in receivers
            if str(getattr(each, "__module__", "")).startswith(OURS)
        ]

    return send_quietly
