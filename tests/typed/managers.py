"""What from_queryset() makes: django-stubs tell mypy, by their plugin, and others not."""

from __future__ import annotations

from typing_extensions import assert_type

from syncfields import Report
from tests.typed.models import Comment, CommentQuerySet, Post


def managers(post: Post) -> None:
    assert_type(Comment.objects.get(), Comment)
    assert_type(Comment.objects.about(post), CommentQuerySet)
    assert_type(Comment.objects.filter(post=post).about(post), CommentQuerySet)
    assert_type(Comment.objects.reconcile(), Report)
    assert_type(Comment.objects.about(post).reconcile(), Report)
