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
JOIN = (
    "Rows that join two sides are found from either side, and so inserted, and on MariaDB locked,"
    " in two orders: without the library, too."
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
        "blogs": {
            ("bulk_create_comments", "delete_author"): MARIADB,
            ("create_reaction", "delete_post"): MARIADB,
            ("deactivate_author", "delete_post"): MARIADB,
            ("delete_author", "delete_comment"): MARIADB,
            ("delete_author", "delete_comments"): MARIADB,
            ("delete_author", "delete_post"): MARIADB,
            ("delete_author", "flip_comment"): MARIADB,
            ("delete_author", "move_comment"): MARIADB,
            ("delete_author", "move_comment_to_its_sibling"): MARIADB,
            ("delete_author", "update_comments"): MARIADB,
            ("delete_comment", "move_comment_to_its_sibling"): MARIADB,
            ("delete_comments", "move_comment_to_its_sibling"): MARIADB,
            ("delete_post", "flip_comment"): MARIADB,
            ("delete_post", "move_comment"): MARIADB,
            ("delete_post", "move_comment_to_its_sibling"): MARIADB,
            ("delete_post", "update_comments"): MARIADB,
        },
        "users": {
            ("delete_user", "revoke_badge"): MARIADB,
        },
        "playlists": {
            ("delete_playlist", "lengthen_track"): MARIADB,
        },
        "orders": {
            ("change_line", "delete_order"): MARIADB,
            ("delete_lines", "delete_order"): MARIADB,
            ("delete_order", "move_line"): MARIADB,
        },
        "silos": {
            ("create_grain", "delete_farm"): MARIADB,
            ("delete_farm", "delete_label"): MARIADB,
            ("delete_farm", "delete_market"): MARIADB,
            ("delete_farm", "delete_silo"): MARIADB,
            ("delete_farm", "delete_silos"): MARIADB,
            ("delete_farm", "move_grain"): MARIADB,
            ("delete_farm", "move_silo"): BOTH,
            ("delete_farm", "rename_label"): MARIADB,
            ("delete_label", "delete_market"): MARIADB,
            ("delete_label", "delete_silo"): MARIADB,
            ("delete_label", "delete_silos"): MARIADB,
            ("delete_market", "delete_silo"): MARIADB,
            ("delete_market", "delete_silos"): MARIADB,
            ("delete_silo", "rename_label"): MARIADB,
            ("delete_silos", "move_grain"): MARIADB,
            ("delete_silos", "rename_label"): MARIADB,
        },
        "places": {
            ("create_dish", "delete_restaurant"): MARIADB,
            ("create_dish", "delete_zone"): MARIADB,
            ("create_review", "delete_restaurant"): MARIADB,
            ("create_review", "delete_zone"): MARIADB,
            ("delete_best_review", "delete_restaurant"): MARIADB,
            ("delete_best_review", "delete_zone"): MARIADB,
            ("delete_restaurant", "move_best_review"): MARIADB,
            ("delete_restaurant", "move_restaurant"): MARIADB,
            ("delete_zone", "move_best_review"): MARIADB,
            ("delete_zone", "move_restaurant"): MARIADB,
        },
        "tags": {
            ("create_tag", "delete_album"): MARIADB,
            ("delete_album", "delete_tags"): MARIADB,
            ("delete_album", "move_photo"): MARIADB,
            ("delete_album", "move_tag"): MARIADB,
            ("delete_album", "move_tag_to_clip"): MARIADB,
            ("delete_photo", "delete_tags"): MARIADB,
            ("delete_photo", "move_tag"): MARIADB,
            ("delete_photo", "move_tag_to_clip"): MARIADB,
        },
    },
    TWO_WAYS: {
        "categories": {
            ("create_category", "delete_leaf"): MARIADB,
            ("create_category", "move_child"): MARIADB,
            ("create_category", "move_leaf"): MARIADB,
            ("create_category", "rename_root"): MARIADB,
            ("delete_child", "delete_leaf"): MARIADB,
            ("delete_child", "move_leaf"): MARIADB,
            ("delete_child", "rename_root"): MARIADB,
            ("delete_leaf", "rename_child"): MARIADB,
            ("delete_leaf", "rename_root"): MARIADB,
            ("move_child", "rename_root"): MARIADB,
            ("move_leaf", "rename_child"): MARIADB,
            ("move_leaf", "rename_root"): MARIADB,
            ("rename_child", "rename_root"): MARIADB,
        },
    },
    LATE: {
        "users": {
            ("bulk_create_cards", "bulk_create_cards"): MARIADB,
            ("bulk_create_cards", "change_user"): MARIADB,
            ("bulk_create_cards", "create_card"): MARIADB,
            ("bulk_create_cards", "create_profiles_unless_there"): MARIADB,
            ("bulk_create_cards", "delete_profile"): MARIADB,
            ("bulk_create_cards", "delete_user"): MARIADB,
            ("bulk_create_cards", "move_profile"): MARIADB,
            ("bulk_create_cards", "rename_profile"): MARIADB,
            ("bulk_create_cards", "update_users"): MARIADB,
            ("bulk_create_profiles", "bulk_create_profiles"): MARIADB,
            ("bulk_create_profiles", "change_other_user"): MARIADB,
            ("bulk_create_profiles", "create_badge"): MARIADB,
            ("bulk_create_profiles", "create_passport"): MARIADB,
            ("bulk_create_profiles", "create_profile"): MARIADB,
            ("bulk_create_profiles", "create_profiles_unless_there"): MARIADB,
            ("bulk_create_profiles", "move_profile"): MARIADB,
            ("bulk_create_profiles", "update_users"): MARIADB,
            ("change_other_user", "create_profiles_unless_there"): MARIADB,
            ("change_other_user", "move_profile"): MARIADB,
            ("create_badge", "create_profiles_unless_there"): MARIADB,
            ("create_badge", "move_profile"): MARIADB,
            ("create_passport", "create_profiles_unless_there"): MARIADB,
            ("create_passport", "move_profile"): MARIADB,
            ("create_profile", "create_profiles_unless_there"): MARIADB,
            ("create_profile", "move_profile"): MARIADB,
            ("create_profiles_unless_there", "create_profiles_unless_there"): MARIADB,
            ("create_profiles_unless_there", "update_or_create_profile"): POSTGRESQL,
            ("move_profile", "update_users"): MARIADB,
        },
    },
    PARENTS: {
        "blogs": {
            ("bulk_create_comments", "deactivate_author"): MARIADB,
            ("bulk_create_comments", "delete_comment"): MARIADB,
            ("bulk_create_comments", "delete_comments"): MARIADB,
            ("bulk_create_comments", "delete_next_comment"): MARIADB,
            ("bulk_create_comments", "flip_comment"): MARIADB,
            ("bulk_create_comments", "update_comments"): MARIADB,
            ("deactivate_author", "move_comment"): MARIADB,
            ("deactivate_author", "move_comment_to_its_sibling"): MARIADB,
            ("flip_comment", "move_comment_to_its_sibling"): MARIADB,
            ("move_comment_to_its_sibling", "update_comments"): MARIADB,
        },
        "shelves": {
            ("bulk_create_books", "thin_old_books_of_a_shelf"): MARIADB,
            ("create_books_at_commit", "thin_old_books_of_a_shelf"): MARIADB,
        },
        "hives": {
            ("bulk_create_bees", "move_bee"): MARIADB,
            ("bulk_create_bees_unless_there", "move_bee"): MARIADB,
        },
    },
    JOIN: {
        "playlists": {
            ("add_playlists", "delete_playlist"): MARIADB,
            ("add_playlists", "delete_track"): MARIADB,
            ("add_playlists", "set_tracks"): MARIADB,
            ("add_track", "clear_playlists"): MARIADB,
            ("clear_playlists", "delete_playlist"): MARIADB,
            ("clear_playlists", "remove_track"): MARIADB,
            ("delete_playlist", "delete_track"): MARIADB,
            ("delete_track", "remove_track"): MARIADB,
        },
        "musicians": {
            ("forget_musician", "part_ways"): MARIADB,
        },
    },
    MIRROR: {
        "musicians": {
            ("become_famous", "befriend_back"): MARIADB,
            ("befriend", "befriend_back"): MARIADB,
            ("befriend_back", "change_membership"): MARIADB,
            ("befriend_back", "join_band"): MARIADB,
            ("befriend_back", "part_ways"): MARIADB,
        },
    },
    CONFLICT: {
        "users": {
            ("bulk_create_cards", "upsert_profiles"): MARIADB,
            ("bulk_create_profiles", "upsert_profiles"): MARIADB,
            ("change_user", "upsert_profiles"): MARIADB,
            ("create_card", "upsert_profiles"): MARIADB,
            ("delete_user", "upsert_profiles"): MARIADB,
            ("update_or_create_profile", "upsert_profiles"): POSTGRESQL,
            ("update_users", "upsert_profiles"): MARIADB,
        },
        "orders": {
            ("change_customers", "create_orders_unless_there"): MARIADB,
            ("create_order", "upsert_orders"): MARIADB,
            ("create_orders_unless_there", "delete_lines"): MARIADB,
            ("create_orders_unless_there", "delete_order"): MARIADB,
            ("create_orders_unless_there", "move_line"): MARIADB,
            ("create_orders_unless_there", "move_order"): MARIADB,
            ("create_orders_unless_there", "upsert_orders"): MARIADB,
            ("upsert_new_orders", "upsert_orders"): MARIADB,
        },
        "hives": {
            ("move_bee", "upsert_bees"): MARIADB,
        },
    },
    OWN_ORDER: {
        "shelves": {
            ("bulk_create_books", "bulk_update_books_backwards"): MARIADB,
            ("bulk_create_books", "create_and_delete_books_at_commit"): MARIADB,
            ("bulk_update_books", "bulk_update_books_backwards"): MARIADB,
            ("bulk_update_books", "create_and_delete_books_at_commit"): MARIADB,
            ("bulk_update_books_backwards", "create_and_delete_books_at_commit"): BOTH,
            ("bulk_update_books_backwards", "create_books_at_commit"): BOTH,
            ("bulk_update_books_backwards", "delete_old_books"): MARIADB,
            ("bulk_update_books_backwards", "lengthen_books"): MARIADB,
            ("bulk_update_books_backwards", "move_book"): MARIADB,
            ("bulk_update_books_backwards", "move_old_books"): MARIADB,
            ("bulk_update_books_backwards", "thin_old_books_of_a_shelf"): MARIADB,
            ("create_and_delete_books_at_commit", "create_books_at_commit"): MARIADB,
            ("create_and_delete_books_at_commit", "delete_old_books"): MARIADB,
            ("create_and_delete_books_at_commit", "lengthen_books"): MARIADB,
            ("create_and_delete_books_at_commit", "move_book"): MARIADB,
            ("create_and_delete_books_at_commit", "move_old_books"): MARIADB,
            ("create_and_delete_books_at_commit", "thin_old_books_of_a_shelf"): MARIADB,
        },
        "hives": {
            ("bulk_create_bees_unless_there", "save_bees_at_commit"): MARIADB,
            ("save_bees_at_commit", "update_bees"): MARIADB,
        },
        "topics": {
            ("delete_best", "retract_from_drifted"): BOTH,
            ("delete_replies", "retract_from_drifted"): BOTH,
            ("raise_best", "retract_from_drifted"): BOTH,
        },
    },
    ONE_ROW: {
        "hub": {
            ("bulk_create_comments", "delete_author"): MARIADB,
            ("bulk_create_comments", "delete_comment"): MARIADB,
            ("bulk_create_comments", "delete_comments"): MARIADB,
            ("bulk_create_comments", "delete_next_comment"): BOTH,
            ("bulk_create_comments", "delete_post"): MARIADB,
            ("bulk_create_comments", "move_comment"): MARIADB,
            ("bulk_create_comments", "move_comment_the_other_way"): MARIADB,
            ("bulk_create_comments", "move_comment_to_its_sibling"): MARIADB,
            ("delete_author", "delete_next_comment"): MARIADB,
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
