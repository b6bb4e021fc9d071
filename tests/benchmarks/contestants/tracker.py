"""FieldTracker of django-model-utils and nothing else: what knowing old values costs."""

from __future__ import annotations

from model_utils import FieldTracker

from tests.benchmarks.contestants import base


class Post(base.BasePost):
    pass


class Comment(base.BaseComment):
    tracker = FieldTracker(["post_id", "is_public"])


class Account(base.BaseAccount):
    tracker = FieldTracker(["email"])


class Profile(base.BaseProfile):
    pass


Work = base.BaseWork
