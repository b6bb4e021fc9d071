"""What is wrongly declared, as system checks: before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.db import connections, models, router

from syncfields import conf
from syncfields.checks import hidden_writes, own_writes
from syncfields.checks.hints import see
from syncfields.declare.rules import Rule
from syncfields.exceptions import RuleError
from syncfields.plan import homes, indexes, registry
from syncfields.plan.plan import Unused


def check_rules(**kwargs: Any) -> list[CheckMessage]:
    found = registry.plan().unused
    return [*map(declared_wrongly, registry.errors()), *check_databases(), *map(unused, found)]


def check_databases() -> Iterator[CheckMessage]:
    return map(declared_wrongly, homes.spread(registry.plan().maintenances))


def declared_wrongly(error: RuleError) -> CheckMessage:
    return Error(error.message, hint=f"{error.hint} {see(error.id)}", obj=error.obj, id=error.id)


def unused(found: Unused) -> CheckMessage:
    model, name = found.rule.model._meta.label, found.rule.field_name
    return Warning(
        f"{found.rule.label} is not kept: nothing refers to {model} as {found.relation} does to "
        f"{found.sibling.model._meta.label}.",
        hint="There are no rows to read, so the field stays at its default. If that is meant, "
        f"declare a plain field {name} on {model}, or {name} = None. {see('W005')}",
        obj=found.rule.model,
        id="syncfields.W005",
    )


def check_settings(**kwargs: Any) -> list[CheckMessage]:
    given = conf.user_settings()
    if not isinstance(given, dict):
        return [bad_setting(f"SYNCFIELDS is {given!r}.", "Give a dictionary.")]
    found, choices_of = [], conf.choices()
    for name, value in given.items():
        if name not in choices_of:
            known = ", ".join(sorted(choices_of))
            found.append(bad_setting(f"SYNCFIELDS has no option {name!r}.", f"Options: {known}."))
        elif value not in choices_of[name]:
            choices = " or ".join(repr(choice) for choice in choices_of[name])
            found.append(bad_setting(f"SYNCFIELDS[{name!r}] is {value!r}.", f"Use {choices}."))
    return found


def bad_setting(message: str, hint: str) -> CheckMessage:
    return Error(message, hint=f"{hint} {see('E014')}", id="syncfields.E014")


def check_sqlite(**kwargs: Any) -> list[CheckMessage]:
    """Asked for by ``check --deploy``: it is a matter of how many processes there are."""
    return [
        Warning(
            f"The SQLite database {alias!r} starts transactions as readers.",
            hint="Where several processes write, one that reads before it writes can fail with "
            '"database is locked"; set OPTIONS = {"transaction_mode": "IMMEDIATE"}. '
            f"{see('W001')}",
            id="syncfields.W001",
        )
        for alias in sorted(homes.written(registry.plan()))
        if connections[alias].vendor == "sqlite"
        and not in_memory(connections[alias])
        and str(options(connections[alias]).get("transaction_mode")).upper()
        not in ("IMMEDIATE", "EXCLUSIVE")
    ]


def options(connection: Any) -> Any:
    return connection.settings_dict.get("OPTIONS") or {}


def in_memory(connection: Any) -> bool:
    return bool(connection.is_in_memory_db())


def check_hidden_writes(**kwargs: Any) -> list[CheckMessage]:
    found = [
        hidden(model, owner, name)
        for model in registry.plan().sources
        for owner, name in hidden_writes.of(model)
    ]
    return [each for number, each in enumerate(found) if each not in found[:number]]


def hidden(model: type[models.Model], owner: type, name: str) -> CheckMessage:
    return Warning(
        f"{owner.__name__}.{name}() writes past Django's own methods, so that its writes of "
        f"{model._meta.label} are not seen.",
        hint=f"Call super().{name}() or another method of Django that writes, or run manage.py "
        f"reconcile after such writes. {see('W002')}",
        obj=model,
        id="syncfields.W002",
    )


def check_views(databases: Collection[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Only the database knows which tables are views, so it is asked where Django lets it be."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        views = homes.views(alias)
        found += [
            view(model, watches[0].maintenance.rules[0])
            for model, watches in registry.plan().sources.items()
            if model._meta.db_table in views and router.db_for_write(model) == alias
        ]
    return found


def view(model: type[models.Model], rule: Rule) -> CheckMessage:
    return Warning(
        f"{rule.label} reads {model._meta.label}, which is a view: writes of the tables behind it "
        "are not seen.",
        hint="Let the rule read those tables, or run manage.py reconcile after they were written. "
        f"{see('W004')}",
        obj=model,
        id="syncfields.W004",
    )


def check_indexes(**kwargs: Any) -> list[CheckMessage]:
    missing = indexes.unindexed(registry.plan().maintenances)
    return [unindexed(lookup, labels) for lookup, labels in missing.items()]


def unindexed(lookup: indexes.Lookup, labels: list[str]) -> CheckMessage:
    names = list(lookup.names)
    advice = f"add models.Index(fields={names}) to Meta.indexes of {lookup.model._meta.label}"
    if len(names) == 1:
        advice = f"set db_index=True on {lookup.model._meta.label}.{names[0]}"
    return Warning(
        f"{', '.join(labels)}: rows of {lookup.model._meta.label} are looked up by "
        f"{' and '.join(lookup.columns)}, and no index begins so.",
        hint=f"A write would cost the more the more rows there are; {advice}. {see('W003')}",
        obj=lookup.model,
        id="syncfields.W003",
    )


def check_own_writes(**kwargs: Any) -> list[CheckMessage]:
    plan = registry.plan()
    return [
        own_writes_of(model, owner, names)
        for model in dict.fromkeys([*plan.sources, *plan.targets])
        for owner, names in own_writes.of(model)
    ]


def own_writes_of(model: type[models.Model], owner: type, names: list[str]) -> CheckMessage:
    methods = ", ".join(f"{name}()" for name in names)
    return Warning(
        f"{owner.__name__} writes {model._meta.label} by queries of its own, which are not seen: "
        f"{methods}.",
        hint="Use bulk_create(update_conflicts=True), update_or_create() or update() instead, or "
        "run manage.py reconcile after such writes; where there are none, silence this check. "
        f"{see('W006')}",
        obj=model,
        id="syncfields.W006",
    )


def check_editable(**kwargs: Any) -> list[CheckMessage]:
    return [editable(rule) for rule in registry.plan().rules if rule.field.editable]


def editable(rule: Rule) -> CheckMessage:
    return Warning(
        f"{rule.label} is kept by syncfields, and a form can ask for it: what it is told is not "
        "stored.",
        hint="Leave editable=True out of synced(), or set editable=False on a field that "
        "register() names; where its model cannot be edited, show it read-only "
        f"(SyncedAdminMixin), and silence this check. {see('W007')}",
        obj=rule.model,
        id="syncfields.W007",
    )
