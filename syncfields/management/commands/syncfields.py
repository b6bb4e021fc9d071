"""``manage.py syncfields --explain``: what the rules read, need, and cost."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections

from syncfields.explain import Explanation, Index, RuleExplained, Source, Write, explain

LEGEND = """\
Statements that a write sends beside its own, if all changes that can change; fewer where a row is
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
        found = explanation(*(options.get("labels") or labels), using=database)
        if format == "json":
            self.stdout.write(json.dumps(asdict(found), indent=2))
            return
        for each in found.rules:
            self.stdout.write("\n".join(rule_lines(each)) + "\n")
        self.stdout.write(LEGEND)
        for source in found.sources:
            self.stdout.write("\n".join(source_lines(source)) + "\n")
        self.stdout.write(f"{len(found.rules)} rule(s) that read {len(found.sources)} model(s).")


def explanation(*labels: str, using: str | None) -> Explanation:
    try:
        return explain(*labels, using=using)
    except LookupError as error:
        raise CommandError(str(error)) from error


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


def source_lines(source: Source) -> Iterator[str]:
    yield f"{source.model}, in the database {source.database!r} ({source.product})"
    yield f"  columns that matter: {', '.join(source.columns) or 'none'}"
    rows = [(name(each), number(each), what(each)) for each in source.writes]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for first, second, third in rows:
        yield f"  {first:<{widths[0]}}  {second:>{widths[1]}}  {third}".rstrip()


def name(write: Write) -> str:
    return f"{write.name}: {', '.join(write.changed)}" if write.changed else write.name


def number(write: Write) -> str:
    found = str(len(write.statements))
    if write.where_extreme is not None:
        found += f" / {len(write.where_extreme)}"
    return found + (" or more" if write.more else "")


def what(write: Write) -> str:
    parts = [
        statement if times == 1 else f"{times} {statement}"
        for statement, times in Counter(write.statements).items()
    ]
    if write.more:
        parts.append(f"perhaps more: {write.more}")
    return ", ".join(parts)
