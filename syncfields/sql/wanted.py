"""Rows to be locked, collected first, and then locked in one order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from django.db.models import QuerySet

from syncfields.declare.paths import Model, Path
from syncfields.sql.along import keys_among
from syncfields.sql.databases import vendor_of
from syncfields.sql.locks import take
from syncfields.sql.rows import rows, rows_with


class Wanted:
    """Rows to be locked: collected first, then locked in one order, one table after the other."""

    def __init__(self, using: str, ranks: Mapping[Model, int]) -> None:
        self.using = using
        self.ranks = ranks
        self.pks: dict[Model, set[Any]] = defaultdict(set)
        self.joining: dict[Model, set[Any]] = defaultdict(set)
        self.named: dict[tuple[Model, str], set[Any]] = defaultdict(set)
        self.found: dict[Model, dict[Hashable, QuerySet[Any]]] = defaultdict(dict)
        self.again: list[tuple[Model, QuerySet[Any]]] = []
        self.taken: dict[Model, set[Any]] = defaultdict(set)

    def rows(self, model: Model, pks: Iterable[Any]) -> None:
        """Rows that are there, or perhaps not any longer."""
        self.pks[model].update(pks)

    def join(self, model: Model, pks: Iterable[Any]) -> None:
        """Rows that are to be locked with others of their table, if there are any."""
        self.joining[model].update(pks)

    def name(self, model: Model, column: str, keys: Iterable[Any]) -> None:
        """Rows by the values of a unique column; all of them should be there."""
        self.named[model, column].update(keys)

    def find(
        self, model: Model, pks: QuerySet[Any], path: Path, column: str, keys: Iterable[Any]
    ) -> None:
        """Rows by a query for their primary keys, that are connected by a path with those of which
        a column has one of the ``keys``.
        """
        known = self.found[model].setdefault((path, column, frozenset(keys)), pks)
        # Rows on the way that are locked later may lead elsewhere by then.
        on_the_way = [path.until(number).model for number in range(len(path.hops) + 1)]
        if known is pks and any(self.rank(each) > self.rank(model) for each in on_the_way):
            self.again.append((model, pks))

    def rank(self, model: Model) -> int:
        return self.ranks.get(model, len(self.ranks))

    def models(self) -> set[Model]:
        named = {model for (model, _), keys in self.named.items() if keys}
        return named | {model for model, pks in self.pks.items() if pks} | self.found.keys()

    def take(self, before: Model | None = None) -> bool:
        """Lock them all, or those of tables that come before another one; whether all that were
        named are there.
        """
        models = sorted(self.models(), key=self.rank)
        if before is not None:
            models = [model for model in models if self.rank(model) < self.rank(before)]
        self.taken |= {model: self.take_of(model) for model in models}
        for model, queryset in self.again:
            if model in models and (others := keys_among(queryset) - self.taken[model]):
                take(rows_with(model, self.using, list(others)))
        return all(
            name == model._meta.pk.attname and keys <= self.taken[model]
            for (model, name), keys in self.named.items()
            if keys
        )

    def taken_of(self, model: Model, pks: Iterable[Any]) -> list[Any]:
        """Those of the rows that were there to be locked. Others may come at any moment, unread, by
        the keys of those that are gone.
        """
        taken, key = self.taken[model], model._meta.pk
        if len(model._meta.pk_fields) == 1:
            pks = map(key.to_python, pks)  # Memory may say "5" for 5.
        return [pk for pk in pks if pk in taken]

    def take_of(self, model: Model) -> set[Any]:
        """Lock the rows of one table, in one statement."""
        pks, queries = set(self.pks.get(model, ())), [*self.found.get(model, {}).values()]
        for (of, name), keys in self.named.items():
            if of is model and name == model._meta.pk.attname:
                pks |= keys
            elif of is model and keys:
                named = rows(model, self.using).filter(**{f"{name}__in": keys})
                queries.append(named.values_list("pk", flat=True))
        # MariaDB locks what it reads in a subquery, and whatever else it comes across.
        joining = self.joining.get(model)
        if not (pks or joining) and len(queries) == 1 and vendor_of(self.using) != "mysql":
            return set(take(rows(model, self.using).filter(pk__in=queries[0])))
        for query in queries:
            pks |= keys_among(query)
        pks.discard(None)
        if pks and joining:
            pks |= joining
        return set(take(rows_with(model, self.using, list(pks)))) if pks else set()
