"""Context-local state: writes that the library lets pass, and writes that are its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from syncfields.changes import Change
from syncfields.maintenance.base import Maintenance

Result = TypeVar("Result")


class Suspension:
    """Writes pass; where they are to be put right afterwards, their targets are noted."""

    def __init__(self, noting: bool) -> None:
        self.noting = noting
        self.touched: dict[tuple[str, Maintenance], set[Any]] = defaultdict(set)

    def watch(
        self,
        using: str,
        maintenances: Sequence[Maintenance],
        changes: Sequence[Change],
        write: Callable[[], Result],
    ) -> Result:
        self.note(using, maintenances, [each for each in changes if each.kind != "insert"])
        result = write()
        self.note(using, maintenances, [each for each in changes if each.kind != "delete"])
        return result

    def note(
        self, using: str, maintenances: Sequence[Maintenance], changes: Sequence[Change]
    ) -> None:
        if not self.noting:
            return
        for maintenance in maintenances:
            if maintenance.reconcilable:
                affected = maintenance.affected(changes, using)
                if affected is not None:
                    pks = affected.values_list("pk", flat=True)
                    self.touched[using, maintenance].update(pks)

    def note_targets(self, using: str, maintenances: Sequence[Maintenance], pks: Any) -> None:
        """Note targets whose synced fields are written by hand."""
        if self.noting:
            for maintenance in maintenances:
                if maintenance.reconcilable:
                    self.touched[using, maintenance].update(pks)


_suspension: ContextVar[Suspension | None] = ContextVar("syncfields_suspension", default=None)


def suspended() -> Suspension | None:
    return _suspension.get()


@contextmanager
def holding(variable: ContextVar[Result], value: Result) -> Iterator[Result]:
    """Let a variable have a value within the block, in this context only."""
    token = variable.set(value)
    try:
        yield value
    finally:
        variable.reset(token)


def suspension(noting: bool) -> AbstractContextManager[Any]:
    return holding(_suspension, Suspension(noting))


_own: ContextVar[bool] = ContextVar("syncfields_own_writes", default=False)


def writing_own() -> bool:
    """Whether the library itself is writing, so that capture must look away."""
    return _own.get()


def own_writes() -> AbstractContextManager[bool]:
    return holding(_own, True)


_repairing: ContextVar[bool] = ContextVar("syncfields_repairing", default=False)


def repairing_drift() -> bool:
    """Whether values that drifted are repaired, so that differences to them mean nothing."""
    return _repairing.get()


def repairs() -> AbstractContextManager[bool]:
    return holding(_repairing, True)
