"""``Model.save()``, by the two methods that write one row of one table.

``_do_update()`` and ``_do_insert()`` are private, but nothing else brackets the row's own write as
tightly: after the ``pre_save`` and before the ``post_save`` receivers, for each table of a
multi-table model, with the columns that are really written, and not at all where a receiver is
called without a write. What follows from the write is left to a receiver: see ``brackets.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from django.db import connections, models, router
from django.db.models.signals import post_save, pre_save

from syncfields.capture import brackets, receivers, refusals
from syncfields.capture.brackets import Bracket
from syncfields.capture.wrapping import wrap
from syncfields.declare.paths import column, concrete
from syncfields.exceptions import SyncedFieldError
from syncfields.keep import engine
from syncfields.keep.single import changed, contents_of
from syncfields.maintenance.changes import Change, Learnt
from syncfields.memory import dropped, instances, tracking
from syncfields.memory.given import Given
from syncfields.plan import registry
from syncfields.sql import saved
from syncfields.transactions import scope
from syncfields.transactions.atomic import is_own, persistently


def connect() -> None:
    wrap(models.Model, "save", saving)
    wrap(models.Model, "save_base", bracketing)
    wrap(models.Model, "_save_table", filling)
    wrap(models.Model, "_do_insert", inserting)
    wrap(models.Model, "_do_update", updating)


def saving(original: Callable[..., None]) -> Callable[..., None]:
    """Django saves an instance with deferred fields in another way; ours were not its own."""

    def save(self: models.Model, *args: Any, **kwargs: Any) -> None:
        if dropped.is_whole(self):
            return original(self, *args, **kwargs)
        if scope.suspended() is not None and dropped.missing(self):
            if (names := kwargs.get("update_fields")) is not None:
                names = kwargs["update_fields"] = list(names)
            if names is None or dropped.named(self, names):  # It will be written.
                dropped.fetch(self)
        with dropped.filled(self):
            return original(self, *args, **kwargs)

    return save


def filling(original: Callable[..., Any]) -> Callable[..., Any]:
    """What was dropped is not fetched in order to be left out of the UPDATE."""

    def _save_table(self: models.Model, *args: Any, **kwargs: Any) -> Any:
        if dropped.is_whole(self):
            return original(self, *args, **kwargs)
        with dropped.filled(self):
            return original(self, *args, **kwargs)

    return _save_table


def bracketing(original: Callable[..., None]) -> Callable[..., None]:
    def save_base(
        self: models.Model,
        raw: bool = False,
        force_insert: Any = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Collection[str] | None = None,
    ) -> None:
        given = (raw, force_insert, force_update, using, update_fields)
        if raw is not scope.loading():
            with scope.loads(raw):
                return save_base(self, *given)
        model = type(self)
        registry.plan()  # The receivers are those of the rules that there are now.
        tables = receivers.followed.get(model)
        dropped.unfill(self)  # Receivers read what they ask for.
        if model in receivers.guarded and scope.suspended() is None:
            if update_fields:
                with suppress(SyncedFieldError):  # A receiver of pre_save raises it.
                    update_fields = refusals.without_synced(self, update_fields)
                    given = (*given[:-1], update_fields)
            if not (raw or force_insert or self._state.adding) and receivers.heard_by_others(model):
                drop_unwritten(self, using)
        if tables is None:
            return original(self, *given)
        if model._meta.parents:
            receivers.come_last(model)
            connection = connections[using or router.db_for_write(model, instance=self)]
            if is_own(connection) and can_be_repeated(model):
                save = partial(brackets.saved, original, self, tables, *given)
                return persistently(connection, save, [Given([self])])
        return brackets.saved(original, self, tables, *given)

    return save_base


def can_be_repeated(model: type[models.Model]) -> bool:
    """Whether nobody notices that rows of several tables are saved as a whole, and once more where
    the database has ended that: no receivers, which would be called again, and inside of the
    transaction, and no memory of old values, which would not outlive it.
    """
    signals = (pre_save, post_save)
    heard = any(receivers.heard_by_others(model, each) for each in signals)
    return not heard and not hasattr(model, tracking.NAME)


def drop_unwritten(instance: models.Model, using: str | None) -> None:
    """Let receivers of ``pre_save`` see no value that the UPDATE is going to leave out.

    An audit log would record a change that never was.
    """
    alias = using or router.db_for_write(type(instance), instance=instance)
    for _, owned in registry.plan().guarded_by(type(instance)):
        dropped.drop(instance, owned, alias, old=False)


def inserting(original: Callable[..., Any]) -> Callable[..., Any]:
    is_plain = saved.is_django(original)

    def _do_insert(
        self: models.Model, manager: Any, using: str, fields: Any, returning_fields: Any, raw: bool
    ) -> Any:
        model, plan = concrete(manager.model), registry.plan()
        if model not in plan.sources and model not in plan.owned:
            if type(self) is model or concrete(type(self)) not in plan.owned:
                return original(self, manager, using, fields, returning_fields, raw)
            made = is_made(self, model)
            result = original(self, manager, using, fields, returning_fields, raw)
            note_parent(self, model, made)
            return result
        parents = type(self)._meta.parents

        def write() -> Any:
            given = manager, using, fields, returning_fields, raw
            result = saved.insert(self, *given, change.learnt.cursor) if is_plain else None
            if result is None:
                result = original(self, *given)
            change.learnt.pks = [primary_key(self, model, result, returning_fields)]
            # As it was written: receivers may change the instance before the rest is done.
            change.learnt.written = dict(vars(self))
            if parents:
                note_parent(self, model, made)
            return result

        def remember() -> None:
            tracking.remember_inserted(using, self, change)
            instances.forget(using, self, [change])

        inserted = parents_inserted(self, model) if parents else frozenset()
        made = bool(parents) and is_made(self, model)
        change = Change(
            model,
            "insert",
            values=vars(self),
            rows=(vars(self),),
            unordered=raw or (not inserted and engine.known_before(using, [self])),
            loaded=raw,
            inserted=inserted,
        )
        if (suspension := scope.suspended()) is not None:
            result = engine.perform(using, [change], write)
            remember()
            suspension.note_targets(using, plan.targets.get(model, ()), change.learnt.pks)
            return result
        if starts := model in plan.owned:
            dropped.know(self, plan.owned[model])
        return carry_out(self, using, change, write, remember, returning_fields, starts)

    return _do_insert


PARENTS = "syncfields_parents_inserted"


def is_made(instance: models.Model, model: type[models.Model]) -> bool:
    """Whether the key of a row of one table is made with it, or with its parent."""
    key: Any = model._meta.pk
    if getattr(key.remote_field, "parent_link", False):
        return key.related_model in vars(instance._state).get(PARENTS, ())
    return getattr(instance, key.attname) is None


def note_parent(instance: models.Model, model: type[models.Model], made: bool) -> None:
    """Remember a parent of a multi-table row that is inserted with it, until the row itself is."""
    if model is type(instance) or model is concrete(type(instance)):
        return
    state = vars(instance._state)
    known = state.get(PARENTS, frozenset())
    state[PARENTS] = known | {model} if made else known - {model}


def parents_inserted(
    instance: models.Model, model: type[models.Model]
) -> frozenset[type[models.Model]]:
    state = vars(instance._state)
    found: frozenset[type[models.Model]] = state.get(PARENTS, frozenset())
    if found and model is concrete(type(instance)):
        del state[PARENTS]
    return found


def primary_key(instance: models.Model, model: Any, result: Any, returning: Any) -> Any:
    """The key of a row just inserted, which Django sets on the instance a moment later."""
    key = model._meta.pk.attname
    for row in result or ():
        for field, value in zip(returning, row, strict=False):
            if field.attname == key:
                return value
    return getattr(instance, key)


def updating(original: Callable[..., Any]) -> Callable[..., Any]:
    is_plain = saved.is_django(original)

    def _do_update(
        self: models.Model,
        base_qs: Any,
        using: str,
        pk_val: Any,
        values: Any,
        *rest: Any,
        **named: Any,
    ) -> Any:
        def django(values: Sequence[Any]) -> Any:
            return original(self, base_qs, using, pk_val, values, *rest, **named)

        model, plan = concrete(base_qs.model), registry.plan()
        left_out = unwritten(self, using, model, pk_val) if model in plan.guarded else ()
        values = [each for each in values if each[0].attname not in left_out]
        written = {field.attname: value for field, _, value in values}
        if not matters(model, written):
            if result := django(values):
                dropped.drop(self, left_out, using, old=False)
            return result
        returned = named.get("returning_fields", *rest[-1:])
        previous = tracking.remembered(using, self, model, plan.columns[model])
        change = Change(
            model,
            "update",
            Learnt([pk_val], changing(using, model, previous, written), beside={}),
            values=written,
            rows=(written,),
            previous=previous,
            saved=not scope.loading(),
        )

        def write() -> Any:
            queryset = base_qs if is_plain and not self._meta.select_on_save else None
            result = update(change, queryset, using, values, returned, django)
            if not result:  # No such row.
                change.learnt.pks = ()
            return result

        def remember() -> None:
            tracking.remember(using, self, written)
            if change.learnt.pks and (change.learnt.columns or model in plan.counted):
                instances.forget(using, self, [change])
            if change.learnt.pks:
                dropped.drop(self, left_out, using, old=False)

        fields = returned if isinstance(returned, list) else ()
        return carry_out(self, using, change, write, remember, fields)

    return _do_update


def matters(model: type[models.Model], written: Collection[str]) -> bool:
    """Whether any rule reads what an UPDATE writes, or counts it."""
    plan = registry.plan()
    if model not in plan.sources:
        return False
    return model in plan.counted or not plan.columns[model].isdisjoint(written)


def update(
    change: Change,
    queryset: Any,
    using: str,
    values: Sequence[Any],
    returned: Any,
    django: Callable[[Sequence[Any]], Any],
) -> Any:
    """Send the UPDATE of a row, with what it takes along; what ``_do_update()`` returns of it.

    ``queryset``: None where that has to be sent by ``django``. ``returned``: the fields that are;
    before Django 6.0 no list, and the result is a bool.
    """
    learnt = change.learnt
    if not learnt.pks:  # One may come at any moment, unread, and would not be counted.
        return False
    beside, number = learnt.beside or {}, None
    if queryset is not None and not (isinstance(returned, list) and returned):
        whole = {**(change.values or {}), **beside}
        number = saved.update(queryset, using, learnt.pks[0], whole, learnt.cursor)
    if number is None:
        more = [(column(change.model, name), None, value) for name, value in beside.items()]
        return django([*values, *more])
    return [()] * number if isinstance(returned, list) else number > 0


def unwritten(instance: models.Model, using: str, model: type[models.Model], pk: Any) -> set[str]:
    """The columns of a table with synced fields that are left out of the UPDATE."""
    plan = registry.plan()
    if (suspension := scope.suspended()) is not None:
        suspension.note_targets(using, plan.targets.get(model, ()), [pk])
        return set()
    return {*plan.guarded[model], *dropped.still_filled(instance)}


def changing(
    using: str,
    model: type[models.Model],
    previous: Mapping[str, Any] | None,
    written: Mapping[str, Any],
) -> frozenset[str]:
    """The columns that a save may change; without those that it surely leaves as they are, where
    memory says it before a transaction is begun for nothing.
    """
    if previous is None:
        return frozenset(written)
    return changed(contents_of(using, model), previous, written)


def carry_out(
    instance: models.Model,
    using: str,
    change: Change,
    write: Callable[[], Any],
    remember: Callable[[], None],
    returned: Sequence[Any],
    starts: bool = False,
) -> Any:
    """Carry out the write of one row; what follows is applied by the receiver, or else at once.

    ``starts``: the row is a new target, and its synced fields start at their values.
    """
    connection = connections[using]
    saving = brackets.current(instance, change.model, connection)
    if saving is not None and scope.suspended() is None:
        if starts:
            steps: Any = engine.steps_of_insert(connection, change, [instance], write)
        else:
            steps = engine.steps_of(connection, [change], write)
        if steps is not None:
            return saving.write(Bracket(connection, instance, change, steps, returned, remember))
        result = write()
    elif starts:
        result = engine.insert(using, change, [instance], write)
    else:
        result = engine.perform(using, [change], write)
    remember()
    return result
