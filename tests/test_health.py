"""``health()`` and its view, and what the log is told."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from django.urls import path

from syncfields import reconcile, unsynced
from syncfields.health import health, view
from syncfields.plan import registry
from tests.testapp.models import Book, Shelf

pytestmark = pytest.mark.django_db
SHELF = "testapp.Shelf.book_count"
PAGE = Path(__file__).parents[1] / "docs" / "operating.md"
urlpatterns = [path("health/", view)]


@pytest.fixture
def pages(settings):
    settings.ROOT_URLCONF = __name__


@pytest.fixture
def shelves():
    shelves = [Shelf.objects.create() for _ in range(5)]
    for shelf in shelves:
        Book.objects.create(shelf=shelf)
    return shelves


@pytest.fixture
def drifted(shelves):
    with unsynced():
        Shelf.objects.update(book_count=9)
    return shelves


def test_all_is_right(shelves):
    found = health(SHELF)

    assert (found.ok, found.scanned, found.drifted, found.errors) == (True, 5, {}, ())


def test_a_few_rows_tell_of_drift_and_are_left_as_they_are(drifted):
    found = health(SHELF, rows=3)

    assert (found.ok, found.scanned, found.drifted) == (False, 3, {SHELF: 3})
    assert set(Shelf.objects.values_list("book_count", flat=True)) == {9}


def test_the_time_is_bounded_and_each_model_has_its_turn(drifted):
    models = {rule.model for rule in registry.plan().rules}

    found = [health(max_seconds=0) for _ in range(3)]

    # Tallies have nothing to be looked at, and are models all the same.
    assert {each.left for each in found} == {len(models) - 1}


def test_the_database_has_an_error(shelves, monkeypatch):
    monkeypatch.setattr(Shelf._meta, "db_table", "nowhere")

    found = health(Shelf)

    assert not found.ok
    assert len(found.errors) == 1


def test_an_unknown_label_is_an_error_of_who_asks():
    with pytest.raises(LookupError):
        health("nowhere.Nothing")


@pytest.mark.usefixtures("pages")
def test_the_view(client, shelves):
    response = client.get("/health/")

    assert response.status_code == 200
    assert response.json()["ok"]
    assert "no-store" in response["Cache-Control"]


@pytest.mark.usefixtures("pages")
def test_the_view_of_drift_shows_no_values(client, drifted):
    response = client.get("/health/")

    assert response.status_code == 503
    assert response.json()["drifted"] == {SHELF: 5}
    assert client.post("/health/").status_code == 405


@pytest.mark.parametrize("check", [True, False])
def test_reconcile_tells_the_log(drifted, caplog, check):
    caplog.set_level(logging.INFO, "syncfields.reconcile")

    reconcile(SHELF, check=check)

    (record,) = (each for each in caplog.records if each.name == "syncfields.reconcile")
    assert (record.rule, record.scanned, record.drifted) == (SHELF, 5, 5)
    assert (record.repaired, record.check, record.finished) == (0 if check else 5, check, True)
    assert record.database == "default"
    assert attributes(record) == documented("syncfields.reconcile")


def attributes(record):
    """What a record has beside what each one has."""
    usual = logging.makeLogRecord({"message": "", "asctime": ""})
    return set(vars(record)) - set(vars(usual))


def documented(logger):
    """The attributes that the page about operating names."""
    (row,) = re.findall(
        rf"^\| `{re.escape(logger)}` \|.*\| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE
    )
    return set(re.findall(r"`(\w+)`", row))


@pytest.mark.django_db(databases=["default", "other"])
def test_the_log_names_each_database_that_was_looked_at(caplog):
    caplog.set_level(logging.INFO, "syncfields.reconcile")
    for alias in ("default", "other"):
        Shelf.objects.using(alias).create()

    reconcile(SHELF, using="other")
    reconcile(*(Shelf.objects.using(alias) for alias in ("other", "default")))

    named = [each.database for each in caplog.records if each.rule == SHELF]
    assert named == ["other", "other, default"]


def test_a_monitor_that_looks_all_day_tells_the_log_only_of_drift(drifted, caplog):
    caplog.set_level(logging.DEBUG, "syncfields.reconcile")

    health("testapp.Shelf")

    levels = {each.rule: each.levelname for each in caplog.records}
    assert levels == {SHELF: "INFO", "testapp.Shelf.page_sum": "DEBUG"}


def test_what_heals_itself_tells_the_log(drifted, caplog):
    for book in Book.objects.all():
        with unsynced():
            Shelf.objects.update(book_count=0)
        book.delete()

    records = [each for each in caplog.records if each.name == "syncfields.drift"]
    assert records
    assert {each.rule for each in records} == {SHELF}
    assert records[0].drifts[0].stored == 0
    assert attributes(records[0]) == documented("syncfields.drift")
