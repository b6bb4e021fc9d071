"""The workloads of the hub: one comment, of which the rules of five tables hang."""

from __future__ import annotations

from random import Random
from typing import Any, ClassVar

from tests.benchmarks.contestants import HUB
from tests.benchmarks.workload import Rows, Workload, cycled, some


class HubWorkload(Workload):
    only = HUB
    base = "hub_none"

    def rows(self, size: int) -> Rows:
        return Rows(posts=min(4 * size, Rows.posts))


class Create(HubWorkload):
    title = "hub: create"

    def prepare(self, work: Any, size: int, number: int) -> Any:
        return parents(work, size, number)

    def one(self, work: Any, item: Any) -> None:
        work.create(*item)


def parents(work: Any, size: int, number: int) -> list[tuple[Any, Any, Any]]:
    """So many posts, authors and topics."""
    posts = work.Post.objects.select_related("blog")
    rows = (posts, work.Author.objects.all(), work.Topic.objects.all())
    chosen = (cycled(each.order_by("pk"), size, number) for each in rows)
    return [*zip(*chosen, strict=True)]


class Flip(HubWorkload):
    title = "hub: flip a condition"

    def prepare(self, work: Any, size: int, number: int) -> Any:
        return some(work.Comment, size, number)

    def one(self, work: Any, item: Any) -> None:
        work.flip(item)


class Score(Flip):
    title = "hub: change a summed value"

    def one(self, work: Any, item: Any) -> None:
        work.change_score(item, (item.score + 7) % 20)


class Move(Flip):
    title = "hub: move to another post and author"

    def prepare(self, work: Any, size: int, number: int) -> Any:
        comments = super().prepare(work, size, number)
        posts, authors = ([*model.objects.order_by("pk")] for model in (work.Post, work.Author))
        return [
            (comment, after(posts, comment.post_id), after(authors, comment.author_id))
            for comment in comments
        ]

    def one(self, work: Any, item: Any) -> None:
        work.move(*item)


def after(rows: list[Any], pk: Any) -> Any:
    """The row that follows the one with this key."""
    keys = [row.pk for row in rows]
    return rows[(keys.index(pk) + 1) % len(rows)]


class Delete(Flip):
    title = "hub: delete"

    def one(self, work: Any, item: Any) -> None:
        work.delete(item)


class Many(HubWorkload):
    size = 1000
    repetitions = 5
    each = False

    def rows(self, size: int) -> Rows:
        return Rows(posts=max(size // 10, 1))


class BulkCreate(Many):
    title = "hub: bulk_create()"

    def prepare(self, work: Any, size: int, number: int) -> Any:
        return [work.new(*each) for each in parents(work, size, number)]

    def run(self, work: Any, given: Any) -> None:
        work.bulk_create(given)


class Update(Many):
    title = "hub: update()"

    def prepare(self, work: Any, size: int, number: int) -> Any:
        pks = work.Comment.objects.order_by("pk").values_list("pk", flat=True)
        return (pks[0], pks[size - 1]), bool(number % 2)

    def run(self, work: Any, given: Any) -> None:
        work.update(*given)


class DeleteMany(Update):
    title = "hub: QuerySet.delete()"
    fresh: ClassVar[bool] = True

    def run(self, work: Any, given: Any) -> None:
        work.delete_many(given[0])


WORKLOADS: dict[str, Workload] = {
    "hub_create": Create(),
    "hub_flip": Flip(),
    "hub_score": Score(),
    "hub_move": Move(),
    "hub_delete": Delete(),
    "hub_bulk_create": BulkCreate(),
    "hub_update": Update(),
    "hub_delete_many": DeleteMany(),
}


# Several writers at once ---------------------------------------------------------------------

HOT = 3
KINDS = {"create": 4, "flip": 2, "change_score": 2, "move": 2, "delete": 3}


def any_write(work: Any, posts: list[Any], random: Random) -> int:
    """A single write in autocommit, of a comment of this process's own, on few parents."""
    if not work.own:
        work.authors, work.topics = (
            [*model.objects.order_by("pk")[:HOT]] for model in (work.Author, work.Topic)
        )
    (kind,) = random.choices([*KINDS], [*KINDS.values()]) if work.own else ("create",)
    post, author = random.choice(posts), random.choice(work.authors)
    if kind == "create":
        work.own.append(work.create(post, author, random.choice(work.topics)))
        return 1
    comment = random.choice(work.own)
    if kind == "flip":
        work.flip(comment)
    elif kind == "change_score":
        work.change_score(comment, random.randrange(20))
    elif kind == "move":
        work.move(comment, post, author)
    else:
        work.delete(comment)
        work.own.remove(comment)
    return 1
