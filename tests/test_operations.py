"""``Backfill`` in migrations that are run: those of ``tests/grown``."""

from __future__ import annotations

import io
import threading
from contextlib import contextmanager
from decimal import Decimal
from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import IntegrityError, connection, connections, migrations, models, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.optimizer import MigrationOptimizer
from django.db.migrations.state import ProjectState
from django.db.migrations.writer import MigrationWriter
from django.db.models import Avg, Case, Count, Exists, F, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, NullIf, Upper
from django.test.utils import CaptureQueriesContext, override_settings

from syncfields import Tally, reconcile
from syncfields.declare.rules import Rule, collect
from syncfields.exceptions import BrokenRules
from syncfields.management import progress
from syncfields.operations import Backfill
from syncfields.signals import synced
from syncfields.testing import assert_in_sync
from tests.grown.models import Customer, Line, Order, with_rules
from tests.menagerie import populate, write_behind, wrong_value
from tests.testapp.models import Photo
from tests.truth import drifts

pytestmark = pytest.mark.django_db(databases=["default", "other"])
committing = pytest.mark.django_db(transaction=True, databases=["default", "other"])

LABELS = ("grown.Order.total", "grown.Order.line_count")
BOTH = {"total": Sum("lines__price"), "line_count": Count("lines")}
LAST = "0004_renamed"


def migrate(target=None, **options):
    out = io.StringIO()
    name = () if target is None else (target,)
    call_command("migrate", "grown", *name, **{"verbosity": 0, "stdout": out, **options})
    return out.getvalue()


@pytest.fixture(autouse=True)
def rules():
    with with_rules():
        yield


@pytest.fixture
def grown():
    """A table with rows, before the first rule."""
    migrate("0001")
    old_rows("default")
    yield
    migrate()
    progress._migrating.clear()


def state(name, using="default"):
    return MigrationLoader(connections[using]).project_state(("grown", name))


def old_rows(using, orders=5):
    """Each order with one line more than the one before, as the first migration knows them."""
    apps = state("0001_initial", using).apps
    customers, rows, lines, parcels = (
        apps.get_model("grown", each).objects.using(using)
        for each in ("Customer", "Order", "Line", "Parcel")
    )
    customer = customers.create(address="ann@example.com")
    for number in range(orders):
        order = rows.create(customer=customer)
        for _ in range(number):
            lines.create(order=order, amount=Decimal("1.10"))
    parcels.create(order=order)


def run(operation, using="default", known=None):
    """Carry an operation out as if it came after the last migration."""
    known = known or state(LAST, using)
    editor = connections[using].schema_editor()
    operation.database_forwards("grown", editor, known, known)


@pytest.fixture
def orders():
    """Two orders of one customer, of which the columns are wrong."""
    customer = Customer.objects.create(email="ann@example.com")
    found = [Order.objects.create(customer=customer) for _ in range(2)]
    for each in found:
        Line.objects.create(order=each, price=Decimal("2.50"))
    write_behind(Order, total=7, line_count=7, email="")
    return found


def line_counts():
    return list(Order.objects.order_by("pk").values_list("line_count", flat=True))


# Migrations, run ---------------------------------------------------------------------------------


@committing
def test_rows_of_a_grown_table_get_their_values(grown):
    migrate()

    assert_in_sync(Order)
    assert line_counts() == [0, 1, 2, 3, 4]
    assert set(Order.objects.values_list("email", flat=True)) == {"ann@example.com"}
    assert list(Order.objects.order_by("pk").values_list("parcel_count", flat=True)) == [
        *(0, 0, 0, 0, 1)
    ]


@committing
def test_backwards_nothing_happens_and_forwards_again_all_is_right(grown):
    migrate()

    migrate("0001")
    migrate()

    assert_in_sync(Order)


@committing
def test_in_another_database(grown):
    migrate("0001", database="other")
    old_rows("other")

    migrate(database="other")

    assert_in_sync(Order, using="other")
    assert Order.objects.using("other").filter(line_count=4).count() == 1


class Elsewhere:
    """Orders do not belong into the other database."""

    def allow_migrate(self, db, app_label, model_name=None, **hints):
        return not (db == "other" and model_name == "order")


def test_a_router_has_its_say():
    customer = Customer.objects.using("other").create(email="ann@example.com")
    order = Order.objects.using("other").create(customer=customer)
    operation = Backfill("grown.Order", line_count=Value(9) + Count("lines"))

    with override_settings(DATABASE_ROUTERS=[Elsewhere()]):
        run(operation, using="other")
    order.refresh_from_db(using="other")
    assert order.line_count == 0

    run(operation, using="other")
    order.refresh_from_db(using="other")
    assert order.line_count == 9


def test_what_the_database_refuses_ends_the_migration(orders):
    null = NullIf(F("customer__email"), F("customer__email"))

    with pytest.raises(IntegrityError), transaction.atomic():
        run(Backfill("Order", email=null))


# What migrate prints -----------------------------------------------------------------------------


@committing
def test_progress_is_printed_below_the_migration(grown, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS", 0)

    printed = migrate(verbosity=1)

    of_email = [f"    grown.Order: {done} of 5" for done in (2, 4, 5)]
    assert "\n    grown.Order: 5 of 5\n" in printed
    assert "\n" + "\n".join(of_email) + "\n" in printed


@committing
def test_two_operations_of_a_migration_print_no_empty_line_between_them(grown, monkeypatch):
    totals = import_module("tests.grown.migrations.0002_totals").Migration
    again = Backfill("grown.Order", line_count=Count("lines"))
    monkeypatch.setattr(totals, "operations", [*totals.operations, again])

    printed = migrate(verbosity=1)

    lines = 2 * ["    grown.Order: 5 of 5"]
    assert "\n".join(["  Applying grown.0002_totals...", *lines, " OK", ""]) in printed


@committing
def test_lines_of_progress_are_seconds_apart(grown):
    assert migrate(verbosity=1).count("grown.Order: ") == 2  # The last one of each operation.


@committing
def test_nothing_is_printed_where_nobody_wants_it(grown):
    assert migrate(verbosity=0) == ""


@committing
def test_nothing_is_printed_of_an_empty_table(grown):
    for each in ("Customer", "Order", "Line", "Parcel"):
        state("0001_initial").apps.get_model("grown", each).objects.all().delete()

    assert "grown.Order: " not in migrate(verbosity=1)


@committing
def test_the_plan_names_it(grown):
    printed = migrate(plan=True, verbosity=1)

    assert "Backfill total, line_count, parcel_count of grown.Order" in printed


@committing
def test_sqlmigrate_says_that_it_is_no_sql():
    out = io.StringIO()

    call_command("sqlmigrate", "grown", "0002", stdout=out)

    assert "Backfill total, line_count, parcel_count of grown.Order" in out.getvalue()
    assert "THIS OPERATION CANNOT BE WRITTEN AS SQL" in out.getvalue()


# Chunks and transactions -------------------------------------------------------------------------


def writes(sql):
    return "UPDATE " in sql and " SET " in sql


def failing_at(number):
    """Let the UPDATE of that number fail."""
    updates = []

    def fail(execute, sql, params, many, context):
        if writes(sql):
            updates.append(sql)
            if len(updates) == number:
                raise ZeroDivisionError
        return execute(sql, params, many, context)

    return connection.execute_wrapper(fail)


@committing
def test_without_a_transaction_around_the_chunks_done_stay(orders):
    with pytest.raises(ZeroDivisionError), failing_at(2):
        run(Backfill("Order", batch_size=1, **BOTH))
    assert line_counts() == [1, 7]

    run(Backfill("Order", batch_size=1, **BOTH))
    assert_in_sync(*LABELS)


@committing
def test_within_a_transaction_all_is_taken_back(orders):
    with pytest.raises(ZeroDivisionError), failing_at(2), transaction.atomic():
        run(Backfill("Order", batch_size=1, **BOTH))

    assert line_counts() == [7, 7]


def test_the_keys_of_all_rows_are_never_read(orders):
    with CaptureQueriesContext(connection) as sent:
        run(Backfill("Order", batch_size=1, **BOTH))

    read = [each["sql"] for each in sent if "grown_order" in each["sql"]]
    assert [sql for sql in read if "WHERE" not in sql and "LIMIT" not in sql] == []
    assert_in_sync(*LABELS)


def test_what_is_right_is_not_written(orders):
    run(Backfill("Order", **BOTH))

    with CaptureQueriesContext(connection) as sent:
        run(Backfill("Order", **BOTH))

    assert [each["sql"] for each in sent if writes(each["sql"])] == []


@committing
def test_no_signal_tells_of_models_that_nobody_knows(orders):
    heard = []

    def hear(sender, **kwargs):
        heard.append(sender)

    synced.connect(hear)
    try:
        run(Backfill("Order", **BOTH))
    finally:
        synced.disconnect(hear)

    assert heard == []


# Writers at the same time ------------------------------------------------------------------------


@contextmanager
def meanwhile(work):
    """The work, in a thread with a connection of its own, which is done at the end."""
    raised = []

    def carry_out():
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told below, in the test's own thread
            raised.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=carry_out)
    thread.start()
    yield thread
    thread.join(60)
    assert raised == []
    assert not thread.is_alive()


@committing
def test_old_code_goes_on_inserting_rows_and_reconcile_ends_what_drifts(grown):
    """Old processes do not know the columns; the database has a default for each."""
    migrate("0002")

    old_rows("default")

    migrate()
    assert line_counts() == [0, 1, 2, 3, 4, 0, 0, 0, 0, 0]
    report = reconcile(Order)
    assert {each.label: each.repaired for each in report.rules} == {
        "grown.Order.total": 4,
        "grown.Order.line_count": 4,
        "grown.Order.email": 0,
    }
    assert_in_sync(Order)


@committing
@pytest.mark.skipif(connection.vendor == "sqlite", reason="one writer at a time")
def test_a_chunk_waits_for_who_writes_its_rows_and_is_evaluated_after_that(orders):
    """New code, whose rule adds to a total that is not there yet, beside the migration."""
    filling = meanwhile(lambda: run(Backfill("Order", batch_size=1, **BOTH)))

    with transaction.atomic():
        Line.objects.create(order=orders[0], price=Decimal("1.00"))
        thread = filling.__enter__()
        thread.join(1)
        assert thread.is_alive(), "it did not wait"
    filling.__exit__(None, None, None)

    assert_in_sync(*LABELS)
    assert line_counts() == [2, 1]


# What may be given -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "expression"),
    [
        ("total", Sum("lines__price", filter=Q(lines__price__gt=2))),
        ("total", Sum("lines__price", default=0) - Count("lines")),
        ("total", Avg("lines__price", default=0)),
        ("line_count", Count("lines", distinct=True)),
        ("line_count", Count("customer__orders")),
        ("email", Upper("customer__email")),
    ],
    ids=str,
)
def test_it_is_the_value_that_annotate_gives(orders, field, expression):
    Order.objects.create(customer=Customer.objects.create(email="bob@example.com"))
    write_behind(Order, total=7, line_count=7, email="")

    run(Backfill("Order", {field: expression}))

    rows = Order.objects.annotate(truth=expression).values_list(field, "truth")
    assert [(stored, truth) for stored, truth in rows if stored != (truth or 0)] == []


def test_a_sum_of_nothing_is_0_where_it_cannot_be_null():
    Order.objects.create(customer=Customer.objects.create(email="bob@example.com"))
    write_behind(Order, total=7)

    run(Backfill("Order", total=Sum("lines__price")))

    assert Order.objects.get().total == 0


def number_of_dear_lines(apps):
    dear = apps.get_model("grown", "Line").objects.filter(order=OuterRef("pk"), price__gt=2)
    return Case(When(Exists(dear), then=1), default=0)


def test_a_function_makes_an_expression_of_historical_models(orders):
    run(Backfill("Order", parcel_count=number_of_dear_lines))

    assert set(Order.objects.values_list("parcel_count", flat=True)) == {1}


def number_of_tags(apps):
    """Models of a migration have no generic relations; it is said by what they stand for."""
    tags = apps.get_model("testapp", "Tag").objects.filter(
        content_type__app_label="testapp", content_type__model="photo", object_id=OuterRef("pk")
    )
    counted = tags.order_by().values("object_id").annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted), 0)


def test_each_rule_of_the_zoo_is_filled_that_names_no_generic_relation():
    populate()
    known, left, refused = ProjectState.from_apps(apps), {}, set()
    for rule in map(Rule.made, collect()):
        if isinstance(rule.expression, Tally) or rule.model is Order:
            continue
        write_behind(rule.model, **{rule.field_name: wrong_value(rule.field)})
        assert drifts(rule.model)
        try:
            run(Backfill(rule.model._meta.label, {rule.field_name: rule.expression}), known=known)
        except BrokenRules:
            refused.add(rule.label)
            reconcile(rule.label)
        if found := drifts(rule.model):
            left[rule.label] = found

    assert left == {}
    names = "Photo.tag_count Photo.tag_weight Clip.tag_count Clip.tag_weight Album.tag_count"
    names += " Document.tag_count Page.tag_count"
    assert refused == {f"testapp.{each}" for each in names.split()}

    write_behind(Photo, tag_count=77)
    run(Backfill("testapp.Photo", tag_count=number_of_tags), known=known)
    assert drifts(Photo) == []


@pytest.mark.parametrize("value", [5, "lines", Tally("lines", 1), None], ids=repr)
def test_what_has_no_value_is_refused_when_the_migration_is_loaded(value):
    with pytest.raises(ValueError, match=r"Backfill of shop\.Order\.total: .* has no value"):
        Backfill("shop.Order", total=value)


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="names no field"):
        Backfill("shop.Order")
    with pytest.raises(ValueError, match="batch_size"):
        Backfill("shop.Order", total=Sum("lines__price"), batch_size=0)


@pytest.mark.parametrize(
    ("field", "expression", "message"),
    [
        ("total", Sum("lines__nothing"), "cannot be resolved"),
        ("total", F("lines__price"), "has no single value"),
        ("id", Count("lines"), "cannot be a synced field"),
        ("total", lambda apps: "lines", "is no expression"),
    ],
)
def test_an_expression_without_a_value_is_named(field, expression, message):
    with pytest.raises(BrokenRules, match=message):
        run(Backfill("Order", {field: expression}))


def test_a_column_that_is_not_there_yet_is_named():
    with pytest.raises(ValueError, match=r"no field 'nothing' at this .* behind the AddField"):
        run(Backfill("Order", nothing=Sum("lines__price")))


def test_values_that_follow_from_each_other_are_refused():
    with pytest.raises(ValueError, match=r"grown\.Order\.total follows from .*line_count"):
        run(Backfill("Order", line_count=Count("lines"), total=Sum("customer__orders__line_count")))


def test_one_after_the_other_they_are_not(orders):
    run(Backfill("Order", line_count=Count("lines")))
    run(Backfill("Order", parcel_count=Sum("customer__orders__line_count")))

    assert set(Order.objects.values_list("parcel_count", flat=True)) == {2}


# Written, squashed -------------------------------------------------------------------------------


def loaded(text):
    names = {}
    exec(text, names)
    return names["Migration"].operations


@pytest.mark.parametrize(
    "operation",
    [
        Backfill("shop.Order", total=Sum("lines__price")),
        Backfill("Order", {"elidable": Count("lines", filter=Q(lines__price__gt=1))}),
        Backfill("Order", email=Upper(F("customer__email")), batch_size=50, elidable=True),
        Backfill("Order", parcel_count=number_of_dear_lines),
    ],
)
def test_a_migration_that_is_written_says_the_same(operation):
    written = type("Migration", (migrations.Migration,), {"operations": [operation]})

    text = MigrationWriter(written("0002", "shop")).as_string()
    (read,) = loaded(text)

    assert read.deconstruct() == operation.deconstruct()
    assert read.elidable == operation.elidable


def test_squashed_it_stays_and_what_is_elidable_goes():
    added = migrations.AddField("Order", "total", models.IntegerField(default=0))
    removed = migrations.RemoveField("Order", "total")

    def squashed(**options):
        filled = Backfill("shop.Order", total=Sum("lines__price"), **options)
        return MigrationOptimizer().optimize([added, filled, removed], "shop")

    assert len(squashed()) == 3
    assert squashed(elidable=True) == []


def test_a_migration_that_is_loaded_can_be_written_again():
    migration = MigrationLoader(connection).get_migration("grown", "0002_totals")

    text = MigrationWriter(migration).as_string()

    assert "syncfields.operations.Backfill(" in text
    assert [each.deconstruct() for each in loaded(text) if isinstance(each, Backfill)] == [
        each.deconstruct() for each in migration.operations if isinstance(each, Backfill)
    ]


def test_it_says_what_it_does():
    operation = Backfill("shop.Order", total=Sum("lines__price"), line_count=Count("lines"))

    assert operation.describe() == "Backfill total, line_count of shop.Order"
    assert operation.formatted_description().startswith("p ")
    assert operation.migration_name_fragment == "backfill_order_total_line_count"
