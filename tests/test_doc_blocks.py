"""Code and commands that the documentation prints: names, arguments and options are those that are.

What a block does is run: see ``pages/test_each_block.py``.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import shlex

import pytest
from django.core.management import CommandError, find_commands, get_commands, load_command_class

from tests.test_docs import BLOCK, PAGES, ROOT, blocks, name, prose, read

INLINE = re.compile(r"`(?:python )?manage\.py ([^`]+)`")
EXAMPLE = ROOT / "example" / "demo"
OTHERS = ("computedfields", "denorm")
"""Packages that a guide leads away from."""
TENANTS = ("migrate_schemas", "tenant_command")


TARGET = re.compile(r"^([\w-]+):(?!=)", re.MULTILINE)


@pytest.mark.parametrize("text", list(blocks()))
def test_what_is_called_takes_such_arguments(text):
    tree = ast.parse(text)
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("syncfields"):
            module = importlib.import_module(node.module)
            known |= {
                each.asname or each.name: getattr(module, each.name, None) for each in node.names
            }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known:
            fits(known[node.func.id], node)


def fits(function, call):
    """Raise ``TypeError`` where a function takes no such arguments. ``...`` stands for others."""
    given = [each for each in call.args if not is_left_out(each)]
    partly = len(given) != len(call.args)
    bind = inspect.signature(function).bind_partial if partly else inspect.signature(function).bind
    if not any(isinstance(each, ast.Starred) for each in given):
        bind(*given, **{each.arg: each.value for each in call.keywords if each.arg})


def is_left_out(node):
    return isinstance(node, ast.Constant) and node.value is ...


def commands():
    """What is typed: in blocks, and within sentences."""
    for page in PAGES:
        text = read(page)
        found = [block for language, block in BLOCK.findall(text) if language == "console"]
        lines = [each for block in found for each in typed(block)]
        lines += [f"python manage.py {each}" for each in INLINE.findall(prose(page))]
        for number, line in enumerate(lines, 1):
            yield pytest.param(line, id=f"{name(page)}-{number}")


def typed(block):
    """Each command, over as many lines as its quotes need; what it prints is left out."""
    line = None
    for each in block.splitlines():
        if each.startswith("$ "):
            line = each[2:]
        elif line is None:
            continue
        else:
            line += f"\n{each}"
        if line.count('"') % 2 == 0:
            yield line
            line = None


@pytest.mark.parametrize("line", list(commands()))
def test_each_command_is_there_and_takes_such_options(line):
    line = re.sub(r"\bN\b", "1", line.replace("$(", "").replace(")", ""))
    words = shlex.split(line, comments=True)
    for part in split(words):
        check(part)


def split(words):
    part = []
    for word in [*words, "&&"]:
        if word in ("&&", "|"):
            yield part
            part = []
        else:
            part.append(word)


def check(words):
    words = [each for each in words if not re.match(r"[A-Z_]+=", each)]
    match words:
        case ["make", *targets]:
            there = TARGET.findall(read(ROOT / "Makefile"))
            assert [each for each in targets if each not in there and "=" not in each] == []
        case ["python", "-m", module, *_] if not module.startswith("venv"):
            assert module == "pip" or importlib.util.find_spec(module)
        case ["python", path, command, *given] if path.endswith("manage.py"):
            takes(command, given, of_example=path.startswith("example"))


def commands_of(package):
    """Those of a package, which need not be in INSTALLED_APPS."""
    (folder,) = importlib.util.find_spec(package).submodule_search_locations
    return find_commands(f"{folder}/management")


def takes(command, given, of_example):
    """Raise ``CommandError`` where a command takes no such arguments."""
    apps = get_commands()
    if of_example and command in find_commands(str(EXAMPLE / "management")):
        assert (EXAMPLE / "management" / "commands" / f"{command}.py").exists()
        return
    if command not in apps:
        assert command in TENANTS or any(command in commands_of(each) for each in OTHERS)
        return
    found = apps[command]
    found = load_command_class(found, command) if isinstance(found, str) else found
    try:
        found.create_parser("manage.py", command).parse_args(given)
    except CommandError as error:
        raise AssertionError(f"{command} {' '.join(given)}: {error}") from error
