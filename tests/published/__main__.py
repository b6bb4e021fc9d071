"""``python -m tests.published``: build the package as it is published, check it, install it into an
environment that has nothing else, and use it there.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import venv
from email import message_from_bytes
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "syncfields"
EXTRAS = {"progress", "postgresql", "mysql"}
RELATIVE_LINK = re.compile(r"\]\((?!https?://|#)[^)]*\)")
IMAGE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)")


def main() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        built = folder / "dist"
        run(sys.executable, "-m", "build", "--outdir", built, ROOT)
        wheel, sdist = *built.glob("*.whl"), *built.glob("*.tar.gz")
        run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
        check_wheel(wheel)
        check_sdist(sdist)
        use(wheel, folder)
    print("built, checked, installed and used")


def run(*command: object, folder: Path | None = None, fails: bool = False) -> str:
    """What a command prints. It has to succeed, or to fail."""
    words = list(map(str, command))
    print("$", *words, flush=True)
    result = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    printed = result.stdout + result.stderr
    if bool(result.returncode) is not fails:
        raise SystemExit(f"{printed}\nexited with {result.returncode}")
    return printed


def expect(condition: object, message: str) -> None:
    if not condition:
        raise SystemExit(message)


def check_wheel(wheel: Path) -> None:
    """Nothing but the package, all of it, and metadata that says where more is."""
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (each for each in names if each.endswith(".dist-info/METADATA"))
        said = message_from_bytes(archive.read(metadata))
    files = {each for each in names if ".dist-info/" not in each}
    there = {
        str(each.relative_to(ROOT))
        for each in PACKAGE.rglob("*")
        if each.is_file() and "__pycache__" not in each.parts
    }
    expect(files == there, f"Not the package: {sorted(files ^ there)}")
    expect("syncfields/py.typed" in files, "Its types are not told of.")
    expect(set(said.get_all("Provides-Extra")) == EXTRAS, said.get_all("Provides-Extra"))
    labels = {each.split(", ")[0] for each in said.get_all("Project-URL")}
    expect({"Documentation", "Issues", "Repository"} <= labels, sorted(labels))
    expect("@" in said["Author-email"], "Nobody can be written to.")
    readme = said.get_payload()
    expect("## Install" in readme, "The README is missing.")
    expect(not RELATIVE_LINK.findall(readme), RELATIVE_LINK.findall(readme))
    images = IMAGE.findall(readme)
    expect(images, "The README has lost its picture.")
    expect(all("/raw/" in each for each in images), f"No pictures, but pages: {images}")


def check_sdist(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"LICENSE", "README.md", "pyproject.toml", "hatch_build.py", "syncfields/py.typed"}
    expect(needed <= names, f"The source lacks {sorted(needed - names)}")
    hidden = [name for name in names if name.startswith(".") and name != ".gitignore"]
    expect(not hidden, f"The source has {hidden}")


def use(wheel: Path, folder: Path) -> None:
    """A project of its own: checks, migrations, a test that its rules are looked at."""
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    run(python, "-m", "pip", "install", "--quiet", wheel, "pytest", "pytest-django")

    version = run(python, "-c", "import syncfields; print(syncfields.__version__)", folder=folder)
    expect(f"-{version.strip()}-" in wheel.name, f"{wheel.name} is version {version}")

    run(python, "-m", "django", "startproject", "project", folder, folder=folder)
    shop = folder / "shop"
    shop.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    settings = folder / "project" / "settings.py"
    with settings.open("a", encoding="utf-8") as file:
        file.write('\nINSTALLED_APPS += ["syncfields", "shop"]\n')
    run(python, "manage.py", "makemigrations", "shop", folder=folder)
    run(python, "manage.py", "migrate", folder=folder)
    level = ("--deploy", "--fail-level", "CRITICAL")
    printed = run(python, "manage.py", "check", *level, folder=folder)
    expect("/checks.html#syncfieldsw001" in printed, printed)
    expect("0 value(s)" in run(python, "manage.py", "reconcile", folder=folder), "reconcile")
    printed = run(python, "-W", "error", "-m", "pytest", "-q", folder=folder, fails=True)
    expect("shop.Order.line_count: 1 of 1 row(s) drifted" in printed, printed)
    expect("1 failed, 1 passed" in printed, printed)


FILES = {
    "shop/__init__.py": "",
    "shop/models.py": """
from django.db import models
from django.db.models import Count
from syncfields import synced


class Order(models.Model):
    line_count = synced(models.PositiveIntegerField(default=0), Count("lines"))


class Line(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
""",
    "pytest.ini": """
[pytest]
DJANGO_SETTINGS_MODULE = project.settings
syncfields_in_sync = true
""",
    "test_shop.py": """
import pytest
from shop.models import Line, Order
from syncfields import unsynced

pytestmark = pytest.mark.django_db


def test_kept():
    Line.objects.create(order=Order.objects.create())


def test_not_kept():
    with unsynced():
        Line.objects.create(order=Order.objects.create())
""",
}

if __name__ == "__main__":
    main()
