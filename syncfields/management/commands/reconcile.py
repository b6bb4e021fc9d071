"""``manage.py reconcile``: find stored values that have drifted, and repair them."""

from __future__ import annotations

import json
import shlex
import signal
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import MappingProxyType
from typing import Any, NoReturn

from django.core.exceptions import FieldError, ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections

from syncfields.exceptions import BrokenRules, NotMigrated
from syncfields.management.lookups import condition
from syncfields.management.pipes import ending_quietly
from syncfields.management.progress import Bar
from syncfields.reconcile.chunks import BATCH_SIZE
from syncfields.reconcile.repair import reconcile
from syncfields.reconcile.reports import Interrupted, Report, RuleReport, in_short

# What --check found. Python itself exits with 1 after an error, so that errors get another code.
DRIFTED = 1
FAILED = 2
STOPPED = 3
UNFINISHED = 4
# As a shell says it of a process that a signal has ended.
STOPPED_BY_USER = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


CODES = (
    f"Exit codes: 0 done, and with --check nothing has drifted; {DRIFTED} with --check: something "
    f"has; {FAILED} an error; {STOPPED} stopped by the database; {UNFINISHED} the time was up; "
    f"{STOPPED_BY_USER} Ctrl-C; {TERMINATED} SIGTERM."
)


class Terminated(KeyboardInterrupt):
    """The process was told to end: by systemd, by a container, by ``timeout``."""


class Command(BaseCommand):
    help = "Recomputes synced fields from their expressions and repairs those that have drifted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.epilog = CODES
        parser.add_argument(
            "labels",
            nargs="*",
            metavar="app[.Model[.field]]",
            help="What to reconcile; without labels every rule.",
        )
        parser.add_argument(
            "--check",
            "--dry-run",
            action="store_true",
            help="Write nothing, and exit with 1 if any value has drifted.",
        )
        parser.add_argument("--format", choices=["text", "json", "jsonl"], default="text")
        parser.add_argument(
            "--database", help="A database alias; by default the one that each model is written to."
        )
        parser.add_argument(
            "--batch-size",
            type=int,
            default=BATCH_SIZE,
            help="Rows in one chunk (default: %(default)s).",
        )
        parser.add_argument(
            "--start-after", metavar="PK", help="Resume the first model behind this primary key."
        )
        parser.add_argument(
            "--where",
            action="append",
            default=[],
            metavar="LOOKUP=VALUE",
            help="Only rows of the models selected that match, as created__gte=2026-01-01; may be "
            "given several times.",
        )
        parser.add_argument(
            "--sample", type=int, metavar="N", help="Only N rows of each model, drawn at random."
        )
        parser.add_argument(
            "--max-seconds",
            type=float,
            metavar="SECONDS",
            help="Begin no further chunk after that time, and exit with 4 if some are left.",
        )
        parser.add_argument(
            "--sleep",
            type=float,
            default=0,
            metavar="SECONDS",
            help="Pause between two chunks, for the sake of others.",
        )
        parser.add_argument(
            "--workers",
            type=int,
            default=1,
            metavar="N",
            help="Processes that reconcile chunks at the same time (default: %(default)s).",
        )
        parser.add_argument(
            "--no-progress", action="store_true", help="Show no progress bar on a terminal."
        )

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            with ending_quietly():
                super().run_from_argv(argv)
        except Exception as error:  # noqa: BLE001 - shown as Python shows what nobody catches
            sys.excepthook(type(error), error, error.__traceback__)
            sys.exit(getattr(error, "returncode", FAILED))

    def execute(self, *args: Any, **options: Any) -> str | None:
        """With an exit code of its own where the command cannot be carried out."""
        try:
            return super().execute(*args, **options)
        except CommandError as error:
            if error.returncode == DRIFTED:  # What Django gives to those that say nothing.
                error.returncode = FAILED
            raise

    def handle(
        self,
        *labels: str,
        check: bool = False,
        format: str = "text",
        database: str | None = None,
        batch_size: int = BATCH_SIZE,
        start_after: str | None = None,
        where: Sequence[str] = (),
        sample: int | None = None,
        max_seconds: float | None = None,
        sleep: float = 0,
        workers: int = 1,
        no_progress: bool = False,
        verbosity: int = 1,
        **options: Any,
    ) -> None:
        refuse_nonsense(batch_size, database, sample, max_seconds, sleep, workers)
        quiet = no_progress or format != "text" or not verbosity
        progress = None if quiet else Bar(self.stderr, lines=verbosity > 1)
        self.started = time.monotonic()
        self.again = {
            "--check": check,
            "--database": database,
            "--batch-size": batch_size if batch_size != BATCH_SIZE else None,
            "--where": where,
            "--sample": sample,
            "--max-seconds": max_seconds,
            "--sleep": sleep,
            "--workers": workers if workers != 1 else None,
        }
        try:
            with ending_between_chunks():
                report = reconcile(
                    *(options.get("labels") or labels),
                    check=check,
                    batch_size=batch_size,
                    using=database,
                    progress=progress,
                    start_after=start_after,
                    where=partial(condition, given=where) if where else None,
                    sample=sample,
                    max_seconds=max_seconds,
                    sleep=sleep,
                    workers=workers,
                )
        except (
            BrokenRules,
            NotMigrated,
            LookupError,
            RuntimeError,
            ValueError,
        ) as error:
            raise CommandError(str(error)) from error
        except FieldError as error:
            named = options.get("labels") or labels
            hint = "" if named else "\nName the models that it is meant for, as app.Model."
            raise CommandError(f"{error}{hint}") from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except Interrupted as stop:
            self.show(stop.report, format, verbosity, stopped=True)
            self.stop(stop)
        finally:
            if progress is not None:
                progress.close()
        self.show(report, format, verbosity)
        if check and report.drifted:
            raise SystemExit(DRIFTED)
        if not report.finished:
            raise SystemExit(UNFINISHED)

    def stop(self, stop: Interrupted) -> NoReturn:
        reason: Any = stop.__cause__
        text, code = str(reason).strip(), STOPPED
        if isinstance(reason, KeyboardInterrupt):
            text = "Stopped between two chunks"
            code = TERMINATED if isinstance(reason, Terminated) else STOPPED_BY_USER
        raise CommandError(
            f"{text}; what was done is committed. Resume with:\n  "
            + resume(stop.report, self.again),
            returncode=code,
        ) from None

    def show(self, report: Report, format: str, verbosity: int, *, stopped: bool = False) -> None:
        if format != "text":
            for line in as_lines(report) if format == "jsonl" else [as_json(report)]:
                indent = 2 if format == "json" else None
                self.stdout.write(json.dumps(line, default=str, indent=indent))
            return
        if not verbosity:
            return
        for each in report.rules:
            if not each.reconcilable:
                self.stdout.write(f"{each.label}: {each.note}")
            elif each.drifted or verbosity > 1:
                self.show_rule(each, verbosity)
        style = self.style.SUCCESS if report.ok else self.style.ERROR
        self.stdout.write(style(self.summary(report, stopped)))

    def summary(self, report: Report, stopped: bool) -> str:
        """The last line, or lines: what a mail of cron is read for."""
        drifted = sum(bool(each.drifted) for each in report.rules)
        of = f" of {drifted} rule(s)" if drifted else ""
        outcome = f"{report.repaired} value(s){of} repaired"
        if report.check:
            outcome = f"{report.drifted} value(s){of} have drifted"
        looked = f"{len(report.rules)} rule(s), {report.scanned} value(s) looked at"
        found = f"{looked} in {time.monotonic() - self.started:.1f} s: {outcome}."
        if report.finished:
            return found
        found += " Not all was looked at."
        if stopped:  # How to go on is said with the reason.
            return found
        return f"{found} Go on with:\n  {resume(report, self.again)}"

    def show_rule(self, rule: RuleReport, verbosity: int) -> None:
        verb = "repaired" if rule.repaired else "drifted"
        self.stdout.write(f"{rule.label}: {rule.drifted} of {rule.scanned} row(s) {verb}")
        for each in rule.examples:
            self.stdout.write(f"  pk {each.pk}: {in_short(each)}")


@contextmanager
def ending_between_chunks() -> Iterator[None]:
    """Let SIGTERM stop the run as Ctrl-C does; only the main thread can be told of signals."""

    def stop(*_: object) -> NoReturn:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def refuse_nonsense(
    batch_size: int,
    database: str | None,
    sample: int | None,
    max_seconds: float | None,
    sleep: float,
    workers: int,
) -> None:
    if workers < 1:
        raise CommandError("--workers must be at least 1.")
    if batch_size < 1:
        raise CommandError("--batch-size must be at least 1.")
    if database is not None and database not in connections:
        raise CommandError(f"There is no database {database!r} (default: {DEFAULT_DB_ALIAS!r}).")
    if sample is not None and sample < 1:
        raise CommandError("--sample must be at least 1.")
    if max_seconds is not None and max_seconds <= 0:
        raise CommandError("--max-seconds must be more than 0.")
    if sleep < 0:
        raise CommandError("--sleep must not be negative.")


def resume(report: Report, given: Mapping[str, Any] = MappingProxyType({})) -> str:
    """The command that goes on where a run was stopped, as a shell takes it, with the same
    options. A sample is drawn anew.
    """
    options = [option for name, value in given.items() for option in told(name, value)]
    if report.after is not None and not given.get("--sample"):
        options.append(f"--start-after={report.after_text}")
    return shlex.join(["manage.py", "reconcile", *report.left, *options])


def told(name: str, value: Any) -> list[str]:
    if value is True:
        return [name]
    values = value if isinstance(value, (list, tuple)) else [value] if value else []
    return [f"{name}={each}" for each in values]


def as_json(report: Report) -> dict[str, Any]:
    return {
        "check": report.check,
        "ok": report.ok,
        "finished": report.finished,
        "left": list(report.left),
        "after": report.after,
        "drifted": report.drifted,
        "repaired": report.repaired,
        "rules": list(map(rule_as_json, report.rules)),
    }


def as_lines(report: Report) -> Iterator[dict[str, Any]]:
    """One for each rule, and a last one of all together."""
    yield from map(rule_as_json, report.rules)
    yield {**as_json(report), "rules": len(report.rules), "scanned": report.scanned}


def rule_as_json(rule: RuleReport) -> dict[str, Any]:
    return {
        "rule": rule.label,
        "reconcilable": rule.reconcilable,
        "note": rule.note,
        "scanned": rule.scanned,
        "drifted": rule.drifted,
        "repaired": rule.repaired,
        "examples": [
            {"pk": each.pk, "stored": each.stored, "expected": each.expected}
            for each in rule.examples
        ],
    }
