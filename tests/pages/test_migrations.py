"""The migrations of docs/guide.md, run on tables that have rows."""

from __future__ import annotations

import pytest
from django.db import connections, migrations, models
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.db.migrations.state import ProjectState

PAGE, HEADING = "docs/guide.md", "A rule for a table that has rows"
KEY = ("id", models.BigAutoField(primary_key=True))
SHOP = [
    migrations.CreateModel("Customer", [KEY, ("email", models.EmailField())]),
    migrations.CreateModel(
        "Order", [KEY, ("customer", models.ForeignKey("shop.Customer", models.CASCADE))]
    ),
    migrations.CreateModel(
        "Line",
        [
            KEY,
            ("order", models.ForeignKey("shop.Order", models.CASCADE, related_name="lines")),
            ("price", models.DecimalField(max_digits=8, decimal_places=2)),
        ],
    ),
]
TOTAL = migrations.AddField(
    "Order", "total", models.DecimalField(max_digits=12, decimal_places=2, default=0)
)
CONTENT_TYPES = [
    migrations.CreateModel(
        "ContentType",
        [
            KEY,
            ("app_label", models.CharField(max_length=9)),
            ("model", models.CharField(max_length=9)),
        ],
    )
]
BLOG = [
    migrations.CreateModel("Photo", [KEY, ("tag_count", models.IntegerField(default=0))]),
    migrations.CreateModel(
        "Tag",
        [
            KEY,
            ("content_type", models.ForeignKey("contenttypes.ContentType", models.CASCADE)),
            ("object_id", models.BigIntegerField()),
        ],
    ),
]


class History:
    """A database of its own, as far as its migrations have come."""

    def __init__(self, file):
        settings = {**connections["default"].settings_dict, "NAME": str(file)}
        self.connection = DatabaseWrapper(settings, alias="history")
        self.state = ProjectState()

    def migrate(self, label, operations=(), kind=migrations.Migration):
        migration = kind("0001", label)
        migration.operations = operations or kind.operations
        with self.connection.schema_editor(atomic=migration.atomic) as editor:
            self.state = migration.apply(self.state, editor)

    def rows(self, label, model):
        return self.state.apps.get_model(label, model).objects.using("history")


@pytest.fixture
def history(db, tmp_path):
    made = History(tmp_path / "history.sqlite3")
    connections["history"] = made.connection
    yield made
    made.connection.close()
    del connections["history"]


@pytest.fixture
def shop(history):
    """A shop with an order over 5, from before the rule."""
    history.migrate("shop", SHOP)
    customer = history.rows("shop", "Customer").create(email="ann@example.org")
    order = history.rows("shop", "Order").create(customer=customer)
    for price in (2, 3):
        history.rows("shop", "Line").create(order=order, price=price)
    return history


@pytest.mark.block(PAGE, HEADING)
def test_a_total(run, shop):
    shop.migrate("shop", kind=run().Migration)

    assert shop.rows("shop", "Order").get().total == 5


@pytest.mark.block(PAGE, HEADING, 2)
def test_a_count_over_a_generic_relation(run, history):
    history.migrate("contenttypes", CONTENT_TYPES)
    history.migrate("blog", BLOG)
    of_photos = history.rows("contenttypes", "ContentType").create(app_label="blog", model="photo")
    for _ in range(2):
        photo = history.rows("blog", "Photo").create()
    history.rows("blog", "Tag").create(content_type=of_photos, object_id=photo.pk)

    history.migrate("blog", run().operations)

    counts = history.rows("blog", "Photo").order_by("pk").values_list("tag_count", flat=True)
    assert list(counts) == [0, 1]


@pytest.mark.block(PAGE, HEADING, 3)
def test_a_copy_that_cannot_be_null(run, shop):
    shop.migrate("shop", kind=run().Migration)

    assert shop.rows("shop", "Order").get().email == "ann@example.org"


@pytest.mark.block(PAGE, HEADING, 4)
def test_a_big_table(run, shop):
    shop.migrate("shop", [TOTAL])

    shop.migrate("shop", kind=run().Migration)

    assert shop.rows("shop", "Order").get().total == 5
