"""Bulk writes: ``QuerySet.update()``, ``bulk_create()`` and ``_raw_delete()``.

What is built on them comes along: ``bulk_update()``, related managers, many-to-many relations, the
async twins. Wrapping the methods once reaches every manager and queryset, also those of other
packages, and leaves their classes, their pickles and the migrations alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from django.core.exceptions import FieldDoesNotExist, FieldError
from django.db import connections
from django.db.models import Case, Model, QuerySet, Value, When
from django.db.models.functions import Cast
from django.db.models.sql import UpdateQuery

from syncfields.capture import conflicts, rekeyed, upserts
from syncfields.capture.refusals import keys_of, refusal, unmeant, unmeant_beside
from syncfields.capture.wrapping import wrap
from syncfields.declare.paths import concrete
from syncfields.keep import engine, many
from syncfields.maintenance.changes import Change, Learnt
from syncfields.memory import dropped, instances
from syncfields.plan import registry
from syncfields.plan.routes import route
from syncfields.programs import absent
from syncfields.transactions import scope
from syncfields.transactions.atomic import is_own, persistently

COLLECTED = "_syncfields_collected"
"""On a queryset of Django's collector: that its rows are known, or else how to delete them."""


def connect() -> None:
    wrap(QuerySet, "update", updating)
    wrap(QuerySet, "bulk_create", creating)
    wrap(QuerySet, "bulk_update", refusing)
    wrap(QuerySet, "update_or_create", amending)
    wrap(QuerySet, "_raw_delete", deleting)


def updating(original: Callable[..., int]) -> Callable[..., int]:
    def update(self: Any, **kwargs: Any) -> int:
        columns = written_columns(self.model, kwargs)
        plan, suspension = registry.plan(), scope.suspended()
        for owner, names in columns.items():
            guarded = plan.guarded.get(owner, {}).keys() & names
            if guarded and suspension is None:
                raise refusal(plan.guarded[owner][min(guarded)])
            if guarded and suspension is not None and suspension.noting:
                self._for_write = True
                pks = list(self.values_list("pk", flat=True))
                suspension.note_targets(self.db, plan.targets.get(owner, ()), pks)
        if rekeyed.writes_keys(columns) and not is_refused(self, kwargs):
            self._for_write = True
            return rekeyed.update(self, columns, lambda chosen: original(chosen, **kwargs))
        watched = watched_columns(columns)
        if not watched or is_refused(self, kwargs):
            return original(self, **kwargs)
        self._for_write = True
        changes = [
            Change(
                owner,
                "update",
                Learnt(columns=names),
                values,
                list(keys_written(self.db, self.model, kwargs)),
            )
            for owner, names in watched.items()
            for values in [constants(self.model, kwargs, plan.columns[owner])]
        ]
        result = many.update(self, changes, lambda chosen: original(chosen, **kwargs))
        # post.comments.update(), and post.comments.add(), which updates rows to lead to the post.
        for known in (self._hints.get("instance"), *kwargs.values()):
            instances.forget_among(self.db, known, changes)
        return result

    return update


def is_refused(queryset: Any, values: Mapping[str, Any]) -> bool:
    """Whether Django itself refuses the ``update()``, before it sends anything: an error inside a
    transaction of ours would break that of the caller.
    """
    query, meta = queryset.query, queryset.model._meta
    if query.combinator or query.is_sliced or query.distinct_fields:
        return True
    try:
        if not all(meta.get_field(name).concrete for name in values):
            return True
        if any(hasattr(value, "resolve_expression") for value in values.values()):
            query.chain(UpdateQuery).add_update_values(values)
    except (FieldDoesNotExist, FieldError):
        return True
    return False


def amending(original: Callable[..., Any]) -> Callable[..., Any]:
    """Who looks for some fields, and names all others, means no synced one of the row found. A new
    row may be given any value.
    """

    def update_or_create(
        self: Any, defaults: Any = None, create_defaults: Any = None, **kwargs: Any
    ) -> Any:
        if defaults and scope.suspended() is None:
            unwritten = unmeant_beside(self.model, defaults, kwargs)
            create_defaults = defaults if create_defaults is None else create_defaults
            defaults = {key: each for key, each in defaults.items() if key not in unwritten}
        return original(self, defaults, create_defaults, **kwargs)

    return update_or_create


def refusing(original: Callable[..., int]) -> Callable[..., int]:
    """``update()`` would refuse as well, but inside a transaction that it would then break."""

    def bulk_update(self: Any, objs: Any, fields: Any, batch_size: int | None = None) -> int:
        fields = list(fields)
        if scope.suspended() is None:
            left_out = unmeant(self.model, fields)
            fields = [name for name in fields if name not in left_out]
        self._for_write = True
        connection = connections[self.db]
        if not is_own(connection) or not watched_columns(written_columns(self.model, fields)):
            return original(self, objs, fields, batch_size)
        objs = tuple(objs)  # Its updates are one transaction: all of them are tried again.
        return persistently(connection, lambda: original(self, objs, fields, batch_size))

    return bulk_update


def written_columns(model: type[Model], names: Iterable[str]) -> dict[Any, frozenset[str]]:
    """The columns that ``update()`` writes, by the model whose table holds them."""
    found: dict[Any, frozenset[str]] = {}
    for name in names:
        try:
            field: Any = model._meta.get_field(name)
        except FieldDoesNotExist:
            continue  # Django says it better.
        if not field.concrete:
            continue
        owner = concrete(field.model)
        found[owner] = found.get(owner, frozenset()) | {field.attname}
    return found


def watched_columns(columns: Mapping[Any, frozenset[str]]) -> dict[Any, frozenset[str]]:
    """Of the columns that ``update()`` writes, those of tables of which rules read some of them."""
    read = registry.plan().columns
    return {
        owner: names
        for owner, names in columns.items()
        if not names.isdisjoint(read.get(owner, ()))
    }


def keys_written(
    using: str, model: type[Model], kwargs: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """The keys that ``update()`` writes, and those by which others know the rows, each as a row of
    its own: ``bulk_update()`` writes a CASE of them. An expression among them stands for keys that
    nobody knows.
    """
    loose = absent.loose_keys(concrete(model))
    for name, value in kwargs.items():
        field: Any = model._meta.get_field(name)
        known = absent.known_by(using, concrete(field.model))
        is_key = field.is_relation or field.attname in loose or field.attname in known
        for node in results(value) if is_key else ():
            if isinstance(node, Model):
                yield {field.attname: getattr(node, field.target_field.attname)}
            elif isinstance(node, Value):
                yield {field.attname: node.value}
            else:
                yield {field.attname: node}


def results(value: Any) -> Iterator[Any]:
    """What an expression may come to; not what its conditions compare."""
    if isinstance(value, When):
        yield from results(value.result)
    elif isinstance(value, (Case, Cast)):
        for source in value.get_source_expressions():
            yield from results(source)
    else:
        yield value


def constants(
    model: type[Model], kwargs: Mapping[str, Any], columns: frozenset[str]
) -> dict[str, Any] | None:
    """What ``update()`` writes to some columns; None where the database will compute it."""
    found: dict[str, Any] = {}
    for name, value in kwargs.items():
        field: Any = model._meta.get_field(name)
        if field.attname not in columns:
            continue
        if hasattr(value, "resolve_expression"):
            return None
        is_instance = isinstance(value, Model)
        key = getattr(value, field.target_field.attname) if is_instance else value
        found[field.attname] = key
    return found


def creating(original: Callable[..., Any]) -> Callable[..., Any]:
    def bulk_create(
        self: Any,
        objs: Iterable[Any],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Any = None,
        unique_fields: Any = None,
    ) -> Any:
        model, plan = concrete(self.model), registry.plan()
        objs = list(objs)
        suspension = scope.suspended()
        if update_fields and suspension is None:
            update_fields = list(update_fields)
            left_out = unmeant(self.model, update_fields, keys_of(self.model))
            update_fields = [name for name in update_fields if name not in left_out]
        options = (batch_size, ignore_conflicts, update_conflicts, update_fields, unique_fields)
        owned = plan.owned.get(model, {})
        if not objs or (model not in plan.sources and not owned):
            return original(self, objs, *options)
        self._for_write = True
        change = Change(
            model,
            "insert",
            rows=[vars(obj) for obj in objs],
            partial=ignore_conflicts or update_conflicts,
            unordered=engine.known_before(self.db, objs),
        )

        inserted = list(objs)

        def write() -> Any:
            if not ignore_conflicts:
                result = original(self, objs, *options)
                change.learnt.pks = [obj.pk for obj in objs]
                return result
            with conflicts.noting_inserted(self) as pks:
                result = original(self, objs, *options)
            change.learnt.pks, known = pks, set(pks)
            # What is deferred on the others could not be fetched.
            inserted[:] = [obj for obj in objs if obj.pk in known]
            return result

        certain = () if ignore_conflicts else objs
        if update_conflicts and conflicts.returns_keys(self.db):
            columns = written_columns(self.model, update_fields or ()).get(model, frozenset())
            result = upserts.create(
                self, change, objs, columns, unique_fields, lambda: original(self, objs, *options)
            )
        elif update_conflicts or not conflicts.returns_keys(self.db, certain):
            result = conflicts.create(
                self.db, model, objs, unique_fields, lambda: original(self, objs, *options)
            )
        elif owned and suspension is None:
            result = engine.insert(self.db, change, inserted, write)
        else:
            result = engine.perform(self.db, [change], write, given=inserted)
            if owned and suspension is not None:
                suspension.note_targets(self.db, plan.targets[model], change.learnt.pks)
        forget(self.db, objs, change, owned if suspension is None else ())
        return result

    return bulk_create


def forget(using: str, objs: Iterable[Any], change: Change, owned: Collection[str]) -> None:
    """Drop what was made old on instances that ``bulk_create()`` was given, and on others that
    they lead to.
    """
    changes = [change, Change(change.model, "update")] if change.partial else [change]
    for obj in objs:
        instances.forget(using, obj, changes)
        if change.partial:  # The row may have been there, with other values.
            dropped.drop(obj, owned, using, old=False)


def deleting(original: Callable[..., int]) -> Callable[..., int]:
    def _raw_delete(self: Any, using: str) -> int:
        model = concrete(self.model)
        # Not at all another way for rows whose delete no rule notices, however many they are.
        if not route(Change(model, "delete")).maintenances:
            return original(self, using)
        known = vars(self).get(COLLECTED)
        if known is True:
            return original(self, using)
        delete = many.delete if known is None else known
        result = delete(self.using(using), lambda chosen: original(chosen, using))
        instances.forget_among(using, self._hints.get("instance"), [Change(model, "delete")])
        return result

    return _raw_delete
