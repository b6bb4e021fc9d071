"""Blog > Post > Comment < Author, Topic: rules of all kinds that meet in one row."""

from __future__ import annotations

from django.db.models import F

from syncfields import reconcile
from tests.hub.models import Author, Blog, Comment, Post, Topic
from tests.hub.truth import TARGETS
from tests.races.parts.world import World, later

LOW, MIDDLE, HIGH, LONE, FAR = range(5)
"""The comments, by their scores: three of the first post, one of each of the others."""


def build():
    ann, bob = (Author.objects.create(name=name) for name in ("ann", "bob"))
    one, two = (Blog.objects.create(name=name) for name in ("one", "two"))
    posts = [Post.objects.create(blog=blog) for blog in (one, one, two)]
    topics = [Topic.objects.create() for _ in range(2)]
    for score, (number, author) in enumerate(((0, ann), (0, bob), (0, ann), (1, ann), (2, bob))):
        Comment.objects.create(
            post=posts[number],
            author=author,
            topic=topics[score % 2],
            score=score,
            rating=score or None,
            created=later(score),
        )


world = World(build, rows=(Blog, Author, Topic, Post, Comment), targets=TARGETS)


def author(name: str) -> Author:
    return Author.objects.get(name=name)


def comment(score: int) -> Comment:
    return Comment.objects.get(score=score)


def new(number: int, name: str) -> Comment:
    """An unsaved comment on one of the posts."""
    return Comment(
        post=Post.objects.order_by("pk")[number],
        author=author(name),
        topic=Topic.objects.order_by("pk")[number % 2],
        score=9,
        created=later(9),
    )


@world.part
def create_comment():
    return new(0, "ann").save


@world.part
def create_comment_on_its_sibling():
    return new(1, "bob").save


@world.part
def flip_comment():
    high = comment(HIGH)
    high.is_public = not high.is_public
    return high.save


@world.part
def lower_best_score():
    high = comment(HIGH)
    high.score = -1
    return high.save


@world.part
def move_comment():
    high, far = comment(HIGH), comment(FAR)
    high.post, high.author = far.post, far.author
    return high.save


@world.part
def move_comment_the_other_way():
    high, far = comment(HIGH), comment(FAR)
    far.post, far.author = high.post, high.author
    return far.save


@world.part
def move_comment_to_its_sibling():
    lone, low = comment(LONE), comment(LOW)
    lone.post = low.post
    return lone.save


@world.part
def change_topic():
    low, middle = comment(LOW), comment(MIDDLE)
    low.topic = middle.topic
    return low.save


@world.part
def delete_comment():
    return comment(HIGH).delete


@world.part
def delete_next_comment():
    return comment(MIDDLE).delete


@world.part
def bulk_create_comments():
    both = [new(2, "bob"), new(0, "ann")]
    return lambda: Comment.objects.bulk_create(both)


@world.part
def update_comments():
    return lambda: Comment.objects.filter(score__lte=HIGH).update(
        is_public=False, score=F("score") + 10
    )


@world.part
def delete_comments():
    return lambda: Comment.objects.filter(score__in=[HIGH, FAR]).delete()


@world.part
def deactivate_author():
    ann = author("ann")
    ann.is_active = False
    return ann.save


@world.part
def rename_blog():
    one = Blog.objects.get(name="one")
    one.name = "three"
    return one.save


@world.part
def move_post():
    first = Post.objects.order_by("pk")[0]
    first.blog = Blog.objects.get(name="two")
    return first.save


@world.part
def delete_post():
    return Post.objects.order_by("pk")[0].delete


@world.part
def delete_author():
    return author("ann").delete


@world.part
def reconcile_hub():
    return lambda: reconcile(*TARGETS)
