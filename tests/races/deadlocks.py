"""Which pairs of writes may end in a deadlock, on which database, and why.

Each of these was seen to; any other deadlock fails ``test_interleavings.py``. A pair may stay here
that has learnt to get along: where all pairs are played, those are told at the end.
"""

from __future__ import annotations

from collections.abc import Iterator

POSTGRESQL, MARIADB = ("postgresql",), ("mysql",)
BOTH = POSTGRESQL + MARIADB
Pair = tuple[str, str]

CASCADE = (
    "A delete locks the row before the rows that go with it, since who changes what is copied from"
    " it goes that way; who writes one of these rows locks it before the one it refers to."
)
TWO_WAYS = (
    "Along one relation of a table with itself values go up and down: who writes the child locks"
    " it before the parent, who writes the parent before the child."
)
LATE = (
    "bulk_create() and a move lock the row that is copied from when they hold a place in a unique"
    " index, and on MariaDB the shared lock of the foreign key; others lock that row first."
)
PARENTS = (
    "MariaDB has the parents that a row comes to refer to locked before the INSERT or UPDATE, and"
    " what else the rules read partly after it, while others lock that first. Of events (tallies)"
    " and of rows found by a join the parents are not locked before."
)
MIRROR = (
    "A friendship is two rows, and Django inserts them one after the other: what follows from the"
    " first is locked before what the second refers to."
)
CONFLICT = (
    "Which rows are there already is known when the INSERT meets them, and these are locked before"
    " or after what they refer to."
)
OWN_ORDER = (
    "Several writes in one transaction, in an order that the caller has chosen: the batches of"
    " bulk_update() are such. MariaDB locks the parent at each INSERT, in coalesce() too, and the"
    " rows that an UPDATE only reads."
)
ONE_ROW = (
    "Rules of five tables hang on one row, and bulk_create() has each of them lock what it needs:"
    " the posts, the blog, then the authors. Others lock the author before the post."
)

DEADLOCKS: dict[str, dict[str, dict[Pair, tuple[str, ...]]]] = {
    CASCADE: {
        "silos": {
            ("delete_farm", "move_silo"): POSTGRESQL,
        },
    },
    TWO_WAYS: {
        "categories": {
            ("create_category", "move_child"): MARIADB,
        },
    },
    LATE: {
        "users": {
            ("change_other_user", "move_profile"): MARIADB,
            ("create_profiles_unless_there", "update_or_create_profile"): POSTGRESQL,
        },
    },
    PARENTS: {
        "shelves": {
            ("create_books_at_commit", "thin_old_books_of_a_shelf"): MARIADB,
        },
    },
    MIRROR: {
        "musicians": {
            ("become_famous", "befriend_back"): MARIADB,
        },
    },
    CONFLICT: {
        "users": {
            ("update_or_create_profile", "upsert_profiles"): POSTGRESQL,
        },
        "orders": {
            ("create_orders_unless_there", "move_order"): MARIADB,
        },
    },
    OWN_ORDER: {
        "shelves": {
            ("bulk_update_books", "bulk_update_books_backwards"): MARIADB,
            ("bulk_update_books", "create_and_delete_books_at_commit"): MARIADB,
            ("bulk_update_books_backwards", "create_and_delete_books_at_commit"): BOTH,
            ("bulk_update_books_backwards", "create_books_at_commit"): BOTH,
            ("create_and_delete_books_at_commit", "create_books_at_commit"): MARIADB,
            ("create_and_delete_books_at_commit", "delete_old_books"): MARIADB,
            ("create_and_delete_books_at_commit", "lengthen_books"): MARIADB,
        },
        "topics": {
            ("delete_best", "retract_from_drifted"): POSTGRESQL,
            ("delete_replies", "retract_from_drifted"): POSTGRESQL,
            ("raise_best", "retract_from_drifted"): BOTH,
        },
    },
    ONE_ROW: {
        "hub": {
            ("bulk_create_comments", "delete_next_comment"): POSTGRESQL,
        },
    },
}


def why_deadlock(vendor: str, world: str, pair: Pair) -> str | None:
    """The reason; None where there is to be no deadlock."""
    known = {pair, pair[::-1]}
    for reason, worlds in DEADLOCKS.items():
        for each, databases in worlds.get(world, {}).items():
            if each in known and vendor in databases:
                return reason
    return None


def listed_pairs() -> Iterator[tuple[str, Pair]]:
    """The name of a world, and a pair of its parts."""
    for worlds in DEADLOCKS.values():
        for world, pairs in worlds.items():
            yield from ((world, pair) for pair in pairs)
