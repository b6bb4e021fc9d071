"""A synced field holds values of the type that its field holds: django-stubs tells mypy which, by a
plugin, and others not, of no field.
"""

from __future__ import annotations

import datetime as dt

from typing_extensions import assert_type

from tests.typed.models import Post


def fields(post: Post) -> None:
    assert_type(post.comment_count, int)
    assert_type(post.last_comment_at, dt.datetime | None)
    assert_type(post.author_name, str)
