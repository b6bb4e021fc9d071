"""``manage.py syncfields --explain``: what the rules read, need, and cost."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections

from syncfields.exceptions import NoRollback, NotMigrated
from syncfields.explain.recording import Statement, Write, extra
from syncfields.explain.rules import Index, RuleExplained, Source, explain_rules, explain_sources

LEGEND = """\
Statements that a write sends beside its own: each was carried out on sample rows, and rolled back.
The rows count wherever they can, and all changes that can change; fewer are sent where a row is
left out by a filter, has no parent, or leaves a value as it was. A number after "/" is for a row
that held the minimum or maximum. Transaction commands are not counted. Inside coalesce() the
UPDATEs of targets wait, and are sent once. More in docs/costs.md.
"""


class Command(BaseCommand):
    help = (
        "Tells what the rules of synced fields read, which indexes they need, and what they cost."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "labels",
            nargs="*",
            metavar="app[.Model[.field]]",
            help="What to explain; without labels every rule.",
        )
        parser.add_argument(
            "--explain",
            action="store_true",
            help="Print the rules, and what each write of their sources costs.",
        )
        parser.add_argument("--format", choices=["text", "json"], default="text")
        parser.add_argument(
            "--database", help="A database alias; by default the one that each model is written to."
        )

    def handle(
        self,
        *labels: str,
        explain: bool = False,
        format: str = "text",
        database: str | None = None,
        **options: Any,
    ) -> None:
        if not explain:
            raise CommandError("Say what to do: --explain.")
        if database is not None and database not in connections:
            raise CommandError(
                f"There is no database {database!r} (default: {DEFAULT_DB_ALIAS!r})."
            )
        chosen = options.get("labels") or labels
        try:
            rules = list(explain_rules(*chosen))
            sources = explain_sources(*chosen, using=database)
            if format == "json":
                found = {
                    "rules": [asdict(each) for each in rules],
                    "sources": list(map(asdict, sources)),
                }
                self.stdout.write(json.dumps(found, indent=2))
            else:
                self.print(rules, sources, with_sql=options["verbosity"] > 1)
        except (LookupError, NoRollback, NotMigrated) as error:
            raise CommandError(str(error)) from error

    def print(
        self, rules: Sequence[RuleExplained], sources: Iterable[Source], with_sql: bool
    ) -> None:
        for each in rules:
            self.stdout.write("\n".join(rule_lines(each)) + "\n")
        self.stdout.write(LEGEND)
        models = 0
        for source in sources:
            self.stdout.write("\n".join(source_lines(source, with_sql)) + "\n")
            models += 1
        self.stdout.write(f"{len(rules)} rule(s) that read {models} model(s).")


def rule_lines(rule: RuleExplained) -> Iterator[str]:
    yield f"{rule.label} = {rule.expression}"
    yield f"  kept by: {rule.maintenance}"
    for each in rule.reads:
        columns = ", ".join(each.columns) or "its rows"
        yield f"  reads {each.path}: {columns} of {each.model}"
    for index in rule.indexes:
        yield f"  index on {index.model} ({', '.join(index.columns)}): {state(index)}"


def state(index: Index) -> str:
    if index.there:
        return "there"
    return "would help, if a target has many rows" if index.only_advised else "MISSING"


def source_lines(source: Source, with_sql: bool) -> Iterator[str]:
    yield f"{source.model}, in the database {source.database!r} ({source.product})"
    yield f"  columns that matter: {', '.join(source.columns) or 'none'}"
    rows = [(name(each), number(each), what(each)) for each in source.writes]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for (first, second, third), write in zip(rows, source.writes, strict=True):
        yield f"  {first:<{widths[0]}}  {second:>{widths[1]}}  {third}".rstrip()
        if with_sql:
            yield from sql_lines(write.sent)
            if write.where_extreme is not None:
                yield "    where it held the minimum or maximum:"
                yield from sql_lines(write.where_extreme)


def sql_lines(sent: Iterable[Statement]) -> Iterator[str]:
    for each in sent:
        yield f"    {'its own: ' if each.own else ''}{each.sql}"


def name(write: Write) -> str:
    return f"{write.name}: {', '.join(write.changed)}" if write.changed else write.name


def number(write: Write) -> str:
    if write.failed:
        return "?"
    found = str(len(write.extra))
    if write.where_extreme is not None:
        found += f" / {len(extra(write.where_extreme))}"
    return found + (" or more" if write.more else "")


def what(write: Write) -> str:
    if write.failed:
        return f"not recorded: {write.failed}"
    parts = [
        statement if times == 1 else f"{times} {statement}"
        for statement, times in Counter(write.extra).items()
    ]
    if write.more:
        parts.append(f"perhaps more: {write.more}")
    return ", ".join(parts)
