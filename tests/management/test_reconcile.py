"""``manage.py reconcile``: how it ends, and how it goes on."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.db import OperationalError, connections

from syncfields import Interrupted, reconcile, unsynced
from syncfields.management.commands import reconcile as module
from syncfields.reconcile.pace import Pace
from syncfields.testing import assert_in_sync
from tests.menagerie import write_behind
from tests.testapp.models import (
    Book,
    City,
    Customer,
    Publisher,
    Seat,
    Shelf,
    Team,
    Wallet,
)

# Checks ask each database what it is.
pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture(autouse=True)
def connected(monkeypatch):
    """The command closes its connections when it ends, in which the test goes on."""
    monkeypatch.setattr(type(connections), "close_all", lambda self: None)


def run(*arguments):
    """The exit code of the command as a shell has it, and what it writes to each stream."""
    command = module.Command(stdout=io.StringIO(), stderr=io.StringIO(), no_color=True)
    try:
        command.run_from_argv(["manage.py", "reconcile", "--no-progress", *arguments])
    except SystemExit as exit_:
        code = exit_.code
    else:
        code = 0
    return code, command.stdout.getvalue(), command.stderr.getvalue()


def drift():
    shelf = Shelf.objects.create()
    with unsynced():
        Book.objects.create(shelf=shelf, pages=3)


def stopped_by(monkeypatch, error):
    """Let the first chunk be the last one."""

    def stop(*args, **kwargs):
        raise error

    monkeypatch.setattr("syncfields.targets.drift.candidates", stop)
    monkeypatch.setattr("syncfields.targets.drift.repair_at_once", stop)


# Exit codes, as docs/reconcile.md lists them -----------------------------------------------------


def test_0_where_nothing_has_drifted():
    assert run("--check")[0] == 0


def test_0_where_drift_was_repaired():
    drift()

    assert run()[0] == 0
    assert run("--check")[0] == 0


def test_1_where_something_has_drifted():
    drift()

    assert run("--check")[0] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("nosuchapp",),
        ("--database", "nowhere"),
        ("--batch-size", "0"),
        ("testapp.Shelf", "--start-after", "abc"),
        ("--sample", "0"),
        ("--sample", "5", "--start-after", "7"),
        ("--max-seconds", "0"),
        ("--sleep", "-1"),
    ],
    ids=" ".join,
)
def test_2_where_it_is_called_wrongly(arguments):
    drift()

    code, out, error = run("--check", *arguments)

    assert (code, out) == (2, "")
    assert error.startswith("CommandError: ")


def test_2_where_an_option_is_unknown():
    result = subprocess.run(
        [sys.executable, "-m", "django", "reconcile", "--no-such-option"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        check=False,
    )

    assert result.returncode == 2


def test_2_where_a_system_check_fails(monkeypatch):
    def fail(*args, **kwargs):
        raise SystemCheckError("one issue")

    monkeypatch.setattr(module.Command, "check", fail)

    assert run("--check")[0] == 2


def test_2_where_something_breaks(monkeypatch, capsys):
    """Python's own exit code is 1, which would be drift."""

    def fail(*args, **kwargs):
        raise ZeroDivisionError("of its own")

    monkeypatch.setattr(module, "reconcile", fail)

    assert run("--check")[0] == 2
    assert "ZeroDivisionError: of its own" in capsys.readouterr().err


def test_3_where_the_database_is_gone(monkeypatch):
    drift()
    stopped_by(monkeypatch, OperationalError("gone"))

    code, _, error = run("testapp.Shelf")

    assert code == 3
    assert "gone; what was done is committed. Resume with:" in error
    assert run("testapp.Shelf", "--traceback")[0] == 3


def test_130_where_the_user_stops_it(monkeypatch):
    drift()
    stopped_by(monkeypatch, KeyboardInterrupt())

    code, out, error = run("testapp.Shelf")

    assert code == 130
    assert "Stopped between two chunks; what was done is committed. Resume with:" in error
    # How to go on is said once.
    assert out.endswith("Not all was looked at.\n")
    assert (out + error).count("manage.py reconcile") == 1


def test_143_where_the_process_is_told_to_end(monkeypatch):
    drift()
    monkeypatch.setattr(Pace, "wait", lambda self: signal.raise_signal(signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)

    code, _, error = run("testapp.Shelf")

    assert code == 143
    assert "Stopped between two chunks; what was done is committed. Resume with:" in error
    assert signal.getsignal(signal.SIGTERM) is before


def test_4_where_time_was_up():
    for _ in range(3):
        Shelf.objects.create()

    code, out, _ = run("testapp.Shelf", "--batch-size=1", "--max-seconds=0.000001")

    assert code == 4
    assert out.endswith(
        "Not all was looked at. Go on with:\n  manage.py reconcile testapp.Shelf.book_count "
        "testapp.Shelf.page_sum --batch-size=1 --max-seconds=1e-06 "
        f"--start-after={Shelf.objects.order_by('pk')[0].pk}\n"
    )


def test_1_where_time_was_up_and_drift_was_found():
    drift()
    Shelf.objects.create()

    assert run("testapp.Shelf", "--check", "--batch-size=1", "--max-seconds=0.000001")[0] == 1


def test_the_help_says_what_the_codes_mean(capsys):
    with pytest.raises(SystemExit):
        module.Command().create_parser("manage.py", "reconcile").parse_args(["--help"])

    printed = " ".join(capsys.readouterr().out.split())
    assert "Exit codes: 0 done" in printed
    assert "143 SIGTERM." in printed


# Which rows --------------------------------------------------------------------------------------


def checked(*arguments):
    """How many rows were looked at for each rule."""
    code, out, error = run("--check", "--format=json", *arguments)
    assert code in (0, 1), error
    return {each["scanned"] for each in json.loads(out)["rules"] if each["reconcilable"]}


def test_where_only_repairs_what_it_names():
    first, second = Shelf.objects.create(), Shelf.objects.create()
    write_behind(Shelf, book_count=7)

    assert run("testapp.Shelf", f"--where=pk={first.pk}")[0] == 0

    assert list(Shelf.objects.order_by("pk").values_list("book_count", flat=True)) == [0, 7]
    assert second.pk > first.pk


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nothing__gte=5", "Cannot resolve keyword 'nothing' into field"),
        ("page_sum", "'page_sum' is no lookup"),
        ("page_sum__isnull=perhaps", "neither true nor false"),
        ("pk=abc", "'pk=abc': "),
        ("page_sum__nothing=5", "nothing"),
    ],
)
def test_2_where_a_lookup_is_none(given, said):
    code, _, error = run("testapp.Shelf", f"--where={given}")

    assert code == 2
    assert said in error


def test_a_lookup_that_is_not_one_of_all_models_asks_for_their_names():
    _, _, error = run("--where=page_sum=5")
    assert error.endswith("Name the models that it is meant for, as app.Model.\n")

    _, _, error = run("testapp.Post", "--where=page_sum=5")
    assert "Name the models" not in error


def test_a_sample_looks_at_as_many_rows():
    for _ in range(10):
        Shelf.objects.create()

    assert checked("testapp.Shelf", "--sample=4") == {4}
    assert checked("testapp.Shelf", "--sample=40") == {10}


def test_the_command_that_goes_on_has_the_same_options():
    for _ in range(3):
        Shelf.objects.create()
    arguments = [
        "testapp.Shelf.book_count",
        "--check",
        "--database=default",
        "--batch-size=1",
        "--where=pk__gt=0",
        "--where=book_count__in=0,1",
        "--max-seconds=0.001",
        "--sleep=0.002",
    ]

    _, out, _ = run(*arguments)

    after = Shelf.objects.order_by("pk")[0].pk
    assert shlex.split(out.splitlines()[-1])[2:] == [*arguments, f"--start-after={after}"]


# What it prints ----------------------------------------------------------------------------------


def test_the_last_line_says_it_all():
    drift()

    assert re.fullmatch(
        r"testapp.Shelf.book_count: 1 of 1 row\(s\) drifted\n"
        r"  pk \d+: stored 0, expected 1\n"
        r"1 rule\(s\), 1 value\(s\) looked at in \d+\.\d s: 1 value\(s\) of 1 rule\(s\) "
        r"have drifted\.\n",
        run("testapp.Shelf.book_count", "--check")[1],
    )
    assert re.fullmatch(
        r"4 rule\(s\), 0 value\(s\) looked at in \d+\.\d s: 0 value\(s\) repaired\.\n",
        run("testapp.Wallet", "--where=pk=0")[1],
    )


def test_json_lines():
    drift()

    _, out, _ = run("testapp.Shelf", "--check", "--format=jsonl")

    *rules, last = [json.loads(line) for line in out.splitlines()]
    assert [each["rule"] for each in rules] == [
        each.label for each in reconcile("testapp.Shelf", check=True).rules
    ]
    assert {
        "rules": len(rules),
        "drifted": 2,
        "ok": False,
        "finished": True,
    }.items() <= last.items()


# Resumed -----------------------------------------------------------------------------------------


def resumed(stop):
    """Carry out the command that goes on, as a shell would take it."""
    _, _, *arguments = shlex.split(module.resume(stop.report))
    out = io.StringIO()
    call_command("reconcile", *arguments, stdout=out, no_progress=True, verbosity=2)
    return out.getvalue()


def stopping(model, done):
    """Progress that stops the run when so many rows of a model are done."""

    def progress(label, number, total):
        if label == model._meta.label and number >= done:
            raise KeyboardInterrupt

    return progress


def shelves_and_publishers():
    """Five rows of two models, every value of which is wrong."""
    shelves = [Shelf.objects.create() for _ in range(5)]
    publishers = [Publisher.objects.create() for _ in range(5)]
    for shelf, publisher in zip(shelves, publishers, strict=True):
        Book.objects.create(shelf=shelf, publisher=publisher, pages=500)
    assert_in_sync(Shelf, Publisher)
    write_behind(Shelf, book_count=7, page_sum=7)
    write_behind(Publisher, thick_count=7)
    return {Shelf: shelves, Publisher: publishers}


def wrong():
    report = reconcile(Shelf, Publisher, check=True)
    return {each.label: each.drifted for each in report.rules if each.drifted}


@pytest.mark.parametrize("done", [1, 2, 4, 5])
@pytest.mark.parametrize("number", [0, 1])
def test_a_run_of_two_models_goes_on_in_the_one_that_it_was_stopped_in(number, done):
    found = shelves_and_publishers()
    order = [each.label.split(".")[1] for each in reconcile(check=True).rules]
    models = sorted(found, key=lambda model: order.index(model.__name__))
    stopped_in, other = models[number], models[1 - number]

    with pytest.raises(Interrupted) as stopped:
        reconcile(Shelf, Publisher, batch_size=1, progress=stopping(stopped_in, done))

    labels = {label.split(".")[1] for label in stopped.value.labels}
    assert labels == {each.__name__ for each in models[number:]}
    keys = [each.pk for each in found[stopped_in]]
    # The row that was being done is committed, but nobody was told.
    assert stopped.value.after == (keys[done - 2] if done > 1 else None)
    left = wrong()
    assert {n for label, n in left.items() if stopped_in.__name__ in label} <= {5 - done}
    assert {n for label, n in left.items() if other.__name__ in label} == ({5} - {5 * number})

    resumed(stopped.value)

    assert wrong() == {}


def test_what_was_done_is_not_done_again():
    shelves_and_publishers()
    with pytest.raises(Interrupted) as stopped:
        reconcile(Shelf, Publisher, batch_size=1, progress=stopping(Shelf, 4))

    assert "testapp.Shelf.book_count: 1 of 2 row(s) repaired" in resumed(stopped.value)


def test_resumed_behind_a_key_of_several_columns():
    team = Team.objects.create(name="reds")
    for number in range(1, 6):
        Seat.objects.create(team=team, number=number)
    write_behind(Seat, team_name="wrong")
    with pytest.raises(Interrupted) as stopped:
        reconcile("testapp.Seat.team_name", batch_size=1, progress=stopping(Seat, 3))
    assert stopped.value.after == (team.pk, 2)

    assert module.resume(stopped.value.report) == (
        f"manage.py reconcile testapp.Seat.team_name '--start-after=[{team.pk}, 2]'"
    )
    resumed(stopped.value)

    assert_in_sync("testapp.Seat")


def test_resumed_behind_a_key_that_a_shell_would_take_apart():
    for code in ("-a b", "a'b", "b;c"):
        Customer.objects.create(code=code)
    keys = list(Customer.objects.order_by("pk").values_list("pk", flat=True))
    with pytest.raises(Interrupted) as stopped:
        reconcile(Customer, batch_size=1, progress=stopping(Customer, 3))
    assert stopped.value.after == keys[1]

    assert ": 0 of 1 row(s) drifted" in resumed(stopped.value)


def test_a_key_that_is_none_is_named():
    with pytest.raises(CommandError, match="abc"):
        call_command("reconcile", "testapp.Wallet", start_after="abc", stderr=io.StringIO())
    assert not City.objects.exists()
    assert not Wallet.objects.exists()
