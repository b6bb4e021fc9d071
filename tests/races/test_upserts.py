"""``bulk_create(update_conflicts=True)`` meets a row that another process has just written.

The other one commits after the rows were looked for and before they are replaced, or at any other
step. What is counted must be what is there, and an event must be counted once.
"""

from __future__ import annotations

import uuid

import pytest
from django.contrib.auth import get_user_model
from django.core.management.color import no_style
from django.db import connection, models

from tests.races.refusals import meaning
from tests.races.stage import Actor, Scenery, scenes
from tests.testapp import models as zoo
from tests.truth import drifts

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="has one writer at a time"),
]

User = get_user_model()
NEW, OTHER = 1000, 1001


def build() -> None:
    for code in "abc":
        zoo.Customer.objects.create(code=code)
    zoo.Order.objects.create(pk=1, customer_id="a")
    zoo.Order.objects.create(pk=2, customer_id="b")
    for number, name in enumerate(("ann", "bob", "eve"), 1):
        User.objects.create(pk=number, username=name, email=f"{name}@x.org")
    for user in User.objects.filter(username__in=("ann", "bob")):
        zoo.Card.objects.create(profile=zoo.Profile.objects.create(pk=user.pk, user=user))
    zoo.Login.objects.create(pk=1, user_id=1)
    team = zoo.Team.objects.create(pk=1)
    zoo.Seat.objects.create(team=team, number=1)
    with connection.cursor() as cursor:  # Whose keys were given; those that are made must be free.
        for reset in connection.ops.sequence_reset_sql(no_style(), [zoo.Order]):
            cursor.execute(reset)


SCENERY = Scenery(
    build,
    rows=(
        *(User, zoo.Customer, zoo.Order, zoo.Profile, zoo.Card, zoo.Login),
        *(zoo.Team, zoo.Seat),
    ),
    targets=(zoo.Customer, zoo.Order, zoo.Profile, zoo.Card, zoo.Team, zoo.Seat),
)


def upsert(model: type[models.Model], rows, fields, unique=("id",), **options):
    if connection.features.supports_update_conflicts_with_target:
        options["unique_fields"] = unique
    return model.objects.bulk_create(rows, update_conflicts=True, update_fields=fields, **options)


def order(pk, code):
    return zoo.Order(pk=pk, customer_id=code)


def upsert_orders(*keys, **options):
    def upsert_these_orders():
        return lambda: upsert(zoo.Order, [order(*each) for each in keys], ["customer"], **options)

    return upsert_these_orders


def create_order():
    return lambda: order(NEW, "b").save(force_insert=True)


def create_other_order():
    return lambda: zoo.Order.objects.bulk_create([order(OTHER, "c")])


def create_both_orders():
    return lambda: zoo.Order.objects.bulk_create([order(NEW, "b"), order(OTHER, "c")])


def move_order():
    moved = zoo.Order.objects.get(pk=1)
    moved.customer_id = "b"
    return moved.save


def delete_order():
    return zoo.Order.objects.get(pk=1).delete


def replace_order():
    """The row is another one of the same key."""
    gone = zoo.Order.objects.get(pk=1)

    def replace():
        gone.delete()
        order(1, "b").save(force_insert=True)

    return replace


def upsert_profiles():
    rows = [zoo.Profile(user_id=number, nickname="new") for number in (1, 3)]
    return lambda: upsert(zoo.Profile, rows, ["nickname"], ["user"])


def create_profile():
    return lambda: zoo.Profile.objects.create(user_id=3, nickname="old")


def rename_user():
    user = User.objects.get(pk=3)
    user.email = "new@x.org"
    return user.save


def upsert_profiles_of_others():
    """Which profiles follow whom is changed by the replacement."""
    rows = [zoo.Profile(pk=pk, user_id=user) for pk, user in ((1, 3), (NEW, None))]
    return lambda: upsert(zoo.Profile, rows, ["user"])


def create_profile_of_the_same_key():
    return lambda: zoo.Profile.objects.bulk_create([zoo.Profile(pk=NEW, user_id=3)])


def upsert_customers():
    rows = [zoo.Customer(id=uuid.UUID(int=n), code=code) for n, code in ((1, "a"), (2, "new"))]
    return lambda: upsert(zoo.Customer, rows, ["code"], ["code"])


def create_customer():
    """Its orders come with it."""

    def create():
        zoo.Customer.objects.create(code="new")
        zoo.Order.objects.create(customer_id="new")

    return create


def upsert_seats():
    rows = [zoo.Seat(team_id=1, number=number, weight=5) for number in (1, 2, 3)]
    return lambda: upsert(zoo.Seat, rows, ["weight"], ["team", "number"])


def create_seat():
    return lambda: zoo.Seat(team_id=1, number=2, weight=7).save(force_insert=True)


NEW_AND_OLD = ((1, "c"), (NEW, "a"))
PAIRS = {
    "new": (upsert_orders((NEW, "a")), create_order),
    "new and old": (upsert_orders(*NEW_AND_OLD), create_order),
    "one of several": (upsert_orders((NEW, "a"), (OTHER, "a"), (1, "c")), create_other_order),
    "all of several": (upsert_orders((NEW, "a"), (OTHER, "a"), (1, "c")), create_both_orders),
    "in batches": (
        upsert_orders((NEW, "a"), (1, "c"), (OTHER, "a"), batch_size=1),
        create_both_orders,
    ),
    "no key beside keys": (upsert_orders((None, "a"), *NEW_AND_OLD, (None, "a")), create_order),
    "moved": (upsert_orders(*NEW_AND_OLD), move_order),
    "deleted": (upsert_orders(*NEW_AND_OLD), delete_order),
    "replaced": (upsert_orders(*NEW_AND_OLD), replace_order),
    "the same upsert": (upsert_orders(*NEW_AND_OLD), upsert_orders(*NEW_AND_OLD)),
    "another upsert": (upsert_orders(*NEW_AND_OLD), upsert_orders((1, "a"), (NEW, "b"))),
    "unique column": (upsert_profiles, create_profile),
    "unique column, copied": (upsert_profiles, rename_user),
    "copies that move": (upsert_profiles_of_others, create_profile_of_the_same_key),
    "composite key": (upsert_seats, create_seat),
    "target": (upsert_customers, create_customer),
}


@pytest.mark.parametrize("name", PAIRS)
def test_what_is_counted_is_there(name, actors):
    play(name, actors)


@pytest.mark.parametrize("name", ["new and old", "all of several", "unique column"])
def test_what_is_counted_is_there_at_commit(name, actors, settings):
    settings.SYNCFIELDS = {"APPLY": "commit"}

    play(name, actors)


@pytest.mark.parametrize("name", ["new and old", "another upsert", "copies that move"])
def test_what_is_counted_is_there_in_old_snapshots(name):
    actors = Actor("repeatable read"), Actor("repeatable read")
    try:
        play(name, actors)
    finally:
        for each in actors:
            each.leave()


def play(name, actors):
    wrong = []
    for parts in (PAIRS[name], PAIRS[name][::-1]):
        for scene in scenes(*actors, parts, SCENERY):
            errors = [repr(each) for each in scene.outcomes if each and meaning(each) is None]
            if found := [*errors, *drifts(*SCENERY.targets)]:
                wrong.append("\n".join([str(scene), *found]))
    assert not wrong, "\n\n" + "\n\n".join(wrong)


def upsert_logins():
    rows = [zoo.Login(pk=pk, user_id=1, weight=5) for pk in (1, NEW, OTHER)]
    return lambda: upsert(zoo.Login, rows, ["weight"])


def create_login():
    return lambda: zoo.Login(pk=NEW, user_id=1).save(force_insert=True)


def delete_login():
    return zoo.Login.objects.get(pk=1).delete


@pytest.mark.parametrize("other", [upsert_logins, create_login, delete_login])
def test_an_event_is_counted_once(other, actors):
    wrong = []
    for parts in ((upsert_logins, other), (other, upsert_logins)):
        for scene in scenes(*actors, parts, SCENERY):
            deleted = other is delete_login and scene.outcomes[parts.index(other)] is None
            inserted = zoo.Login.objects.count() + deleted
            counted = zoo.Profile.objects.get(pk=1).logins
            failed = [each for each in scene.outcomes if each and meaning(each) is None]
            if counted != inserted or failed:
                wrong.append(f"{scene}\n{counted} counted, {inserted} inserted")
    assert not wrong, "\n\n" + "\n\n".join(wrong)
