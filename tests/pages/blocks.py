"""Each Python block of the pages, by its page, its heading, and its number below that heading."""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/*.md", "example/*.md")
    for path in ROOT.glob(pattern)
)
HEADING_OR_BLOCK = re.compile(
    r"^#+ (?P<heading>[^\n]+)$|^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    page: str
    heading: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}, {self.heading!r}, {self.number}"


def blocks(page: str) -> list[Block]:
    """Those of a page, in its order."""
    found: list[Block] = []
    heading = ""
    for match in HEADING_OR_BLOCK.finditer((ROOT / page).read_text(encoding="utf-8")):
        if match["heading"]:
            heading = match["heading"]
        elif match["language"] == "python":
            number = 1 + sum(each.heading == heading for each in found)
            found.append(Block(page, heading, number, match["text"]))
    return found


def block(page: str, heading: str, number: int = 1) -> Block:
    (found,) = (each for each in blocks(page) if each[:3] == (page, heading, number))
    return found


def declare(page: str, heading: str, number: int = 1) -> Any:
    """The code of a block for a ``models.py``: ``exec(declare(...))``."""
    return compiled(block(page, heading, number).text, f"{page}, {heading}")


def run(asked: Block, /, **given: Any) -> SimpleNamespace:
    """What a block leaves behind. It is given what the blocks before it on the page import, as
    the page imports a name once, and what else it needs.
    """
    names: dict[str, Any] = {"__name__": "page"}
    for each in blocks(asked.page):
        if each == asked:
            break
        for node in ast.parse(each.text).body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                with suppress(ImportError):  # Another package, or another project's code.
                    exec(compiled(ast.unparse(node), str(each)), names)
    names |= given
    exec(compiled(asked.text, str(asked)), names)
    return SimpleNamespace(**names)


def compiled(text: str, name: str) -> Any:
    return compile(text, f"<{name}>", "exec", dont_inherit=True)
