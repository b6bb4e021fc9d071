"""Reconcile by workers: real ones of Celery and of django.tasks, of which one is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

TEST = "test_a_worker_is_killed_in_the_middle"
ROOT = Path(__file__).parent.parent


def redis_answers():
    import redis

    from tests.distributed.queue import BROKER

    try:
        return redis.Redis.from_url(BROKER, socket_connect_timeout=1).ping()
    except redis.RedisError:
        return False


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("queue", "packages"),
    [("celery", ["celery", "redis"]), ("django", ["django_tasks_db"])],
)
def test_a_worker_is_killed_in_the_middle(queue, packages, tmp_path):
    if lacking := [each for each in packages if find_spec(each) is None]:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    if "redis" in packages and not redis_answers():
        if os.environ.get("CI"):
            pytest.fail("Redis does not answer.")
        pytest.skip("Redis does not answer")

    result = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
            *("-W", "default", "--ds=tests.distributed.settings"),
            f"tests/distributed/scenario.py::{TEST}[{queue}]",
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "SYNCFIELDS_TEST_SUFFIX": f"{os.environ.get('SYNCFIELDS_TEST_SUFFIX', '')}{queue}",
            "SYNCFIELDS_TEST_RUNS": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 passed" in result.stdout
