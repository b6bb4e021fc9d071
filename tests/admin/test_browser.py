"""The page "Synced fields" in a real browser: Chromium, by its own driver."""

from __future__ import annotations

import os
import shutil

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection

from syncfields import unsynced
from syncfields.admin import steps
from syncfields.testing import assert_in_sync
from tests.testapp.models import Badge, Book, Shelf

pytest.importorskip("selenium")

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
REQUIRED = "chromium" in os.environ.get("SYNCFIELDS_REQUIRE", "").split(",")
WAIT = 20
SHELF = "testapp.Shelf.book_count"

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "sqlite", reason="a browser is tried once, with SQLite"
    ),
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER) and not REQUIRED,
        reason="there is no Chromium here with its driver",
    ),
]


@pytest.fixture(scope="module")
def chromium():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for each in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,1000"):
        options.add_argument(each)
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(chromium, client, live_server, settings):
    """The browser, logged in, before the page."""
    settings.ROOT_URLCONF = "tests.admin.urls"
    cache.clear()
    user = User.objects.create_superuser("root", password="root")
    Badge.objects.create(holder=user)  # So is_staff follows: it has a rule.
    client.force_login(user)
    chromium.get(f"{live_server.url}/admin/")
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    chromium.add_cookie({"name": cookie.key, "value": cookie.value, "path": "/"})
    chromium.get(f"{live_server.url}/admin/")
    one(chromium, "a[href$='/syncfields_admin/syncedfield/']").click()
    yield chromium
    assert not [each for each in chromium.get_log("browser") if is_ours(each)]


@pytest.fixture
def shelves():
    shelves = [Shelf.objects.create() for _ in range(25)]
    for shelf in shelves:
        Book.objects.create(shelf=shelf)
    with unsynced():
        Shelf.objects.filter(pk__in=[each.pk for each in shelves[3:5]]).update(book_count=9)
    return shelves


def is_ours(entry):
    return entry["level"] == "SEVERE" and "favicon" not in entry["message"]


def one(browser, selector):
    return browser.find_element("css selector", selector)


def only(browser, label):
    """Choose one rule of all."""
    one(browser, ".sf-all").click()
    one(browser, f"input[value='{label}']").click()


def press(browser, action):
    one(browser, f"button[value={action}]").click()


def wait_for(browser, text, where=".sf-status"):
    def said(_):
        return text in one(browser, where).text

    waiting = WebDriverWait(browser, WAIT, ignored_exceptions=[StaleElementReferenceException])
    waiting.until(said, f"never said: {text}")


def drift_of(browser, label):
    return one(browser, f"tr[data-label='{label}'] .sf-drift").text


def test_check_then_repair(shelves, page):
    only(page, SHELF)
    press(page, "check")
    wait_for(page, "25 values looked at: 2 have drifted.")

    assert drift_of(page, SHELF).splitlines()[0] == "2 of 25"
    link = one(page, f"tr[data-label='{SHELF}'] .sf-drift a")
    assert link.get_attribute("href").endswith(f"/testapp/shelf/{shelves[3].pk}/change/")

    press(page, "repair")
    wait_for(page, "25 values looked at: 2 repaired.")

    assert_in_sync(Shelf)
    page.refresh()
    assert drift_of(page, SHELF) == "2 of 25, 2 repaired"


def test_many_steps_with_a_bar_that_comes_on(shelves, page, monkeypatch):
    monkeypatch.setattr(steps, "ROWS", 2)
    monkeypatch.setattr(steps, "SECONDS", 1e-9)

    only(page, SHELF)
    press(page, "repair")
    wait_for(page, "25 values looked at: 2 repaired.")

    assert_in_sync(Shelf)
    assert not one(page, "progress").is_displayed()
    assert one(page, "button[value=check]").is_enabled()


def test_all_rules(shelves, page):
    press(page, "check")
    wait_for(page, "2 have drifted.")

    assert "2 of 25" in drift_of(page, SHELF)


def test_a_link_leads_to_the_row(shelves, page):
    only(page, SHELF)
    press(page, "check")
    wait_for(page, "2 have drifted.")

    one(page, f"tr[data-label='{SHELF}'] .sf-drift a").click()

    wait_for(page, "Change shelf", "#content")


def test_what_a_write_costs(page):
    one(page, f"tr[data-label='{SHELF}'] .sf-link").click()

    wait_for(page, "UPDATE testapp_shelf", "#content-main")


def test_the_graph_is_a_picture(page):
    graph = one(page, ".sf-graph svg")

    assert graph.size["width"] > 100
    assert SHELF in graph.text
