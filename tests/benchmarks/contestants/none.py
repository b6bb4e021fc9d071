"""Nothing is kept: what all others are compared with."""

from __future__ import annotations

from tests.benchmarks.contestants import base


class Post(base.BasePost):
    pass


class Comment(base.BaseComment):
    pass


class Account(base.BaseAccount):
    pass


class Profile(base.BaseProfile):
    pass


Work = base.BaseWork
