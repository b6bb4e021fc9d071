"""Writes of one step: each is one call of the ORM, as an application would make it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from random import Random
from typing import Any

from django.db import models

from syncfields import flush
from tests.races.worlds import TALLIES, WORLDS, Kind, Model, keys, made
from tests.testapp import models as zoo

STALE = 30
"""So many instances are kept by each process, to be saved when they are old."""


Event = tuple[Model, str, Any]
"""The model, column and primary key where an event is counted."""


class Writer:
    """One process's way of writing: what it does next, and the instances that it holds."""

    def __init__(self, worlds: list[str], random: Random, acts: Collection[str] = ()) -> None:
        self.random = random
        self.acts = acts
        self.held: list[models.Model] = []
        self.born = [
            (model, kind, kind.churn) for world in worlds for model, kind in WORLDS[world].items()
        ]
        self.changed = [
            (model, kind, kind.edits)
            for world in worlds
            for model, kind in WORLDS[world].items()
            if kind.edits
        ]
        self.events: list[Event] = []
        """What tallies have to count, of the transaction that is under way."""
        self.links = [zoo.Playlist, zoo.Musician]
        self.links = [model for model in self.links if any(model is each for each, *_ in self.born)]

    def choose(self) -> Callable[[], None]:
        """What to do next."""
        weights = {
            self.create: 24,
            self.save: 20,
            self.save_stale: 14,
            self.delete: 6,
            self.delete_first: 5,
            self.update: 8,
            self.bulk_update: 6,
            self.bulk_create: 6,
            self.delete_many: 3,
            self.link: 8 if self.links else 0,
            self.flush: 4,
        }
        if self.acts:
            weights = {act: weight for act, weight in weights.items() if act.__name__ in self.acts}
        (act,) = self.random.choices(list(weights), list(weights.values()))
        return act

    def flush(self) -> None:
        """Where effects wait, some are written already."""
        flush()

    def pick(self, among: list[tuple[Model, Kind, int]]) -> tuple[Model, Kind]:
        ((model, kind, _),) = self.random.choices(among, [weight for *_, weight in among])
        return model, kind

    def some(self, model: Model, most: int = 4) -> list[Any]:
        """Primary keys of some rows, in any order."""
        found = keys(model)
        return self.random.sample(found, min(len(found), self.random.randint(1, most)))

    def edit(self, model: Model, kind: Kind) -> dict[str, Any]:
        """New values for one or two columns."""
        names = self.random.sample(list(kind.values), min(len(kind.values), 2))
        values = {name: kind.values[name](self.random) for name in names}
        return {
            name: value
            for name, value in values.items()
            if value is not None or model._meta.get_field(name).null
        }

    # One row -------------------------------------------------------------------------------------

    def create(self) -> None:
        model, kind = self.pick(self.born)
        found = keys(model)
        if len(found) >= kind.limit:
            self.remove(model, self.random.choice(found))
        elif (instance := made(model, kind, self.random)) is not None:
            instance.save()
            self.note_event(instance)

    def note_event(self, instance: models.Model) -> None:
        if type(instance) in TALLIES:
            column, model, name = TALLIES[type(instance)]
            if (pk := getattr(instance, column)) is not None:
                self.events.append((model, name, pk))

    def save(self) -> None:
        model, kind = self.pick(self.changed)
        for pk in self.some(model, 1):
            instance = models.QuerySet(model).get(pk=pk)
            self.hold(instance)
            self.write(instance, self.edit(model, kind))

    def hold(self, instance: models.Model) -> None:
        if len(self.held) < STALE:
            self.held.append(instance)
        else:
            self.held[self.random.randrange(STALE)] = instance

    def write(self, instance: models.Model, values: dict[str, Any]) -> None:
        for name, value in values.items():
            setattr(instance, name, value)
        if values and self.random.random() < 0.25:
            # Otherwise a stale instance would not know for which row the event is counted.
            known = [TALLIES[type(instance)][0]] if type(instance) in TALLIES else []
            instance.save(update_fields=[*values, *known])
        else:
            instance.save()
        self.note_event(instance)

    def save_stale(self) -> None:
        """Save an instance loaded long ago; a row that is gone comes back by it."""
        if not self.held:
            return
        instance = self.random.choice(self.held)
        kind = next(kind for model, kind, _ in self.changed if model is type(instance))
        self.write(instance, self.edit(type(instance), kind))

    def delete(self) -> None:
        model, _ = self.pick(self.born)
        for pk in self.some(model, 1):
            self.remove(model, pk)

    def delete_first(self) -> None:
        """The row that the other processes are about to delete, too."""
        model, _ = self.pick(self.born)
        if found := keys(model):
            self.remove(model, found[0])

    def remove(self, model: Model, pk: Any) -> None:
        models.QuerySet(model).get(pk=pk).delete()

    # Many rows -----------------------------------------------------------------------------------

    def update(self) -> None:
        model, kind = self.pick(self.changed)
        if values := self.edit(model, kind):
            models.QuerySet(model).filter(pk__in=self.few(model, values)).update(**values)

    def few(self, model: Model, values: dict[str, Any]) -> list[Any]:
        unique = any(model._meta.get_field(name).unique for name in values)
        return self.some(model, 1 if unique else 4)

    def bulk_update(self) -> None:
        """In any order, so in opposite ones."""
        model, kind = self.pick(self.changed)
        if model._meta.parents or not (values := self.edit(model, kind)):
            return
        found = models.QuerySet(model).in_bulk(self.few(model, values))
        for instance in found.values():
            for name in values:
                setattr(instance, name, kind.values[name](self.random))
        rows = [each for each in found.values() if is_complete(each, values)]
        self.random.shuffle(rows)
        models.QuerySet(model).bulk_update(rows, list(values))

    def bulk_create(self) -> None:
        model, kind = self.pick(self.born)
        if model._meta.parents or len(keys(model)) >= kind.limit:
            return
        count = 1 if kind.first else self.random.randint(1, 4)
        rows = [made(model, kind, self.random) for _ in range(count)]
        complete = [each for each in rows if each is not None]
        models.QuerySet(model).bulk_create(complete)
        for each in complete:
            self.note_event(each)

    def delete_many(self) -> None:
        model, _ = self.pick(self.born)
        models.QuerySet(model).filter(pk__in=self.some(model, 3)).delete()

    def link(self) -> None:
        """Many-to-many relations, from either side."""
        near, far, name = self.random.choice(
            [
                (zoo.Playlist, zoo.Track, "tracks"),
                (zoo.Track, zoo.Playlist, "playlists"),
            ]
            if self.random.choice(self.links) is zoo.Playlist
            else [(zoo.Musician, zoo.Musician, "friends")]
        )
        if not (found := self.some(near, 1)):
            return
        related, others = getattr(models.QuerySet(near).get(pk=found[0]), name), self.some(far)
        acts: list[Callable[[], Any]] = [
            lambda: related.add(*others),
            lambda: related.remove(*others),
            lambda: related.set(others),
            related.clear,
        ]
        (act,) = self.random.choices(acts, [5, 3, 3, 1])
        act()


def is_complete(instance: models.Model, names: Any) -> bool:
    fields = (instance._meta.get_field(name) for name in names)
    return all(field.null or getattr(instance, field.attname) is not None for field in fields)
