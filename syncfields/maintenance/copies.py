"""Row expressions over to-one paths: which targets follow a row does not change when the row does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from syncfields.maintenance.recompute import Recompute


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Copy(Recompute):
    kind: ClassVar[str] = "copy"
