import subprocess
import sys
from io import StringIO
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from baseball.models import Team
from demo import archives, baseball_data, costs, loading, shop_data
from demo.work import ACTIONS
from syncfields import reconcile

MANAGE = settings.BASE_DIR / "manage.py"

# Everything but the published totals (of teams and of invoices), which are loaded as they are.
UNPUBLISHED = (
    "baseball.Franchise",
    "baseball.Player",
    "baseball.Batting",
    "shop.Artist",
    "shop.Album",
    "shop.Track",
    "shop.Playlist",
    "shop.Customer",
)


class Command(BaseCommand):
    help = (
        "Load two public databases, find and repair their drift, work on them, and show that "
        "every stored value stayed right and what that cost."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--processes", type=int, default=4)
        parser.add_argument("--writes", type=int, default=100, help="for each process")
        parser.add_argument("--seed", type=int, default=1)

    def handle(self, *, processes: int, writes: int, seed: int, **options: Any) -> None:
        start = perf_counter()
        self.load()
        self.find_drift()
        self.repair()
        written = self.work(Random(seed))
        self.work_in_processes(processes, writes, seed)
        self.title("Checking again")
        self.run("reconcile", "--check")
        self.show_pages()
        self.show_writes(written)
        self.finish(perf_counter() - start)

    def load(self) -> None:
        self.title("Loading")
        downloaded = archives.download()
        for path in (archives.LAHMAN, archives.CHINOOK):
            verb = "downloaded" if downloaded else "already here"
            self.stdout.write(f"{verb}: {archives.size(path)}")
        call_command("migrate", verbosity=0)
        loading.empty()
        for name, load_all in (
            ("Lahman baseball database", baseball_data.load_all),
            ("Chinook record shop", shop_data.load_all),
        ):
            start = perf_counter()
            rows = load_all()
            self.stdout.write(f"{name}: {rows:,} rows in {perf_counter() - start:.1f} s")
        self.stdout.write(
            "The totals of teams and invoices are as they were published. The others have never "
            "been\ncomputed: that is what a new rule on an old table looks like."
        )
        self.run("reconcile", *UNPUBLISHED, brief=True)

    def find_drift(self) -> None:
        self.title("Is anything wrong with the published totals?")
        self.run("reconcile", "--check", drift=True)
        self.stdout.write("The home runs, team by team:")
        [rule] = reconcile("baseball.Team.home_runs", check=True).rules
        for drift in rule.examples:
            self.stdout.write(
                f"  {Team.objects.get(pk=drift.pk)}: {drift.stored} published, "
                f"{drift.expected} in the batting lines"
            )

    def repair(self) -> None:
        self.title("Repairing")
        self.run("reconcile", brief=True)
        self.run("reconcile", "--check", brief=True)

    def work(self, rng: Random) -> list[tuple[str, int, int]]:
        """Do everything once, and return for each write its statements, without and with."""
        self.title("Working, in one process")
        written = []
        for action in ACTIONS:
            write = action(rng)
            own = costs.own_statements(write)
            written.append((action.__name__.replace("_", " "), own, costs.statements(write)))
        self.stdout.write(f"{len(written)} kinds of writes, each once.")
        self.run("reconcile", "--check", brief=True)
        return written

    def work_in_processes(self, processes: int, writes: int, seed: int) -> None:
        self.title(f"Working, in {processes} processes at once")
        command = [sys.executable, str(MANAGE), "work", f"--writes={writes}"]
        start = perf_counter()
        self.stdout.flush()
        running = [
            subprocess.Popen([*command, f"--seed={seed + number}"]) for number in range(processes)
        ]
        codes = [process.wait() for process in running]
        if any(codes):
            raise CommandError("A process failed: its traceback is above.")
        self.stdout.write(f"All done in {perf_counter() - start:.1f} s.")

    def show_pages(self) -> None:
        self.title("What a page gains: its milliseconds")
        self.stdout.write(f"{'':48}{'stored':>10}{'computed':>10}")
        for page in costs.pages():
            stored = page.milliseconds(page.stored)
            computed = page.milliseconds(page.computed)
            self.stdout.write(f"{page.title:48}{stored:>10.1f}{computed:>10.1f}")

    def show_writes(self, written: list[tuple[str, int, int]]) -> None:
        self.title("What a write costs: its SQL statements")
        self.stdout.write(f"{'':28}{'its own':>10}{'syncfields':>12}")
        for name, own, statements in written:
            self.stdout.write(f"{name:28}{own:>10}{f'+{statements - own}':>12}")

    def finish(self, seconds: float) -> None:
        users = get_user_model()._default_manager
        if not users.filter(username="demo").exists():
            users.create_superuser("demo", password="demo")
        self.title(f"Done in {seconds:.0f} s")
        manage = f"{short(Path(sys.executable))} {short(MANAGE)}"
        self.stdout.write(
            "See for yourself, as user demo with password demo:\n"
            f"  {manage} runserver\n"
            'Change a row in the admin. Its page "Synced fields" says whether all is right,\n'
            "and so does:\n"
            f"  {manage} reconcile --check"
        )

    def run(self, *command: str, drift: bool = False, brief: bool = False) -> None:
        """Run a command and show it as one would type it; `--check` must find what is expected.

        `brief`: of its output, only the last line.
        """
        self.stdout.write(self.style.MIGRATE_LABEL(f"$ manage.py {' '.join(command)}"))
        output, found = StringIO(), False
        try:
            call_command(*command, stdout=output, stderr=self.stderr)
        except SystemExit as leaving:
            found = bool(leaving.code)
        lines = output.getvalue().splitlines()
        self.stdout.write("\n".join(lines[-1:] if brief else lines))
        if found != drift:
            raise CommandError(f"`{' '.join(command)}` should{'' if drift else ' not'} find drift.")

    def title(self, text: str) -> None:
        self.stdout.write(self.style.MIGRATE_HEADING(f"\n{text}"))


def short(path: Path) -> Path:
    """As one would type it from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
