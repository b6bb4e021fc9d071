"""Where the documentation is, as the hints of the checks say it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from syncfields.checks import hints

PAGE = Path(__file__).parents[2] / "docs" / "checks.md"


@pytest.fixture(autouse=True)
def anew():
    hints.documentation.cache_clear()
    yield
    hints.documentation.cache_clear()


class Installed:
    """The metadata of an installed package."""

    def __init__(self, *urls):
        self.urls = list(urls)

    def get_all(self, name):
        assert name == "Project-URL"
        return self.urls or None


def test_a_hint_ends_in_the_address_of_the_heading(monkeypatch):
    urls = "Issues, https://example.org/issues", "Documentation, https://example.org/docs/"
    monkeypatch.setattr(hints, "metadata", lambda name: Installed(*urls))

    assert hints.see("syncfields.E001") == "See https://example.org/docs/checks.html#syncfieldse001"
    assert hints.see("W005") == "See https://example.org/docs/checks.html#syncfieldsw005"
    assert "\n## syncfields.E001\n" in PAGE.read_text("utf-8")


def test_without_an_address_it_names_the_page(monkeypatch):
    monkeypatch.setattr(hints, "metadata", lambda name: Installed())

    assert hints.see("syncfields.E001") == "See docs/checks.md."


def test_a_checkout_that_is_not_installed_names_the_page(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(hints, "metadata", missing)

    assert hints.see("syncfields.E001") == "See docs/checks.md."
