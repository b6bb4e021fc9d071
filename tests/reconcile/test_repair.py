"""Finding drift and repairing it."""

from __future__ import annotations

import gc
import io
import json
import logging
import sys
import tracemalloc
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, models, transaction
from django.db.migrations.state import ModelState, ProjectState
from django.db.models.functions import Now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncfields import Tally, reconcile, unsynced
from syncfields.declare.rules import collect
from syncfields.reconcile.reports import Interrupted
from syncfields.signals import drift_found
from syncfields.targets.drift import Drift
from syncfields.testing import assert_in_sync
from tests.menagerie import populate, write_behind, wrong_value
from tests.statements import sent
from tests.testapp import models as zoo
from tests.testapp.models import Book, Comment, Entry, Post, Publisher, Shelf, Wallet
from tests.truth import TRUTHS, assert_truth, drifts

pytestmark = pytest.mark.django_db

RULES = {rule.label: rule for rule in collect()}


def command(*args, code=0, **options):
    """The output of ``manage.py reconcile``, which must exit with ``code``."""
    out = io.StringIO()
    if code:
        with pytest.raises(SystemExit) as stopped:
            call_command("reconcile", *args, stdout=out, no_progress=True, **options)
        assert stopped.value.code == code
    else:
        call_command("reconcile", *args, stdout=out, no_progress=True, **options)
    return out.getvalue()


def writes(statements):
    return [each for each in statements if not each.startswith("SELECT")]


def make_shelves(count, pages=3):
    with unsynced():
        shelves = Shelf.objects.bulk_create(Shelf() for _ in range(count))
        Book.objects.bulk_create(Book(shelf=shelf, pages=pages) for shelf in shelves)
    return shelves


def test_the_menagerie_is_in_sync():
    populate()

    assert_truth()
    assert_in_sync()
    assert not [model for model in TRUTHS if not models.QuerySet(model).exists()]


def test_each_rule_is_repaired():
    populate()
    failures = []
    for label, rule in RULES.items():
        if isinstance(rule.expression, Tally):
            continue
        for value in [wrong_value(rule.field)] + ([None] if rule.field.null else []):
            write_behind(rule.model, **{rule.field_name: value})
            drifted = drifts(rule.model)

            report = reconcile(label)

            left = drifts()
            if left or not (drifted and report.repaired >= len(drifted) and report.ok):
                failures.append((label, value, report.rules, left))

    assert not failures


def test_drift_of_everything_at_once_is_repaired():
    populate()
    for rule in RULES.values():
        if not isinstance(rule.expression, Tally):
            write_behind(rule.model, **{rule.field_name: wrong_value(rule.field)})

    report = reconcile()

    assert_truth()
    assert report.ok
    assert report.scanned >= report.drifted >= report.repaired > len(RULES)
    with sent() as statements:
        again = reconcile()
    assert (again.drifted, again.repaired, writes(statements)) == (0, 0, [])


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_few_rows_and_many_are_repaired_alike(data, monkeypatch):
    """One row after the other by ``bulk_update()``, or all of them by one statement."""
    # By its module's name one would get the function.
    monkeypatch.setattr(sys.modules["syncfields.reconcile.chunks"], "EXAMPLES", 1000)

    def repaired(few):
        monkeypatch.setattr("syncfields.targets.drift.FEW", few)
        with transaction.atomic():
            for label, pk in drifted:
                rule = RULES[label]
                wrong = {rule.field_name: wrong_value(rule.field)}
                with unsynced():
                    models.QuerySet(rule.model).filter(pk=pk).update(**wrong)
            report = reconcile()
            assert_truth()
            transaction.set_rollback(True)
        return {
            rule.label: {each.pk: (each.stored, each.expected) for each in rule.examples}
            for rule in report.rules
            # It follows a field of its own model, whichever of them is repaired first.
            if rule.label != "testapp.Category.sibling_count"
        }

    with transaction.atomic():
        populate()
        make_shelves(5)
        places = [
            (label, pk)
            for label, rule in RULES.items()
            if not isinstance(rule.expression, Tally)
            for pk in models.QuerySet(rule.model).order_by("pk").values_list("pk", flat=True)
        ]
        drifted = data.draw(st.sets(st.sampled_from(places), min_size=1))
        portable, at_once = repaired(1000), repaired(0)
        transaction.set_rollback(True)

    assert portable == at_once


def test_a_rule_on_a_repaired_field_follows():
    populate()
    write_behind(Post, comment_count=70)

    reconcile("testapp.Post.comment_count")

    assert_truth()


def test_sources_written_behind_djangos_back_are_found():
    populate()
    write_behind(Comment, is_public=False, score=9)
    write_behind(zoo.Track, minutes=11)
    assert drifts()

    reconcile()

    assert_truth()


def test_the_second_run_writes_nothing():
    make_shelves(3)
    first = reconcile()
    assert (first.drifted, first.repaired, first.ok) == (6, 6, True)

    with sent() as statements:
        second = reconcile()

    assert (second.drifted, second.repaired, second.ok) == (0, 0, True)
    assert writes(statements) == []
    assert_truth()


def test_check_writes_nothing_and_exits_with_1():
    make_shelves(3)

    with sent() as statements:
        out = command("testapp.Shelf", check=True, code=1)
    report = reconcile(Shelf, check=True)

    assert "testapp.Shelf.book_count" in out
    assert writes(statements) == []
    assert (report.drifted, report.repaired, report.ok) == (6, 0, False)
    assert len(drifts(Shelf)) == 6
    command()
    command(check=True)
    assert_truth()


def test_check_reports_as_json():
    make_shelves(1)

    out = json.loads(command(check=True, format="json", code=1))

    rules = {each["rule"]: each for each in out["rules"]}
    assert rules["testapp.Shelf.book_count"]["drifted"] == 1
    assert rules["testapp.Shelf.book_count"]["examples"][0]["expected"] == 1
    assert rules["testapp.Profile.points"]["note"] == "not reconcilable: counts events"
    assert rules.keys() == RULES.keys()


def test_examples_name_row_stored_and_expected():
    (shelf,) = make_shelves(1)

    report = reconcile("testapp.Shelf.page_sum", check=True)

    (rule,) = report.rules
    (example,) = rule.examples
    assert (rule.label, rule.scanned, rule.drifted, rule.repaired) == (
        "testapp.Shelf.page_sum",
        1,
        1,
        0,
    )
    assert (example.pk, example.stored, example.expected) == (shelf.pk, 0, 3)


@pytest.mark.parametrize("gap", [0, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 100])
def test_gaps_and_batch_borders_lose_no_row(batch_size, gap):
    shelves = make_shelves(7)
    for shelf in shelves[2 : 2 + gap]:
        shelf.delete()

    report = reconcile(Shelf, batch_size=batch_size)

    assert report.repaired == 2 * (7 - gap)
    assert_truth()


def test_reconcile_keeps_to_one_field_one_queryset_or_one_app():
    one, two = make_shelves(2)

    assert reconcile("testapp.Shelf.page_sum").repaired == 2
    assert len(drifts(Shelf)) == 2
    assert reconcile(Shelf.objects.filter(pk=two.pk)).repaired == 1
    assert len(drifts(Shelf)) == 1
    assert reconcile(Shelf.objects.filter(pk__gt=one.pk)).repaired == 0
    assert reconcile("testapp").repaired == 1

    assert_truth()


def test_rows_that_the_default_manager_hides_are_repaired():
    populate()
    write_behind(zoo.Project, task_count=9)

    assert reconcile(zoo.Project).repaired == 2

    assert_truth()


@pytest.mark.parametrize("label", ["nosuchapp", "testapp.Nothing", "testapp.Shelf.nothing"])
def test_a_label_that_names_nothing_is_refused(label):
    with pytest.raises(CommandError, match=label):
        command(label)


def test_reconcile_is_resumed_after_a_kill():
    shelves = make_shelves(7)

    def stop(label, done, total):
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as stopped:
        reconcile(Shelf, batch_size=2, progress=stop)
    assert len(drifts(Shelf)) == 2 * 3
    assert shelves[1].pk <= stopped.value.after <= shelves[3].pk
    command("testapp.Shelf", start_after=str(stopped.value.after))

    assert_truth()


@pytest.fixture
def failing():
    """Let the database refuse each UPDATE after some that it carries out, so many times."""

    def refuse(after, times):
        counts = {"updates": 0, "refused": 0}

        def wrapper(execute, sql, *args):
            updates = (
                "UPDATE " in sql and "FOR NO KEY UPDATE" not in sql and "FOR UPDATE" not in sql
            )
            counts["updates"] += updates
            if updates and counts["updates"] > after and counts["refused"] < times:
                counts["refused"] += 1
                raise OperationalError("deadlock")
            return execute(sql, *args)

        return connection.execute_wrapper(wrapper)

    return refuse


@pytest.mark.django_db(transaction=True)
def test_a_chunk_that_a_writer_was_in_the_way_of_is_tried_again(failing):
    make_shelves(7)

    with failing(after=1, times=2):
        report = reconcile(Shelf, batch_size=2)

    assert (report.drifted, report.repaired) == (14, 14)
    assert_truth()


@pytest.mark.django_db(transaction=True)
def test_resumed_after_the_database_was_gone(failing):
    make_shelves(7)

    with failing(after=2, times=100), pytest.raises(CommandError) as stopped:
        command("testapp.Shelf", batch_size=2)
    assert stopped.value.returncode == 3
    assert len(drifts(Shelf)) == 2 * 3
    message, resume = str(stopped.value).split("\n")
    assert message == "deadlock; what was done is committed. Resume with:"
    _, _, *arguments = resume.split()
    command(*arguments)

    assert_truth()


def test_the_memory_of_reconcile_does_not_grow_with_the_rows():
    def peak(count):
        Shelf.objects.all()._raw_delete("default")
        with unsynced():
            Shelf.objects.bulk_create((Shelf() for _ in range(count)), batch_size=1000)
        write_behind(Shelf, book_count=5)
        gc.collect()
        tracemalloc.start()
        try:
            assert reconcile(Shelf, batch_size=100).repaired == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)
    few, many = peak(200), peak(2000)

    assert many < few * 3
    assert_truth()


@pytest.fixture
def wallet():
    wallet = Wallet.objects.create()
    for amount in (5, 7):
        entry = Entry.objects.create(wallet=wallet, amount=Decimal(amount))
    wallet.last = entry
    return wallet


@pytest.fixture
def received():
    calls = []

    def receive(**kwargs):
        calls.append(kwargs)

    drift_found.connect(receive)
    yield calls
    drift_found.disconnect(receive)


@pytest.mark.parametrize(
    ("name", "value"), [("balance", Decimal(3)), ("entry_count", None), ("positive_count", 0)]
)
@pytest.mark.parametrize("write", ["delete", "save"])
def test_a_delta_that_cannot_be_added_heals_the_row(wallet, received, caplog, name, value, write):
    write_behind(Wallet, **{name: value})
    entry = Entry.objects.get(pk=wallet.last.pk)

    with caplog.at_level(logging.WARNING, logger="syncfields.drift"):
        if write == "save":
            entry.amount = Decimal(-1)
            entry.save()
            if name == "entry_count":
                Entry.objects.create(wallet=wallet, amount=1)
        else:
            entry.delete()

    assert_truth()
    assert f"testapp.Wallet.{name}" in caplog.text
    assert {call["rule"] for call in received} == {f"testapp.Wallet.{name}"}
    assert received[0]["sender"] is Wallet
    assert received[0]["using"] == "default"


@pytest.mark.parametrize(
    ("name", "stored", "right"),
    [
        ("positive_count", 0, 2),  # Which is right after both are deleted.
        ("entry_count", None, 2),
        ("balance", Decimal("0.50"), Decimal(12)),
    ],
)
@pytest.mark.parametrize("deleted", [1, 2])
def test_what_had_drifted_is_told_as_it_was_before_the_write(
    wallet, received, caplog, deleted, name, stored, right
):
    write_behind(Wallet, **{name: stored})

    Entry.objects.filter(
        pk__in=list(wallet.entries.values_list("pk", flat=True))[:deleted]
    ).delete()

    (told,) = received
    assert told["drifts"] == [Drift(wallet.pk, stored=stored, expected=right)]
    assert f"stored={stored!r}, expected={right!r}" in caplog.text.replace(".00", "")
    assert_truth()


def test_a_healthy_row_is_not_reported(wallet, received, caplog):
    Entry.objects.create(wallet=wallet, amount=1)
    wallet.last.delete()

    assert (received, caplog.text) == ([], "")
    assert_truth()


@pytest.mark.skipif(connection.vendor == "mysql", reason="MariaDB stores no negative count")
def test_a_negative_value_is_repaired():
    populate()
    write_behind(Wallet, weight=-1.0)
    write_behind(Publisher, thick_count=0)

    Book.objects.get().delete()
    reconcile()

    assert_truth()


def test_an_average_that_does_not_come_out_even_is_no_drift():
    post = Post.objects.create()
    for score in (1, 2, 2):
        Comment.objects.create(post=post, score=score)

    assert reconcile(check=True).ok
    assert abs(Post.objects.get().score_average - 5 / 3) < 1e-8
    write_behind(Post, score_average=0.0)
    assert reconcile().repaired == 1
    assert reconcile(check=True).ok


def test_a_queryset_reconciles_its_own_rows():
    trays = [zoo.Tray.objects.create() for _ in range(3)]
    with unsynced():
        zoo.Tray.objects.update(cup_count=7)
    chosen = zoo.Tray.objects.exclude(pk=trays[0].pk)

    assert chosen.reconcile(check=True).drifted == 2
    report = chosen.reconcile()

    assert report.repaired == 2
    values = zoo.Tray.objects.order_by("pk").values_list("cup_count", flat=True)
    assert list(values) == [7, 0, 0]


def test_times_that_the_database_wrote_are_no_drift():
    """SQLite gives three digits of a second, and Python six."""
    post = zoo.Post.objects.create()
    comments = [zoo.Comment.objects.create(post=post) for _ in range(2)]

    zoo.Comment.objects.filter(pk=comments[0].pk).update(created=Now())
    assert_truth()
    assert_in_sync()
    comments[1].delete()
    assert_truth()
    assert_in_sync()
    zoo.Comment.objects.create(post=post)

    first = zoo.Comment.objects.get(pk=comments[0].pk)
    first.post = None
    first.save()

    assert_truth()


def write_by_sql(shelf):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE testapp_book SET pages = 700")


def write_by_historical_models(shelf):
    state = ProjectState(real_apps={"auth", "contenttypes"})
    for model in (Shelf, Publisher, Book):
        state.add_model(ModelState.from_model(model))
    historical = state.apps.get_model("testapp", "Book")
    assert historical is not Book
    historical.objects.create(shelf_id=shelf.pk, pages=5)


@pytest.mark.parametrize("write", [write_by_sql, write_by_historical_models])
def test_reconcile_finds_what_it_could_not_see(write, capsys):
    shelf = Shelf.objects.create()
    Book.objects.create(shelf=shelf, pages=3)
    write(shelf)

    with pytest.raises(SystemExit) as exit_:
        call_command("reconcile", "testapp.Shelf", "--check", "--no-progress")

    assert exit_.value.code == 1
    assert reconcile(Shelf).repaired
    assert_truth(Shelf)


@pytest.mark.parametrize("number", [0, -1])
@pytest.mark.parametrize("name", ["batch_size", "sample", "workers"])
def test_numbers_that_would_do_nothing_are_refused(name, number):
    with pytest.raises(ValueError, match="least 1"):
        reconcile(Shelf, **{name: number})


def test_a_model_without_a_rule_is_named():
    with pytest.raises(LookupError, match=r"No rule is selected by testapp\.Book\b"):
        reconcile(Book)
