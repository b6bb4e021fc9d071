"""The graph of rules as text that others draw, Mermaid and DOT, and as a picture of few lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape

from syncfields.explain.graph import Edge, Graph

# Of the picture, in pixels. A letter of the font is about 7 wide.
LETTER, PAD, HEIGHT = 7, 12, 44
ROW, GAP = HEIGHT + 16, 90
STYLE = """\
.syncfields-graph { background: #fff; font: 12px ui-monospace, Menlo, Consolas, monospace }
.syncfields-graph rect { fill: #eef3f7; stroke: #7d95a8 }
.syncfields-graph .rule { fill: #fff7e0; stroke: #c39b2c }
.syncfields-graph path { fill: none; stroke: #90a0ac }
.syncfields-graph text { fill: #222 }
.syncfields-graph .small { fill: #66717a; font-size: 11px }
"""


def mermaid(graph: Graph) -> Iterator[str]:
    names = named(graph)
    yield "flowchart LR"
    for source in graph.sources:
        yield f'    {names[source]}["{source}"]'
    for node in graph.nodes:
        yield f'    {names[node.rule]}(["{node.rule}<br/>{node.maintenance}"])'
    for edge in graph.edges:
        columns = f'|"{", ".join(edge.columns)}"|' if edge.columns else ""
        yield f"    {names[edge.source]} -->{columns} {names[edge.rule]}"


def dot(graph: Graph) -> Iterator[str]:
    yield "digraph syncfields {"
    yield "    rankdir=LR; node [shape=box, fontname=monospace]; edge [fontname=monospace]"
    for source in graph.sources:
        yield f'    "{source}"'
    for node in graph.nodes:
        yield f'    "{node.rule}" [style=rounded, label="{node.rule}\\n{node.maintenance}"]'
    for edge in graph.edges:
        columns = f' [label="{", ".join(edge.columns)}"]' if edge.columns else ""
        yield f'    "{edge.source}" -> "{edge.rule}"{columns}'
    yield "}"


def named(graph: Graph) -> dict[str, str]:
    """Names without dots: Mermaid takes no others."""
    labels = [*graph.sources, *(node.rule for node in graph.nodes)]
    return {label: f"n{number}" for number, label in enumerate(labels)}


def svg(graph: Graph) -> Iterator[str]:
    """Each box right of all that feeds it; no lines are bent around boxes."""
    texts = {source: (source, "") for source in graph.sources}
    texts |= {node.rule: (node.rule, node.maintenance) for node in graph.nodes}
    rules = {node.rule for node in graph.nodes}
    boxes = placed(graph, texts)
    width = max((x + wide for x, _, wide in boxes.values()), default=0) + PAD
    height = max((y + HEIGHT for _, y, _ in boxes.values()), default=0) + PAD
    yield '<svg xmlns="http://www.w3.org/2000/svg" class="syncfields-graph"'
    yield f' viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    yield ' role="img" aria-label="What feeds what">'
    yield f"<style>{STYLE}</style>"
    for edge in graph.edges:
        yield line(edge, boxes)
    for label, (x, y, wide) in boxes.items():
        kind = ' class="rule" rx="10"' if label in rules else ""
        yield f'<rect x="{x}" y="{y}" width="{wide}" height="{HEIGHT}"{kind}/>'
        first, second = texts[label]
        yield f'<text x="{x + PAD}" y="{y + (18 if second else 27)}">{escape(first)}</text>'
        if second:
            yield f'<text class="small" x="{x + PAD}" y="{y + 35}">{escape(second)}</text>'
    yield "</svg>"


def line(edge: Edge, boxes: Mapping[str, tuple[int, int, int]]) -> str:
    x, y, wide = boxes[edge.source]
    to_x, to_y, _ = boxes[edge.rule]
    x, y, to_y = x + wide, y + HEIGHT // 2, to_y + HEIGHT // 2
    middle = (x + to_x) // 2
    title = escape(f"{edge.source}: {', '.join(edge.columns)}".rstrip(": "))
    curve = f"M{x} {y} C{middle} {y} {middle} {to_y} {to_x} {to_y}"
    return f'<path d="{curve}"><title>{title}</title></path>'


def placed(graph: Graph, texts: Mapping[str, tuple[str, str]]) -> dict[str, tuple[int, int, int]]:
    """Left edge, top and width of each box, column by column: near what feeds it."""
    feeding: dict[str, list[str]] = {label: [] for label in texts}
    for edge in graph.edges:
        feeding[edge.rule].append(edge.source)
    found: dict[str, tuple[int, int, int]] = {}
    x = PAD
    for column in columns(feeding):
        wide = max(len(text) for label in column for text in texts[label]) * LETTER + 2 * PAD

        def wanted(label: str) -> float:
            tops = [found[each][1] for each in feeding[label]]
            return sum(tops) / len(tops) if tops else 0

        for number, label in enumerate(sorted(column, key=wanted)):
            found[label] = (x, PAD + number * ROW, wide)
        x += wide + GAP
    return found


def columns(feeding: Mapping[str, list[str]]) -> list[list[str]]:
    """Each label behind all that feeds it: rules make no circles."""
    depths: dict[str, int] = {}

    def depth(label: str) -> int:
        if label not in depths:
            depths[label] = 1 + max(map(depth, feeding[label]), default=-1)
        return depths[label]

    found: list[list[str]] = [[] for _ in range(max(map(depth, feeding), default=-1) + 1)]
    for label, number in depths.items():
        found[number].append(label)
    return [sorted(each) for each in found]


DRAWINGS = {"mermaid": mermaid, "dot": dot, "svg": svg}
