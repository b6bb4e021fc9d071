"""Nothing is kept: what all others are compared with."""

from __future__ import annotations

from tests.benchmarks.contestants.hub import base


class Blog(base.BaseBlog):
    pass


class Author(base.BaseAuthor):
    pass


class Topic(base.BaseTopic):
    pass


class Post(base.BasePost):
    pass


class Comment(base.BaseComment):
    pass


Work = base.BaseWork
