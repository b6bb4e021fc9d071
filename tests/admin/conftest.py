import pytest


@pytest.fixture(autouse=True)
def pages(settings):
    """Other tests have no pages, and tests/packages has its own."""
    settings.ROOT_URLCONF = "tests.admin.urls"
