"""Context-local state: writes that the library lets pass, and writes that repair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.changes import Change

Result = TypeVar("Result")


class Suspension:
    """Writes pass; where they are to be put right afterwards, their targets are noted."""

    def __init__(self, noting: bool, outer: Suspension | None = None) -> None:
        self.noting = noting
        self.outer = outer
        self.touched: dict[tuple[str, Maintenance], set[Any]] = defaultdict(set)
        self.over = False
        """Tasks that were started within the block may go on after it, and write as ever."""

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
    found = _suspension.get()
    while found is not None and found.over:
        found = found.outer
    return found


def suspend(noting: bool) -> Suspension:
    """Let writes pass from now on, in this context."""
    outer = suspended()
    found = Suspension(noting or (outer is not None and outer.noting), outer)
    _suspension.set(found)
    return found


def resume(suspension: Suspension) -> Mapping[tuple[str, Maintenance], set[Any]]:
    """No longer let writes pass. What was noted is returned, unless an outer one notes it now."""
    suspension.over = True
    outer = suspended()
    _suspension.set(outer)
    if outer is None or not outer.noting:
        return suspension.touched
    for key, pks in suspension.touched.items():
        outer.touched[key] |= pks
    return {}


@contextmanager
def holding(variable: ContextVar[Result], value: Result) -> Iterator[Result]:
    """Let a variable have a value within the block, in this context only."""
    token = variable.set(value)
    try:
        yield value
    finally:
        variable.reset(token)


def resumed() -> AbstractContextManager[Any]:
    """Within the block no write is let pass."""
    return holding(_suspension, None)


_repairing: ContextVar[bool] = ContextVar("syncfields_repairing", default=False)


def repairing_drift() -> bool:
    """Whether values that drifted are repaired, so that differences to them mean nothing."""
    return _repairing.get()


def repairs() -> AbstractContextManager[bool]:
    return holding(_repairing, True)


_loading: ContextVar[bool] = ContextVar("syncfields_loading", default=False)


def loading() -> bool:
    """Whether a row of a fixture is saved, so that what it refers to may not be there yet."""
    return _loading.get()


def loads(raw: bool) -> AbstractContextManager[bool]:
    return holding(_loading, raw)
