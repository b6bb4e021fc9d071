"""What a statement that locks may begin with, and what it may be asked: the rows that a queryset
chooses, and what is to be read of those that are locked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeAlias

from django.db.models import F, QuerySet

from syncfields.declare.paths import Model
from syncfields.sql import statements
from syncfields.sql.locks import locking, rows_of
from syncfields.sql.once import once
from syncfields.sql.statements import Row, Statement


class Reading(Protocol):
    """What is to be read of the rows of a queryset, when they are locked."""

    def asked_of_all(self, locked: Collection[Model]) -> Asked | None:
        """A SELECT in which the locked rows stand for all of their tables, where it reads no
        others.
        """

    def asked_of_each(self, queryset: QuerySet[Any], columns: Sequence[str]) -> Statement | None:
        """A SELECT of the rows of the queryset, behind some of their columns, where it reads no
        others.
        """


class Asked(NamedTuple):
    """A SELECT that is to become a part of another statement."""

    statement: Statement
    values: Mapping[str, Any] = MappingProxyType({})
    """What it is given."""
    is_kept: bool = False
    """Whether it was compiled once, so that what it becomes a part of may be."""

    def beside(self, other: Asked) -> Asked:
        """With the row of another one, which is not converted, behind its own."""
        own, its = self.statement, other.statement
        made: Statement
        if is_kept := self.is_kept and other.is_kept:
            made = once(("with row of", own, its), lambda: own.with_row_of(its))
        else:
            made = own.with_row_of(its)
        return Asked(made, {**self.values, **other.values}, is_kept)


Asking: TypeAlias = Callable[[Collection[Model]], "Asked | None"]
"""What is to be read of the rows that are locked: a SELECT, where all of the tables that it reads
are among these.
"""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rows of a queryset, of one table, with which the locks begin."""

    model: Model
    queryset: QuerySet[Any]

    def locked(self) -> QuerySet[Any]:
        return locking(rows_of(self.queryset))

    def rows(
        self, columns: Sequence[str], reading: Reading | None
    ) -> tuple[list[Row], list[Row] | None]:
        """The columns of each row, and what is read of it."""
        locked = self.locked()
        asked = None if reading is None else reading.asked_of_each(locked, columns)
        if asked is None:
            return statements.select(locked.values_list(*columns)).rows(), None
        rows, width = asked.rows(), len(columns)
        return rows, [row[width:] for row in rows]

    def selected(self, table: str) -> tuple[str, list[Any]]:
        """The SQL and parameters of a SELECT of whole rows, in the order of their keys."""
        keys = self.locked().annotate(_syncfields_pk=F("pk")).values_list("_syncfields_pk")
        statement = statements.select(keys)
        head, clause, tail = statement.sql.partition(f" FROM {table} ")
        return f"{head}, {table}.*{clause}{tail}", statement.params
