"""The save of an instance: its row's own write, and what follows from that.

The write is bracketed as tightly as can be: lock, read, write. What follows is left to a receiver
of ``post_save``, which ends the transaction too, where that is the library's own, so that the
receivers behind it run outside of it. Between the two there is nothing but Django: where anything
else would come in between, or no signal is sent, all is applied in the bracket.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any

from django.db import OperationalError, connections, models, transaction
from django.db.models.signals import post_save

from syncfields.keep import engine
from syncfields.maintenance.changes import Change
from syncfields.memory.given import held, hold_again
from syncfields.transactions.atomic import Joining, is_own, is_refusal, persistently, tell

_saving: ContextVar[Saving | None] = ContextVar("syncfields_saving", default=None)
"""The innermost ``save_base()`` in this context."""


class Bracket:
    """The write of one row of one table."""

    __slots__ = (
        *("before", "change", "connection", "instance"),
        *("remember", "rest", "returned", "steps"),
    )

    def __init__(
        self,
        connection: Any,
        instance: models.Model,
        change: Change,
        steps: engine.Steps[Any],
        returned: Sequence[Any],
        remember: Callable[[], None],
    ) -> None:
        """``returned``: the fields that the instance is given from what the write gives;
        ``remember``: what else is to be done in memory, when all is applied.
        """
        self.connection = connection
        self.instance = instance
        self.change = change
        self.steps = steps
        self.returned = returned
        self.remember = remember
        self.before = held(instance), change.learnt.state()
        self.rest: Any = None

    def write(self) -> Any:
        """Lock, read and write."""
        rest = self.steps()
        result = next(rest)
        self.rest = rest
        return result

    def is_empty(self, result: Any) -> bool:
        """Whether there was no such row: Django is going to insert it."""
        return not result and self.change.kind == "update"

    def restore(self) -> None:
        """The row is not written: the instance is as it was."""
        before, learnt = self.before
        hold_again(self.instance, before)
        self.change.learnt.restore(learnt)

    def again(self, error: BaseException) -> Any:
        """Write the row again, and apply what follows at once."""
        tell(self.connection.alias, 1, error)
        self.restore()
        attempt = partial(engine.whole, self.steps)
        return persistently(self.connection, attempt, [self.change.learnt], failed=1)

    def fill(self, result: Any) -> None:
        """Let the instance be what Django has made of it after the write before."""
        instance = self.instance
        for row in result if isinstance(result, list) else ():
            for field, value in zip(self.returned, row, strict=False):
                setattr(instance, field.attname, value)
        instance._state.adding, instance._state.db = False, self.connection.alias


class Saving:
    """One call of ``save_base()``."""

    __slots__ = ("bracket", "instance", "is_own", "tables", "transaction")

    def __init__(self, instance: models.Model, tables: Collection[Any]) -> None:
        """``tables``: those of which the write can be followed up by the receiver."""
        self.instance = instance
        self.tables = tables
        self.bracket: Bracket | None = None
        """What is yet to be followed up."""
        self.transaction: Any = None
        """The library's own, around the save."""
        self.is_own = False
        """Whether nothing but one write is in it, in autocommit mode."""

    def begin(self, connection: Any) -> None:
        own = transaction.atomic(using=connection.alias, savepoint=False)
        own.__enter__()
        self.transaction = own

    def leave(self, error: BaseException | None = None) -> None:
        """Leave the transaction, if it is the library's own."""
        own, self.transaction = self.transaction, None
        if own is not None:
            own.__exit__(error and type(error), error, error and error.__traceback__)

    def write(self, bracket: Bracket) -> Any:
        connection = bracket.connection
        if not connection.in_atomic_block:
            self.is_own = is_own(connection)
            self.begin(connection)
        try:
            result = bracket.write()
        except BaseException as error:
            self.doom(bracket, error)
            if not self.may_pass(error):
                raise
            result = bracket.again(error)
            bracket.remember()
            return result
        self.bracket = bracket
        if bracket.is_empty(result):
            self.end()
        return result

    def end(self) -> None:
        """Apply what follows from what was written, and end the transaction."""
        bracket, self.bracket = self.bracket, None
        if bracket is None:
            return self.leave()
        try:
            next(bracket.rest, None)
            self.leave()
        except BaseException as error:
            self.doom(bracket, error)
            if not self.may_pass(error):
                raise
            result = bracket.again(error)
            if bracket.is_empty(result):
                raise  # It has gone in the meantime.
            bracket.fill(result)
        return bracket.remember()

    def may_pass(self, error: BaseException) -> bool:
        return self.is_own and isinstance(error, OperationalError) and is_refusal(error)

    def doom(self, bracket: Bracket, error: BaseException) -> None:
        """Take the write back, whoever catches the exception."""
        if bracket.connection.in_atomic_block:
            Joining(bracket.connection).__exit__(type(error), error, error.__traceback__)
        self.leave(error)
        bracket.restore()

    def fail(self, error: BaseException) -> None:
        """The save has ended by an exception."""
        bracket, self.bracket = self.bracket, None
        if bracket is not None:
            self.doom(bracket, error)
        self.leave(error)


def follow(instance: models.Model, **kwargs: Any) -> None:
    """The receiver of ``post_save``: apply what follows from the save."""
    saving = _saving.get()
    if saving is not None and saving.instance is instance and saving.bracket is not None:
        saving.end()


def begin(instance: models.Model, using: str, **kwargs: Any) -> None:
    """The receiver of ``pre_save`` of rows of several tables: Django ends its transaction before it
    sends ``post_save``, so that one around it is needed.
    """
    saving, connection = _saving.get(), connections[using]
    if saving is not None and saving.instance is instance and not connection.in_atomic_block:
        saving.begin(connection)


def saved(
    save_base: Callable[..., None], instance: models.Model, tables: Collection[Any], *given: Any
) -> None:
    """Carry out ``save_base()``, and make sure that all is applied when it ends."""
    saving = Saving(instance, tables)
    token = _saving.set(saving)
    try:
        save_base(instance, *given)
        if saving.bracket is not None or saving.transaction is not None:
            saving.end()  # The signal was not received.
    except BaseException as error:
        saving.fail(error)
        raise
    finally:
        _saving.reset(token)


def current(instance: models.Model, model: type[models.Model], connection: Any) -> Saving | None:
    """The call of ``save_base()`` that can follow up the write of a row to a table of the instance;
    None where all must be applied at once.
    """
    saving = _saving.get()
    if saving is None or saving.instance is not instance or model not in saving.tables:
        return None
    if instance._meta.parents and len(connection.atomic_blocks) <= 1:
        return None  # Django's own, which is over before it sends post_save.
    receivers, _ = post_save._live_receivers(type(instance))
    return saving if receivers and receivers[0] is follow else None
