"""`python -m tests [arguments for pytest]`: run the tests once on each database that answers."""

from __future__ import annotations

import os
import subprocess
import sys

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections

from tests import databases


def main(arguments: list[str]) -> int:
    chosen = os.environ.get("SYNCFIELDS_TEST_DATABASE")
    names = [chosen] if chosen else list(databases.NAMES)
    required = {chosen or "sqlite", *os.environ.get("SYNCFIELDS_REQUIRE", "").split(",")}
    if unknown := {*names, *required} - {*databases.NAMES, "chromium", "pgbouncer", ""}:
        sys.exit(f"No such database: {', '.join(sorted(unknown))}.")

    probes = {name: probe(name) for name in names}
    report(probes)
    outcomes = {}
    for name, (answers, _) in probes.items():
        if not answers:
            outcomes[name] = "missing, but required" if name in required else "not run"
            continue
        code = run(name, arguments)
        outcomes[name] = "ok" if code == 0 else f"FAILED (pytest exited {code})"

    report(probes)
    print(", ".join(f"{name}: {outcome}" for name, outcome in outcomes.items()), flush=True)
    return int(any(outcome not in ("ok", "not run") for outcome in outcomes.values()))


def probe(name: str) -> tuple[bool, str]:
    """Whether the database answers, and its version or the reason why not."""
    connection = connections[name]
    try:
        version = ".".join(map(str, connection.get_database_version()))
    except (Error, ImproperlyConfigured) as error:
        return False, " ".join(str(error).split())
    host, port = connection.settings_dict["HOST"], connection.settings_dict["PORT"]
    return True, f"{version} at {host}:{port}" if host else version


def report(probes: dict[str, tuple[bool, str]]) -> None:
    print()
    for name, (answers, text) in probes.items():
        print(f"{name}: {text if answers else f'did not answer, so not used: {text}'}")


def run(name: str, arguments: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", "--numprocesses=auto", *arguments]
    print(f"\n$ SYNCFIELDS_TEST_DATABASE={name} {' '.join(command)}", flush=True)
    environment = {**os.environ, "SYNCFIELDS_TEST_DATABASE": name}
    with subprocess.Popen(command, env=environment) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()  # pytest heard it too, and has databases to remove
            sys.exit("Interrupted.")


if __name__ == "__main__":
    settings.configure(
        DATABASES={"default": {}}
        | {name: databases.configured(name)["default"] for name in databases.NAMES}
    )
    django.setup()
    sys.exit(main(sys.argv[1:]))
