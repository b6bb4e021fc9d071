"""Where the documentation is. Its address is said once, by ``project.urls`` in pyproject.toml, and
known to what is installed.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, metadata

DISTRIBUTION = "syncfields"


def see(id: str) -> str:
    """The end of each hint: where more is said about a check."""
    address = documentation()
    if address is None:  # Of a checkout that is not installed.
        return "See docs/checks.md."
    return f"See {address}checks.html#syncfields{id.rpartition('.')[2].lower()}"


@cache
def documentation() -> str | None:
    """The address of the documentation, up to the names of its pages."""
    try:
        found = metadata(DISTRIBUTION).get_all("Project-URL") or []
    except PackageNotFoundError:
        return None
    addresses = dict(each.split(", ", 1) for each in found)
    return addresses.get("Documentation")
