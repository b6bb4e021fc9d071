"""Random sequences of writes: after each step every synced field is what it has to be.

One machine for each world of the zoo, that is for models that rules connect with each other. More
steps on demand: SYNCFIELDS_TEST_EXAMPLES=500.
"""

from __future__ import annotations

import datetime as dt
import os
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection, models, transaction
from django.db.models import F, RestrictedError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from syncfields import unsynced
from tests.testapp import models as zoo
from tests.truth import TRUTHS, assert_truth

pytestmark = pytest.mark.django_db

User = get_user_model()
# 2,000 steps and more on SQLite; a server takes ten times as long for each.
EXAMPLES = int(
    os.environ.get("SYNCFIELDS_TEST_EXAMPLES") or {"sqlite": 6}.get(connection.vendor, 1)
)
STEPS = 25
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)


@dataclass(frozen=True)
class Ref:
    """The n-th row of a model, when it is asked for; None where there is none, or by chance."""

    model: type[models.Model]
    number: int | None

    def get(self) -> models.Model | None:
        rows = list(models.QuerySet(self.model).order_by("pk"))
        return rows[self.number % len(rows)] if rows and self.number is not None else None


NUMBERS = st.integers(0, 4)
FLAGS = st.booleans()
SIZES = st.integers(-3, 9)
AMOUNTS = st.decimals(0, 99, places=2)
NAMES = st.sampled_from(["", "a", "b", "Ab"])
DAYS = st.none() | st.integers(0, 5).map(lambda n: (NOON + dt.timedelta(days=n)).date())
TIMES = st.integers(0, 5).map(lambda n: NOON + dt.timedelta(hours=n))
UNIQUE = st.integers(0, 10**6).map("u{}".format)
KEYS = st.sampled_from(["aa", "bb", "cc"])


def ref(model, *, null=False):
    numbers = st.none() | NUMBERS if null else NUMBERS
    return st.builds(Ref, st.just(model), numbers)


WORLDS: dict[str, dict[type[models.Model], dict[str, st.SearchStrategy[Any]]]] = {
    "blogs": {
        User: {"username": UNIQUE, "is_active": FLAGS},
        zoo.Blog: {"name": NAMES},
        zoo.Follower: {"blog": ref(zoo.Blog)},
        zoo.Post: {"blog": ref(zoo.Blog, null=True), "is_live": FLAGS},
        zoo.Comment: {
            "post": ref(zoo.Post, null=True),
            "author": ref(User, null=True),
            "is_public": FLAGS,
            "score": st.none() | SIZES,
            "heat": st.sampled_from([0.1, 0.2, 0.3, 1e9]),
            "text": NAMES,
            "created": TIMES,
        },
        zoo.Reaction: {"comment": ref(zoo.Comment)},
    },
    "users": {
        User: {
            "username": UNIQUE,
            "email": NAMES,
            "first_name": NAMES,
            "is_active": FLAGS,
        },
        zoo.Profile: {"user": ref(User, null=True), "nickname": NAMES},
        zoo.Card: {"profile": ref(zoo.Profile), "kind": NAMES},
        zoo.Passport: {"holder": ref(User)},
        zoo.Badge: {"holder": ref(User), "revoked": FLAGS},
        zoo.Login: {"user": ref(User), "succeeded": FLAGS},
    },
    "orders": {
        zoo.Customer: {"code": UNIQUE},
        zoo.Order: {"customer": ref(zoo.Customer, null=True)},
        zoo.Line: {
            "order": ref(zoo.Order, null=True),
            "qty": SIZES,
            "price": AMOUNTS,
            "exact": FLAGS,
            "date": DAYS,
        },
    },
    "countries": {
        zoo.Country: {"code": KEYS, "name": NAMES},
        zoo.City: {"country": ref(zoo.Country, null=True), "size": SIZES},
        zoo.Parcel: {"city": ref(zoo.City)},
        zoo.Stamp: {"parcel": ref(zoo.Parcel)},
    },
    "seats": {
        zoo.Team: {"name": NAMES},
        zoo.Seat: {"team": ref(zoo.Team), "number": NUMBERS, "weight": SIZES},
        zoo.Visit: {"seat": ref(zoo.Seat)},
        zoo.Mascot: {"team": ref(zoo.Team), "name": NAMES, "height": SIZES},
    },
    "clubs": {
        zoo.Club: {"quorum": SIZES},
        zoo.Match: {
            "home": ref(zoo.Club),
            "away": ref(zoo.Club, null=True),
            "home_goals": SIZES,
            "away_goals": SIZES,
        },
        zoo.Transfer: {"club": ref(zoo.Club), "fee": AMOUNTS},
        zoo.Fan: {"club": ref(zoo.Club)},
    },
    "categories": {
        zoo.Category: {
            "parent": ref(zoo.Category, null=True),
            "name": NAMES,
            "weight": SIZES,
        },
    },
    "places": {
        zoo.Zone: {},
        zoo.Place: {"zone": ref(zoo.Zone, null=True), "name": NAMES},
        zoo.Restaurant: {
            "zone": ref(zoo.Zone, null=True),
            "name": NAMES,
            "stars": SIZES,
        },
        zoo.Review: {"place": ref(zoo.Place), "grade": SIZES},
        zoo.Dish: {"restaurant": ref(zoo.Restaurant)},
        zoo.Folder: {},
        zoo.FolderEntry: {"folder": ref(zoo.Folder), "size": SIZES},
    },
    "projects": {
        zoo.Project: {"closed": FLAGS},
        zoo.Task: {
            "project": ref(zoo.Project),
            "deleted_at": st.none() | TIMES,
            "hours": SIZES,
        },
        zoo.Thread: {"version": SIZES},
        zoo.Topic: {},
        zoo.Reply: {
            "thread": ref(zoo.Thread, null=True),
            "topic": ref(zoo.Topic, null=True),
        },
        zoo.Wallet: {},
        zoo.Entry: {
            "wallet": ref(zoo.Wallet),
            "amount": AMOUNTS,
            "weight": st.sampled_from([0.1, 0.2, 0.7]),
        },
    },
    "monitors": {
        zoo.Monitor: {},
        zoo.Beat: {
            "monitor": ref(zoo.Monitor),
            "level": SIZES,
            "weight": SIZES,
            "kind": st.sampled_from(["alarm", "Alarm", "alarm ", "other", ""]),
        },
    },
    "shelves": {
        zoo.Shelf: {},
        zoo.Publisher: {},
        zoo.Book: {
            "shelf": ref(zoo.Shelf, null=True),
            "publisher": ref(zoo.Publisher, null=True),
            "pages": st.sampled_from([1, 499, 500]),
            "title": NAMES,
        },
    },
    "playlists": {
        zoo.Track: {"minutes": st.sampled_from([1, 9, 10, 11])},
        zoo.Playlist: {},
        zoo.Playlist.tracks.through: {"playlist": ref(zoo.Playlist), "track": ref(zoo.Track)},
    },
    "bands": {
        zoo.Musician: {"fame": SIZES},
        zoo.Band: {},
        zoo.Membership: {
            "band": ref(zoo.Band),
            "musician": ref(zoo.Musician),
            "active": FLAGS,
        },
    },
    "tags": {
        zoo.Album: {},
        zoo.Photo: {"album": ref(zoo.Album, null=True)},
        zoo.Clip: {},
        zoo.Tag: {
            "content_object": ref(zoo.Photo, null=True) | ref(zoo.Clip),
            "weight": SIZES,
        },
        zoo.Page: {"slug": KEYS},
        zoo.TextTag: {"content_object": ref(zoo.Page)},
        zoo.Document: {},
        zoo.DocumentTag: {"content_object": ref(zoo.Document)},
    },
    "keepers": {
        zoo.Keeper: {"name": KEYS | st.just(zoo.HOME)},
        zoo.Pet: {
            "owner": ref(zoo.Keeper, null=True),
            "sitter": ref(zoo.Keeper, null=True),
            "vet": ref(zoo.Keeper, null=True),
            "breeder": ref(zoo.Keeper, null=True),
            "insurer": ref(zoo.Keeper, null=True),
        },
    },
}
# Where what Hypothesis thinks of may break a constraint; the step is undone, and nothing is left.
REFUSED = (IntegrityError, RestrictedError)
MAY_REFUSE = {
    User,
    zoo.Customer,
    zoo.Profile,
    zoo.Passport,
    zoo.Seat,
    zoo.Mascot,
    zoo.Keeper,
    zoo.Country,
    zoo.Page,
    zoo.Playlist.tracks.through,
}
# A related manager that can take a row away, or all rows, belongs to a nullable key.
UNBOUND = {zoo.Tag, zoo.TextTag, zoo.DocumentTag, zoo.Visit}


def resolved(model, values, *, creating=False):
    """Values with rows for their Refs; None where a row is needed that does not exist."""
    found = {}
    for name, value in values.items():
        found[name] = value.get() if isinstance(value, Ref) else value
        if isinstance(value, Ref) and found[name] is None and not may_be_null(model, name):
            return None
    if not creating:
        for key in model._meta.pk_fields:
            found.pop(key.name, None)
        found.pop("code", None)  # Orders refer to it.
    return found


def may_be_null(model, name):
    field = model._meta.get_field(name)
    if name == "content_object":
        field = model._meta.get_field("object_id")
    return field.null and model is not zoo.Visit


def concrete(model, values):
    """Values as ``update()`` and ``update_fields`` take them."""
    found = dict(values)
    if "content_object" in found:
        target = found.pop("content_object")
        found["object_id"] = target.pk if target else None
        found["content_type"] = target and content_type(target)
    if "seat" in found:
        seat = found.pop("seat")
        found["team_number"], found["seat_number"] = seat.pk
    return found


def content_type(target):
    from django.contrib.contenttypes.models import ContentType

    return ContentType.objects.get_for_model(type(target))


def machine_for(world):  # noqa: C901 - a class with its strategies
    fields = WORLDS[world]

    def edits(least):
        """A model with values for some of its fields, or for all."""
        return st.one_of(
            st.tuples(
                st.just(model),
                st.fixed_dictionaries(of_model)
                if least is None
                else st.fixed_dictionaries({}, optional=of_model),
            )
            for model, of_model in fields.items()
            if of_model or least is None
        )

    start = {model: st.fixed_dictionaries(of_model) for model, of_model in fields.items()}
    picks = st.lists(NUMBERS, max_size=4)
    keys = [
        (model, name)
        for model, of_model in fields.items()
        if model not in UNBOUND
        for name in of_model
        if model._meta.get_field(name).is_relation
        and not model._meta.get_field(name).remote_field.hidden
    ]

    class Machine(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.held = []
            self.blocks = []
            self.enter()
            if world == "keepers":
                zoo.Keeper.objects.create(name=zoo.HOME)

        def enter(self):
            block = transaction.atomic()
            block.__enter__()
            self.blocks.append(block)

        def leave(self, *, undo):
            if undo:
                transaction.set_rollback(True)
            self.blocks.pop().__exit__(None, None, None)
            # An instance that the database has not heard of anymore may have a foreign key.
            self.held = [] if undo else self.held

        def teardown(self):
            while self.blocks:
                self.leave(undo=True)

        def step(self, model, write):
            """Carry out a write that a constraint may refuse."""
            with suppress(*REFUSED) if model in MAY_REFUSE else nullcontext():
                with transaction.atomic():
                    result = write()
                if isinstance(result, models.Model):
                    self.held.append(result)

        def pick(self, model, number):
            return Ref(model, number).get()

        def pks(self, model, numbers):
            rows = [self.pick(model, number) for number in numbers]
            return [row.pk for row in rows if row and row.pk != zoo.HOME]

        @initialize(rows=st.lists(st.fixed_dictionaries(start), min_size=1, max_size=3))
        def populate(self, rows):
            for row, model in product(rows, fields):
                found = resolved(model, row[model], creating=True)
                if found is not None:
                    self.step(model, lambda model=model, found=found: saved(model(**found)))

        # One row ---------------------------------------------------------------------------------

        @rule(edit=edits(None), way=st.sampled_from(["save", "create", "get", "update"]))
        def create(self, edit, way):
            model, values = edit
            values = resolved(model, values, creating=True)
            if values is None:
                return
            manager = models.Manager()
            manager.model = model
            self.step(
                model,
                {
                    "save": lambda: saved(model(**values)),
                    "create": lambda: model._default_manager.create(**values),
                    "get": lambda: model._default_manager.get_or_create(
                        pk=unused(model), defaults=values
                    )[0],
                    "update": lambda: model._default_manager.update_or_create(
                        pk=unused(model), defaults=values
                    )[0],
                }["create" if way in ("get", "update") and not is_numbered(model) else way],
            )

        @rule(
            edit=edits(0),
            number=NUMBERS,
            how=st.sampled_from(["fresh", "deferred", "update_fields", "update_or_create"]),
            quiet=st.integers(0, 5),
        )
        def save(self, edit, number, how, quiet):
            model, values = edit
            row, values = self.pick(model, number), resolved(model, values)
            if row is None or values is None or is_hidden(row):
                return

            def write():
                if how == "update_or_create":
                    # By a plain manager: a row that the default manager hides would be a new one.
                    return models.QuerySet(model).update_or_create(pk=row.pk, defaults=values)[0]
                instance = row
                if how == "deferred":
                    instance = models.QuerySet(model).only("pk").get(pk=row.pk)
                for name, value in values.items():
                    setattr(instance, name, value)
                names = concrete(model, values) if how == "update_fields" else None
                instance.save(update_fields=names)
                return instance

            with unsynced(reconcile=True) if quiet == 5 else nullcontext():
                self.step(model, write)

        @precondition(lambda self: self.held)
        @rule(number=st.integers(0, 20), data=st.data())
        def save_stale(self, number, data):
            instance = self.held[number % len(self.held)]
            model = type(instance)
            if instance.pk is None or model not in fields:
                return
            if is_hidden(instance) or (instance.get_deferred_fields() and not exists(instance)):
                return  # Django saves a deferred instance by update_fields, and raises.
            if dangling(instance):
                return
            optional = st.fixed_dictionaries({}, optional=fields[model])
            values = resolved(model, data.draw(optional))
            for name, value in (values or {}).items():
                setattr(instance, name, value)
            self.step(model, lambda: saved(instance))

        @rule(edit=edits(0), number=NUMBERS, stale=FLAGS)
        def delete(self, edit, number, stale):
            model, _ = edit
            row = self.pick(model, number)
            if row is None or row.pk == zoo.HOME:
                return
            instances = [each for each in self.held if type(each) is model and each.pk == row.pk]
            instance = instances[0] if stale and instances else row
            self.step(model, lambda: instance.delete() and None)

        @rule(model=st.sampled_from(list(fields)), number=NUMBERS)
        def hold(self, model, number):
            if (row := self.pick(model, number)) is not None:
                self.held.append(row)

        # Many rows -------------------------------------------------------------------------------

        @rule(edit=edits(0), numbers=picks, increase=FLAGS)
        def update(self, edit, numbers, increase):
            model, values = edit
            values = resolved(model, values)
            if not values:
                return
            values = concrete(model, values)
            if increase:
                values = {
                    name: F(name) + 1 if isinstance(value, (int, Decimal)) and value > 1 else value
                    for name, value in values.items()
                }
            pks = self.pks(model, numbers)
            self.step(model, lambda: manager(model).filter(pk__in=pks).update(**values))

        @rule(edit=edits(None), size=st.integers(1, 3), batch_size=st.sampled_from([None, 1, 2]))
        def bulk_create(self, edit, size, batch_size):
            model, values = edit
            values = resolved(model, values, creating=True)
            if values is None or model._meta.parents:
                return
            rows = [model(**values)]
            if is_numbered(model) and not {"username", "code"} & values.keys():
                rows = [model(**values) for _ in range(size)]
            self.step(model, lambda: manager(model).bulk_create(rows, batch_size=batch_size))

        @rule(edit=edits(None), numbers=picks, size=st.integers(0, 2), ignoring=FLAGS)
        def bulk_create_with_conflicts(self, edit, numbers, size, ignoring):
            model, values = edit
            names = concrete(model, resolved(model, values) or {})
            values = resolved(model, values, creating=True)
            if values is None or model._meta.parents:
                return
            rows = [model(**values)]
            if is_numbered(model) and not {"username", "code"} & values.keys():
                rows += [model(**values) for _ in range(size)]
                rows += [model(pk=pk, **values) for pk in set(self.pks(model, numbers))]
            options = {"ignore_conflicts": True}
            if names and not ignoring:
                options = {"update_conflicts": True, "update_fields": list(names)}
                if connection.features.supports_update_conflicts_with_target:
                    options["unique_fields"] = [key.name for key in model._meta.pk_fields]
            self.step(model, lambda: manager(model).bulk_create(rows, **options))

        @rule(edit=edits(0), numbers=picks)
        def bulk_update(self, edit, numbers):
            model, values = edit
            values = resolved(model, values)
            if not values or model._meta.parents or {"username", "code"} & values.keys():
                return
            rows = list(models.QuerySet(model).filter(pk__in=self.pks(model, numbers)))
            for row in rows:
                for name, value in values.items():
                    setattr(row, name, value)
            self.step(model, lambda: manager(model).bulk_update(rows, concrete(model, values)))

        @rule(edit=edits(0), numbers=picks)
        def delete_many(self, edit, numbers):
            model, _ = edit
            pks = self.pks(model, numbers)
            self.step(model, lambda: manager(model).filter(pk__in=pks).delete())

        @precondition(lambda self: keys)
        @rule(
            key=st.sampled_from(keys or [None]),
            number=NUMBERS,
            numbers=picks,
            act=st.sampled_from(["add", "set", "remove", "clear"]),
            bulk=FLAGS,
        )
        def relate(self, key, number, numbers, act, bulk):
            """By the related manager of a foreign key, from the parent's side."""
            model, name = key
            relation = model._meta.get_field(name).remote_field
            parent = self.pick(relation.model, number)
            if parent is None or relation.one_to_one or relation.parent_link:
                return
            related = getattr(parent, relation.get_accessor_name())
            children = list(manager(model).filter(pk__in=self.pks(model, numbers)))
            if model in (zoo.Seat, zoo.Mascot) or (act != "add" and not relation.field.null):
                return
            mine = [each for each in children if getattr(each, relation.field.attname) == parent.pk]
            self.step(
                model,
                {
                    "add": lambda: related.add(*children, bulk=bulk),
                    "set": lambda: related.set(children, bulk=bulk),
                    "remove": lambda: related.remove(*mine, bulk=bulk),
                    "clear": lambda: related.clear(bulk=bulk),
                }[act],
            )

        many = [
            (model, field.name)
            for model in fields
            for field in model._meta.get_fields()
            if field.many_to_many and not field.auto_created and field.related_model in fields
        ]

        @precondition(lambda self: self.many)
        @rule(
            of=st.sampled_from(many or [None]),
            number=NUMBERS,
            numbers=picks,
            act=st.sampled_from(["add", "set", "remove", "clear"]),
            back=FLAGS,
        )
        def link(self, of, number, numbers, act, back):
            """By the manager of a many-to-many relation, from either side."""
            near, name = of
            field = near._meta.get_field(name)
            far, accessor = field.related_model, name
            if back and far is not near:
                near, far, accessor = far, near, field.remote_field.get_accessor_name()
            row = self.pick(near, number)
            if row is None:
                return
            related = getattr(row, accessor)
            others = list(models.QuerySet(far).filter(pk__in=self.pks(far, numbers)))
            self.step(
                near,
                {
                    "add": lambda: related.add(*others),
                    "set": lambda: related.set(others),
                    "remove": lambda: related.remove(*others),
                    "clear": related.clear,
                }[act],
            )

        # Transactions ----------------------------------------------------------------------------

        @precondition(lambda self: len(self.blocks) < 3)
        @rule()
        def begin(self):
            self.enter()

        @precondition(lambda self: len(self.blocks) > 1)
        @rule(undo=FLAGS)
        def end(self, undo):
            self.leave(undo=undo)

        @invariant()
        def every_value_is_true(self):
            assert_truth(*(model for model in fields if model in TRUTHS))

    return Machine


def saved(instance):
    instance.save()
    return instance


def manager(model):
    """A manager that hides no rows."""
    return getattr(model, "everything", None) or model._default_manager


def is_numbered(model):
    return isinstance(model._meta.pk, models.AutoField)


def unused(model):
    last = models.QuerySet(model).order_by("-pk").first()
    return (last.pk if last else 0) + 1000


def is_hidden(instance):
    """Whether Django cannot save the row, because the model's base manager does not find it."""
    return exists(instance) and not (type(instance)._base_manager.filter(pk=instance.pk).exists())


def exists(instance):
    return models.QuerySet(type(instance)).filter(pk=instance.pk).exists()


def dangling(instance):
    """Whether a row that the instance refers to does not exist anymore."""
    return any(
        getattr(instance, field.attname) is not None
        and not models.QuerySet(field.related_model)
        .filter(**{field.target_field.name: getattr(instance, field.attname)})
        .exists()
        for field in instance._meta.concrete_fields
        if field.is_relation
    )


@pytest.mark.timeout(900)  # Finding the shortest sequence that fails takes its time.
@pytest.mark.parametrize("world", WORLDS)
def test_any_sequence_of_writes(world):
    run(
        machine_for(world),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
