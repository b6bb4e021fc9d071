"""Where the documentation is. Its address is said once, by ``project.urls`` in pyproject.toml, and
known to what is installed.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, metadata

DISTRIBUTION = "syncfields"


def see(id: str) -> str:
    """The end of each hint: where more is said about a check."""
    # No full stop after an address, of which it would become a part.
    end = "." if documentation() is None else ""
    return f"See {page('checks', 'syncfields' + id.rpartition('.')[2].lower())}{end}"


def page(name: str, heading: str = "") -> str:
    """Where a page of the documentation is."""
    address = documentation()
    if address is None:  # Of a checkout that is not installed.
        return f"docs/{name}.md"
    return f"{address}{name}.html{heading and '#' + heading}"


@cache
def documentation() -> str | None:
    """The address of the documentation, up to the names of its pages."""
    try:
        found = metadata(DISTRIBUTION).get_all("Project-URL") or []
    except PackageNotFoundError:
        return None
    addresses = dict(each.split(", ", 1) for each in found)
    return addresses.get("Documentation")
