"""Spans of OpenTelemetry, where the project has it installed; else nothing."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol


class Span(Protocol):
    def set_attributes(self, attributes: Mapping[str, Any], /) -> None:
        """Say what was found."""


class NoSpan:
    def set_attributes(self, attributes: Mapping[str, Any], /) -> None:
        pass


def span(name: str) -> AbstractContextManager[Span]:
    """A span around a block, by the project's provider. What the block raises is noted in it."""
    try:  # It is asked for where a run begins: imports of this package need not wait for it.
        from opentelemetry import trace
    except ImportError:
        return nullcontext(NoSpan())
    found: AbstractContextManager[Span] = trace.get_tracer("syncfields").start_as_current_span(name)
    return found


def attributes(**found: Any) -> dict[str, Any]:
    return {f"syncfields.{name}": value for name, value in found.items()}
