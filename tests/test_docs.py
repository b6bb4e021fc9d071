"""The documentation says what is there: ids of checks, public names, links."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("example/*.md")])

ID = re.compile(r"\bid=\"(?:syncfields\.)?([EW]\d{3})\"")
ID_HEADING = re.compile(r"^## syncfields\.([EW]\d{3})$", re.MULTILINE)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
DOTTED = re.compile(r"`(syncfields(?:\.[A-Za-z_]\w*)+)(?:\(\))?`")
PAGE_OF_LOGGERS = ROOT / "docs" / "operating.md"
LOGGERS = {f"syncfields.{each}" for each in ("drift", "ownership", "reconcile", "retry")}
CHECKED = {"django", "syncfields"}
"""Packages of which the imports of examples are carried out: others may be imagined."""
SPANS = {"syncfields.reconcile_part"}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def read(page):
    return page.read_text(encoding="utf-8")


def name(page):
    return str(page.relative_to(ROOT))


def prose(page):
    return BLOCK.sub("", read(page))


def anchors(page):
    """The headings as GitHub names them in links."""
    headings = HEADING.findall(prose(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def blocks():
    for page in PAGES:
        found = [text for language, text in BLOCK.findall(read(page)) if language == "python"]
        for number, text in enumerate(found, 1):
            yield pytest.param(text, id=f"{name(page)}-{number}")


def test_pages_are_found():
    assert {"README.md", "CHANGELOG.md", "docs/guide.md"} <= {name(page) for page in PAGES}


def test_each_check_has_one_heading_and_each_heading_a_check():
    raised = {id for file in ROOT.glob("syncfields/**/*.py") for id in ID.findall(read(file))}
    headings = ID_HEADING.findall(read(ROOT / "docs" / "checks.md"))

    assert sorted(raised) == headings


@pytest.mark.parametrize("text", list(blocks()))
def test_examples_compile_and_import_what_exists(text):
    tree = ast.parse(text)

    compile(tree, "<example>", "exec")
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in CHECKED:
            module = importlib.import_module(node.module)
            assert [each.name for each in node.names if not is_there(module, each.name)] == []


def is_there(module, name):
    return hasattr(module, name) or importlib.util.find_spec(f"{module.__name__}.{name}")


def dotted_names():
    """Each name that a page or a docstring spells out; ids of checks, loggers and spans apart."""
    texts = [read(page) for page in (*PAGES, *ROOT.glob("syncfields/**/*.py"))]
    found = {each for text in texts for each in DOTTED.findall(text)}
    return sorted(each for each in found - LOGGERS - SPANS if not re.search(r"\.[EW]\d{3}$", each))


def test_the_table_of_loggers_says_what_is_logged():
    code = [read(file) for file in ROOT.glob("syncfields/**/*.py")]
    loggers = {each for text in code for each in re.findall(r'getLogger\("(.+?)"\)', text)}
    row = re.compile(r"^\| `(syncfields[.\w]*)` \| [A-Z]+ \|", re.MULTILINE)
    table = row.findall(read(PAGE_OF_LOGGERS))

    assert sorted(table) == sorted(loggers) == sorted({*LOGGERS, "syncfields"})


def test_dotted_names_are_found():
    assert {"syncfields.Interrupted", "syncfields.signals.drift_found"} <= set(dotted_names())


@pytest.mark.parametrize("dotted", dotted_names())
def test_what_is_named_can_be_imported_and_reached(dotted):
    """By ``from ... import ...``, and by ``import ...`` and the dots, which are not the same: a
    function can hide the module that it is defined in.
    """
    where, _, what = dotted.rpartition(".")
    try:
        module = importlib.import_module(dotted)
    except ImportError:
        module = importlib.import_module(where)
        assert hasattr(module, what)
    reached = importlib.import_module("syncfields")
    for part in dotted.split(".")[1:]:
        reached = getattr(reached, part)

    assert reached is sys.modules.get(dotted) or reached is getattr(module, what)


def test_the_tests_that_hold_the_guarantees_exist():
    page = read(ROOT / "docs" / "guarantees.md")
    guarantees = re.findall(r"^### (\d+)\. .+?\n(.*?)(?=^##)", page, re.MULTILINE | re.DOTALL)

    assert [int(number) for number, _ in guarantees] == list(range(1, len(guarantees) + 1))
    assert [number for number, text in guarantees if not TEST.findall(text)] == []
    assert [
        f"{file}::{test}"
        for file, test in TEST.findall(page)
        if not (ROOT / file).exists() or f"def {test}(" not in read(ROOT / file)
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_resolve(page):
    broken = []
    for link in LINK.findall(prose(page)):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)

    assert broken == []


def test_what_users_import_is_in_the_reference():
    """All that is not there may change in any version."""
    reference = read(ROOT / "docs" / "reference.md")
    documented = set(re.findall(r"auto\w+:: (syncfields[\w.]*)", reference))
    offered = {f"syncfields.{each}" for each in importlib.import_module("syncfields").__all__}
    shown = {
        f"{node.module}.{alias.name}"
        for page in PAGES
        if page.name != "CHANGELOG.md"
        for language, text in BLOCK.findall(read(page))
        if language == "python"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "syncfields"
        for alias in node.names
    }

    def is_there(name):
        return any(name == each or each.startswith(f"{name}.") for each in documented) or (
            name.rpartition(".")[0] in documented | {"syncfields.tasks.celery"}
        )

    assert [each for each in sorted(offered | shown) if not is_there(each)] == []


WORDS = ("drift", "delta", "extreme", "copy", "recompute", "tally")


@pytest.mark.parametrize("word", WORDS)
def test_a_word_of_our_own_is_explained_where_it_first_occurs_and_in_the_glossary(word):
    guide = read(ROOT / "docs" / "guide.md")
    (explained,) = re.finditer(rf"\*\*{word}\*\*", guide, re.IGNORECASE)

    assert re.search(rf"(?<!-)\b{word}\b", guide).start() >= explained.start()
    assert f"\n{word}\n: " in read(ROOT / "docs" / "glossary.md")
