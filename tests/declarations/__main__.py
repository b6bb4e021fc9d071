"""Play many examples: `python -m tests.declarations --examples 2000 --seed 1`.

SYNCFIELDS_TEST_DATABASE names the database, as for the tests.
"""

from __future__ import annotations

import argparse
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.declarations.settings")
PER_SEED = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.declarations", description=__doc__)
    parser.add_argument("--examples", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", type=int, help="the number of one example")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--show", type=int, default=6, help="so many wrong values, shrunk")
    options = parser.parse_args()

    django.setup()
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    from tests.declarations.search import search

    first, count = options.seed * PER_SEED, options.examples
    if options.again is not None:
        first, count = options.again, 1
    setup_test_environment()
    old = setup_databases(verbosity=0, interactive=False)
    try:
        for line in search(range(first, first + count), options.minutes * 60, options.show):
            print(line, flush=True)
    finally:
        teardown_databases(old, verbosity=0)


if __name__ == "__main__":
    main()
