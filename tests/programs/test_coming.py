"""What an UPDATE of a row writes with the rest: its own copies, asked before it."""

from __future__ import annotations

import pytest
from django.db import connection, models, transaction
from django.db.models import Count, F, Value
from django.db.models.functions import Concat
from hypothesis import given, settings
from hypothesis import strategies as st

from syncfields.declare.rules import Declaration
from syncfields.signals import synced
from tests.ownmodels import assert_kept, empty, kept, own_apps, stored, tables_by
from tests.statements import sent
from tests.undo import rolled_back

APPS = own_apps("coming")


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "coming"


class Town(Own):
    name = models.CharField(max_length=30)
    homes = models.IntegerField(default=0)


class Person(Own):
    name = models.CharField(max_length=30)
    town = models.ForeignKey(Town, models.CASCADE)
    things = models.IntegerField(default=0)


class Thing(Own):
    """Two keys lead to rows of one table; and one to rows of its own."""

    title = models.CharField(max_length=30)
    owner = models.ForeignKey(Person, models.CASCADE, related_name="owned")
    keeper = models.ForeignKey(Person, models.SET_NULL, null=True, related_name="kept")
    whole = models.ForeignKey("self", models.SET_NULL, null=True, related_name="parts")
    one = models.CharField(max_length=100, default="")
    two = models.CharField(max_length=100, null=True)
    changed = models.DateTimeField(null=True)


OWNER = (Thing, "one", F("owner__name"))
TOWN = (Thing, "one", F("owner__town__name"))
KEEPER = (Thing, "two", F("keeper__name"))
BOTH = (Thing, "two", Concat(F("title"), Value(" of "), F("keeper__name")))
WHOLE = (Thing, "two", F("whole__title"))
READER = (Thing, "two", Concat(F("one"), F("keeper__name")))
COUNT = (Person, "things", Count("owned"))
HOMES = (Town, "homes", Count("person"))

pytestmark = pytest.mark.django_db


there = tables_by(APPS)


def three_people():
    towns = [Town.objects.create(name=name) for name in ("Here", "There")]
    return [Person.objects.create(name=name, town=towns[n % 2]) for n, name in enumerate("abc")]


@pytest.fixture
def people():
    return three_people()


def own_updates(statements):
    return [each for each in statements.sql if each.startswith("UPDATE") and "coming_thing" in each]


@pytest.mark.parametrize("rule", [OWNER, TOWN], ids=["next to it", "two away"])
def test_the_row_is_written_once(people, rule):
    with kept([rule]):
        thing = Thing.objects.create(title="t", owner=people[0])
        thing.owner = people[1]
        with sent() as statements:
            thing.save()

        assert len(own_updates(statements)) == 1
        assert_kept()
        assert thing.one == stored(Thing, thing.pk, "one")["one"]


def test_rows_that_only_one_of_two_keys_leads_to(people):
    """The one that is copied from is not among those that the other copy locks."""
    with kept([OWNER, BOTH, COUNT]):
        thing = Thing.objects.create(title="t", owner=people[0], keeper=people[2])
        thing.owner, thing.title = people[1], "u"
        thing.save()

        assert stored(Thing, thing.pk, "one", "two") == {"one": "b", "two": "u of c"}
        assert_kept()


def test_what_another_rule_reads_is_told_to_it(people):
    with kept([OWNER, READER]):
        thing = Thing.objects.create(title="t", owner=people[0], keeper=people[2])
        thing.owner = people[1]
        thing.save()

        assert stored(Thing, thing.pk, "two") == {"two": "bc"}


def test_a_new_row_copies_what_another_copy_of_it_begins_with(people):
    with kept([READER, OWNER]):
        Thing.objects.create(title="t", owner=people[0], keeper=people[2])
        Thing.objects.bulk_create([Thing(title="u", owner=people[1], keeper=people[0])])

        assert_kept()


def test_what_is_touched_says_when_it_has_changed(people):
    declared = Declaration(F("owner__name"), touch="changed")
    with kept([(Thing, "one", declared)]):
        thing = Thing.objects.create(title="t", owner=people[0])
        twin = Person.objects.create(name="a", town=people[0].town)
        thing.owner = twin
        thing.save()
        assert stored(Thing, thing.pk, "changed") == {"changed": None}

        thing.owner = people[1]
        thing.save()
        assert stored(Thing, thing.pk, "changed")["changed"] is not None


@pytest.mark.django_db(transaction=True)
def test_who_listens_is_told(people):
    heard = []

    def listen(sender, pks, fields, **kwargs):
        heard.append((sender, pks, fields))

    with kept([OWNER]):
        thing = Thing.objects.create(title="t", owner=people[0])
        thing.owner = people[1]
        synced.connect(listen, sender=Thing)
        try:
            thing.save()
        finally:
            synced.disconnect(listen, sender=Thing)
        assert heard == [(Thing, [thing.pk], frozenset({"one"}))]
    empty(APPS)


def test_some_columns_are_saved(people):
    with kept([OWNER, BOTH]):
        thing = Thing.objects.create(title="t", owner=people[0])
        thing.owner, thing.title = people[1], "not saved"
        thing.save(update_fields=["owner"])

        assert_kept()
        assert stored(Thing, thing.pk, "title") == {"title": "t"}


def test_old_values_from_memory_may_not_be_all(people):
    declared = Declaration(BOTH[2], tracking="memory")
    with kept([(Thing, "two", declared), OWNER]):
        Thing.objects.create(title="t", owner=people[0], keeper=people[2])
        thing = Thing.objects.only("title", "keeper").get()
        thing.keeper, thing.title = people[1], "u"
        thing.save(update_fields=["keeper"])

        assert_kept()


def test_what_memory_knows_of_another_column_may_be_old(people):
    declared = Declaration(BOTH[2], tracking="memory")
    with kept([(Thing, "two", declared)]):
        thing = Thing.objects.create(title="t", owner=people[0], keeper=people[2])
        Thing.objects.filter(pk=thing.pk).update(title="u")
        thing.keeper = people[1]
        thing.save(update_fields=["keeper"])

        assert stored(Thing, thing.pk, "two") == {"two": "u of b"}


def test_a_row_that_refers_to_itself(people):
    with kept([WHOLE]):
        thing = Thing.objects.create(title="t", owner=people[0])
        thing.whole, thing.title = thing, "u"
        thing.save()

        assert_kept()


def test_what_a_save_that_fails_has_asked_is_not_written(people):
    with kept([OWNER]):
        thing = Thing.objects.create(title="t", owner=people[0])
        thing.owner, thing.title = people[1], None
        with pytest.raises(Exception, match=r"(?i)null"), transaction.atomic():
            thing.save()
        thing.title = "t"
        thing.owner = people[2]
        thing.save()

        assert stored(Thing, thing.pk, "one") == {"one": "c"}


RULES = [OWNER, TOWN, KEEPER, BOTH, WHOLE, READER, COUNT, HOMES]


@settings(deadline=None)
@given(
    rules=st.lists(st.sampled_from(RULES), min_size=1, unique_by=lambda rule: rule[:2]),
    writes=st.lists(
        st.tuples(
            st.sampled_from(["title", "owner", "keeper", "whole", "name", "town"]),
            st.integers(0, 2),
            st.integers(0, 3),
            st.booleans(),
        ),
        max_size=6,
    ),
)
def test_any_rules_and_any_writes(rules, writes):
    """Whatever is written, in one field or two, the copies are those of ``annotate()``."""
    with rolled_back(), kept(rules):
        people = three_people()
        things = [Thing.objects.create(title=name, owner=people[0]) for name in "xyz"]
        choices = {
            "owner": people,
            "keeper": [*people, None],
            "whole": [*things, None],
            "town": [each.town for each in people],
        }
        for name, which, value, fresh in writes:
            rows = people if name in ("name", "town") else things
            row = type(rows[which]).objects.get(pk=rows[which].pk) if fresh else rows[which]
            known = choices.get(name, ["p", "q", "r", "s"])
            setattr(row, name, known[value % len(known)])
            if name != "title" and hasattr(row, "title"):
                row.title += "+"
            row.save()
        assert_kept()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="its statements are known")
def test_one_statement_locks_and_asks(people):
    with kept([OWNER, COUNT]):
        thing = Thing.objects.create(title="t", owner=people[0])
        thing.owner = people[1]
        with sent() as statements:
            thing.save()

    assert [each.split()[0] for each in statements.sql] == ["SELECT", "WITH", "UPDATE", "UPDATE"]
