from random import Random
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from demo.work import work


class Command(BaseCommand):
    help = "Write like a busy user: start it several times at once, then `reconcile --check`."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--writes", type=int, default=200)
        parser.add_argument("--seed", type=int, help="Pick the same rows each time.")

    def handle(self, *, writes: int, seed: int | None, **options: Any) -> None:
        retried = work(writes, Random(seed))
        self.stdout.write(f"{writes} writes, {retried} tried again after a deadlock.")
