"""Whether an expression can be NULL: asked of the expression that Django has resolved.

Only what is certain counts. Where a condition or a function decides, the answer is no: an error
that is none would be worse than one that the database finds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Aggregate, Value
from django.db.models.expressions import Col
from django.db.models.functions import Coalesce
from django.db.models.sql import Query

from syncfields.declare.paths import Path
from syncfields.sql.proven import IGNORING_NULL, OPERATORS, STRICT_FUNCTIONS, is_one_of
from syncfields.sql.trees import condition_of
from syncfields.sql.zones import InZone


def may_be_null(node: Any, paths: Mapping[str, Path]) -> bool:
    """``paths`` leads to the tables that the expression joins, by their aliases."""
    if isinstance(node, Col):
        if node.alias in paths and may_be_missing(paths[node.alias]):
            return True
        return node.target.null or (node.target.generated and may_be_null(made(node.target), {}))
    if isinstance(node, Value):
        return node.value is None
    if isinstance(node, Aggregate):
        if node.empty_result_set_value is not None:
            return False
        source = node.get_source_expressions()[0]
        filtered = condition_of(node) is not None
        return filtered or not is_one_of(node, IGNORING_NULL) or may_be_null(source, paths)
    if not hasattr(node, "get_source_expressions"):
        return False
    parts = [may_be_null(part, paths) for part in node.get_source_expressions() if part is not None]
    if isinstance(node, Coalesce):
        return all(parts)
    return is_strict(node) and any(parts)


def made(field: Any) -> Any:
    """What a generated column is made of."""
    return field.expression.resolve_expression(Query(field.model), allow_joins=False)


def is_strict(node: Any) -> bool:
    """Whether it is NULL as soon as a part of it is: an operator, or a function that is known to
    be.
    """
    return is_one_of(node, OPERATORS | STRICT_FUNCTIONS | {InZone})


def may_be_missing(path: Path) -> bool:
    """Whether there may be no row at the end of a path."""
    return any(not hop.forward or hop.field.null or hop.outlives_target for hop in path.hops)
