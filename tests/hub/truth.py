"""What each value of the hub has to be, said again by hand, for ``tests.truth``."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from tests.hub.models import Author, Blog, Comment, Post, Topic
from tests.truth import Row, Snapshot, highest, known, lowest, of, truth

TARGETS = (Blog, Author, Topic, Post, Comment)


@truth(Blog)
def blog(all_: Snapshot, row: Row) -> dict[str, Any]:
    posts = all_.where(Post, blog_id=row.id)
    count = sum(len(all_.where(Comment, post_id=post.id)) for post in posts)
    # SUM of nothing is NULL, and the column has no NULL: the default stands for it.
    return {"comment_count": count, "comment_total": count}


@truth(Author)
def author(all_: Snapshot, row: Row) -> dict[str, Any]:
    return {"comment_count": len(all_.where(Comment, author_id=row.id))}


@truth(Topic)
def topic(all_: Snapshot, row: Row) -> dict[str, Any]:
    comments = all_.where(Comment, topic_id=row.id)
    return {
        "comment_count": len(comments),
        "public_count": sum(each.is_public for each in comments),
    }


@truth(Post)
def post(all_: Snapshot, row: Row) -> dict[str, Any]:
    comments = all_.where(Comment, post_id=row.id)
    scores, ratings = known(comments, "score"), known(comments, "rating")
    times = known(comments, "created")
    return {
        "comment_count": len(comments),
        "public_count": sum(each.is_public for each in comments),
        "active_count": sum(
            bool(of(all_.one(Author, id=each.author_id), "is_active")) for each in comments
        ),
        "score_sum": sum(scores),
        "rating_sum": sum(ratings) if ratings else None,
        "score_avg": fmean(scores) if scores else None,
        "best": highest(scores),
        "first_at": lowest(times),
        "last_at": highest(times),
    }


@truth(Comment)
def comment(all_: Snapshot, row: Row) -> dict[str, Any]:
    post = all_.one(Post, id=row.post_id)
    return {"blog_name": of(all_.one(Blog, id=of(post, "blog_id")), "name")}
