"""What feeds what: the models that rules read, the rules, and the rules that read those."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from syncfields.declare.paths import Dependency, concrete
from syncfields.declare.rules import Rule
from syncfields.explain.naming import chosen
from syncfields.explain.rules import in_order
from syncfields.plan import registry
from syncfields.plan.compiler import compile_rule


@dataclass(frozen=True, slots=True)
class Edge:
    """A rule reads columns of a model, or another rule."""

    source: str
    """The label of a model, or of a rule."""
    rule: str
    columns: tuple[str, ...] = ()
    """What is read of a model, beside synced fields."""


@dataclass(frozen=True, slots=True)
class Node:
    """A rule, and what it has to do with others."""

    rule: str
    maintenance: str
    fed_by: tuple[Edge, ...]
    feeds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    nodes: tuple[Node, ...]

    @property
    def edges(self) -> Iterator[Edge]:
        for node in self.nodes:
            yield from node.fed_by

    @property
    def sources(self) -> list[str]:
        """The models that are read, and the rules that are read and not among ``nodes``."""
        rules = {node.rule for node in self.nodes}
        return sorted({edge.source for edge in self.edges} - rules)


def graph(*labels: str) -> Graph:
    """The rules that labels select, all of them without labels.

    Raises ``LookupError`` for a label that names neither a rule nor what one reads.
    """
    edges = {rule.label: list(edges_of(rule)) for rule in registry.plan().rules}
    shown = [
        Node(
            rule.label,
            compile_rule(rule)[0].kind,
            tuple(edges[rule.label]),
            tuple(sorted(reader for reader, read in edges.items() if reads(read, rule.label))),
        )
        for rule in in_order(chosen(*labels).rules)
    ]
    return Graph(tuple(shown))


def reads(edges: Iterable[Edge], label: str) -> bool:
    return any(edge.source == label for edge in edges)


def edges_of(rule: Rule) -> Iterator[Edge]:
    found: dict[str, set[str]] = {}
    for maintenance in compile_rule(rule):
        for dependency in maintenance.dependencies:
            for source, columns in sources_of(dependency):
                found.setdefault(source, set()).update(columns)
    for source, columns in sorted(found.items()):
        yield Edge(source, rule.label, tuple(sorted(columns)))


def sources_of(dependency: Dependency) -> Iterator[tuple[str, Collection[str]]]:
    """The rules whose fields are read, and the model where other columns are."""
    model = concrete(dependency.model)
    owned = registry.plan().owned.get(model, {})
    for name in dependency.columns & owned.keys():
        yield owned[name].label, ()
    plain = sorted(dependency.columns - owned.keys())
    if plain or (dependency.path.hops and not dependency.columns):
        yield model._meta.label, plain
