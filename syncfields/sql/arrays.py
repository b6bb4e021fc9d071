"""PostgreSQL: values of many rows, given or found, written by one UPDATE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections

from syncfields.sql.statements import Statement


def assign_selected(
    selected: Statement, target: Any, fields: Sequence[Any], first: int
) -> Statement:
    """Set ``fields`` as a SELECT finds them, of which the columns are: the primary key, what each
    field holds, what it is to be set to, and whether it is wrong.

    Returned are the ``first`` rows in which each field was wrong, in the order of their keys.
    Behind their columns is, field by field, the number of all in which it was.
    """
    quote, count = connections[selected.using].ops.quote_name, len(fields)
    table, key = quote(target._meta.db_table), quote(target._meta.pk.column)
    columns = [quote(field.column) for field in fields]
    names = ", ".join(f"v{number}" for number in range(1 + 3 * count))
    sets = ", ".join(f"{each} = v{number + count}" for number, each in enumerate(columns, 1))
    # A row that came after the lock may have been written by others since it was found.
    still = " AND ".join(
        f"{table}.{each} IS NOT DISTINCT FROM v{number}" for number, each in enumerate(columns, 1)
    )
    flags = [f"v{1 + 2 * count + number}" for number in range(count)]
    found = f"found ({names}) AS MATERIALIZED ({selected.sql})"
    update = f"UPDATE {table} SET {sets} FROM found WHERE {table}.{key} = v0 AND {still}"  # noqa: S608
    numbers = ", ".join(f"(SELECT COUNT(*) FROM written WHERE {flag})" for flag in flags)  # noqa: S608
    examples = " UNION ".join(
        f"(SELECT *, {numbers} FROM written WHERE {flag} ORDER BY v0 LIMIT {first})"  # noqa: S608
        for flag in flags
    )
    written = f"written AS ({update} RETURNING found.*)"
    ordered = f"SELECT * FROM ({examples}) AS examples ORDER BY v0"  # noqa: S608
    return selected.with_sql(f"WITH {found}, {written} {ordered}")


def assign(
    using: str, target: Any, pks: Sequence[Any], fields: Sequence[Any], columns: Sequence[Any]
) -> None:
    """Set each of ``fields`` to one value for each row: ``UPDATE ... FROM unnest()``.

    The ORM's own ``bulk_update()`` compiles a CASE with one branch for each row.
    """
    connection = connections[using]
    quote, table, key = connection.ops.quote_name, target._meta.db_table, target._meta.pk
    given = [key, *fields]
    types = ", ".join(f"%s::{field.rel_db_type(connection)}[]" for field in given)
    names = [f"v{number}" for number in range(len(given))]
    sets = ", ".join(
        f"{quote(field.column)} = v.{name}" for field, name in zip(fields, names[1:], strict=True)
    )
    params = [
        [field.get_db_prep_save(value, connection) for value in values]
        for field, values in zip(given, [pks, *columns], strict=True)
    ]
    rows = f"unnest({types}) AS v({', '.join(names)})"
    where = f"{quote(table)}.{quote(key.column)} = v.v0"
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {quote(table)} SET {sets} FROM {rows} WHERE {where}", params)  # noqa: S608
