"""`python -m tests.benchmarks.rollout [seconds]`: old code, which does not know a rule, writes
beside new code; then it ends, and ``reconcile`` is run while the new code goes on.

On PostgreSQL, in a database of its own. Two processes of each create, move and delete comments of
random posts.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time

from tests.benchmarks.scratch import scratch

POSTS, WRITERS = 20_000, 2
LABEL = "distributed.Post.comment_count"


def main(seconds: float) -> None:
    from syncfields import reconcile

    plant()
    new = [writer(seed) for seed in range(WRITERS)]
    old = [writer(WRITERS + seed, SYNCFIELDS_TEST_OLD="1") for seed in range(WRITERS)]
    for each in (*new, *old):
        each.stdout.readline()  # It has begun.
    time.sleep(seconds)
    of_old = sum_of([ended(each) for each in old])
    wrong, missing = drift()
    print(f"{seconds:.0f} s: {of_old['writes']:,} writes of {WRITERS} old processes")
    print(f"{wrong:,} of {POSTS:,} posts have drifted, by {missing} in sum")
    assert missing == of_old["created"], "what the old processes created, less what they deleted"
    start = time.perf_counter()
    report = reconcile(LABEL)
    took = time.perf_counter() - start
    print(f"reconcile, with the new ones at work: {report.repaired:,} repaired in {took:.1f} s")
    assert drift()[0] == 0
    time.sleep(seconds / 2)
    of_new = sum_of([ended(each) for each in new])
    print(f"none has drifted then, nor after {of_new['writes']:,} writes of the new ones in all")
    assert drift()[0] == 0


def plant() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO distributed_post (comment_count) "
            f"SELECT 0 FROM generate_series(1, {POSTS})"
        )
        cursor.execute("VACUUM ANALYZE")


def drift() -> tuple[int, int]:
    """Posts whose count is not that of their comments, and what they lack in sum."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FILTER (WHERE p.comment_count <> COALESCE(n, 0)), "
            "COALESCE(SUM(COALESCE(n, 0) - p.comment_count), 0) FROM distributed_post p LEFT JOIN "
            "(SELECT post_id, COUNT(*) AS n FROM distributed_comment GROUP BY post_id) c "
            "ON c.post_id = p.id"
        )
        return cursor.fetchone()


def writer(seed: int, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", __spec__.name, "write", str(seed)],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> dict[str, int]:
    """Let it end, and take what it says of its work."""
    out, _ = process.communicate("\n")
    return json.loads(out)


def sum_of(found: list[dict[str, int]]) -> dict[str, int]:
    return {name: sum(each[name] for each in found) for name in found[0]}


def write(seed: int) -> None:
    """In a process of its own, until a line comes: create, move and delete comments."""
    import django

    django.setup()
    import select

    from tests.distributed.models import Comment, Post

    keys, chance, own = list(Post.objects.values_list("pk", flat=True)), random.Random(seed), []
    found = {"writes": 0, "created": 0}
    print("begun", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        kind = chance.choice(("create", "create", "move", "delete")) if own else "create"
        if kind == "create":
            own.append(Comment.objects.create(post_id=chance.choice(keys)))
            found["created"] += 1
        elif kind == "move":
            moved = chance.choice(own)
            moved.post_id = chance.choice(keys)
            moved.save()
        else:
            own.pop(chance.randrange(len(own))).delete()
            found["created"] -= 1
        found["writes"] += 1
    print(json.dumps(found))


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        write(int(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["SYNCFIELDS_TEST_RUNS"] = folder
            with scratch():
                main(float(sys.argv[1]) if sys.argv[1:] else 10)
