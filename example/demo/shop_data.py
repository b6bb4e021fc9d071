"""The Chinook fixture as rows of the app `shop`, the published invoice totals as they are."""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from demo.archives import chinook
from demo.loading import load
from shop.models import (
    Album,
    Artist,
    Customer,
    Employee,
    Genre,
    Invoice,
    InvoiceLine,
    MediaType,
    Playlist,
    Track,
)

Rows = dict[int, dict[str, Any]]


def load_all() -> int:
    tables: defaultdict[str, Rows] = defaultdict(dict)
    for row in chinook():
        tables[row["model"].removeprefix("chinook.")][row["pk"]] = row["fields"]
    return sum(
        load(model, (build(pk, row) for pk, row in tables[table].items()), total=len(tables[table]))
        for table, (model, build) in BUILDERS.items()
    )


def artist(pk: int, row: dict[str, Any]) -> Artist:
    return Artist(pk=pk, name=row["name"])


def album(pk: int, row: dict[str, Any]) -> Album:
    return Album(pk=pk, title=row["title"], artist_id=row["artist"])


def genre(pk: int, row: dict[str, Any]) -> Genre:
    return Genre(pk=pk, name=row["name"])


def media_type(pk: int, row: dict[str, Any]) -> MediaType:
    return MediaType(pk=pk, name=row["name"])


def track(pk: int, row: dict[str, Any]) -> Track:
    return Track(
        pk=pk,
        name=row["name"],
        album_id=row["album"],
        media_type_id=row["mediatype"],
        genre_id=row["genre"],
        composer=row["composer"] or "",
        milliseconds=row["milliseconds"],
        bytes=row["bytes"],
        unit_price=row["unit_price"],
    )


def playlist(pk: int, row: dict[str, Any]) -> Playlist:
    return Playlist(pk=pk, name=row["name"])


def playlist_track(pk: int, row: dict[str, Any]) -> Any:
    return Playlist.tracks.through(pk=pk, playlist_id=row["playlist"], track_id=row["track"])


def employee(pk: int, row: dict[str, Any]) -> Employee:
    return Employee(
        pk=pk,
        first_name=row["firstname"],
        last_name=row["lastname"],
        title=row["title"],
        reports_to_id=row["reports_to"],
    )


def customer(pk: int, row: dict[str, Any]) -> Customer:
    return Customer(
        pk=pk,
        first_name=row["firstname"],
        last_name=row["lastname"],
        email=row["email"],
        address=row["address"],
        city=row["city"],
        country=row["country"],
        support_rep_id=row["support_rep"],
    )


def invoice(pk: int, row: dict[str, Any]) -> Invoice:
    return Invoice(
        pk=pk,
        customer_id=row["customer"],
        date=datetime.fromisoformat(row["invoicedate"].replace("Z", "+00:00")),
        billing_address=row["billingaddress"],
        billing_city=row["billingcity"],
        billing_country=row["billingcountry"],
        total=Decimal(row["total"]),
    )


def invoice_line(pk: int, row: dict[str, Any]) -> InvoiceLine:
    return InvoiceLine(
        pk=pk,
        invoice_id=row["invoice"],
        track_id=row["track"],
        unit_price=row["unit_price"],
        quantity=row["quantity"],
    )


# In this order every row finds the rows it refers to.
BUILDERS: dict[str, tuple[Any, Any]] = {
    "artist": (Artist, artist),
    "album": (Album, album),
    "genre": (Genre, genre),
    "mediatype": (MediaType, media_type),
    "track": (Track, track),
    "playlist": (Playlist, playlist),
    "playlisttrack": (Playlist.tracks.through, playlist_track),
    "employee": (Employee, employee),
    "customer": (Customer, customer),
    "invoice": (Invoice, invoice),
    "invoiceline": (InvoiceLine, invoice_line),
}
