"""A process that runs the workloads of one contestant on one database, as it is told."""

from __future__ import annotations

import gc
import os
import sys
import traceback
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from cProfile import Profile
from io import StringIO
from multiprocessing import get_context
from pstats import Stats
from random import Random
from statistics import median
from time import perf_counter, process_time, sleep, time
from typing import Any

from tests.benchmarks.workloads import HOT_POSTS, SHAPES, WORKLOADS, Workload
from tests.statements import is_of_transaction, shape

TIMEOUT = 1800
COUNTED = 12
PROFILED = 40


class Failed(Exception):
    """What a worker raised."""


class Worker:
    """The handle of such a process. ``attach``: use the database that another one has made."""

    def __init__(self, database: str, contestant: str, *, attach: bool = False) -> None:
        context = get_context("spawn")
        self.contestant = contestant
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(
            target=serve, args=(theirs, database, contestant, attach), daemon=True
        )
        self.process.start()
        theirs.close()

    def send(self, name: str, *args: Any) -> None:
        self.pipe.send((name, args))

    def receive(self) -> Any:
        try:
            if not self.pipe.poll(TIMEOUT):
                raise Failed(f"no answer within {TIMEOUT} seconds")
            error, result = self.pipe.recv()
        except EOFError:
            raise Failed("the process ended") from None
        if error:
            raise Failed(error)
        return result

    def __call__(self, name: str, *args: Any) -> Any:
        self.send(name, *args)
        return self.receive()

    def stop(self) -> None:
        if self.process.is_alive():
            try:
                self("close")
            except (Failed, OSError):
                self.process.terminate()
        self.process.join(10)


def serve(pipe: Any, database: str, contestant: str, attach: bool) -> None:
    os.environ["SYNCFIELDS_BENCHMARK"] = f"{database}:{contestant}"
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.settings"
    arena: Arena | None = None
    while True:
        try:
            name, args = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            name, args = "close", ()
        try:
            if name == "open":
                arena, result = Arena(attach), None
            else:
                result = getattr(arena, name)(*args) if arena else None
            answer = (None, result)
        except Exception:  # noqa: BLE001  the other end decides
            answer = (traceback.format_exc(), None)
        try:
            pipe.send(answer)
        except OSError:
            return
        if name == "close":
            return


class Arena:
    """One contestant at work."""

    def __init__(self, attach: bool) -> None:
        import django

        django.setup()
        from django.db import connection

        from tests.benchmarks import ground, models

        self.attach = attach
        self.connection = connection
        if attach:
            connection.settings_dict["NAME"] = connection.settings_dict["TEST"]["NAME"]
        else:
            self.name = connection.settings_dict["NAME"]
            self.create()
        self.work = models.contestant.Work()
        self.ground = ground.ground(self.work)
        self.work.make_drift = self.ground.make_drift
        if not attach:
            self.work.install()
        self.runs = 0

    def create(self) -> None:
        creation = self.connection.creation
        try:
            creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        except BaseException:
            creation.destroy_test_db(self.name, verbosity=0)
            raise

    def close(self) -> None:
        self.connection.close()
        if not self.attach:
            self.connection.creation.destroy_test_db(self.name, verbosity=0)

    def version(self) -> str:
        return ".".join(map(str, self.connection.get_database_version()))

    # Rows --------------------------------------------------------------------------------------

    def reset(self, name: str, size: int) -> None:
        """The rows that a workload begins with, and values that are right."""
        self.ground.reset(WORKLOADS[name].rows(size))
        self.runs = 0

    def grow(self, sources: int) -> None:
        self.ground.grow(sources)

    def verify(self) -> dict[str, Any]:
        return self.ground.verify()

    # Measuring ---------------------------------------------------------------------------------

    def prepared(self, name: str, size: int) -> tuple[Workload, Any]:
        workload = WORKLOADS[name]
        if workload.fresh and self.runs:
            self.reset(name, size)
        given = workload.prepare(self.work, size, self.runs)
        self.runs += 1
        return workload, given

    def time(self, name: str, size: int) -> tuple[float, float]:
        """Seconds for ``size`` operations or rows: by the clock, and of this process alone."""
        workload, given = self.prepared(name, size)
        with without_gc():
            start, own = perf_counter(), process_time()
            if workload.each:
                seconds = self.time_singly(workload, given)
            else:
                workload.run(self.work, given)
                seconds = perf_counter() - start
            return seconds, process_time() - own

    def time_singly(self, workload: Workload, given: list[Any]) -> float:
        """The median of the single times, for all of them, and what goes around them.

        So what else the machine does meanwhile is left out.
        """
        single = []
        start = perf_counter()
        with self.work.transaction() if workload.in_transaction else nullcontext():
            begin = perf_counter()
            for item in given:
                before = perf_counter()
                workload.one(self.work, item)
                single.append(perf_counter() - before)
            end = perf_counter()
        around = (begin - start) + (perf_counter() - end)
        return median(single) * len(single) + around

    def statements(self, name: str, size: int) -> dict[str, int]:
        """How often which kind of statement is sent, in all. BEGIN and COMMIT are left out."""
        count = min(size, COUNTED) if WORKLOADS[name].each else size
        workload, given = self.prepared(name, count)
        sent: dict[str, int] = {}

        def counting(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
            verb = shape(str(sql)).split(None, 1)[0]
            if not is_of_transaction(str(sql)):
                sent[verb] = sent.get(verb, 0) + 1
            return execute(sql, params, many, context)

        with self.connection.execute_wrapper(counting):
            workload.run(self.work, given)
        return {verb: n / count if workload.each else n for verb, n in sent.items()}

    def memory(self, name: str, size: int) -> float:
        """Peak of what Python allocates, in megabytes."""
        workload, given = self.prepared(name, size)
        tracemalloc.start()
        try:
            workload.run(self.work, given)
            return tracemalloc.get_traced_memory()[1] / 1e6
        finally:
            tracemalloc.stop()

    def hammer(self, shape: str, seconds: float, start: float, seed: int) -> dict[str, int]:
        """Write as ``shape`` says for some seconds, while others do the same."""
        from django.db import OperationalError

        posts = list(self.work.Post.objects.order_by("pk")[:HOT_POSTS])
        write, random = SHAPES[shape], Random(seed)
        done = dict.fromkeys(("written", "deadlocks", "failed"), 0)
        self.work.own = []
        self.notice_deadlocks_soon(shape)
        sleep(max(start - time(), 0))
        while time() < start + seconds:
            try:
                done["written"] += write(self.work, posts, random)
            except OperationalError as error:
                deadlock = "deadlock" in str(error).lower()
                done["deadlocks" if deadlock else "failed"] += 1
        # Of writes of any kind, what they created and did not delete is there.
        return {**done, "more": len(self.work.own) if shape == "hub" else done["written"]}

    def notice_deadlocks_soon(self, shape: str) -> None:
        """Not after a second, where they are many; only a superuser may say so."""
        if shape == "hub" and self.connection.vendor == "postgresql":
            with self.connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('deadlock_timeout', '100ms', false)"
                    " WHERE current_setting('is_superuser') = 'on'"
                )

    def profile(self, name: str, size: int) -> str:
        """Where Python's own time goes, by function."""
        if WORKLOADS[name].each:  # more, so that no function is in it by chance
            size *= 10
            self.reset(name, size)
        workload, given = self.prepared(name, size)
        profile = Profile(process_time)
        profile.runcall(workload.run, self.work, given)
        text = StringIO()
        Stats(profile, stream=text).strip_dirs().sort_stats("cumulative").print_stats(PROFILED)
        Stats(profile, stream=text).strip_dirs().sort_stats("tottime").print_stats(PROFILED)
        return text.getvalue()

    def reconcile_many(self, sources: int, one_in: int) -> dict[str, float]:
        """A reconcile of so many rows: how long, and what memory the process takes for it."""
        from syncfields import reconcile

        self.reset("reconcile", 1000)
        self.grow(sources)
        self.ground.make_drift(one_in)
        before, start = memory_of_process(), perf_counter()
        report = reconcile(self.work.Post, progress=show_progress)
        return {
            "sources": sources,
            "targets": report.scanned,
            "repaired": report.repaired,
            "seconds": perf_counter() - start,
            "megabytes": memory_of_process() - before,
            "wrong": self.verify()["wrong"],
        }

    def cannot(self) -> tuple[str, ...]:
        return self.work.cannot


def memory_of_process() -> float:
    """Megabytes at the peak, as the system counts them."""
    import resource

    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / (1e6 if sys.platform == "darwin" else 1e3)


def show_progress(label: str, done: int, total: int) -> None:
    if done % 100_000 < 2000:
        sys.stderr.write(f"  {label}: {done:,} of {total:,}\n")


@contextmanager
def without_gc() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
