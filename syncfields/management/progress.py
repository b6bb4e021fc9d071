"""How far a command has come, shown where somebody looks."""

from __future__ import annotations

import time
from typing import Any
from weakref import WeakSet

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models.signals import pre_migrate

SECONDS = 5.0
"""Between two lines that ``migrate`` prints off a terminal."""


class Bar:
    """tqdm's bar on a terminal, where tqdm is installed; else lines, if wanted, with so many
    ``seconds`` between them.
    """

    def __init__(self, stream: Any, lines: bool, seconds: float = 0) -> None:
        self.stream = stream
        self.lines = lines
        self.seconds = seconds
        self.next = time.monotonic() + seconds
        self.bars: dict[str, Any] = {}

    def __call__(self, label: str, done: int, total: int) -> None:
        if not self.stream.isatty():
            if self.lines and (time.monotonic() >= self.next or done >= total):
                self.stream.write(f"{label}: {done} of {total}")
                self.next = time.monotonic() + self.seconds
            return
        try:
            from tqdm import tqdm
        except ImportError:
            self.stream.write(f"\r{label}: {done} of {total}", ending="" if done < total else "\n")
            return
        if label not in self.bars:
            self.close()
            self.bars[label] = tqdm(total=total, desc=label, unit="row", file=self.stream._out)
        bar = self.bars[label]
        bar.total = total
        bar.update(done - bar.n)

    def close(self) -> None:
        for bar in self.bars.values():
            bar.close()
        self.bars.clear()


_migrating: dict[str, Any] = {}
"""By database alias, where the ``migrate`` that is running prints; operations are not told."""
_ended: WeakSet[BaseDatabaseSchemaEditor] = WeakSet()
"""Whose line is ended: a migration has one editor, whatever the number of its operations."""


class Indented(Bar):
    """Below the line that ``migrate`` has begun for a migration."""

    def __init__(self, stream: Any, editor: BaseDatabaseSchemaEditor) -> None:
        super().__init__(stream, lines=True, seconds=SECONDS)
        self.editor = editor

    def __call__(self, label: str, done: int, total: int) -> None:
        if self.editor not in _ended:
            _ended.add(self.editor)
            self.stream.write()
        super().__call__(f"    {label}", done, total)


def hear(using: str, verbosity: int, stdout: Any = None, **_: object) -> None:
    _migrating[using] = stdout if verbosity > 0 else None


def of_migrate(editor: BaseDatabaseSchemaEditor) -> Bar | None:
    """What shows the progress of an operation; None where nobody wants to see it."""
    stream = _migrating.get(editor.connection.alias)
    return None if stream is None else Indented(stream, editor)


def connect() -> None:
    pre_migrate.connect(hear, dispatch_uid="syncfields")
