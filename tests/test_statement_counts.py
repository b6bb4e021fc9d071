"""The promise of what a write costs: the statements beside the user's own."""

from __future__ import annotations

import pytest
from django.db import connection

from syncfields import unsynced
from tests.statements import sent
from tests.testapp.models import (
    Book,
    Cup,
    Mascot,
    Publisher,
    Shelf,
    Team,
    Tray,
    Unwatched,
)
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db

LOCK = "SELECT testapp_book"
SHELF = "UPDATE testapp_shelf"
PUBLISHER = "UPDATE testapp_publisher"
TRAY = "UPDATE testapp_tray"


def first(*tables):
    """The parents that a new key names, which MariaDB has to lock before the INSERT shares them."""
    return [f"SELECT testapp_{table}" for table in tables if connection.vendor == "mysql"]


@pytest.fixture
def shelf():
    return Shelf.objects.create()


@pytest.fixture
def publisher():
    return Publisher.objects.create()


@pytest.fixture
def book(shelf):
    return Book.objects.create(shelf=shelf, pages=100)


@pytest.fixture
def cup():
    return Cup.objects.create(tray=Tray.objects.create(), volume=3)


def extra(write):
    """What ``write`` sends beside the INSERT, UPDATE or DELETE of the row itself."""
    with sent() as statements:
        write()
    own = ("testapp_book", "testapp_cup", "testapp_unwatched")
    written = [each for each in statements if each.endswith(own) and not each.startswith("SELECT")]
    assert len(written) == 1, statements
    statements.remove(written[0])
    return sorted(statements)


def edit(instance, **values):
    for name, value in values.items():
        setattr(instance, name, value)
    return instance.save


def test_create_is_one_update(shelf):
    assert extra(Book(shelf=shelf, pages=3).save) == [*first("shelf"), SHELF]
    assert_truth()


def test_create_is_one_update_for_each_target_model(shelf, publisher):
    write = Book(shelf=shelf, publisher=publisher, pages=600).save

    assert extra(write) == [*first("publisher", "shelf"), PUBLISHER, SHELF]
    assert_truth()


@pytest.mark.parametrize("pages", [3, None], ids=["filtered out", "no parent"])
def test_create_that_changes_no_target_is_one_select_at_the_most(publisher, pages):
    book = Book(publisher=publisher, pages=pages) if pages else Book()

    assert extra(book.save) in ([], [LOCK], first("publisher"))
    assert_truth()


def test_create_of_a_target_is_free():
    with sent() as statements:
        Shelf.objects.create()

    assert statements == ["INSERT testapp_shelf"]


def test_save_of_a_target_is_free_after_a_write_of_its_source(shelf):
    Book.objects.create(shelf=shelf, pages=3)
    fresh = Shelf.objects.get()
    with sent() as plain:
        fresh.save()

    for _ in range(2):
        with sent() as statements:
            shelf.save()
        assert statements == plain


def test_all_fields_of_a_target_are_read_by_one_select_after_a_write(shelf):
    book = Book.objects.create(shelf=shelf, pages=3)
    for write in (edit(book, pages=7), shelf.save):
        write()
        with sent() as statements:
            assert (shelf.book_count, shelf.page_sum) == (1, book.pages)

        assert statements == ["SELECT testapp_shelf"]


def test_save_of_a_watched_column_is_a_select_and_an_update(book):
    assert extra(edit(book, pages=7)) == [LOCK, SHELF]
    assert_truth()


def test_a_move_is_a_select_and_one_update_for_both_parents(book):
    assert extra(edit(book, shelf=Shelf.objects.create())) == [LOCK, *first("shelf"), SHELF]
    assert_truth()


def test_a_move_and_a_changed_value_are_one_update(book):
    write = edit(book, shelf=Shelf.objects.create(), pages=9)

    assert extra(write) == [LOCK, *first("shelf"), SHELF]
    assert_truth()


def test_save_for_two_target_models(book, publisher):
    write = edit(book, publisher=publisher, pages=700)

    assert extra(write) == [LOCK, *first("publisher"), *first("shelf"), PUBLISHER, SHELF]
    assert_truth()


def test_save_without_a_watched_change_is_a_select(book):
    assert extra(book.save) == [LOCK]
    assert extra(edit(book, title="other")) == [LOCK]
    assert_truth()


def test_update_fields_without_a_watched_column_are_free(book):
    book.title = "other"

    assert extra(lambda: book.save(update_fields=["title"])) == []
    assert_truth()


def test_update_fields_with_a_watched_column(book):
    book.pages = 12

    assert extra(lambda: book.save(update_fields={"pages"})) == [LOCK, SHELF]
    assert_truth()


def read_before():
    """SQLite counts rows by a SELECT before it deletes them."""
    return [LOCK] if connection.vendor == "sqlite" else []


def test_delete_is_an_update(book):
    assert extra(book.delete) == [SHELF]
    assert_truth()


def test_delete_that_changes_no_target(publisher):
    book = Book.objects.create(publisher=publisher, pages=3)

    assert extra(book.delete) == []
    assert_truth()


@pytest.fixture
def cups():
    trays = [Tray.objects.create() for _ in range(3)]
    return [Cup.objects.create(tray=tray, volume=n) for n in range(20) for tray in trays]


def test_bulk_create_of_many_rows(cups):
    many = [Cup(tray_id=cup.tray_id, volume=1) for cup in cups]

    assert extra(lambda: Cup.objects.bulk_create(many)) == [*first("tray"), TRAY]
    assert_truth()


def test_update_of_many_rows(cups):
    statements = extra(lambda: Cup.objects.filter(volume__gt=3).update(volume=2))

    assert statements == ["SELECT testapp_cup", TRAY]
    assert_truth()


def test_update_of_many_rows_to_another_target(cups):
    tray = Tray.objects.create()

    statements = extra(lambda: Cup.objects.update(tray=tray))

    assert statements == sorted(["SELECT testapp_cup", *first("tray"), TRAY])
    assert_truth()


def test_delete_of_many_rows(cups):
    before = ["SELECT testapp_cup"] if connection.vendor == "sqlite" else []

    assert extra(Cup.objects.filter(volume__gt=3).delete) == [*before, TRAY]
    assert_truth()


def test_a_copy_from_the_other_end_of_a_relation_is_written_once():
    mascot = Mascot.objects.create(team=Team.objects.create(), name="fox")

    with sent() as statements:
        edit(mascot, name="wolf")()

    assert statements.updates(Team) == 1
    assert_truth()


def test_save_of_a_target_is_free(shelf):
    with sent() as statements:
        Shelf.objects.get(pk=shelf.pk).save()

    assert [each for each in statements if not each.startswith("SELECT")] == []
    assert len(statements) <= 2


@pytest.mark.parametrize(
    ("values", "expected"),
    [({"volume": 8}, [TRAY]), ({"tray": None}, [TRAY]), ({"title": "other"}, []), ({}, [])],
    ids=["value", "move", "unwatched", "nothing"],
)
def test_save_with_memory_tracking(cup, values, expected):
    assert extra(edit(cup, **values)) == expected
    assert_truth()


def test_save_of_a_loaded_row_with_memory_tracking(cup):
    cup = Cup.objects.get(pk=cup.pk)

    assert extra(edit(cup, volume=8)) == [TRAY]
    assert extra(edit(cup, title="other")) == []
    assert_truth()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("values", "expected"), [({"title": "other"}, False), ({"volume": 8}, True)]
)
def test_a_transaction_is_begun_with_memory_tracking_where_it_is_needed(cup, values, expected):
    cup, seen = Cup.objects.get(pk=cup.pk), set()

    def look(execute, sql, params, many, context):
        seen.add(connection.in_atomic_block)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        edit(cup, **values)()

    assert (True in seen) is expected


def test_a_model_that_no_rule_reads_is_free():
    row = Unwatched()

    assert extra(row.save) == []
    assert extra(edit(row, title="other")) == []
    assert extra(row.delete) == []


def test_loading_is_free(book):
    with sent() as statements:
        list(Book.objects.select_related("shelf"))

    assert len(statements) == 1


def test_unsynced_writes_are_free(book):
    with unsynced():
        assert extra(edit(book, pages=70)) == []


def bulk_writes(count):
    """How many statements each bulk write of ``count`` rows sends, and how many UPDATEs of ours."""
    shelves = [Shelf.objects.create() for _ in range(count)]
    publisher = Publisher.objects.create()
    for write in (
        lambda: Book.objects.bulk_create(
            Book(shelf=shelf, publisher=publisher, pages=600) for shelf in shelves
        ),
        lambda: Book.objects.update(pages=6),
        lambda: Book.objects.update(shelf=shelves[0], title="new"),
        lambda: Book.objects.bulk_update(Book.objects.all(), ["pages", "shelf"]),
        lambda: Book.objects.filter(pages__gt=0).delete(),
    ):
        with sent() as statements:
            write()
        assert_truth()
        yield len(statements), statements.updates(Shelf), statements.updates(Publisher)


def test_bulk_writes_are_a_constant_number_of_statements():
    few, many = list(bulk_writes(2)), list(bulk_writes(20))

    assert few == many
    assert all(max(updates) <= 1 for _, *updates in many), many


def test_a_shelf_of_many_books_is_deleted_in_a_constant_number_of_statements(shelf):
    publisher = Publisher.objects.create()
    numbers = []
    for count in (1, 40):
        shelf = Shelf.objects.create()
        Book.objects.bulk_create(
            Book(shelf=shelf, publisher=publisher, pages=600) for _ in range(count)
        )
        with sent() as statements:
            shelf.delete()
        assert statements.updates(Shelf) == 0
        assert statements.updates(Publisher) == 1
        numbers.append(len(statements))
        assert_truth()

    assert len(set(numbers)) == 1, numbers


def replace(*rows):
    targeted = connection.features.supports_update_conflicts_with_target
    options = {"unique_fields": ["id"]} if targeted else {}
    return lambda: Book.objects.bulk_create(
        rows, update_conflicts=True, update_fields=["pages"], **options
    )


READ = [LOCK]
"""What the rows contribute to shelves and publishers."""


def test_bulk_create_that_replaces_is_one_look_and_one_reading_before_and_after(book, shelf):
    write = replace(
        Book(pk=book.pk, shelf=shelf, pages=7), Book(pk=book.pk + 1, shelf=shelf, pages=3)
    )

    # MariaDB looks before it locks, and reads which parents the rows had.
    looks = [LOCK] * (3 if connection.vendor == "mysql" else 1)
    assert extra(write) == sorted([*looks, *first("shelf"), *READ, *READ, SHELF])
    assert_truth()


def test_bulk_create_that_could_replace_is_one_look_and_one_reading(book, shelf):
    write = replace(*(Book(pk=book.pk + n, shelf=shelf, pages=3) for n in (1, 2, 3)))

    assert extra(write) == sorted([LOCK, *first("shelf"), *READ, SHELF])
    assert_truth()


def test_bulk_create_of_rows_that_nothing_can_be_in_the_way_of(shelf):
    write = replace(*(Book(shelf=shelf, pages=3) for _ in range(3)))

    assert extra(write) == sorted([*first("shelf"), *READ, SHELF])
    assert_truth()
