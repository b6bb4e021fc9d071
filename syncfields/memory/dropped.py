"""Values that an instance does not hold any longer, because a write has made them old.

They are read when they are asked for, all of them at once: from the database that the write went
to, past the managers of the model and without an instance of it. In async code nothing can be read
when it is asked for: what is dropped within ``sync_to_async()`` is read before it returns.
"""

from __future__ import annotations

import threading
import weakref
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.db import DatabaseError, InterfaceError, connections
from django.db.models import Model

from syncfields.declare.paths import concrete
from syncfields.memory import tracking
from syncfields.sql import statements
from syncfields.sql.once import once
from syncfields.sql.rows import rows, rows_with
from syncfields.sql.statements import Param, Statement
from syncfields.transactions import pending

ATTRIBUTE, FILLED = "syncfields_dropped", "syncfields_filled"


@dataclass(frozen=True, slots=True)
class Dropped:
    """Kept by the state of an instance, whose copies share it."""

    using: str
    """Where the write went."""
    last: Mapping[str, Any]
    """By attribute name, what the instance held. It may have been given another value since."""
    old: bool
    """Whether any of it is known to be old, and not only not known to be true."""


def drop(instance: Model, names: Iterable[str], using: str, old: bool = True) -> None:
    """Let the instance hold these fields no longer."""
    held, state = vars(instance), vars(instance._state)
    lost = {name: held.pop(name) for name in names if name in held}
    before: Dropped | None = state.get(ATTRIBUTE)
    if lost:
        if before is not None:
            lost, old = {**before.last, **lost}, before.old or old
        state[ATTRIBUTE] = Dropped(using, lost, old)
    elif before is None:
        return
    if (crossing := _crossings.current) is not None:
        crossing[id(instance)] = weakref.ref(instance)


def is_whole(instance: Model) -> bool:
    """Whether nothing was ever dropped, or all of it was read again."""
    return ATTRIBUTE not in vars(instance._state)


def missing(instance: Model) -> list[str]:
    """The fields that were dropped, and neither read nor assigned since."""
    dropped = vars(instance._state).get(ATTRIBUTE)
    if dropped is None:
        return []
    held = vars(instance)
    return [name for name in dropped.last if name not in held]


def written_to(instance: Model) -> str:
    """The database that the write went to which made something old."""
    using: str = vars(instance._state)[ATTRIBUTE].using
    return using


def named(instance: Model, fields: Collection[str]) -> bool:
    """Whether one of the fields is missing."""
    return any(
        name in fields or instance._meta.get_field(name).name in fields
        for name in missing(instance)
    )


def is_old(instance: Model) -> bool:
    """Whether something is missing that has changed in the database."""
    return bool(missing(instance)) and vars(instance._state)[ATTRIBUTE].old


def is_missing(instance: Model, name: str) -> bool:
    dropped = vars(instance._state).get(ATTRIBUTE)
    return dropped is not None and name in dropped.last and name not in vars(instance)


def fetch(instance: Model) -> None:
    """Read all that is missing."""
    names = missing(instance)
    if not names:
        return
    using, found = vars(instance._state)[ATTRIBUTE].using, None
    if has_row(instance):
        found = reader(concrete(type(instance)), using, tuple(names)).row(**keys(instance))
    hold(instance, names, found, using)


def has_row(instance: Any) -> bool:
    return instance._is_pk_set() and not instance._state.adding


def reader(model: type[Model], using: str, names: tuple[str, ...]) -> Statement:
    def make() -> Statement:
        fields = {f.attname: Param(f"pk{n}", f) for n, f in enumerate(model._meta.pk_fields)}
        return statements.select(rows(model, using).filter(**fields).values_list(*names))

    return once(("dropped", using, model, names), make)


def keys(instance: Model) -> dict[str, Any]:
    pk: Any = instance.pk
    several = len(instance._meta.pk_fields) > 1
    return {f"pk{number}": value for number, value in enumerate(pk if several else (pk,))}


def hold(instance: Model, names: Iterable[str], found: Sequence[Any] | None, using: str) -> None:
    """Give the instance what was found; where its row is gone, what it held last."""
    last = vars(instance._state).pop(ATTRIBUTE).last
    values = last if found is None else dict(zip(names, found, strict=True))
    for name in names:
        setattr(instance, name, values[name])
    if found is not None:
        tracking.remember(using, instance, values)
    note_waiting(instance, names, using)


def note_waiting(instance: Model, names: Iterable[str], using: str) -> None:
    """What was read while effects wait is going to be old when they are applied."""
    waiting = pending.known(connections[using])
    if waiting is not None and waiting.waiting():
        reference = weakref.ref(instance)
        waiting.afterwards.append(partial(drop_if_alive, reference, tuple(names), using))


def drop_if_alive(reference: weakref.ref[Model], names: tuple[str, ...], using: str) -> None:
    if (instance := reference()) is not None:
        drop(instance, names, using)


def fill(instance: Model) -> None:
    """Let the instance hold for a moment what it held last: for Django, which saves and refreshes
    an instance with deferred fields in another way, and for nobody else.
    """
    state = vars(instance._state)
    if ATTRIBUTE in state and (names := missing(instance)):
        vars(instance).update({name: state[ATTRIBUTE].last[name] for name in names})
        state[FILLED] = names


def still_filled(instance: Model) -> list[str]:
    """The fields that nobody has given a value since ``fill()``."""
    state, held = vars(instance._state), vars(instance)
    names, dropped = state.get(FILLED, ()), state.get(ATTRIBUTE)
    if dropped is None:
        return []
    last = dropped.last
    return [each for each in names if each in held and each in last and held[each] is last[each]]


def unfill(instance: Model) -> None:
    """The end of ``fill()``."""
    state = vars(instance._state)
    if FILLED in state:
        for name in still_filled(instance):
            del vars(instance)[name]
        del state[FILLED]


@contextmanager
def filled(instance: Model) -> Iterator[None]:
    fill(instance)
    try:
        yield
    finally:
        unfill(instance)


def know(instance: Model, names: Collection[str]) -> None:
    """The instance holds what the database does."""
    state = vars(instance._state)
    if (dropped := state.get(ATTRIBUTE)) is None:
        return
    last = {name: value for name, value in dropped.last.items() if name not in names}
    state[ATTRIBUTE] = replace(dropped, last=last)


class Crossings(threading.local):
    """On a thread that works for async code: the instances of which something was dropped there."""

    current: dict[int, weakref.ref[Model]] | None = None


_crossings = Crossings()


@contextmanager
def crossing() -> Iterator[None]:
    """What a thread does for async code, which cannot read what is missing when it goes on."""
    outer = _crossings.current
    found = _crossings.current = dict[int, weakref.ref[Model]]()
    try:
        yield
    finally:
        _crossings.current = outer
    if found:
        fetch_all([each for reference in found.values() if (each := reference()) is not None])


def fetch_all(instances: Iterable[Model]) -> None:
    """Read what is missing of many instances, together where they are alike."""
    alike: dict[tuple[type[Model], str, tuple[str, ...]], list[Model]] = defaultdict(list)
    for instance in instances:
        if not has_row(instance):
            fetch(instance)
        elif lacking := missing(instance):
            key = concrete(type(instance)), written_to(instance), tuple(sorted(lacking))
            alike[key].append(instance)
    for (model, using, names), group in alike.items():
        if connections[using].needs_rollback:
            continue
        with suppress(DatabaseError, InterfaceError):
            if len(group) == 1:
                fetch(group[0])
                continue
            pks = list({each.pk for each in group})
            chosen = rows_with(model, using, pks).values_list("pk", *names)
            found = {pk: values for pk, *values in chosen}
            for each in group:
                if each.pk in found:
                    hold(each, names, found[each.pk], using)
                else:  # It is gone, or the instance holds its key in another form.
                    fetch(each)
