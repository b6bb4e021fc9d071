"""The receivers that the rules register: of the models that they read, and of those that they keep.

``post_save`` of a source applies what follows from the save. It comes before all other receivers,
which read new values and run outside of the library's transaction; were it not so, values would be
right all the same. ``pre_save`` of a target refuses a save that names a synced field.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from django.db import models
from django.db.models.signals import post_save, pre_save

from syncfields.capture import brackets, refusals
from syncfields.declare.paths import concrete, tables_of_row
from syncfields.plan import registry
from syncfields.plan.plan import Plan

Model = type[models.Model]
FIRST, LAST = "syncfields", "syncfields.last"
"""The dispatch_uid of receivers that come before all others, and after them."""
OWN_METHODS = ("_save_parents", "_save_table", "_do_insert", "_do_update")

followed: dict[Model, frozenset[Model]] = {}
"""The models whose saves are followed up by the receiver, with the tables of which that holds."""
guarded: set[Model] = set()
"""The models of which a save leaves synced fields out."""

_connected: dict[tuple[Any, str], Mapping[Model, Callable[..., None]]] = {}


def connect() -> None:
    registry.on_rebuild(attach)


def attach(plan: Plan) -> None:
    """Connect the receivers of exactly the models that the rules are about."""
    sources, targets = set(senders(read(plan))), set(senders(plan.guarded))
    several = {model for model in sources if concrete(model)._meta.parents}
    put(post_save, FIRST, dict.fromkeys(sources, brackets.follow))
    put(pre_save, FIRST, dict.fromkeys(targets, refusals.refuse))
    put(pre_save, LAST, dict.fromkeys(several, brackets.begin))
    followed.clear()
    followed.update((model, noticed(model, plan)) for model in sources if is_djangos(model))
    guarded.clear()
    guarded.update(targets)


def read(plan: Plan) -> Iterator[Model]:
    """The models that the rules read, not only to find out which rows of the targets there are."""
    for model, watches in plan.sources.items():
        if any(watch.dependency.is_read for watch in watches):
            yield model


def senders(tables: Collection[Model] | Iterator[Model]) -> Iterator[Model]:
    """The models that are saved to one of the tables: proxies and multi-table children send signals
    of their own.
    """
    tables = set(tables)
    for registered in {model._meta.apps for model in tables}:
        for model in registered.get_models():
            if not tables.isdisjoint(tables_of_row(model)):
                yield model


def is_djangos(model: Model) -> bool:
    """Whether nobody has put anything between a row's own write and the signal: a method that goes
    on after the write must find all applied.
    """
    return all(getattr(model, name) is getattr(models.Model, name) for name in OWN_METHODS)


def noticed(model: Model, plan: Plan) -> frozenset[Model]:
    """The tables of an instance of which the write is the last that anybody notices."""
    tables = tables_of_row(model)
    own = tables[0]
    watched = [each for each in tables if each in plan.sources or each in plan.owned]
    if watched == [own]:
        return frozenset(watched)
    others = (field for each in tables if each not in watched for field in each._meta.local_fields)
    quiet = len(watched) == 1 and all(map(is_quiet, others))
    return frozenset(watched if quiet else [own])


def is_quiet(field: Any) -> bool:
    """Whether nothing can be written by the way while the field is given its value."""
    return type(field).pre_save in (models.Field.pre_save, models.DateField.pre_save)


def put(signal: Any, uid: str, wanted: Mapping[Model, Callable[..., None]]) -> None:
    """Connect receivers, and no others by that uid."""
    for model in _connected.get((signal, uid), {}).keys() - wanted.keys():
        signal.disconnect(sender=model, dispatch_uid=uid)
    for model, receiver in wanted.items():
        signal.connect(receiver, sender=model, weak=False, dispatch_uid=uid)
    _connected[signal, uid] = dict(wanted)
    in_place(signal)


def in_place(signal: Any) -> None:
    """Django has no way to say which receiver is first."""
    with signal.lock:
        signal.receivers.sort(key=place)
        signal.sender_receivers_cache.clear()


def place(receiver: Any) -> int:
    ((uid, _), *_) = receiver
    return (uid == LAST) - (uid == FIRST)


def come_last(sender: Model) -> None:
    """Others may have been connected since: they are to run before the transaction begins."""
    receivers, _ = pre_save._live_receivers(sender)
    if receivers and receivers[-1] is not brackets.begin:
        in_place(pre_save)


def heard_by_others(sender: Model, signal: Any = pre_save) -> bool:
    """Whether others than the library listen to a signal."""
    receivers, others = signal._live_receivers(sender)
    return bool(others) or any(each not in OURS for each in receivers)


OURS = (refusals.refuse, brackets.begin, brackets.follow)


def of(model: Model) -> set[tuple[str, Model]]:
    """The receivers of saves to a table: the name of the signal, and the sender."""
    names = {post_save: "post_save", pre_save: "pre_save"}
    return {
        (names[signal], sender)
        for (signal, _), connected in _connected.items()
        for sender in connected
        if model in tables_of_row(sender)
    }
