"""Who takes part: ways of keeping a filtered count and a copied e-mail.

Each has its own module of models with the same columns, and its own process, because several of
them change what every model does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec

FEW = ("create_1", "create_2", "create_3")
HUB_SINGLE = ("hub_create", "hub_flip", "hub_score", "hub_move", "hub_delete")
HUB_BULK = ("hub_bulk_create", "hub_update", "hub_delete_many")
RULES = (1, 5, 20)
"""So many rules share a path."""
ALL = ("sqlite", "postgresql", "mariadb")


@dataclass(frozen=True, kw_only=True)
class Contestant:
    title: str
    module: str
    apps: tuple[str, ...] = ()
    """Installed beside tests.benchmarks."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """The setting SYNCFIELDS."""
    databases: tuple[str, ...] = ALL
    requires: str | None = None
    """A module that must be installed."""
    keeps: bool = True
    """Whether the values are to be right afterwards."""
    only: tuple[str, ...] = ()
    """The workloads that it is there for; all if empty."""
    weighed: bool = False
    """Whether its memory is measured, which takes long."""
    ours: bool = False

    def missing(self, database: str) -> str | None:
        """Why it cannot take part."""
        if database not in self.databases:
            return f"not for {database}"
        if self.requires and find_spec(self.requires) is None:
            return "not installed"
        return None


CONTESTANTS = {
    "none": Contestant(title="no synchronization", module="none", keeps=False, weighed=True),
    "sql": Contestant(title="hand-written SQL", module="sql"),
    "row_trigger": Contestant(title="row trigger", module="triggers"),
    "statement_trigger": Contestant(
        title="statement trigger", module="triggers", databases=("postgresql",)
    ),
    "tuned": Contestant(title="tuned receivers", module="tuned"),
    "tuned_locked": Contestant(title="tuned receivers, locked", module="tuned"),
    "careful": Contestant(title="careful F() receivers", module="careful", weighed=True),
    "tracker": Contestant(
        title="FieldTracker alone",
        module="tracker",
        requires="model_utils",
        keeps=False,
        only=("create", "save", "save_fields", "load"),
    ),
    "computedfields": Contestant(
        title="django-computedfields",
        module="computed",
        apps=("django.contrib.contenttypes", "computedfields"),
        requires="computedfields",
    ),
    "denorm": Contestant(
        title="django-denorm-iplweb",
        module="denorms",
        apps=("django.contrib.contenttypes", "denorm"),
        databases=("postgresql",),
        requires="denorm",
    ),
    "denormalized": Contestant(
        title="django-denormalized", module="incremental", requires="denormalized"
    ),
    "syncfields": Contestant(title="syncfields", module="ours", apps=("syncfields",), ours=True),
    "syncfields_memory": Contestant(
        title="syncfields, memory",
        module="ours",
        apps=("syncfields",),
        settings={"TRACKING": "memory"},
        ours=True,
    ),
    "coalesce": Contestant(
        title="syncfields, coalesce()",
        module="ours",
        apps=("syncfields",),
        only=("create_atomic", *FEW),
        ours=True,
    ),
    "commit": Contestant(
        title='syncfields, APPLY="commit"',
        module="ours",
        apps=("syncfields",),
        settings={"APPLY": "commit"},
        only=("create", "create_atomic", *FEW),
        ours=True,
    ),
    **{
        f"rules_{number}": Contestant(
            title=f"syncfields, {number} rule{'s' if number > 1 else ''}",
            module="many",
            apps=("syncfields",),
            only=("scale",),
            ours=True,
        )
        for number in RULES
    },
    **{
        f"hub_{name}": replace(contestant, only=(*HUB_SINGLE, *HUB_BULK))
        for name, contestant in {
            "none": Contestant(title="no synchronization", module="hub.none", keeps=False),
            "careful": Contestant(title="careful F() receivers", module="hub.careful"),
            "tuned": Contestant(title="tuned receivers, locked", module="hub.tuned"),
            "row_trigger": Contestant(
                title="row trigger", module="hub.triggers", databases=("postgresql",)
            ),
            "statement_trigger": Contestant(
                title="statement trigger", module="hub.triggers", databases=("postgresql",)
            ),
            "computedfields": Contestant(
                title="django-computedfields",
                module="hub.computed",
                apps=("django.contrib.contenttypes", "computedfields"),
                requires="computedfields",
            ),
            "denorm": Contestant(
                title="django-denorm-iplweb",
                module="hub.denorms",
                apps=("django.contrib.contenttypes", "denorm"),
                databases=("postgresql",),
                requires="denorm",
            ),
            "syncfields": Contestant(
                title="syncfields", module="hub.ours", apps=("syncfields",), ours=True
            ),
        }.items()
    },
}
HUB = tuple(name for name in CONTESTANTS if name.startswith("hub_"))
