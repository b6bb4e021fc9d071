"""Many examples one after the other, each from a number; what fails is made smaller and printed."""

from __future__ import annotations

import random
import re
import time
import traceback
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.declarations.play import Example, Outcome, WrongError, play

SHRINKING = 25
"""Seconds for one example."""


def search(numbers: range, seconds: float, most: int) -> Iterator[str]:
    """Play the examples of those numbers: a report of each that is wrong, and one of all.

    ``most``: so many wrong values are reported, and one crash of each kind.
    """
    outcome, began = Outcome(), time.monotonic()
    failures: dict[str, list[int]] = defaultdict(list)
    for number in numbers:
        if time.monotonic() - began > seconds:
            break
        example = Example.drawn(random.Random(number).randint)
        if (error := failure(example, outcome)) is not None:
            kind = signature(error)
            failures[kind].append(number)
            if len(failures[kind]) <= (most if kind in ("memory", "wrong") else 1):
                yield f"\n=== {number}: {kind}\n{report(*shrunk(example, error))}"
    yield f"\n{outcome}"
    yield f"{sum(map(len, failures.values()))} are wrong, {time.monotonic() - began:.0f} s"
    for kind, found in failures.items():
        yield f"{len(found)} x {kind}: {found[:5]}"


def failure(example: Example, outcome: Outcome) -> Exception | None:
    try:
        play(example, outcome)
    except Exception as error:  # noqa: BLE001 - any may be ours
        return error
    return None


def signature(error: Exception) -> str:
    """What kind of failure it is: where in the library it was raised, and with which words."""
    cause = error.__cause__ or error
    if cause is error and isinstance(error, WrongError):
        return "memory" if " holds " in str(error) else "wrong"
    frames = places(cause)
    where = f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].name}" if frames else "Django"
    return f"{type(cause).__name__} in {where} {re.sub('[0-9]+', 'N', str(cause))[:60]}"


def places(error: BaseException) -> list[traceback.FrameSummary]:
    frames = traceback.extract_tb(error.__traceback__)
    return [each for each in frames if "/syncfields/" in each.filename]


def shrunk(example: Example, error: Exception) -> tuple[Example, Exception]:
    """An example that fails in the same way, without the rules and lines that do not matter."""
    kind, began = signature(error), time.monotonic()
    for part in ("lines", "seeds", "rules"):
        for index in reversed(range(len(getattr(example, part)))):
            if time.monotonic() - began > SHRINKING:
                break
            less: list[Any] = [*getattr(example, part)]
            del less[index]
            smaller = replace(example, **{part: less})
            found = failure(smaller, Outcome())
            if found is not None and signature(found) == kind:
                example, error = smaller, found
    return example, error


def report(example: Example, error: Exception) -> str:
    lines = [str(example), str(error)]
    if frames := places(error.__cause__ or error):
        names = (f"{each.filename.rsplit('/', 1)[-1]}:{each.lineno}" for each in frames[-6:])
        lines.append(f"by {' '.join(names)}")
    return "\n".join(lines)
