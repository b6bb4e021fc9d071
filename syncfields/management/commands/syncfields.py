"""``manage.py syncfields``: which rules there are, what feeds what, what they need and cost."""

from __future__ import annotations

import json
import textwrap
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections

from syncfields.checks.hints import page
from syncfields.exceptions import NoRollback, NotMigrated
from syncfields.explain.drawing import DRAWINGS
from syncfields.explain.graph import Edge, Node, graph
from syncfields.explain.recording import Statement, Write, extra
from syncfields.explain.rules import Index, RuleExplained, Source, explain_rules, explain_sources
from syncfields.management.pipes import ending_quietly
from syncfields.management.tables import Row, broken, table, width

LEGEND = """\
Statements that a write sends beside its own: each was carried out on sample rows, and rolled back.
The rows count wherever they can, and all changes that can change; fewer are sent where a row is
left out by a filter, has no parent, or leaves a value as it was. A number after "/" is for a row
that held the minimum or maximum. Transaction commands are not counted. Inside coalesce() the
UPDATEs of targets wait, and are sent once. More: """
WIDEST = 100
"""Columns of prose."""
NO_RULES = "No model declares a rule: wrap a field in synced(). How that is done: "


class Command(BaseCommand):
    help = "Lists the rules of synced fields: how each is kept, what feeds it, and what it feeds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "labels",
            nargs="*",
            metavar="app[.Model[.field]]",
            help="What to show: rules, or those that read a model; without labels every rule.",
        )
        parser.add_argument(
            "--explain",
            action="store_true",
            help="Print what the rules read and need, and what each write of their sources costs.",
        )
        parser.add_argument(
            "--graph", choices=DRAWINGS, help="Draw what feeds what, in one of these languages."
        )
        parser.add_argument("--format", choices=["text", "json"], default="text")
        parser.add_argument(
            "--database", help="A database alias; by default the one that each model is written to."
        )

    def run_from_argv(self, argv: list[str]) -> None:
        with ending_quietly():
            super().run_from_argv(argv)

    def handle(
        self,
        *labels: str,
        explain: bool = False,
        graph: str | None = None,
        format: str = "text",
        database: str | None = None,
        **options: Any,
    ) -> None:
        if database is not None and database not in connections:
            raise CommandError(
                f"There is no database {database!r} (default: {DEFAULT_DB_ALIAS!r})."
            )
        chosen = options.get("labels") or labels
        try:
            if explain:
                self.explain(chosen, format, database, with_sql=options["verbosity"] > 1)
            elif graph:
                self.draw(chosen, graph)
            else:
                self.list(chosen, format)
        except (LookupError, NoRollback, NotMigrated) as error:
            raise CommandError(str(error)) from error

    def list(self, labels: Sequence[str], format: str) -> None:
        found = graph(*labels).nodes
        if format == "json":
            self.stdout.write(json.dumps({"rules": list(map(asdict, found))}, indent=2))
            return
        if not found:
            self.stdout.write(NO_RULES + page("start"))
            return
        heading = ("rule", "kept by", "fed by", "feeds")
        for line in table(heading, list(rows(found)), width(self.stdout)):
            self.stdout.write(line)
        self.stdout.write(f"{len(found)} rule(s). More by --explain, a picture by --graph.")

    def draw(self, labels: Sequence[str], language: str) -> None:
        for line in DRAWINGS[language](graph(*labels)):
            self.stdout.write(line)

    def explain(
        self, labels: Sequence[str], format: str, database: str | None, with_sql: bool
    ) -> None:
        rules = list(explain_rules(*labels))
        sources = explain_sources(*labels, using=database)
        if format == "json":
            found = {
                "rules": list(map(asdict, rules)),
                "sources": list(map(asdict, sources)),
            }
            self.stdout.write(json.dumps(found, indent=2))
        else:
            self.print(rules, sources, with_sql)

    def print(
        self, rules: Sequence[RuleExplained], sources: Iterable[Source], with_sql: bool
    ) -> None:
        wide = width(self.stdout)
        if not rules:
            self.stdout.write(NO_RULES + page("start"))
            return
        for each in rules:
            self.stdout.write("\n".join(rule_lines(each, wide)) + "\n")
        self.stdout.write("\n".join(legend(wide)) + "\n")
        models = 0
        for source in sources:
            self.stdout.write("\n".join(source_lines(source, wide, with_sql)) + "\n")
            models += 1
        self.stdout.write(f"{len(rules)} rule(s) that read {models} model(s).")


def rows(nodes: Iterable[Node]) -> Iterator[Row]:
    """A line for each model, and one for each of its rules."""
    for model, rules in groupby(nodes, lambda node: node.rule.rpartition(".")[0]):
        yield model
        for node in rules:
            name = node.rule.rpartition(".")[2]
            fed_by = [*map(feeding, node.fed_by)]
            yield [[f"  {name}"], [node.maintenance], fed_by or ["-"], node.feeds or ["-"]]


def feeding(edge: Edge) -> str:
    return f"{edge.source} ({', '.join(edge.columns)})" if edge.columns else edge.source


def legend(wide: int) -> Iterator[str]:
    text = " ".join(LEGEND.split()) + f" {page('costs')}"
    yield from textwrap.wrap(text, min(wide, WIDEST), break_long_words=False)


def rule_lines(rule: RuleExplained, wide: int) -> Iterator[str]:
    yield from broken(f"{rule.label} = {rule.expression}", wide, 4)
    yield f"  kept by: {rule.maintenance}"
    for each in rule.reads:
        columns = ", ".join(each.columns) or "its rows"
        yield from broken(f"  reads {each.path}: {columns} of {each.model}", wide, 4)
    for index in rule.indexes:
        columns = ", ".join(index.columns)
        yield from broken(f"  index on {index.model} ({columns}): {state(index)}", wide, 4)


def state(index: Index) -> str:
    if index.there:
        return "there"
    return "would help, if a target has many rows" if index.only_advised else "MISSING"


def source_lines(source: Source, wide: int, with_sql: bool) -> Iterator[str]:
    yield f"{source.model}, in the database {source.database!r} ({source.product})"
    matter = ", ".join(source.columns) or "none"
    yield from broken(f"  columns that matter: {matter}", wide, 4)
    yield from broken(f"  receivers: {', '.join(source.receivers) or 'none'}", wide, 4)
    rows = [(name(each), number(each), what(each)) for each in source.writes]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for (first, second, third), write in zip(rows, source.writes, strict=True):
        line = f"  {first:<{widths[0]}}  {second:>{widths[1]}}  {third}"
        yield from broken(line, wide, sum(widths) + 6)
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
