"""The worlds in which two transactions meet, one in each file, with their parts in it."""

from __future__ import annotations

from tests.races.parts import (
    blogs,
    categories,
    countries,
    hives,
    hub,
    musicians,
    orders,
    places,
    playlists,
    shelves,
    silos,
    tags,
    topics,
    users,
)
from tests.races.parts.world import World

WORLDS: dict[str, World] = {
    "blogs": blogs.world,
    "users": users.world,
    "playlists": playlists.world,
    "musicians": musicians.world,
    "categories": categories.world,
    "countries": countries.world,
    "orders": orders.world,
    "shelves": shelves.world,
    "hives": hives.world,
    "silos": silos.world,
    "places": places.world,
    "tags": tags.world,
    "topics": topics.world,
    "hub": hub.world,
}
