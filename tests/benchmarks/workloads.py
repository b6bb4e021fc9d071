"""What is measured: the rows there are before, what is prepared, and what is timed."""

from __future__ import annotations

from random import Random
from typing import Any, ClassVar

from tests.benchmarks import hub
from tests.benchmarks.workload import Rows, Workload, cycled, some


class Create(Workload):
    title = "create one by one, autocommit"

    def prepare(self, work: Any, size: int, number: int) -> Any:
        return cycled(work.Post.objects.order_by("pk"), size)

    def one(self, work: Any, item: Any) -> None:
        work.create(item)


class CreateAtomic(Create):
    title = "create inside a transaction, on ten parents"
    in_transaction = True

    def prepare(self, work: Any, size: int, number: int) -> Any:
        return cycled(work.Post.objects.order_by("pk")[:10], size)

    def run(self, work: Any, given: Any) -> None:
        with work.transaction():
            super().run(work, given)


class CreateFew(Create):
    """In transactions of one to three: where it costs to wait for their end, and where it pays."""

    size = 48
    only = ("none", "tuned", "careful", "syncfields", "coalesce", "commit")

    def __init__(self, count: int) -> None:
        self.count = count
        self.title = f"create in transactions of {count}"

    def prepare(self, work: Any, size: int, number: int) -> Any:
        posts = super().prepare(work, size, number)
        return [posts[start : start + self.count] for start in range(0, size, self.count)]

    def one(self, work: Any, item: Any) -> None:
        with work.transaction():
            for post in item:
                work.create(post)


class Flip(Workload):
    title = "flip a status"

    def prepare(self, work: Any, size: int, number: int) -> Any:
        return some(work.Comment, size, number)

    def one(self, work: Any, item: Any) -> None:
        work.flip(item)


class Move(Workload):
    title = "move to another parent"

    def prepare(self, work: Any, size: int, number: int) -> Any:
        comments = some(work.Comment, size, number)
        posts = work.Post.objects.in_bulk()
        order = sorted(posts)
        after = dict(zip(order, order[1:] + order[:1], strict=True))
        return [(comment, posts[after[comment.post_id]]) for comment in comments]

    def one(self, work: Any, item: Any) -> None:
        work.move(*item)


class Save(Flip):
    title = "save(), nothing relevant changed"

    def one(self, work: Any, item: Any) -> None:
        work.edit(item)


class SaveFields(Flip):
    title = "save(update_fields=[irrelevant])"

    def one(self, work: Any, item: Any) -> None:
        work.edit_field(item)


class Delete(Flip):
    title = "delete one by one"

    def one(self, work: Any, item: Any) -> None:
        work.delete(item)


class BulkCreate(Workload):
    title = "bulk_create()"
    size = 10_000
    repetitions = 3
    each = False
    holds_rows = True

    def prepare(self, work: Any, size: int, number: int) -> Any:
        return cycled(work.Post.objects.order_by("pk"), size)

    def run(self, work: Any, given: Any) -> None:
        work.bulk_create(given)


class BulkCreateMore(BulkCreate):
    title = "bulk_create(), ten times as many"
    size = 100_000
    only = ("none", "sql", "careful", "syncfields")
    databases = ("postgresql",)


class Update(Workload):
    title = "update()"
    size = 10_000
    repetitions = 5
    each = False
    holds_rows = True

    def rows(self, size: int) -> Rows:
        return Rows(posts=max(size // 10, 1), accounts=0)

    def prepare(self, work: Any, size: int, number: int) -> Any:
        pks = work.Comment.objects.order_by("pk").values_list("pk", flat=True)
        return (pks[0], pks[size - 1]), bool(number % 2)

    def run(self, work: Any, given: Any) -> None:
        work.update(*given)


class DeleteMany(Update):
    title = "QuerySet.delete()"
    fresh = True

    def run(self, work: Any, given: Any) -> None:
        work.delete_many(given[0])


class Copy(Workload):
    title = "copy one e-mail"

    def prepare(self, work: Any, size: int, number: int) -> Any:
        accounts = some(work.Account, size, number)
        return [(account, f"new{number}.{account.pk}@example.com") for account in accounts]

    def one(self, work: Any, item: Any) -> None:
        work.change_email(*item)


class CopyMany(Copy):
    title = "copy one e-mail to many profiles"
    size = 10_000
    repetitions = 5
    each = False
    holds_rows = True
    base = "sql"

    def rows(self, size: int) -> Rows:
        return Rows(posts=1, comments=1, accounts=1, profiles=size)

    def prepare(self, work: Any, size: int, number: int) -> Any:
        return super().prepare(work, 1, number)


class Load(Workload):
    title = "load instances"
    size = 100_000
    repetitions = 3
    each = False
    only = (
        "none",
        "tuned",
        "tracker",
        "computedfields",
        "denormalized",
        "syncfields",
        "syncfields_memory",
    )

    def rows(self, size: int) -> Rows:
        return Rows(posts=max(size // 100, 1), comments=min(size, 100), accounts=0)

    def run(self, work: Any, given: Any) -> None:
        work.load()


class Reconcile(Workload):
    title = "reconcile, every target wrong"
    size = 100_000
    repetitions = 5
    each = False
    holds_rows = True
    only = ("sql", "careful", "syncfields")
    base = "sql"
    wrong: ClassVar[int] = 1
    """One target in so many is wrong."""

    def rows(self, size: int) -> Rows:
        return Rows(posts=max(size // 10, 1), accounts=0)

    def prepare(self, work: Any, size: int, number: int) -> Any:
        work.make_drift(self.wrong)

    def run(self, work: Any, given: Any) -> None:
        work.reconcile()


class ReconcileFew(Reconcile):
    title = "reconcile, 0.1 % wrong"
    wrong = 1000


class ReconcileMore(Reconcile):
    title = "reconcile, every target wrong, ten times as many"
    size = 1_000_000
    repetitions = 3
    only = ("sql", "syncfields")
    databases = ("postgresql",)


class ReconcileFewOfMore(ReconcileMore):
    title = "reconcile, 0.1 % wrong, ten times as many"
    wrong = 1000


WORKLOADS: dict[str, Workload] = {
    "create": Create(),
    "create_atomic": CreateAtomic(),
    "create_1": CreateFew(1),
    "create_2": CreateFew(2),
    "create_3": CreateFew(3),
    "flip": Flip(),
    "move": Move(),
    "save": Save(),
    "save_fields": SaveFields(),
    "delete": Delete(),
    "bulk_create": BulkCreate(),
    "bulk_create_more": BulkCreateMore(),
    "update": Update(),
    "delete_many": DeleteMany(),
    "copy": Copy(),
    "copy_many": CopyMany(),
    "load": Load(),
    "reconcile": Reconcile(),
    "reconcile_few": ReconcileFew(),
    "reconcile_more": ReconcileMore(),
    "reconcile_few_of_more": ReconcileFewOfMore(),
    **hub.WORKLOADS,
}


# Several writers at once ---------------------------------------------------------------------

HOT_POSTS = 3


def one(work: Any, posts: list[Any], random: Random) -> int:
    """A comment on the one hot post, in autocommit."""
    work.create(posts[0])
    return 1


def ten(work: Any, posts: list[Any], random: Random) -> int:
    """Ten comments on the one hot post, in one transaction."""
    with work.transaction():
        for _ in range(10):
            work.create(posts[0])
    return 10


def opposite(work: Any, posts: list[Any], random: Random) -> int:
    """One to three comments on as many posts, in any order: what deadlocks are made of."""
    chosen = random.sample(posts, random.randint(1, len(posts)))
    with work.transaction():
        for post in chosen:
            work.create(post)
    return len(chosen)


SHAPES = {"one": one, "ten": ten, "opposite": opposite, "hub": hub.any_write}
