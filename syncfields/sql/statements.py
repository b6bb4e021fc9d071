"""SQL that the ORM compiled once and that is only executed from then on.

Building a query costs as much as the round trip. The values that change from one execution to the
next are ``Param`` expressions; the SQL is the ORM's own, so it is right on every backend.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from copy import copy
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from django.db import connections
from django.db.models import DateTimeField, Expression, QuerySet, sql

from syncfields.sql.databases import takes_arrays
from syncfields.sql.fields import given_as, is_summed

Row = tuple[Any, ...]
PLACE = re.compile("(?<!%)%s")
MOST_NAMED = 100
"""So many values have names at the most."""


class Param(Expression):
    """A value that is given at execution, by name, and adapted as a value of its field."""

    def __init__(self, name: str, field: Any) -> None:
        super().__init__(output_field=field)
        self.name = name
        self.takes = given_as(field)
        """The type of values that are given to the database as they are."""
        self.is_time = type(field) is DateTimeField
        """Whether others of which this is so adapt the same value to the same."""

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", (self,)

    def adapted(self, value: Any, connection: Any) -> Any:
        return self.output_field.get_db_prep_value(value, connection, prepared=False)


class Written(NamedTuple):
    """What an UPDATE says of the rows that it matched."""

    number: int
    rows: Sequence[Row] = ()
    """The columns that it returned."""


Given: TypeAlias = tuple[Param, Any, Sequence[Any]]
"""A value that a statement is given, by what it is found under in what is given, and its places
among the parameters.
"""


class Sent(NamedTuple):
    """What is sent of a statement."""

    sql: str
    params: Any
    """Those that it always has, and ``Param`` expressions: a list, or by name."""
    given: Sequence[Given]


class Statement:
    """SQL, the values that it always has, and those that it is given."""

    __slots__ = ("converters", "given", "params", "selected", "sent", "sql", "using", "width")

    def __init__(
        self,
        using: str,
        sql: str,
        params: Sequence[Any],
        compiler: Any = None,
        selected: Sequence[Any] = (),
    ) -> None:
        """``selected``: the expressions that are returned first, which ``compiler`` compiled."""
        self.using = using
        self.sql = sql
        self.sent: Sent | None = None
        """Made when it is executed first."""
        self.params = list(params)
        self.given = given_among(params)
        self.width = len(self.given)
        """The number of values that it is given."""
        self.selected: list[Any] = [*selected]
        self.converters: list[Any] = []
        if selected:
            self.converters = list(compiler.get_converters(self.selected).items())

    def copy(self) -> Statement:
        other = copy(self)
        other.sent = None
        return other

    def with_sql(self, text: str) -> Statement:
        """Another statement that is given the same and returns the same first columns."""
        other = self.copy()
        other.sql = text
        return other

    def bound(self, **values: Any) -> Statement:
        """The statement with these values, to become a part of another one."""
        made, connection = self.copy(), connections[self.using]
        made.params, made.given = [*self.params], []
        for param, key, places in self.given:
            value = param.adapted(values[key], connection)
            for place in places:
                made.params[place] = value
        return made

    def in_order(self, names: Sequence[str]) -> Statement:
        """The statement, given a sequence of values that have these names."""
        made, numbers = self.copy(), {name: number for number, name in enumerate(names)}
        made.given = [(param, numbers[key], places) for param, key, places in self.given]
        made.width = len(names)
        return made

    def beside(self, other: Statement) -> Statement:
        """The statement, which has no FROM clause and gives one row, with the columns behind its
        own of the one row of another one, or NULLs. They are not converted.
        """
        made = self.with_sql(
            f"{self.sql}, other.* FROM (SELECT 1) AS one LEFT JOIN ({other.sql}) AS other ON TRUE"
        )
        return made.with_params([*self.params, *other.params])

    def with_row_of(self, other: Statement) -> Statement:
        """The statement, with the columns behind its own of the one row of another one. They are
        not converted.
        """
        parts = f"({self.sql}) AS one LEFT JOIN ({other.sql}) AS two ON TRUE"
        made = self.with_sql(f"SELECT one.*, two.* FROM {parts}")  # noqa: S608
        return made.with_params([*self.params, *other.params])

    def behind(self, text: str, params: Sequence[Any]) -> Statement:
        """The statement behind a text, which has these parameters."""
        return self.with_sql(f"{text}{self.sql}").with_params([*params, *self.params])

    def unconverted(self) -> Statement:
        """The statement, which returns what the database gives."""
        made = self.copy()
        made.converters = []
        return made

    def with_params(self, params: Sequence[Any]) -> Statement:
        """The same statement, with these parameters."""
        made = self.copy()
        made.params, made.given = [*params], given_among(params)
        made.width = len(made.given)
        return made

    def around(self, other: Statement, table: str) -> Statement:
        """The statement, which selects from a table, with the columns behind its own of another one
        that has no FROM clause. They are not converted.
        """
        head, clause, tail = self.sql.partition(f" FROM {table} ")
        made = self.with_sql(f"{head}, {other.sql.removeprefix('SELECT ')}{clause}{tail}")
        return made.with_params([*other.params, *self.params])

    def execute(self, cursor: Any, values: Any) -> None:
        """``values``: by name; in the order of ``in_order()``, if it was."""
        if (sent := self.sent) is None:
            sent = self.sent = by_name(self) if takes_names(self) else as_it_is(self)
        params = sent.params.copy()
        times: dict[int, Any] = {}
        for param, key, places in sent.given:
            value = values[key]
            if param.is_time:
                if id(value) not in times:
                    times[id(value)] = param.adapted(value, cursor.db)
                value = times[id(value)]
            elif type(value) is not param.takes:
                value = param.adapted(value, cursor.db)
            for place in places:
                params[place] = value
        cursor.execute(sent.sql, params)

    def row(self, cursor: Any = None, **values: Any) -> Row | None:
        """The first row of a SELECT."""
        if cursor is None:
            with connections[self.using].cursor() as own:
                return self.row(own, **values)
        self.execute(cursor, values)
        found = cursor.fetchone()
        return None if found is None else self.converted(found, cursor.db)

    def rows(self, cursor: Any = None, **values: Any) -> list[Row]:
        """All rows that are returned."""
        if cursor is None:
            with connections[self.using].cursor() as own:
                return self.rows(own, **values)
        self.execute(cursor, values)
        return [self.converted(row, cursor.db) for row in cursor.fetchall()]

    def columns(self) -> list[Sequence[Any]]:
        """All that is returned, column by column. Of equal values one is converted."""
        with connections[self.using].cursor() as cursor:
            self.execute(cursor, {})
            found = cursor.fetchall()
            columns: list[Sequence[Any]] = [()] * len(cursor.description)
            if found:
                columns = list(zip(*found, strict=True))
            for number, (functions, expression) in self.converters:
                convert = partial(passed, functions, expression, cursor.db)
                columns[number] = mapped(convert, columns[number])
            return columns

    def converted(self, found: Row, connection: Any) -> Row:
        """As the ORM's compiler does it, which would give converters the connection of the thread
        that compiled.
        """
        if not self.converters:
            return tuple(found)
        row = list(found)
        for number, (functions, expression) in self.converters:
            row[number] = passed(functions, expression, connection, row[number])
        return tuple(row)

    def update(self, cursor: Any = None, **values: Any) -> int:
        """Execute an UPDATE; the number of rows matched."""
        return self.written(cursor, **values).number

    def written(self, cursor: Any = None, **values: Any) -> Written:
        """Execute an UPDATE, which may return columns of the rows that it matched."""
        return self.written_with(values, cursor)

    def written_with(self, values: Any, cursor: Any = None) -> Written:
        """The same; ``values`` as ``execute()`` takes them."""
        if cursor is None:
            with connections[self.using].cursor() as own:
                return self.written_with(values, own)
        self.execute(cursor, values)
        if not self.selected:
            return Written(int(cursor.rowcount))
        found = [self.converted(row, cursor.db) for row in cursor.fetchall()]
        return Written(len(found), found)


def takes_names(statement: Statement) -> bool:
    """Whether its values have names. Django's backend for SQLite looks for the places of those that
    have none in the text, each time anew; SQLite for a name among all names.
    """
    is_sqlite = connections[statement.using].vendor == "sqlite"
    return is_sqlite and bool(statement.given) and len(statement.params) <= MOST_NAMED


def as_it_is(statement: Statement) -> Sent:
    return Sent(statement.sql, statement.params, statement.given)


def by_name(statement: Statement) -> Sent:
    names = [f"p{place}" for place, _ in enumerate(statement.params)]
    given: list[Given] = []
    for number, (param, key, places) in enumerate(statement.given):
        given.append((param, key, [f"v{number}"]))
        for place in places:
            names[place] = f"v{number}"
    parts = [part.replace("%%", "%").replace("%", "%%") for part in PLACE.split(statement.sql)]
    named = [*(f"%({name})s" for name in names), ""]
    text = "".join(each for pair in zip(parts, named, strict=True) for each in pair)
    return Sent(text, dict(zip(names, statement.params, strict=True)), given)


def given_among(params: Sequence[Any]) -> list[Given]:
    """The parameters that are values to be given; each value is adapted once, however often it
    occurs.
    """
    found: dict[Hashable, tuple[Param, Any, list[int]]] = {}
    for place, param in enumerate(params):
        if isinstance(param, Param):
            key = type(param), param.name, param.output_field
            found.setdefault(key, (param, param.name, []))[2].append(place)
    return [*found.values()]


def passed(functions: Sequence[Any], expression: Any, connection: Any, value: Any) -> Any:
    """A value that has passed the converters of an expression."""
    for function in functions:
        value = function(value, expression, connection)
    return value


def mapped(convert: Callable[[Any], Any], values: Sequence[Any]) -> Sequence[Any]:
    """Each value converted, and of equal ones only one, if it can be hashed."""
    try:
        known = {value: convert(value) for value in set(values)}
    except TypeError:
        return [convert(value) for value in values]
    return [known[value] for value in values]


def selected_by(compiler: Any, count: int) -> list[Any]:
    """The first columns of a SELECT."""
    return [expression for expression, _, _ in compiler.select[:count]]


def select(queryset: QuerySet[Any]) -> Statement:
    compiler: Any = queryset.query.get_compiler(queryset.db)
    text, params = compiler.as_sql()
    return Statement(queryset.db, text, params, compiler, selected_by(compiler, compiler.col_count))


def delete(queryset: QuerySet[Any], returned: QuerySet[Any] | None = None) -> Statement:
    """DELETE the rows of a queryset, and return of each what ``returned`` selects of its table."""
    query: Any = queryset.query.clone()
    query.__class__ = sql.DeleteQuery
    text, params = query.get_compiler(queryset.db).as_sql()
    if returned is None:
        return Statement(queryset.db, text, params)
    compiler: Any = returned.query.get_compiler(queryset.db)
    compiler.pre_sql_setup()
    columns = [column for _, (column, _), _ in compiler.select]
    given = [each for _, (_, given), _ in compiler.select for each in given]
    text = f"{text} RETURNING {', '.join(columns)}"
    selected = selected_by(compiler, len(columns))
    return Statement(queryset.db, text, [*params, *given], compiler, selected)


def can_count(statement: Statement) -> bool:
    """Whether the database can count the rows that a statement returns, by their values."""
    fields = [expression.output_field for expression in statement.selected]
    return takes_arrays(statement.using, fields)


def can_sum(statement: Statement, first: int) -> bool:
    """Whether it can add up the columns from the ``first`` one on, without rounding."""
    fields = [expression.output_field for expression in statement.selected[first:]]
    return all(is_summed(field, connections[statement.using].vendor) for field in fields)


def counted(statement: Statement, grouping: int) -> Statement:
    """The rows that a statement returns, those with the same first columns as one, with the sums
    of the other columns and their number.
    """
    names = [f"v{number}" for number, _ in enumerate(statement.selected)]
    groups = ", ".join(names[:grouping])
    columns = [*names[:grouping], *(f"SUM({name})" for name in names[grouping:]), "COUNT(*)"]
    found = f"WITH found ({', '.join(names)}) AS ({statement.sql})"
    return statement.with_sql(
        f"{found} SELECT {', '.join(columns)} FROM found GROUP BY {groups}"  # noqa: S608
    )


def update(
    queryset: QuerySet[Any], values: Mapping[str, Any], returned: Sequence[str] = ()
) -> Statement:
    """``QuerySet.update()`` below the library's own capture; ``returned``: the columns of each row
    that are returned, where the database can do that.
    """
    query: Any = queryset.query.chain(sql.UpdateQuery)
    query.add_update_values(dict(values))
    text, params = query.get_compiler(queryset.db).as_sql()
    if not returned:
        return Statement(queryset.db, text, params)
    selecting: QuerySet[Any, Any] = QuerySet(queryset.model).order_by().values_list(*returned)
    compiler: Any = selecting.query.get_compiler(queryset.db)
    compiler.pre_sql_setup()
    columns = [column for _, (column, _), _ in compiler.select]
    text = f"{text} RETURNING {', '.join(columns)}"
    return Statement(queryset.db, text, params, compiler, selected_by(compiler, len(columns)))


def can_return_from_update(using: str) -> bool:
    """Whether an UPDATE can return columns. MariaDB's cannot, although its INSERT can."""
    connection = connections[using]
    returns = connection.features.can_return_columns_from_insert
    return bool(returns) and connection.vendor != "mysql"
