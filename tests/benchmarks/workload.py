"""What a workload is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tests.benchmarks.contestants import ALL


@dataclass(frozen=True)
class Rows:
    posts: int = 200
    comments: int = 10
    """For each post."""
    accounts: int = 200
    profiles: int = 1
    """For each account."""


class Workload:
    """``prepare()`` is not timed, ``run()`` is."""

    title: str
    size: ClassVar[int] = 50
    """Operations, or rows, in one run."""
    repetitions: ClassVar[int] = 15
    each: ClassVar[bool] = True
    """Whether ``size`` operations are run one after the other."""
    in_transaction: ClassVar[bool] = False
    """Whether all of them are one transaction."""
    holds_rows: ClassVar[bool] = False
    """Whether memory could grow with ``size``, so that its peak is worth a run."""
    fresh: ClassVar[bool] = False
    """Whether each run needs the rows as they were."""
    only: ClassVar[tuple[str, ...]] = ()
    """The contestants that make sense here; all if empty."""
    databases: ClassVar[tuple[str, ...]] = ALL
    base: ClassVar[str] = "none"
    """The contestant that ratios are to."""

    def rows(self, size: int) -> Rows:
        few = min(4 * size, Rows.posts)
        return Rows(posts=few, accounts=few)

    def prepare(self, work: Any, size: int, number: int) -> Any:
        """What ``run()`` is given. ``number``: the how many-eth run this is."""

    def one(self, work: Any, item: Any) -> None:
        """One of several operations, for one item of what ``prepare()`` gave."""
        raise NotImplementedError

    def run(self, work: Any, given: Any) -> None:
        for item in given:
            self.one(work, item)


def some(model: Any, size: int, number: int) -> list[Any]:
    """Instances, other ones in each run as long as there are any."""
    start = size * number % max(model.objects.count() - size, 1)
    return list(model.objects.order_by("pk")[start : start + size])


def cycled(values: Sequence[Any], size: int, offset: int = 0) -> list[Any]:
    return [values[(number + offset) % len(values)] for number in range(size)]
