"""Tasks of ``django.tasks``, or of the package ``django-tasks`` where Django has none (5.2)."""

from __future__ import annotations

from typing import Any

from syncfields.reconcile.repair import BATCH_SIZE
from syncfields.tasks import runs

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task  # type: ignore[no-redef]


@task()
def reconcile(
    *labels: str,
    check: bool = False,
    chunk_size: int = BATCH_SIZE,
    using: str | None = None,
    parallel: int = runs.PARALLEL,
) -> str:
    """Start a run: see ``syncfields.tasks.runs.start()``. Returns its key."""
    return runs.start(
        *labels, send=send, check=check, chunk_size=chunk_size, using=using, parallel=parallel
    )


@task()
def reconcile_part(run: str, number: int) -> None:
    runs.work(run, number, send)


def send(run: str, number: int) -> Any:
    return reconcile_part.enqueue(run, number)


def resume(run: str) -> int:
    """Send what was lost, or failed; the number of parts sent."""
    return runs.resume(run, send)
