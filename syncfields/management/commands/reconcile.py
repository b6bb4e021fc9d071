"""``manage.py reconcile``: find stored values that have drifted, and repair them."""

from __future__ import annotations

import json
import shlex
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections

from syncfields.exceptions import BrokenRules, NotMigrated
from syncfields.management.progress import Bar
from syncfields.reconcile.repair import BATCH_SIZE, Interrupted, Report, RuleReport, reconcile

# What --check found. Python itself exits with 1 after an error, so that errors get another code.
DRIFTED = 1
FAILED = 2
STOPPED = 3
STOPPED_BY_USER = 130


class Command(BaseCommand):
    help = "Recomputes synced fields from their expressions and repairs those that have drifted."

    def add_arguments(self, parser: ArgumentParser) -> None:
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
        parser.add_argument("--format", choices=["text", "json"], default="text")
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
            "--no-progress", action="store_true", help="Show no progress bar on a terminal."
        )

    def run_from_argv(self, argv: list[str]) -> None:
        try:
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
        no_progress: bool = False,
        verbosity: int = 1,
        **options: Any,
    ) -> None:
        if batch_size < 1:
            raise CommandError("--batch-size must be at least 1.")
        if database is not None and database not in connections:
            raise CommandError(
                f"There is no database {database!r} (default: {DEFAULT_DB_ALIAS!r})."
            )
        progress = (
            None
            if no_progress or format == "json" or not verbosity
            else Bar(self.stderr, lines=verbosity > 1)
        )
        try:
            report = reconcile(
                *(options.get("labels") or labels),
                check=check,
                batch_size=batch_size,
                using=database,
                progress=progress,
                start_after=start_after,
            )
        except (BrokenRules, NotMigrated, LookupError, ValueError, ValidationError) as error:
            raise CommandError(str(error)) from error
        except Interrupted as stop:
            self.show(stop.report, format, verbosity)
            by_user = isinstance(stop.__cause__, KeyboardInterrupt)
            reason = "Stopped between two chunks" if by_user else str(stop.__cause__).strip()
            raise CommandError(
                f"{reason}; what was done is committed. Resume with:\n  {resume(stop)}",
                returncode=STOPPED_BY_USER if by_user else STOPPED,
            ) from None
        finally:
            if progress is not None:
                progress.close()
        self.show(report, format, verbosity)
        if check and report.drifted:
            raise SystemExit(DRIFTED)

    def show(self, report: Report, format: str, verbosity: int) -> None:
        if format == "json":
            self.stdout.write(json.dumps(as_json(report), default=str, indent=2))
            return
        if not verbosity:
            return
        for each in report.rules:
            if not each.reconcilable:
                self.stdout.write(f"{each.label}: {each.note}")
            elif each.drifted or verbosity > 1:
                self.show_rule(each, verbosity)
        if report.check:
            outcome = f"{report.drifted} value(s) have drifted"
        else:
            outcome = f"{report.repaired} value(s) repaired"
        style = self.style.SUCCESS if report.ok else self.style.ERROR
        rules = f"{len(report.rules)} rule(s), {report.scanned} value(s) looked at"
        self.stdout.write(style(f"{rules}: {outcome}."))

    def show_rule(self, rule: RuleReport, verbosity: int) -> None:
        verb = "repaired" if rule.repaired else "drifted"
        self.stdout.write(f"{rule.label}: {rule.drifted} of {rule.scanned} row(s) {verb}")
        for each in rule.examples:
            self.stdout.write(f"  pk {each.pk}: stored {each.stored}, expected {each.expected}")


def resume(stop: Interrupted) -> str:
    """The command that goes on where a run was stopped, as a shell takes it."""
    after = () if stop.after is None else (f"--start-after={as_text(stop.after)}",)
    return shlex.join(["manage.py", "reconcile", *stop.labels, *after])


def as_text(key: Any) -> str:
    return json.dumps(key, default=str) if isinstance(key, (tuple, list)) else str(key)


def as_json(report: Report) -> dict[str, Any]:
    return {
        "check": report.check,
        "ok": report.ok,
        "drifted": report.drifted,
        "repaired": report.repaired,
        "rules": [
            {
                "rule": each.label,
                "reconcilable": each.reconcilable,
                "note": each.note,
                "scanned": each.scanned,
                "drifted": each.drifted,
                "repaired": each.repaired,
                "examples": [
                    {"pk": d.pk, "stored": d.stored, "expected": d.expected} for d in each.examples
                ],
            }
            for each in report.rules
        ],
    }
