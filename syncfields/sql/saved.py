"""The INSERT, the UPDATE and the DELETE of one instance's row, compiled once.

Django compiles the same text every time, which takes longer than SQLite takes to execute it.
The text depends on nothing but the columns, where each is given a plain value: of the fields and
the types listed here. All else is left to Django, and so is everything where another package has
replaced what Django does here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import FunctionType, NoneType, SimpleNamespace
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import AutoField, Manager, QuerySet
from django.db.models.sql import DeleteQuery, InsertQuery, UpdateQuery

from syncfields.declare.paths import column
from syncfields.sql import statements
from syncfields.sql.databases import vendor_of
from syncfields.sql.fields import stored_as
from syncfields.sql.holding import UNKNOWN, VENDORS, holding_of
from syncfields.sql.once import once
from syncfields.sql.plain import PLAIN, TYPES
from syncfields.sql.rows import rows, rows_given
from syncfields.sql.statements import Param, Row, Statement

SENDING: Any = QuerySet
GIVEN = TYPES | {NoneType}


class Saved(Param):
    """A value as its column stores it."""

    def adapted(self, value: Any, connection: Any) -> Any:
        return self.output_field.get_db_prep_save(value, connection)


def saved(field: Any, using: str) -> Saved:
    made = Saved(field.attname, field)
    if vendor_of(using) == "mysql" and isinstance(stored_as(field), AutoField):
        made.takes = None  # MySQL would make another key of 0, which Django refuses.
    return made


class Compiled(NamedTuple):
    """The statement of one row of a model."""

    statement: Statement
    kind: Any
    """The class of the compiler."""
    methods: Sequence[Any]
    """What was Django's own when it was compiled."""
    fields: Sequence[Any] = ()
    returned: Sequence[Any] = ()

    def holds(self, method: Any) -> bool:
        """Whether nobody has replaced any of it since."""
        return self.methods == methods(self.kind, method)


def methods(kind: Any, method: Any) -> list[Any]:
    return [method, kind.as_sql, kind.execute_sql]


def insert(
    instance: Any,
    manager: Any,
    using: str,
    fields: Sequence[Any],
    returned: Sequence[Any],
    raw: bool,
    cursor: Any = None,
) -> list[Row] | None:
    """What ``Model._do_insert()`` does and returns; None where that has to do it."""
    model = manager.model
    key = "insert of one", using, model, len(fields), len(returned)
    found = once(key, lambda: insert_of(manager, using, fields, returned))
    if found is None or found.fields != fields or found.returned != returned:
        return None
    if not found.holds(SENDING._insert):
        return None
    if raw:
        values = [getattr(instance, field.attname) for field in fields]
    else:
        values = [field.pre_save(instance, True) for field in fields]
    if not GIVEN.issuperset(map(type, values)):
        return None
    return [*found.statement.written_with(values, cursor).rows]


def insert_of(
    manager: Any, using: str, fields: Sequence[Any], returned: Sequence[Any]
) -> Compiled | None:
    connection: Any = connections[using]
    if returned and not connection.features.can_return_columns_from_insert:
        return None
    query: Any = InsertQuery(manager.model)
    compiler = query.get_compiler(using)
    own = methods(type(compiler), SENDING._insert)
    if not is_proven(using, manager, own, fields):
        return None
    row = SimpleNamespace(**{each.attname: saved(each, using) for each in fields})
    query.insert_values(fields, [row], raw=True)
    compiler.returning_fields = returned
    ((text, params),) = compiler.as_sql()
    columns = [each.get_col(manager.model._meta.db_table) for each in returned]
    statement = Statement(using, text, params, compiler, columns)
    statement = statement.in_order([each.attname for each in fields])
    return Compiled(statement, type(compiler), own, [*fields], [*returned])


def update(
    queryset: Any, using: str, pk: Any, values: Mapping[str, Any], cursor: Any = None
) -> int | None:
    """The number of rows of this key that are given ``values``, by attribute name, as
    ``Model._do_update()`` does it with the base manager's ``queryset``; None where that has to do
    it.
    """
    model = queryset.model
    key = "update of one", using, model, *values
    found = once(key, lambda: update_of(model, using, [*values]))
    if found is None or type(queryset) is not QuerySet or queryset.query.where:
        return None
    if not found.holds(SENDING._update):
        return None
    if holding_of(using, model, model._meta.pk.attname)(pk) is UNKNOWN:
        return None  # Django finds no row where a key is out of range.
    if not GIVEN.issuperset(map(type, values.values())):
        return None
    return found.statement.written_with([pk, *values.values()], cursor).number


def update_of(model: Any, using: str, names: Sequence[str]) -> Compiled | None:
    fields = [column(model, name) for name in names]
    compiler: Any = UpdateQuery(model).get_compiler(using)
    own = methods(type(compiler), SENDING._update)
    if len(model._meta.pk_fields) > 1:
        return None
    if not is_proven(using, model._base_manager, own, fields):
        return None
    chosen = rows(model, using).filter(pk=Param("pk", model._meta.pk))
    statement = statements.update(chosen, {each.name: saved(each, using) for each in fields})
    return Compiled(statement.in_order(["pk", *names]), type(compiler), own)


def delete(query: Any, using: str, pk: Any) -> int | None:
    """The number of rows of this key that are deleted, as ``DeleteQuery.delete_batch()`` does it;
    None where that has to do it.
    """
    model = query.model
    found = once(("delete of one", using, model), lambda: delete_of(query, using))
    if found is None or type(query) is not DeleteQuery or not found.holds(DeleteQuery.do_query):
        return None
    if holding_of(using, model, model._meta.pk.attname)(pk) is UNKNOWN:
        return None
    return found.statement.written_with([pk]).number


def delete_of(query: Any, using: str) -> Compiled | None:
    model, key = query.model, query.model._meta.pk
    kind = type(query.get_compiler(using))
    own = methods(kind, DeleteQuery.do_query)
    if len(model._meta.pk_fields) > 1 or not all(map(is_django, own)):
        return None
    statement = statements.delete(rows_given(model, using, [Param("pk", key)]))
    return Compiled(statement.in_order(["pk"]), kind, own)


def is_proven(
    using: str, manager: Any, own: Sequence[Callable[..., Any]], fields: Sequence[Any]
) -> bool:
    """Whether the text is that of Django, and depends on the columns alone."""
    return bool(
        fields
        and vendor_of(using) in VENDORS
        and type(manager) is Manager
        and all(map(is_django, own))
        and all(type(stored_as(each)) in PLAIN for each in fields)
    )


def is_django(function: Any) -> bool:
    """Whether it was written there, whatever name it has."""
    if type(function) is not FunctionType:
        return False
    return str(function.__globals__.get("__name__", "")).startswith("django.db.")
