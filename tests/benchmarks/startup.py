"""`python -m tests.benchmarks.startup`: 500 models and 200 rules, compiled in a new process."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from time import process_time
from types import ModuleType
from typing import Any

MODELS = 500
RULES = 200
KINDS = 8


def main() -> dict[str, Any]:
    import django
    from django.db import models  # noqa: F401  what every project has imported anyway

    before = set(sys.modules)
    start = process_time()
    import syncfields

    imported = process_time() - start
    loaded = sorted(name for name in set(sys.modules) - before if name.endswith(".models"))

    from django.conf import settings

    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=["syncfields"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()
    install()
    declare(syncfields.synced)
    return {"import": imported, "models_imported": loaded, **compile_all()}


def install() -> None:
    """An app that has no file."""
    from django.apps import AppConfig, apps

    module = ModuleType("startup")
    module.__path__ = [""]
    config = AppConfig("startup", module)
    config.apps, config.models = apps, apps.all_models["startup"]
    apps.app_configs["startup"] = config


def declare(synced: Callable[..., Any]) -> None:
    """A fifth of the models are targets with two rules each; the rest are sources and others."""
    from django.db import models
    from django.db.models import Avg, Count, F, Max, Min, Q, Sum
    from django.db.models.functions import Upper

    def made(model: str, /, **fields: Any) -> None:
        meta = type("Meta", (), {"app_label": "startup"})
        type(model, (models.Model,), {"__module__": "startup", "Meta": meta, **fields})

    number = lambda: models.IntegerField(null=True)  # noqa: E731
    expressions: list[Callable[[], Any]] = [
        lambda: (number(), Count("children")),
        lambda: (number(), Count("children", filter=Q(children__flag=True))),
        lambda: (number(), Sum("children__amount")),
        lambda: (number(), Max("children__amount")),
        lambda: (number(), Min("children__amount")),
        lambda: (models.FloatField(null=True), Avg("children__amount")),
        lambda: (models.CharField(max_length=50, null=True), F("owner__name")),
        lambda: (models.CharField(max_length=50, null=True), Upper("owner__name")),
    ]
    targets = RULES // 2
    for each in range(targets):
        rules = [expressions[(2 * each + more) % KINDS] for more in range(2)]
        made(f"Owner{each}", name=models.CharField(max_length=50))
        made(
            f"Target{each}",
            owner=models.ForeignKey(f"startup.Owner{each}", models.CASCADE),
            **{f"rule_{n}": synced(*rule()) for n, rule in enumerate(rules)},
        )
        made(
            f"Child{each}",
            target=models.ForeignKey(
                f"startup.Target{each}", models.CASCADE, related_name="children"
            ),
            flag=models.BooleanField(default=True),
            amount=models.IntegerField(default=0),
        )
    for each in range(MODELS - 3 * targets):
        other = models.ForeignKey(f"startup.Owner{each % targets}", models.CASCADE)
        made(f"Other{each}", owner=other, name=models.CharField(max_length=50))


def compile_all() -> dict[str, Any]:
    from django.apps import apps
    from django.db import connection

    from syncfields.plan import registry

    queries: list[str] = []
    with connection.execute_wrapper(lambda _, sql, *__: queries.append(sql)):
        start = process_time()
        # What the first query of any project fills: the relations of all models.
        for model in apps.get_models():
            model._meta.get_fields()
        relations = process_time() - start
        first = timed(registry.rebuild)
        again = min(timed(registry.rebuild) for _ in range(5))
    return {
        "models": len(apps.get_models()),
        "rules": len(registry.plan().rules),
        "errors": [str(error) for error in registry.errors()],
        "relations": relations,
        "first": first,
        "again": again,
        "queries": len(queries),
    }


def timed(call: Callable[[], Any]) -> float:
    start = process_time()
    call()
    return process_time() - start


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main()) + "\n")
