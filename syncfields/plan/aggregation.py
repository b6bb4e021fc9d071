"""What an aggregate makes of the rows that are joined for it, as far as that is proven.

An aggregate over ``topics__replies`` sees one joined row for each reply, and one with NULL in its
place for a topic without replies. Short cuts rest on what it makes of single joined rows. Each
function here answers for a list of classes of which that is known; for anything else the answer is
the one that leads the slow way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Count
from django.db.models.expressions import Col
from django.db.models.lookups import IsNull
from django.db.models.sql.where import AND, WhereNode

from syncfields.declare.paths import Hop, Path
from syncfields.sql.proven import (
    AGGREGATES,
    COMPARING,
    IGNORING_NULL,
    OF_A_ROW,
    OPERATORS,
    is_one_of,
)
from syncfields.sql.reading import Part
from syncfields.sql.trees import condition_of, nodes


def is_row_local(tree: Any) -> bool:
    """Whether each joined row by itself says what it contributes: it is made of what is known to be
    made of the columns of one row, and of aggregates of such, so that neither a subquery, nor SQL
    that somebody wrote, nor a function that nobody knows has a say in it.
    """
    return all(is_one_of(node, OF_A_ROW | AGGREGATES) for node in nodes(tree))


def required(part: Part) -> list[Path]:
    """The paths at the end of each of which there must be a row, or else the aggregate leaves the
    joined row out.

    It ignores NULL, and its value is NULL as soon as one column in it is, as that of SQL's own
    operators is. What it is filtered by makes no difference: a joined row is left out all the same.
    """
    if not is_one_of(part.tree, IGNORING_NULL | {Count}):
        return []
    found = list(nodes(part.tree.get_source_expressions()[0]))
    if not all(is_one_of(node, OPERATORS) for node in found):
        return []
    return [part.paths[node.alias] for node in found if isinstance(node, Col)]


def is_missed(part: Part, path: Path) -> bool:
    """Whether it may be that a joined row is aggregated, or not, because there is no row at the end
    of ``path``: if it is not proven that the others are left out.
    """
    if not any(each.starts_with(path) for each in part.paths.values()):
        return False
    needed = [
        *required(part),
        *(part.paths[alias] for alias in filtered_by(condition_of(part.tree))),
    ]
    return not any(each.starts_with(path) for each in needed)


def filtered_by(condition: Any) -> Iterator[str]:
    """The aliases of columns none of which is NULL in a joined row that meets the condition."""
    if type(condition) is WhereNode:
        if condition.connector == AND and not condition.negated:
            for each in condition.children:
                yield from filtered_by(each)
    elif is_one_of(condition, COMPARING) or (type(condition) is IsNull and condition.rhs is False):
        compared = list(nodes(condition.lhs))
        if all(is_one_of(node, OPERATORS) for node in compared):
            yield from (node.alias for node in compared if isinstance(node, Col))


def adds_up(part: Part) -> bool:
    """Whether each joined row contributes by itself, and nothing without its last row.

    A target without comments is joined with a row of NULLs, which the first comment replaces. That
    is no change of what was there before only if what is aggregated is NULL in it.
    """
    deepest = max((path.stem for path in part.paths.values()), key=lambda path: len(path.hops))
    return (
        all(deepest.starts_with(path.stem) for path in part.paths.values())
        and is_row_local(part.tree)
        and any(path.starts_with(deepest) for path in required(part))
    )


def is_hollow(path: Path, needed: Iterable[Path]) -> bool:
    """Whether a row that comes to the end of a path contributes nothing yet, because there must be
    rows beyond it that can only come later.
    """
    depth = len(path.hops)
    return any(
        len(other.hops) > depth and other.starts_with(path) and comes_later(other.hops[depth])
        for other in needed
    )


def comes_later(hop: Hop) -> bool:
    """Whether rows at the far end cannot be there before the row at the near end."""
    return not hop.forward and not hop.outlives_target and not hop.by_value
