"""What a user does all day. Each function picks some rows and returns a write of them.

Picking and writing are apart so that the cost of the write alone can be counted, and so that
by the time of the write the instances are as stale as those of a busy site.
"""

from collections.abc import Callable
from random import Random
from typing import TypeVar

from django.db import OperationalError, models, transaction
from django.db.models import Max, Min
from django.utils import timezone

from baseball.models import Batting, Team
from shop.models import Album, Artist, Customer, Invoice, InvoiceLine, Playlist, Track

Row = TypeVar("Row", bound=models.Model)
Write = Callable[[], object]


def pick(model: type[Row], rng: Random) -> Row:
    ends = model._base_manager.aggregate(first=Min("pk"), last=Max("pk"))
    start = rng.randint(ends["first"], ends["last"])
    row = model._base_manager.filter(pk__gte=start).order_by("pk").first()
    # Another process may have deleted the last row meanwhile: then look again.
    return row or pick(model, rng)


def sell_three_tracks(rng: Random) -> Write:
    customer = pick(Customer, rng)
    tracks = [pick(Track, rng) for _ in range(3)]

    @transaction.atomic
    def write() -> None:
        invoice = Invoice.objects.create(customer=customer, date=timezone.now())
        for track in tracks:
            invoice.lines.create(track=track, unit_price=track.unit_price)

    return write


def change_a_quantity(rng: Random) -> Write:
    pk = pick(InvoiceLine, rng).pk

    @transaction.atomic
    def write() -> None:
        # Fresh and locked: saving an instance whose row is gone would INSERT it again.
        line = InvoiceLine.objects.select_for_update().filter(pk=pk).first()
        if line:
            line.quantity = rng.randint(1, 5)
            line.save()

    return write


def delete_an_invoice(rng: Random) -> Write:
    pk = pick(Invoice, rng).pk

    def write() -> None:
        invoice = Invoice.objects.filter(pk=pk).first()
        if invoice:
            invoice.delete()

    return write


def move_a_customer(rng: Random) -> Write:
    customer = pick(Customer, rng)

    def write() -> None:
        customer.address = f"{rng.randint(1, 99)} Demo Street"
        customer.save()

    return write


def move_an_album(rng: Random) -> Write:
    album, artist = pick(Album, rng), pick(Artist, rng)

    def write() -> None:
        album.artist = artist
        album.save()

    return write


def rename_an_artist(rng: Random) -> Write:
    artist = pick(Artist, rng)

    def write() -> None:
        artist.name = renamed(artist.name)
        artist.save()

    return write


def edit_a_composer(rng: Random) -> Write:
    track = pick(Track, rng)

    def write() -> None:
        track.composer = f"{track.composer[:200]} (ed.)"
        track.save()

    return write


def edit_just_a_composer(rng: Random) -> Write:
    track = pick(Track, rng)

    def write() -> None:
        track.composer = f"{track.composer[:200]} (ed.)"
        track.save(update_fields=["composer"])

    return write


def add_to_a_playlist(rng: Random) -> Write:
    playlist, tracks = pick(Playlist, rng), [pick(Track, rng) for _ in range(3)]
    return lambda: playlist.tracks.add(*tracks)


def correct_a_batting_line(rng: Random) -> Write:
    line = pick(Batting, rng)

    def write() -> None:
        line.hits += 1
        line.home_runs += 1
        line.save()

    return write


def trade_a_player(rng: Random) -> Write:
    line = pick(Batting, rng)
    team = rng.choice(Team.objects.filter(year=line.year))

    def write() -> None:
        line.team = team
        line.save()

    return write


def rename_a_team(rng: Random) -> Write:
    team = pick(Team, rng)

    def write() -> None:
        team.name = renamed(team.name)
        team.save()

    return write


def renamed(name: str) -> str:
    bare = name.removeprefix("The ")
    return f"The {name}"[:50] if bare == name else bare


ACTIONS: tuple[Callable[[Random], Write], ...] = (
    sell_three_tracks,
    change_a_quantity,
    delete_an_invoice,
    move_a_customer,
    move_an_album,
    rename_an_artist,
    edit_a_composer,
    edit_just_a_composer,
    add_to_a_playlist,
    correct_a_batting_line,
    trade_a_player,
    rename_a_team,
)


def work(writes: int, rng: Random) -> int:
    """Do that many writes, and return how often the database asked for one to be tried again."""
    retried = 0
    for start in range(0, writes, HELD):
        # All picked before the first is written: what the others write meanwhile is not seen.
        held = [rng.choice(ACTIONS)(rng) for _ in range(min(HELD, writes - start))]
        retried += sum(persist(write) for write in held)
    return retried


HELD = 25
ATTEMPTS = 10


def persist(write: Write) -> int:
    for attempt in range(ATTEMPTS):
        try:
            write()
        except OperationalError:  # a deadlock: one of the two has to begin again
            if attempt + 1 == ATTEMPTS:
                raise
        else:
            return attempt
    raise AssertionError("unreachable")
