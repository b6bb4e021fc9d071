"""What labels name: rules, by themselves or by the models that they read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from syncfields.declare.paths import Model
from syncfields.declare.rules import Rule
from syncfields.plan import registry
from syncfields.reconcile.selection import is_named, matching


@dataclass(frozen=True, slots=True)
class Chosen:
    of_targets: tuple[Rule, ...]
    """The rules that the labels name."""
    of_sources: tuple[Rule, ...]
    """The rules that read a model that the labels name."""
    sources: tuple[Model, ...]
    """Those models."""

    @property
    def rules(self) -> Iterable[Rule]:
        return dict.fromkeys((*self.of_targets, *self.of_sources))


def chosen(*labels: str) -> Chosen:
    """What labels name; nothing stands for every rule.

    Raises ``LookupError`` for a label that names neither a rule nor a model that one reads.
    """
    rules = registry.plan().rules
    if not labels:
        return Chosen(tuple(matching(None)), (), ())
    read = {
        model: readers
        for model in registry.plan().sources
        if any(is_model_named(model, label) for label in labels) and (readers := readers_of(model))
    }
    for label in labels:
        if not any(is_model_named(model, label) for model in read):
            matching(label)
    return Chosen(
        tuple(rule for rule in rules if any(is_named(rule, label) for label in labels)),
        tuple(rule for readers in read.values() for rule in readers),
        tuple(read),
    )


def readers_of(model: Model) -> list[Rule]:
    """The rules that read a model, beside those that only find their own row there."""
    return [
        rule
        for watch in registry.plan().sources[model]
        if watch.dependency.is_read
        for rule in watch.maintenance.rules
    ]


def is_model_named(model: Model, label: str) -> bool:
    wanted = label.lower().split(".")
    return model._meta.label_lower.split(".")[: len(wanted)] == wanted
