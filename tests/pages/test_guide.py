"""docs/guide.md."""

from __future__ import annotations

import re
import unittest

import club.models
import forum.models
import front.models
import news.models
import pytest
import vendor.models
from asgiref.sync import async_to_sync
from django.contrib.admin import site
from django.db import models
from django.test import RequestFactory, override_settings

import shop.models
from syncfields import SyncManager, unsynced
from syncfields.checks.declarations import check_settings
from syncfields.testing import assert_in_sync

PAGE = "docs/guide.md"


def of(heading, number=1):
    """A test of this block of the page."""
    return pytest.mark.block(PAGE, heading, number)


@pytest.fixture
def order(db):
    customer = shop.models.Customer.objects.create(name="Ann")
    order = shop.models.Order.objects.create(customer=customer)
    order.lines.create(price=3, quantity=2)
    return order


@pytest.fixture
def post(db):
    return front.models.Post.objects.create(title="First")


@of("Declaring a rule")
def test_declaring_a_rule(order):
    order.lines.create(price=4)
    customer = order.customer

    assert (order.total, customer.spend, customer.open_orders) == (10, 10, 1)
    assert (order.customer_name, customer.last_order_at) == ("Ann", order.placed)
    assert order.modified
    assert_in_sync("shop")


@of("Expressions that name models")
def test_expressions_that_name_models(db):
    topic = forum.models.Topic.objects.create()
    answer = topic.answers.create()
    assert not topic.is_answered

    forum.models.Answer.objects.filter(pk=answer.pk).update(is_accepted=True)

    assert forum.models.Topic.objects.get().is_answered
    assert_in_sync("forum")


@of("Counting events with Tally")
def test_tally(db):
    member = club.models.Member.objects.create(name="Ann")
    member.sessions.create()
    member.sessions.all().delete()
    member.purchases.create(quantity=3)
    member.purchases.create(is_gift=True)

    assert (member.logins, member.points) == (1, 30)


@of("Models you cannot edit")
def test_register_in_ready(db):
    account = vendor.models.Account.objects.create()
    vendor.models.Order.objects.create(account=account)

    assert account.order_count == 1
    assert_in_sync(vendor.models.Account)


@of("Forms, the admin and migrations")
def test_the_admin(run, post, admin_user):
    admin = run().PostAdmin(front.models.Post, site)
    request = RequestFactory().get("/")
    request.user = admin_user

    assert "comment_count" in admin.get_readonly_fields(request, post)
    assert admin.get_list_display(request)[:2] == ["title", "comment_count"]
    assert not admin.check()


@of("unsynced()")
def test_unsynced(run, post):
    names = run()

    names.load([front.models.Comment(post=post) for _ in range(3)])
    post.refresh_from_db()
    assert post.comment_count == 3
    assert_in_sync(front.models.Post)

    names.restore(post, 7)
    post.refresh_from_db()
    assert post.comment_count == 7


@of("unsynced()", 2)
def test_unsynced_in_async_code(run, post):
    async_to_sync(run().aload)([front.models.Comment(post=post) for _ in range(3)])

    post.refresh_from_db()
    assert post.comment_count == 3


@of("coalesce() and flush()")
def test_coalesce(run, order):
    assert run().add_lines(order, [{"price": 5}, {"price": 7}]) == 18
    assert_in_sync("shop")


@of("Reconcile")
def test_reconcile(run, order, capsys):
    with unsynced():
        order.lines.create(price=4)

    run().nightly()

    assert capsys.readouterr().out.startswith("shop.Order.total 1 ")
    order.refresh_from_db()
    assert order.total == 10


@of("Reconcile", 2)
def test_a_manager_that_says_it(db):
    assert isinstance(news.models.Post.objects, SyncManager)


@of("Reconcile", 3)
def test_rows_that_a_queryset_selects(run):
    for name in ("News", "Other"):
        post = news.models.Post.objects.create(blog=news.models.Blog.objects.create(name=name))
        with unsynced():
            post.comments.create()

    report = run(Post=news.models.Post).report

    assert [(each.scanned, each.drifted) for each in report.rules] == [(1, 1)]


@of("Reconcile", 4)
def test_drift_that_a_write_has_found(run, post, capsys):
    _receiver = run()
    with unsynced():
        comment = post.comments.create()

    comment.delete()  # A count cannot be -1. There was one before it.

    assert capsys.readouterr().out == f"front.Post.comment_count {post.pk} 0 1\n"


@of("When values have changed")
def test_when_values_have_changed(run, post, capsys, django_capture_on_commit_callbacks):
    _receiver = run(Post=front.models.Post)

    with django_capture_on_commit_callbacks(execute=True):
        post.comments.create()

    out = capsys.readouterr().out
    assert out.startswith(f"[{post.pk}] frozenset(")
    assert {*re.findall(r"'(\w+)'", out)} == {"comment_count", "last_comment_at"}


@of("Testing")
def test_tests_that_end_with_a_look(run):
    names = run()
    names.OrderTests.test = lambda self: None

    assert passed(names.ImportTests) == 1
    assert passed(names.OrderTests) == 1


@of("Testing", 3)
def test_tests_that_write_the_number_by_hand(run, monkeypatch):
    def popular(manager):
        return manager.order_by("-comment_count")

    monkeypatch.setattr(models.Manager, "popular", popular, raising=False)
    front.models.Post.objects.create()

    assert passed(run(Post=front.models.Post).PostTests) == 1


@of("Testing", 4)
def test_tests_of_what_a_write_costs(run):
    assert passed(run(Post=front.models.Post).CommentTests) == 1


def passed(case):
    """How many tests a class has, all of which pass."""
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    assert not [*result.failures, *result.errors]
    return result.testsRun


@of("Settings")
def test_settings(run):
    with override_settings(SYNCFIELDS=run().SYNCFIELDS):
        assert check_settings() == []
