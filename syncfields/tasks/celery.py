"""Tasks of Celery. The workers have to import this module: ``app.conf.imports``.

A part is acknowledged when it is done, so that one that was begun by a worker that died is given to
another: by RabbitMQ at once, by Redis after its ``visibility_timeout``.
"""

from __future__ import annotations

from typing import Any

from celery import shared_task

from syncfields.tasks import runs


@shared_task(name="syncfields.reconcile")
def reconcile(*labels: str, **options: Any) -> str:
    """Start a run, with the options of ``syncfields.tasks.runs.start()``. Returns its key."""
    return runs.start(*labels, send=reconcile_part.delay, **options)


@shared_task(
    name="syncfields.reconcile_part", acks_late=True, reject_on_worker_lost=True, ignore_result=True
)
def reconcile_part(run: str, number: int, ticket: str) -> None:
    runs.work(run, number, ticket, reconcile_part.delay)


def resume(run: str) -> int:
    """Send what was lost, or failed; the number of parts sent."""
    return runs.resume(run, reconcile_part.delay)
