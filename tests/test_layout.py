"""Packages of one question each, whose imports go in one direction."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import syncfields

ROOT = Path(syncfields.__file__).parent
FLOORS = (
    {"conf", "exceptions", "signals"},
    {"declare"},
    {"sql"},
    {"maintenance"},
    {"plan"},
    {"transactions"},
    {"targets"},
    {"programs"},
    {"memory"},
    {"keep"},
    {"capture"},
    {"reconcile"},
    {"admin", "checks", "contexts", "explain", "health", "management", "managers"}
    | {"operations", "pytest_plugin", "tasks", "testing"},
    {"apps"},
)
"""The higher ones ask those below them; those of one floor may ask each other."""
NAMES = set().union(*FLOORS)
MODULES = {path: path.relative_to(ROOT) for path in sorted(ROOT.rglob("*.py"))}


def floor(module: str) -> int:
    return next(number for number, names in enumerate(FLOORS) if module in names)


def package(path: Path) -> str:
    return path.parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """The modules and packages right below ``syncfields`` that a module imports when it is run."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.module == "syncfields":
            yield from (alias.name for alias in node.names)
        elif (node.module or "").startswith("syncfields."):
            yield str(node.module).split(".")[1]


def test_each_module_is_on_a_floor():
    assert {package(each) for each in MODULES.values()} - {"__init__"} == NAMES


def test_imports_go_down():
    found = {
        str(module): upwards
        for path, module in MODULES.items()
        if package(module) != "__init__" and (upwards := set(above(path, package(module))))
    }

    assert found == {"exceptions.py": {"declare"}}  # For annotations only.


def above(path: Path, own: str) -> Iterator[str]:
    return (each for each in imported(path) if each in NAMES and floor(each) > floor(own))
