"""Rows into tables, as they were published: nothing is computed on the way in."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from django.apps import apps
from django.core.management.color import no_style
from django.db import connection, models, transaction
from tqdm import tqdm

from syncfields import unsynced

Row = TypeVar("Row", bound=models.Model)

BATCH = 2000


def empty() -> None:
    """Take out what an earlier run has left; other apps' tables are not touched."""
    tables = [
        table
        for app in ("baseball", "shop")
        for model in apps.get_app_config(app).get_models(include_auto_created=True)
        for table in [model._meta.db_table]
    ]
    statements = connection.ops.sql_flush(no_style(), tables, reset_sequences=True)
    connection.ops.execute_sql_flush(statements)


def load(model: type[Row], rows: Iterable[Row], *, total: int) -> int:
    """Insert the rows in batches, their synced fields as given, and return how many there were."""
    loaded = 0
    # `disable=None`: a progress bar on a terminal, nothing elsewhere.
    name = str(model._meta.verbose_name_plural)
    with unsynced(), tqdm(total=total, desc=f"  {name}", disable=None, leave=False) as bar:
        for batch in batches(rows):
            with transaction.atomic():
                model._base_manager.bulk_create(batch)
            loaded += len(batch)
            bar.update(len(batch))
    reset_sequence(model)
    return loaded


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def reset_sequence(model: type[models.Model]) -> None:
    """The rows brought their keys along; on PostgreSQL the sequence has not noticed."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [model]):
            cursor.execute(statement)
