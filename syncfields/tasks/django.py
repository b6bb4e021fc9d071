"""Tasks of ``django.tasks``, or of the package ``django-tasks`` where Django has none (5.2)."""

from __future__ import annotations

from typing import Any

from syncfields.tasks import runs

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task  # type: ignore[no-redef]


@task()
def reconcile(*labels: str, **options: Any) -> str:
    """Start a run, with the options of ``syncfields.tasks.runs.start()``. Returns its key."""
    return runs.start(*labels, send=send, **options)


@task()
def reconcile_part(run: str, number: int, ticket: str) -> None:
    runs.work(run, number, ticket, send)


def send(run: str, number: int, ticket: str) -> Any:
    return reconcile_part.enqueue(run, number, ticket)


def resume(run: str) -> int:
    """Send what was lost, or failed; the number of parts sent."""
    return runs.resume(run, send)
