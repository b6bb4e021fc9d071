"""Tables as wide as the terminal."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

BETWEEN = "  "
INDENT = 2
ENDLESS = 1_000_000
# Where a line may be broken: behind a space, a comma, a dot.
PIECE = re.compile(r"[^ .,]*[ .,]*")
Cell = Sequence[str]
"""Lines, each of which may be broken."""
Row = str | Sequence[Cell]
"""Cells, or one line across all columns."""


def width(stream: Any) -> int:
    """That of the terminal. A file or a pipe has lines of any length."""
    return shutil.get_terminal_size().columns if stream.isatty() else ENDLESS


def table(heading: Sequence[str], rows: Sequence[Row], total: int) -> Iterator[str]:
    """What does not fit goes on in the next line."""
    cells = [[[name] for name in heading], *(row for row in rows if not isinstance(row, str))]
    columns = [[line for cell in column for line in cell] for column in zip(*cells, strict=True)]
    widths = fitting(columns, total - len(BETWEEN) * (len(columns) - 1))
    yield from lines(cells[0], widths)
    yield BETWEEN.join("-" * each for each in widths)
    for row in rows:
        if isinstance(row, str):
            yield from broken(row, total, 0)
        else:
            yield from lines(row, widths)


def lines(row: Sequence[Cell], widths: Sequence[int]) -> Iterator[str]:
    cells = [
        [part for line in cell for part in broken(line, wide, INDENT)]
        for cell, wide in zip(row, widths, strict=True)
    ]
    for line in zip_longest(*cells, fillvalue=""):
        yield BETWEEN.join(map(str.ljust, line, widths)).rstrip()


def fitting(columns: Sequence[Sequence[str]], total: int) -> list[int]:
    """The widths of columns: the widest that can be broken are made narrower, until all fit."""
    widths = [max(map(len, column)) for column in columns]
    pieces = [[len(each) for line in column for each in PIECE.findall(line)] for column in columns]
    least = [min(wide, max(each) + INDENT) for wide, each in zip(widths, pieces, strict=True)]
    while sum(widths) > total and widths != least:
        widest = max(range(len(widths)), key=lambda n: (widths[n] > least[n], widths[n]))
        widths[widest] -= 1
    return widths


def broken(line: str, wide: int, indent: int) -> Iterator[str]:
    """A line in parts that are not wider, if it has places to be broken at; the others indented."""
    part = ""
    for piece in PIECE.findall(line):
        if part.strip() and piece and len((part + piece).rstrip()) > wide:
            yield part.rstrip()
            part = " " * indent
        part += piece
    yield part.rstrip()
