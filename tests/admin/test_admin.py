"""The page "Synced fields", by what Django's test client gets; a browser is in test_browser.py."""

from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.core.cache import cache
from django.core.management import call_command
from django.urls import reverse

from syncfields import unsynced
from syncfields.admin import steps
from syncfields.plan import registry
from syncfields.testing import assert_in_sync
from tests.testapp.models import Badge, Book, Seat, Shelf, TallyHive, Team

pytestmark = pytest.mark.django_db

SHELF = "testapp.Shelf.book_count"
AS_JSON = {"accept": "application/json"}


@pytest.fixture(autouse=True)
def nothing_is_remembered():
    cache.clear()


@pytest.fixture
def browse(client):
    return logged_in(client, User.objects.create_superuser("root", password="root"))


def logged_in(client, user, *permissions):
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    Badge.objects.create(holder=user)  # So is_staff follows: it has a rule.
    client.force_login(user)
    return client


def url(name="changelist", *args):
    return reverse(f"admin:syncfields_admin_syncedfield_{name}", args=args, current_app="trial")


@pytest.fixture
def shelves():
    shelves = [Shelf.objects.create() for _ in range(5)]
    for shelf in shelves:
        Book.objects.create(shelf=shelf)
    return shelves


def drift(*shelves):
    with unsynced():
        Shelf.objects.filter(pk__in=[each.pk for each in shelves]).update(book_count=9)


def line_of(response, label):
    (found,) = (line for line in response.context["lines"] if line.rule.label == label)
    return found


def test_each_rule_is_shown_with_what_it_reads_and_how_it_is_kept(browse):
    response = browse.get(url())

    assert [line.rule.label for line in response.context["lines"]] == sorted(
        rule.label for rule in registry.plan().rules
    )
    line = line_of(response, SHELF)
    assert (line.words, line.sources, line.node.maintenance) == (
        "number of books",
        ["testapp.Book"],
        "delta",
    )
    assert line.outcome is None
    assert "syncfields-graph" in response.text


def test_the_first_page_of_the_admin_leads_to_it(browse):
    response = browse.get(reverse("admin:index", current_app="trial"))

    assert f'href="{url()}"' in response.text


def test_a_check_writes_nothing_and_is_remembered(browse, shelves):
    drift(shelves[1])

    answer = browse.post(url("step"), {"label": SHELF, "action": "check"}, headers=AS_JSON).json()

    (found,) = answer["rules"]
    assert (found["scanned"], found["drifted"], found["repaired"]) == (5, 1, 0)
    (example,) = found["examples"]
    assert example["drift"] == "stored 9, expected 1"
    assert browse.get(example["url"]).status_code == 200
    assert answer["left"] == []
    assert Shelf.objects.get(pk=shelves[1].pk).book_count == 9
    outcome = line_of(browse.get(url()), SHELF).outcome
    assert (outcome.scanned, outcome.left, outcome.finished) == (5, 1, True)


def test_a_repair(browse, shelves):
    drift(*shelves[:2])

    answer = browse.post(url("step"), {"label": SHELF, "action": "repair"}, headers=AS_JSON).json()

    assert answer["rules"][0]["repaired"] == 2
    assert_in_sync(Shelf)
    assert line_of(browse.get(url()), SHELF).outcome.left == 0


def test_step_by_step(browse, shelves, monkeypatch):
    monkeypatch.setattr(steps, "ROWS", 2)
    monkeypatch.setattr(steps, "SECONDS", 1e-9)
    drift(shelves[0], shelves[4])
    given, scanned, number = {"label": SHELF, "action": "repair"}, 0, 0

    while True:
        answer = browse.post(url("step"), given, headers=AS_JSON).json()
        scanned += sum(rule["scanned"] for rule in answer["rules"])
        number += 1
        if not answer["left"]:
            break
        assert not line_of(browse.get(url()), SHELF).outcome.finished
        given = {"label": answer["left"], "action": "repair", "after": answer["after"]}

    assert (scanned, number) == (5, 3)
    assert_in_sync(Shelf)
    outcome = line_of(browse.get(url()), SHELF).outcome
    assert (outcome.scanned, outcome.repaired, outcome.finished) == (5, 2, True)


def test_without_scripts_each_step_is_a_page(browse, shelves, monkeypatch):
    monkeypatch.setattr(steps, "ROWS", 3)
    monkeypatch.setattr(steps, "SECONDS", 1e-9)

    first = browse.post(url("step"), {"label": SHELF, "action": "check"}, follow=True)
    left, after = first.context["left"], first.context["after"]
    second = browse.post(url("step"), {"label": left, "after": after, "action": "check"})

    assert left == [SHELF]
    assert "Go on with what is left" in first.text
    assert str(next(iter(get_messages(first.wsgi_request)))).endswith("0 of 3 values have drifted.")
    assert second.url == f"{url()}?"


def test_what_there_is_to_look_at(browse, shelves):
    answer = browse.post(url("step"), {"label": SHELF, "action": "total"}, headers=AS_JSON)

    assert answer.json() == {"total": 5}


def test_what_a_write_costs(browse):
    response = browse.post(url("costs", SHELF))

    (source,) = response.context["sources"]
    assert source.model == "testapp.Book"
    assert "UPDATE" in response.text
    assert not Shelf.objects.exists()


NONSENSE = {
    "no such rule": {"label": "testapp.Nothing"},
    "no such key": {"label": SHELF, "after": "nonsense"},
}


@pytest.mark.parametrize("action", ["check", "repair", "total"])
@pytest.mark.parametrize("given", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_told(browse, given, action):
    answer = browse.post(url("step"), {**given, "action": action}, headers=AS_JSON).json()

    assert answer.get("error") or action == "total"


@pytest.mark.parametrize("permission", ["view", "change", None])
def test_permissions(client, shelves, permission):
    drift(shelves[0])
    names = [f"{permission}_syncedfield"] if permission else []
    browse = logged_in(client, User.objects.create_user("staff"), *names)

    page = browse.get(url())
    check, repair = (
        browse.post(url("step"), {"label": SHELF, "action": action}, headers=AS_JSON)
        for action in ("check", "repair")
    )
    costs = browse.post(url("costs", SHELF))

    seen = [each.status_code for each in (page, check, repair, costs)]
    if permission is None:
        assert seen == [403] * 4
    elif permission == "view":
        assert seen == [200, 200, 403, 403]
        assert 'value="repair"' not in page.text
        assert Shelf.objects.get(pk=shelves[0].pk).book_count == 9
    else:
        assert seen == [200] * 4
        assert_in_sync(Shelf)


def test_who_is_not_logged_in_is_sent_to_the_form(client):
    for page in (client.get(url()), client.post(url("step"), {"label": SHELF})):
        assert page.status_code == 302
        assert "login" in page.url


def test_a_get_changes_nothing(browse, shelves):
    drift(shelves[0])

    for name, *args in (("step",), ("costs", SHELF)):
        assert browse.get(url(name, *args)).status_code == 302
    assert Shelf.objects.get(pk=shelves[0].pk).book_count == 9


def test_csrf(browse, shelves):
    browse.handler.enforce_csrf_checks = True

    response = browse.post(url("step"), {"label": SHELF, "action": "repair"})

    assert response.status_code == 403


def test_a_tally_has_nothing_to_be_compared_with(browse):
    TallyHive.objects.create()

    response = browse.get(url())

    (line, *_) = (each for each in response.context["lines"] if each.rule.model is TallyHive)
    assert not line.is_checked


def test_keys_of_several_columns_go_on(browse, monkeypatch):
    monkeypatch.setattr(steps, "ROWS", 2)
    monkeypatch.setattr(steps, "SECONDS", 1e-9)
    team = Team.objects.create()
    for number in range(3):
        Seat.objects.create(team=team, number=number)
    given = {"label": "testapp.Seat.visit_count", "action": "check"}

    first = browse.post(url("step"), given, headers=AS_JSON).json()
    second = browse.post(url("step"), given | {"after": first["after"]}, headers=AS_JSON).json()

    assert [each["rules"][0]["scanned"] for each in (first, second)] == [2, 1]


def test_who_goes_through_all_models_finds_nothing():
    out = StringIO()

    call_command("dumpdata", "syncfields_admin", stdout=out)
    call_command("dumpdata", "syncfields_admin", "--all", stdout=out)

    assert out.getvalue().strip() in ("[][]", "[]\n[]")
