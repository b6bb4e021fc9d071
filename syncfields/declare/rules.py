"""What a user declares: a field, and the expression whose value it always has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any, TypeVar

from django.apps import apps
from django.apps.registry import Apps
from django.core.exceptions import ImproperlyConfigured
from django.db import models

from syncfields.declare.likeness import alike
from syncfields.exceptions import RuleError

FieldType = TypeVar("FieldType", bound="models.Field[Any, Any]")
ATTRIBUTE = "_syncfields_declaration"
NOTHING: Any = object()


@dataclass(frozen=True, slots=True, eq=False)
class Declaration:
    """The part of a rule that is known before its model is."""

    expression: Any
    """Whatever ``annotate()`` takes, or a ``Tally``; or a function that returns it."""
    depends_on: tuple[str, ...] = ()
    """Lookups from the target to what an opaque expression reads."""
    touch: str | None = None
    """A date or time field of the target that is set when the value changes."""
    tracking: str | None = None
    """Where old values come from: ``"database"``, ``"memory"``, or None for the setting."""
    field: models.Field[Any, Any] | None = None
    """The field that ``synced()`` was given, of which models may hold copies."""

    def holds_for(self, field: models.Field[Any, Any]) -> bool:
        """Whether a field is the one declared, or what a model has inherited of it.

        Django copies the fields of an abstract model to those that inherit from it. Others copy
        fields as well, to a history or a translation: such a copy, on a model that does not
        inherit from the one that declared the rule or under another name, is an ordinary field.
        """
        declared = self.field
        if declared is None or declared is field or not hasattr(declared, "model"):
            return True
        return field.name == declared.name and issubclass(field.model, declared.model)


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """Target model, field and expression. Known by model and field; expressions do not compare."""

    model: type[models.Model]
    field_name: str
    declaration: Declaration
    made_of_it: Any = NOTHING
    """What the declared function has made, or what was made of the declared expression since."""

    @property
    def expression(self) -> Any:
        declared = self.declaration.expression
        return declared if self.made_of_it is NOTHING else self.made_of_it

    def made(self) -> Rule:
        """The rule with its expression, where a function was given that makes it."""
        make = self.declaration.expression
        if not callable(make) or hasattr(make, "resolve_expression"):
            return self
        if wanted := arguments(make):
            raise RuleError(
                f"The rule of {self.label} is a function of {wanted}, and no expression.",
                id="E018",
                hint="The database evaluates a rule, for many rows at once: say it by F(), "
                "Count(), Case() and their like. A function may be given that makes such an "
                "expression; it is called without arguments.",
                obj=self.model,
            )
        try:
            expression = make()
        except Exception as error:
            raise RuleError(
                f"The function that is to make the expression of {self.label} raised "
                f"{type(error).__name__}: {error}",
                id="E018",
                hint="It is called without arguments, when all models are loaded, and returns "
                "what annotate() takes; it must not query the database.",
                obj=self.model,
            ) from error
        return self.meaning(expression)

    def meaning(self, expression: Any) -> Rule:
        """The same rule, by another expression than the declared one."""
        return replace(self, made_of_it=expression)

    @property
    def field(self) -> models.Field[Any, Any]:
        field: models.Field[Any, Any] = self.model._meta.get_field(self.field_name)  # type: ignore[assignment]
        return field

    @property
    def label(self) -> str:
        """``app.Model.field``, as the command line takes it."""
        return f"{self.model._meta.label}.{self.field_name}"

    def __repr__(self) -> str:
        return f"register({self.model.__name__}, {self.field_name}={written(self.expression)})"


def arguments(make: Callable[..., object]) -> str:
    """What a function has to be called with; nothing where it can be called without."""
    try:
        known = signature(make)
    except (TypeError, ValueError):  # Some of those written in C do not say it.
        return ""
    return ", ".join(
        each.name
        for each in known.parameters.values()
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    )


def written(expression: Any) -> str:
    """As it is written in the code; a function that makes it, by its name."""
    if callable(expression) and not hasattr(expression, "resolve_expression"):
        return str(getattr(expression, "__qualname__", type(expression).__qualname__))
    return printers[-1](expression)


printers: list[Callable[[Any], str]] = [repr]
"""The last one writes expressions: ``sql/printing.py`` writes subqueries, too."""


def synced(
    field: FieldType,
    expression: Any,
    *,
    depends_on: Iterable[str] | None = None,
    touch: str | None = None,
    tracking: str | None = None,
    editable: bool = False,
) -> FieldType:
    """Keep ``field`` at the value of ``expression``, and return that same field object.

    ``expression`` is what ``annotate()`` takes on the field's model, or a ``Tally``. Where it
    names models, as ``Exists()`` and ``Subquery()`` do, give a function that returns it: it is
    called once, when all models are loaded. A wrong declaration is reported by the system checks.
    The idea is that of Django's ``GeneratedField``, across relations.

    ``depends_on``: lookups to everything that an opaque expression (a subquery, raw SQL) reads.
    ``touch``: a field of the same model that is set to the time of each change of the value.
    ``tracking``: ``"database"`` or ``"memory"``, overriding ``SYNCFIELDS["TRACKING"]``.
    ``editable``: whether forms ask for the field. What they were told would not be stored, so it is
    False here, whatever the field says itself: nobody can tell its own default from a wish.

    Raises ``ImproperlyConfigured`` where ``"syncfields"`` is not among the installed apps, and
    ``TypeError`` where the first argument is no field.
    """
    if not isinstance(field, models.Field):
        raise TypeError(
            f"synced() takes a field first, and then its expression: {field!r} is none."
        )
    refuse_where_nothing_keeps()
    declaration = Declaration(expression, tuple(depends_on or ()), touch, tracking, field)
    field.editable = editable
    setattr(field, ATTRIBUTE, declaration)
    return field


def refuse_where_nothing_keeps() -> None:
    """Raise ``ImproperlyConfigured`` in a project that has not installed the app: all would look
    well, and no write would be seen. It has no checks that could say so.
    """
    if apps.apps_ready and not apps.is_installed("syncfields"):
        raise ImproperlyConfigured(
            'A rule is declared, but nothing keeps it: add "syncfields" to INSTALLED_APPS.'
        )


registered: list[Rule] = []
before_changes: list[Callable[[], None]] = []
"""What is to be done while the rules are still those that they were."""


def register(
    model: type[models.Model],
    *,
    depends_on: Iterable[str] | None = None,
    touch: str | None = None,
    tracking: str | None = None,
    **rules: Any,
) -> None:
    """Declare rules for the fields of a model that cannot be edited, in ``AppConfig.ready()``.

    ``register(User, comment_count=Count("comments"))`` says the same as ``synced()`` around the
    field would; the options are those of ``synced()`` and hold for each of ``rules``. Whether the
    fields are ``editable`` is left as it is: to change it would be a migration of an app that is
    not yours, and forms may have been made of the model before. To say the same once more changes
    nothing: ``isolate_apps()`` of Django's test tools, for one, calls ``ready()`` again. Another
    rule for the same field is an error of the project.
    """
    refuse_where_nothing_keeps()
    model = model._meta.concrete_model or model
    for field_name, expression in rules.items():
        declaration = Declaration(expression, tuple(depends_on or ()), touch, tracking)
        rule = Rule(model, field_name, declaration)
        if any(says_the_same(rule, each) for each in registered):
            continue
        for act in before_changes:
            act()
        registered.append(rule)


def says_the_same(one: Rule, other: Rule) -> bool:
    return (
        one.model is other.model
        and one.field_name == other.field_name
        and all(
            alike(getattr(one.declaration, name), getattr(other.declaration, name))
            for name in ("expression", "depends_on", "touch", "tracking")
        )
    )


def collect(known: Apps = apps) -> Iterator[Rule]:
    """Each rule that is declared, in the order of the models."""
    for model in known.get_models(include_auto_created=True):
        for field in model._meta.local_fields:
            declaration: Declaration | None = getattr(field, ATTRIBUTE, None)
            if declaration is not None and declaration.holds_for(field):
                yield Rule(model, field.name, declaration)
    yield from registered


def refuse_duplicates(rules: Iterable[Rule]) -> Iterator[RuleError]:
    seen: set[tuple[type[models.Model], str]] = set()
    for rule in rules:
        key = (rule.model, rule.field_name)
        if key in seen:
            error = RuleError(
                f"{rule.label} has two rules.",
                id="E012",
                hint="Declare it either with synced() or with register(), and once.",
                obj=rule.model,
            )
            error.rules = (rule,)
            yield error
        seen.add(key)
