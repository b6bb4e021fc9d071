"""``SyncedAdminMixin``, by the pages that Django's test client gets."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse

from syncfields.admin import SyncedAdminMixin
from syncfields.testing import assert_in_sync
from tests.menagerie import write_behind
from tests.testapp.models import (
    Badge,
    Blog,
    Book,
    Comment,
    Place,
    Post,
    Restaurant,
    Review,
    Shelf,
    TallyHive,
    Zone,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def browse(client):
    return logged_in(client, User.objects.create_superuser("root", password="root"))


def logged_in(client, user):
    Badge.objects.create(holder=user)  # So is_staff follows: it has a rule.
    client.force_login(user)
    return client


def page(model, name="changelist", *args):
    return reverse(f"admin:testapp_{model._meta.model_name}_{name}", args=args, current_app="trial")


def form_of(response):
    return response.context["adminform"]


def shown(response):
    return [name for fieldset in form_of(response) for line in fieldset for name in line.fields]


def test_synced_fields_are_shown_and_cannot_be_edited(browse):
    blog = Blog.objects.create(name="News")
    Post.objects.create(blog=blog)

    response = browse.get(page(Blog, "change", blog.pk))

    assert set(form_of(response).form.fields) == {"name"}
    assert {"name", "post_count", "last_comment_at"} <= set(shown(response))
    assert "engagement" not in shown(response)  # BlogAdmin.exclude
    assert "post_count" in form_of(response).readonly_fields


def test_what_a_browser_sends_all_the_same_is_not_stored(browse):
    blog = Blog.objects.create(name="News")
    given = {
        "name": "Old",
        "post_count": 7,
        "posts-TOTAL_FORMS": 1,
        "posts-INITIAL_FORMS": 0,
        "posts-0-title": "First",
        "posts-0-comment_count": 9,
    }

    response = browse.post(page(Blog, "change", blog.pk), given)

    assert response.status_code == 302, form_of(response).errors
    blog.refresh_from_db()
    assert (blog.name, blog.post_count) == ("Old", 1)
    assert_in_sync()


def test_an_add_form_asks_for_no_synced_field(browse):
    given = {"blog": Blog.objects.create().pk, "title": "First"}

    response = browse.post(page(Post, "add"), given)

    assert response.status_code == 302, form_of(response).errors
    assert Post.objects.get().title == "First"


def test_inlines_show_them_too(browse):
    blog = Blog.objects.create()
    Post.objects.create(blog=blog)

    (inline,) = browse.get(page(Blog, "change", blog.pk)).context["inline_admin_formsets"]

    assert "comment_count" not in inline.formset.forms[0].fields
    assert "comment_count" in inline.readonly_fields


def test_a_child_shows_the_fields_of_its_parent(browse):
    row = Restaurant.objects.create()

    response = browse.get(page(Restaurant, "change", row.pk))

    assert {"dish_count", "review_count"} <= set(form_of(response).readonly_fields)


def test_rows_that_have_drifted_are_marked(browse):
    one, two = Shelf.objects.create(), Shelf.objects.create()
    Book.objects.create(shelf=one, pages=3)
    write_behind(Shelf, book_count=1)

    text = browse.get(page(Shelf)).content.decode()

    assert text.count("syncfields-drift") == 1
    assert 'title="stored 1, expected 0">&#9888; book_count' in text
    assert f"/shelf/{two.pk}/" in text


def test_a_child_is_marked_where_its_parent_has_drifted(browse):
    row = Restaurant.objects.create()
    Review.objects.create(place=row, grade=1)
    write_behind(Place, review_count=5)

    assert "&#9888; review_count" in browse.get(page(Restaurant)).content.decode()
    assert "&#9888; review_count" in browse.get(page(Place)).content.decode()


def test_a_row_that_nobody_can_judge_is_marked_by_a_question(browse, monkeypatch):
    def fail(queryset):
        raise ImproperlyConfigured

    monkeypatch.setattr("syncfields.admin.mixins.drifted_rows", fail)
    Shelf.objects.create()

    assert '<td class="field-drift">?</td>' in browse.get(page(Shelf)).content.decode()


@pytest.mark.parametrize("model", [Comment, TallyHive])
def test_what_has_no_truth_has_no_drift(browse, model):
    model.objects.create()

    response = browse.get(page(model))

    assert response.status_code == 200
    assert ("column-drift" in response.content.decode()) is (model is TallyHive)


def reconcile_selected(browse, *rows):
    given = {"action": "reconcile_selected", "_selected_action": [row.pk for row in rows]}
    response = browse.post(page(Shelf), given)
    return [str(each) for each in get_messages(response.wsgi_request)]


def test_the_action_repairs_what_is_selected_and_no_other(browse):
    one, two = Shelf.objects.create(), Shelf.objects.create()
    write_behind(Shelf, book_count=8)

    said = reconcile_selected(browse, one)

    assert said == ["2 value(s) looked at: 1 value(s) repaired."]
    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.book_count, two.book_count) == (0, 8)


def test_the_action_says_why_it_cannot(browse, monkeypatch):
    def fail(queryset):
        raise ImproperlyConfigured("a rule has an error")

    monkeypatch.setattr("syncfields.admin.mixins.reconcile", fail)

    assert reconcile_selected(browse, Shelf.objects.create()) == ["a rule has an error"]


def test_the_action_needs_the_permission_to_change(client):
    viewer = User.objects.create_user("viewer")
    viewer.user_permissions.add(Permission.objects.get(codename="view_shelf"))
    logged_in(client, viewer)
    row = Shelf.objects.create()
    write_behind(Shelf, book_count=8)

    assert "reconcile_selected" not in client.get(page(Shelf)).content.decode()
    assert reconcile_selected(client, row) in ([], ["No action selected."])
    row.refresh_from_db()
    assert row.book_count == 8


def test_the_action_is_not_offered_where_there_are_none(browse):
    Zone.objects.create()

    assert "reconcile_selected" not in browse.get(page(Zone)).content.decode()
    assert "reconcile_selected" not in browse.get(page(Comment)).content.decode()


@pytest.mark.parametrize("base", [admin.ModelAdmin, admin.TabularInline, admin.StackedInline])
def test_a_mixin_that_would_show_nothing_is_refused(base):
    with pytest.raises(TypeError, match=r"Late: name SyncedAdminMixin before the class of the ad"):

        class Late(base, SyncedAdminMixin):
            pass
