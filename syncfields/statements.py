"""SQL that the ORM compiled once and that is only executed from then on.

Building a query costs as much as the round trip. The values that change from one execution to the
next are ``Param`` expressions; the SQL is the ORM's own, so it is right on every backend.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.models import Expression, QuerySet, sql

Row = tuple[Any, ...]


class Param(Expression):
    """A value that is given at execution, by name, and adapted as a value of its field."""

    def __init__(self, name: str, field: Any) -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", (self,)

    def adapted(self, values: Mapping[str, Any], connection: Any) -> Any:
        return self.output_field.get_db_prep_value(values[self.name], connection, prepared=False)


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    using: str
    sql: str
    params: tuple[Any, ...]
    compiler: Any = None
    converters: Any = None

    def cursor_values(self, values: Mapping[str, Any]) -> list[Any]:
        connection = connections[self.using]
        return [
            each.adapted(values, connection) if isinstance(each, Param) else each
            for each in self.params
        ]

    def row(self, **values: Any) -> Row | None:
        """The first row of a SELECT."""
        with connections[self.using].cursor() as cursor:
            cursor.execute(self.sql, self.cursor_values(values))
            found = cursor.fetchone()
        if found is None or not self.converters:
            return found
        # Converters ask their compiler for the connection of the current thread.
        compiler = self.compiler
        compiler.connection = connections[self.using]
        return tuple(next(iter(compiler.apply_converters([found], self.converters))))

    def update(self, **values: Any) -> int:
        """Execute an UPDATE; the number of rows matched."""
        with connections[self.using].cursor() as cursor:
            cursor.execute(self.sql, self.cursor_values(values))
            return int(cursor.rowcount)


_statements: dict[Hashable, Statement] = {}


def once(key: Hashable, make: Callable[[], Statement]) -> Statement:
    """The statement kept for ``key`` (which holds the database alias), made on first use."""
    statement = _statements.get(key)
    if statement is None:
        statement = _statements[key] = make()
    return statement


def forget_all() -> None:
    """For a new plan."""
    _statements.clear()


def select(queryset: QuerySet[Any]) -> Statement:
    compiler: Any = queryset.query.get_compiler(queryset.db)
    text, params = compiler.as_sql()
    columns = [each[0] for each in compiler.select[: compiler.col_count]]
    converters = compiler.get_converters(columns)
    return Statement(queryset.db, text, tuple(params), compiler, converters)


def update(queryset: QuerySet[Any], values: Mapping[str, Any]) -> Statement:
    """``QuerySet.update()`` below the library's own capture."""
    query: Any = queryset.query.chain(sql.UpdateQuery)
    query.add_update_values(dict(values))
    text, params = query.get_compiler(queryset.db).as_sql()
    return Statement(queryset.db, text, tuple(params))
