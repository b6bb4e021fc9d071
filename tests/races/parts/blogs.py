"""Blog > Post > Comment > Reaction: deltas, extremes, averages, filters, two and three hops,
chains.
"""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.db.models import F

from syncfields import reconcile
from tests.races.parts.world import World, later
from tests.testapp import models as zoo

User = get_user_model()


def post(title: str) -> zoo.Post:
    return zoo.Post.objects.get(title=title)


def comment(text: str) -> zoo.Comment:
    return zoo.Comment.objects.get(text=text)


def build():
    ann, bob = (User.objects.create(username=name) for name in ("ann", "bob"))
    one, two = (zoo.Blog.objects.create(name=name) for name in ("one", "two"))
    a, b = (zoo.Post.objects.create(title=title, blog=one) for title in "ab")
    c = zoo.Post.objects.create(title="c", blog=two)
    for number, (parent, text, author) in enumerate(
        ((a, "low", ann), (a, "middle", bob), (a, "high", ann), (b, "lone", ann), (c, "far", bob))
    ):
        made = zoo.Comment.objects.create(
            post=parent, text=text, author=author, score=number, created=later(number)
        )
        zoo.Reaction.objects.create(comment=made)


world = World(
    build, rows=(User, zoo.Blog, zoo.Post, zoo.Comment, zoo.Reaction), targets=(zoo.Blog, zoo.Post)
)


@world.part
def create_comment():
    a = post("a")
    return lambda: zoo.Comment.objects.create(post=a, score=9, text="new", created=later(9))


@world.part
def move_comment():
    high, c = comment("high"), post("c")
    high.post = c
    return high.save


@world.part
def move_comment_to_its_sibling():
    lone, a = comment("lone"), post("a")
    lone.post = a
    return lone.save


@world.part
def flip_comment():
    high = comment("high")
    high.is_public = not high.is_public
    return high.save


@world.part
def delete_comment():
    return comment("high").delete


@world.part
def delete_next_comment():
    return comment("middle").delete


@world.part
def update_comments():
    return lambda: zoo.Comment.objects.filter(post__title="a").update(
        is_public=False, score=F("score") + 10
    )


@world.part
def bulk_create_comments():
    posts = [post("c"), post("a")]
    return lambda: zoo.Comment.objects.bulk_create(
        [zoo.Comment(post=each, score=20, created=later(20)) for each in posts]
    )


@world.part
def delete_comments():
    return lambda: zoo.Comment.objects.filter(post__title__in=["a", "c"]).delete()


@world.part
def move_post():
    a = post("a")
    a.blog = zoo.Blog.objects.get(name="two")
    return a.save


@world.part
def hide_post_by_a_stale_instance():
    a = post("a")
    a.is_live = False
    return a.save


@world.part
def delete_post():
    return post("a").delete


@world.part
def create_reaction():
    high = comment("high")
    return lambda: zoo.Reaction.objects.create(comment=high)


@world.part
def deactivate_author():
    ann = User.objects.get(username="ann")
    ann.is_active = False
    return ann.save


@world.part
def delete_author():
    return User.objects.get(username="ann").delete


@world.part
def reconcile_blogs():
    return lambda: reconcile(zoo.Post, zoo.Blog)
