"""``bulk_create(update_conflicts=True)``: rows that are there are replaced, others are inserted.

The rows that will be replaced are looked for, locked and read, as for any UPDATE, and the INSERT
replaces no others. A row that another process has inserted since is locked by it and left as it
is; then that one is looked for, too, and the INSERT is sent again.

A database that does not return the rows it inserts (MySQL) goes another way: see ``conflicts.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import DatabaseError, connections
from django.db.models.sql import InsertQuery

from syncfields.capture import conflicts
from syncfields.keep import engine
from syncfields.keep.keeping import Keeping
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.changes import Change, Learnt
from syncfields.memory import dropped
from syncfields.plan import registry
from syncfields.programs import absent, initial, order
from syncfields.sql.locks import reading
from syncfields.sql.rows import rows_with
from syncfields.transactions.scope import Suspension

Rows = list[tuple[Any, ...]]
"""What comes back of each row that was written."""
MORE_THAN_ONE_ROW = 1242


def create(
    queryset: Any,
    new: Change,
    objs: Sequence[Any],
    columns: frozenset[str],
    unique_fields: Sequence[str] | None,
    write: Callable[[], Any],
) -> Any:
    """Carry out ``write``, the ``bulk_create()``; ``columns`` are those that it replaces."""
    using = queryset.db

    def keep(suspension: Suspension | None) -> Any:
        late = []
        if suspension is None:
            late += initial.assign(using, new, objs)
            late += engine.of_absent(using, new, objs, late)
        replaced = Change(new.model, "update", Learnt((), columns, locked=True))
        upsert = Upsert(queryset, objs, unique_fields, new, replaced, suspension)
        upsert.before()
        with conflicts.sending(queryset, upsert.insert):
            result = absent.meeting(using, new, write)()
        upsert.after()
        for maintenance in late:
            engine.evaluate(using, maintenance, set(new.learnt.pks))
            for obj in objs:
                dropped.drop(obj, maintenance.values, using)
        return result

    return conflicts.carry_out(using, new, objs, write, keep)


class Upsert:
    """The steps around one ``bulk_create()``, and its INSERTs."""

    def __init__(
        self,
        queryset: Any,
        objs: Sequence[Any],
        unique_fields: Sequence[str] | None,
        new: Change,
        replaced: Change,
        suspension: Suspension | None,
    ) -> None:
        self.using = queryset.db
        self.connection: Any = connections[self.using]
        self.model = queryset.model
        self.objs = objs
        self.unique_fields = unique_fields
        self.new = new
        self.replaced = replaced
        self.known: set[Any] = set()
        """The rows that may be replaced: those found, locked and read, and those just inserted."""
        self.keeping = Keeping(self.connection, [replaced, new])
        self.anew: dict[Maintenance, set[Any]] = {}
        """Targets to evaluate anew: not all rows were read before the first was written."""
        self.suspension = suspension

    def before(self) -> None:
        self.look()
        if self.suspension is not None:
            self.note([self.replaced])
            return
        pks = self.replaced.learnt.pks
        if self.connection.vendor == "mysql" and pks:  # See order.want_parents().
            former = rows_with(self.new.model, self.using, pks)
            columns = registry.plan().columns[self.new.model]
            self.new.learnt.former = list(reading(former.values(*columns)))
        self.keeping.before()

    def look(self) -> Sequence[Any]:
        """Lock the rows that will be replaced; those that were not known."""
        model = self.new.model
        found = conflicts.lock_conflicting(self.using, model, self.objs, self.unique_fields)
        found = [pk for pk in found if pk not in self.known]
        self.known.update(found)
        replaced = self.replaced.learnt
        replaced.pks = [*replaced.pks, *found]
        return found

    def look_again(self) -> bool:
        """Whether there are rows to be replaced that were not known.

        Some of the others may be written by now, so that no difference can be taken any more.
        """
        found = self.look()
        if not found:
            return False
        learnt = Learnt(found, self.replaced.learnt.columns, locked=True)
        more = Change(self.new.model, "update", learnt)
        if self.suspension is not None:
            self.note([more])
            return True
        self.leave_differences()
        order.lock_sources(self.connection, [more], list(self.anew))
        absent.leave_out_former(self.using, [more], self.anew, {})
        for each in self.anew:
            self.anew[each] |= each.targets([more], self.using)
        return True

    def leave_differences(self) -> None:
        """Go on to count events only, and to know which targets to evaluate."""
        keeping = self.keeping
        if keeping.contributions is not None:  # Else they are evaluated anew in any case.
            self.anew |= keeping.contributions.leave()
            keeping.maintenances = [each for each in keeping.maintenances if not each.reconcilable]

    def note(self, changes: Sequence[Change]) -> None:
        assert self.suspension is not None
        self.suspension.note(self.using, self.keeping.maintenances, changes)

    def after(self) -> None:
        changes = [self.replaced, self.new]
        if self.suspension is not None:
            self.note(changes)
            kept = registry.plan().targets.get(self.new.model, ())
            self.suspension.note_targets(self.using, kept, self.known)
            return
        engine.finish(self.keeping)
        order.lock_after(self.using, changes, list(self.anew))
        for each, touched in self.anew.items():
            if pks := touched | each.targets(changes, self.using):
                engine.evaluate(self.using, each, pks)

    def insert(self, objs: Sequence[Any], **options: Any) -> Rows:
        """As ``QuerySet._insert()``, and no row is replaced that was not read."""
        if not self.connection.features.has_select_for_update:  # One writer at a time.
            return self.send(objs, options)
        if self.connection.vendor == "mysql":
            return self.insert_or_replace(objs, options)
        # Rows that nothing can be in the way of apart: they must not be sent again.
        model, fields = self.new.model, self.unique_fields or ()
        named = [conflicts.is_named(model, obj, fields) for obj in objs]
        ways = {True: self.insert_or_replace, False: self.send}
        rows = {}
        for each, way in ways.items():
            chosen = [obj for obj, is_named in zip(objs, named, strict=True) if is_named is each]
            rows[each] = iter(way(chosen, options) if chosen else ())
        return [next(rows[each], ()) for each in named]

    def insert_or_replace(self, objs: Sequence[Any], options: Mapping[str, Any]) -> Rows:
        try:
            written = self.send(objs, options, *self.known_only())
        except DatabaseError as error:
            if error.args[0] != MORE_THAN_ONE_ROW:
                raise
            written = []
        if len(written) == len(objs):
            return written
        if self.look_again():
            return self.insert_or_replace(objs, options)
        if len(objs) > 1:  # One may be in the way of another.
            return [row for obj in objs for row in self.insert_or_replace([obj], options)]
        return self.send(objs, options)  # What is in the way cannot be found by Django's fields.

    def known_only(self) -> tuple[str, Sequence[Any]]:
        """What follows the ON CONFLICT clause, so that it replaces known rows only."""
        where, params = "FALSE", ()
        if self.known:
            query = rows_with(self.new.model, self.using, list(self.known)).query
            where, params = query.get_compiler(self.using).compile(query.where)
        if self.connection.vendor != "mysql":
            return f" WHERE {where}", params
        # Has no WHERE there. A subquery of two rows is an error, which undoes this one statement
        # and leaves the row locked.
        quote, meta = self.connection.ops.quote_name, self.new.model._meta
        key = f"{quote(meta.db_table)}.{quote(meta.pk_fields[0].column)}"
        refusal = f"(SELECT {key} UNION ALL SELECT {key})"
        return f", {key} = CASE WHEN {where} THEN {key} ELSE {refusal} END", params

    def send(
        self,
        objs: Sequence[Any],
        options: Mapping[str, Any],
        condition: str = "",
        params: Sequence[Any] = (),
    ) -> Rows:
        """Send one INSERT, and note which rows are new."""
        names = ("on_conflict", "update_fields", "unique_fields")
        query: Any = InsertQuery(self.model, **{name: options[name] for name in names})
        query.insert_values(options["fields"], objs)
        wanted = options["returning_fields"] or ()
        found = list(conflicts.returned(query, self.using, wanted, condition, params))
        fresh = dict.fromkeys(pk for pk, _ in found if pk not in self.known)
        self.new.learnt.pks = [*self.new.learnt.pks, *fresh]
        self.known.update(fresh)
        return [row for _, row in found]
