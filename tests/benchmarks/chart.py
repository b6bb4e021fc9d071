"""A dot plot of the ratios, one panel for each database, drawn without a library."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from html import escape

from tests.benchmarks.contestants import HUB_BULK, HUB_SINGLE
from tests.benchmarks.goals import GOALS
from tests.benchmarks.results import Measured
from tests.benchmarks.workloads import WORKLOADS

LABELS, PANEL, GAP, ROW, TOP = 250, 270, 40, 26, 96
MARGIN = 30
LOW, HIGH = 0.2, 50.0
TICKS = (0.2, 0.5, 1, 2, 5, 10, 20, 50)
LIBRARIES = ("computedfields", "denorm", "denormalized")
LEFT_OUT = (
    "create_1",
    "create_2",
    "create_3",
    "bulk_create_more",
    "reconcile_more",
    "reconcile_few_of_more",
    *HUB_SINGLE,
    *HUB_BULK,
)

# Those drawn first lie below.
SERIES = {
    "sql": ("hand-written SQL", "diamond", "#8c8c8c"),
    "row_trigger": ("row trigger", "square", "#8c8c8c"),
    "library": ("best library", "cross", "#c2504f"),
    "careful": ("careful F() receivers", "square", "#d08a2c"),
    "tuned_locked": ("tuned receivers, locked", "diamond", "#3f86c9"),
    "syncfields_memory": ("syncfields, memory", "ring", "#2a9d6f"),
    "coalesce": ("syncfields, coalesce()", "triangle", "#2a9d6f"),
    "syncfields": ("syncfields", "dot", "#2a9d6f"),
}

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #333 }
.small { font-size: 11px }
.title { font-weight: 600 }
.line { stroke: #999; stroke-opacity: .35 }
.one { stroke: #777; stroke-opacity: .9 }
.goal { stroke: #2a9d6f; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #ddd } }
"""


def draw(measured: list[Measured]) -> str:
    names = [name for name in WORKLOADS if name not in LEFT_OUT]
    width = LABELS + len(measured) * (PANEL + GAP)
    height = TOP + ROW * len(names) + 34
    size = f'width="{width + MARGIN}" height="{height}"'
    size += f' viewBox="{-MARGIN} 0 {width + MARGIN} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        "<title>Time of each workload, as a ratio, by database</title>",
        f"<style>{STYLE}</style>",
        *legend(),
    ]
    for number, name in enumerate(names):
        parts.append(text(LABELS - 12, row(number) + 4, WORKLOADS[name].title, anchor="end"))
    for number, each in enumerate(measured):
        parts += panel(LABELS + number * (PANEL + GAP), each, names)
    return "\n".join([*parts, "</svg>", ""])


def row(number: int) -> float:
    return TOP + ROW * (number + 0.5)


def place(ratio: float) -> float:
    """The distance from the left of a panel; what is off the scale lies on its edge."""
    within = min(max(ratio, LOW), HIGH)
    return PANEL * math.log(within / LOW) / math.log(HIGH / LOW)


def legend() -> Iterator[str]:
    left, top = 20.0, 20.0
    for title, shape, colour in SERIES.values():
        yield mark(left, top - 4, shape, colour)
        yield text(left + 10, top, title, "small")
        left += 30 + 6.2 * len(title)
    yield f'<line class="goal" x1="{left}" x2="{left}" y1="{top - 11}" y2="{top + 3}"/>'
    yield text(left + 8, top, "its goal", "small")
    yield text(
        20,
        44,
        "1 is the same work without any synchronization; for the reconciles and the copy to many "
        "it is hand-written SQL. Logarithmic; what is on the right edge is off the scale.",
        "small",
    )


def panel(left: float, measured: Measured, names: list[str]) -> Iterator[str]:
    bottom = TOP + ROW * len(names)
    yield text(left, TOP - 22, f"{measured.title} {measured.version}", "title")
    for tick in TICKS:
        x = left + place(tick)
        kind = "one" if tick == 1 else "line"
        yield f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}"/>'
        yield text(x, bottom + 18, f"{tick:g}", "small", "middle")
    for number, name in enumerate(names):
        y = row(number)
        yield f'<line class="line" x1="{left}" x2="{left + PANEL}" y1="{y}" y2="{y}"/>'
        for goal in goals(measured, name):
            x = left + place(goal)
            yield f'<line class="goal" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 9}" y2="{y + 9}"/>'
        for series, (title, shape, colour) in SERIES.items():
            ratio = ratio_of(measured, name, series)
            if ratio is not None:
                yield mark(left + place(ratio), y, shape, colour, f"{title}: {ratio:.2f}")


def goals(measured: Measured, workload: str) -> Iterator[float]:
    """The goal of database tracking; that of memory tracking would only be in its way."""
    for goal in GOALS:
        ratio = goal.ratio(measured.name)
        if goal.workload == workload and goal.contestant == "syncfields" and ratio is not None:
            yield ratio


def ratio_of(measured: Measured, workload: str, series: str) -> float | None:
    found = [
        cell.ratio
        for contestant in (LIBRARIES if series == "library" else (series,))
        if (cell := measured.cell(workload, contestant)) and cell.ratio and not cell.wrong
    ]
    return min(found, default=None)


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {where} class="{kind}">{escape(words)}</text>'


def mark(x: float, y: float, shape: str, colour: str, words: str = "") -> str:
    drawn = {
        "dot": f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5.5" fill="{colour}"/>',
        "ring": f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="none" stroke="{colour}" '
        'stroke-width="2"/>',
        "square": polygon(x, y, [(-4, -4), (4, -4), (4, 4), (-4, 4)], colour),
        "diamond": polygon(x, y, [(0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0)], colour),
        "triangle": polygon(x, y, [(0, -6), (5.5, 4), (-5.5, 4)], colour),
        "cross": f'<path d="M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8" stroke="{colour}" '
        'stroke-width="2.5" fill="none"/>',
    }[shape]
    return f"<g>{f'<title>{escape(words)}</title>' if words else ''}{drawn}</g>"


def polygon(x: float, y: float, corners: Iterable[tuple[float, float]], colour: str) -> str:
    points = " ".join(f"{x + right:.1f},{y + down:.1f}" for right, down in corners)
    return f'<polygon points="{points}" fill="{colour}"/>'
