"""Runs are spans of OpenTelemetry."""

import pytest
from asgiref.sync import async_to_sync
from django.test import override_settings

from syncfields import Interrupted, areconcile, reconcile
from syncfields.tasks import runs
from tests.menagerie import write_behind
from tests.testapp.models import Shelf

trace = pytest.importorskip("opentelemetry.trace")
export = pytest.importorskip("opentelemetry.sdk.trace.export")
sdk = pytest.importorskip("opentelemetry.sdk.trace")
memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")

pytestmark = pytest.mark.django_db

LABEL = "testapp.Shelf.book_count"
EXPORTER = memory.InMemorySpanExporter()


@pytest.fixture(scope="module", autouse=True)
def provider():
    """One for the process: OpenTelemetry takes no second one."""
    found = sdk.TracerProvider()
    found.add_span_processor(export.SimpleSpanProcessor(EXPORTER))
    trace.set_tracer_provider(found)


@pytest.fixture(autouse=True)
def shelves():
    EXPORTER.clear()
    Shelf.objects.bulk_create([Shelf(), Shelf(), Shelf()])
    write_behind(Shelf, book_count=7)


def spans():
    found = EXPORTER.get_finished_spans()
    return [(each.name, {**each.attributes}, each.status.is_ok) for each in found]


def attributes(**expected):
    return {f"syncfields.{name}": value for name, value in expected.items()}


ALL = attributes(rules=(LABEL,), check=False, finished=True, scanned=3, drifted=3, repaired=3)


def test_a_run_is_a_span():
    reconcile(LABEL, batch_size=1)

    assert spans() == [("syncfields.reconcile", ALL, True)]


def test_a_run_in_async_code_is_a_span():
    async_to_sync(areconcile)(LABEL)

    assert spans() == [("syncfields.reconcile", ALL, True)]


def test_what_a_run_does_is_within_its_span():
    with trace.get_tracer("tests").start_as_current_span("outer"):
        reconcile(LABEL, progress=lambda *_: trace.get_current_span().add_event("chunk"))

    run, outer = EXPORTER.get_finished_spans()
    assert run.parent.span_id == outer.context.span_id
    assert [each.name for each in run.events] == ["chunk"]


def test_a_run_that_is_stopped_has_failed():
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        reconcile(LABEL, progress=stop)

    ((name, found, ok),) = spans()
    assert (name, ok, found["syncfields.finished"]) == ("syncfields.reconcile", False, False)


def test_each_part_of_a_run_by_many_workers_is_a_span(tmp_path):
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    sent = []
    with override_settings(CACHES={"default": {"BACKEND": backend, "LOCATION": str(tmp_path)}}):
        runs.start(LABEL, send=lambda *part: sent.append(part), chunk_size=2)
        for part in sent:
            runs.work(*part, send=lambda *part: sent.append(part))

    part = attributes(rules=(LABEL,), check=False)
    assert spans() == [
        ("syncfields.reconcile_part", {**part, **attributes(scanned=n, drifted=n)}, True)
        for n in (2, 1)
    ]
