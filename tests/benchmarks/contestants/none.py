"""Nothing is kept: what all others are compared with."""

from __future__ import annotations

from django.db.models import Count, Q

from tests.benchmarks.contestants import base


class Post(base.BasePost):
    pass


class Comment(base.BaseComment):
    pass


class Account(base.BaseAccount):
    pass


class Profile(base.BaseProfile):
    pass


class Work(base.BaseWork):
    def reconcile(self) -> None:
        """``annotate()`` and ``bulk_update()``, as one writes it by hand."""
        right = Post.objects.annotate(right=Count("comments", filter=Q(comments__is_public=True)))
        wrong = []
        for post in right.iterator():
            if post.public_count != post.right:
                post.public_count = post.right
                wrong.append(post)
        Post.objects.bulk_update(wrong, ["public_count"], batch_size=500)
