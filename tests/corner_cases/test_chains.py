"""Rules that read synced fields."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from tests.statements import sent
from tests.testapp import models as zoo
from tests.testapp.models import Blog, Comment, Customer, Line, Order, Post
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db

DAY = dt.date(2026, 1, 1)


def test_counts_of_counts_follow():
    one, two = Blog.objects.create(), Blog.objects.create()
    post = Post.objects.create(blog=one)
    comment = Comment.objects.create(post=post)
    assert Blog.objects.get(pk=one.pk).comment_total == 1
    assert_truth()

    post.blog = two
    post.save()
    assert_truth()
    comment.delete()

    assert Blog.objects.get(pk=two.pk).comment_total == 0
    assert_truth()


def test_extremes_of_extremes_follow():
    blog = Blog.objects.create()
    posts = [Post.objects.create(blog=blog) for _ in range(2)]
    times = [dt.datetime(2026, 1, day, tzinfo=dt.timezone.utc) for day in (1, 2, 3)]
    for post, created in zip((*posts, posts[0]), times, strict=True):
        Comment.objects.create(post=post, created=created)
    assert_truth()

    Comment.objects.get(created=times[2]).delete()
    assert Blog.objects.get().last_comment_at == times[1]
    assert_truth()
    posts[1].delete()

    assert Blog.objects.get().last_comment_at == times[0]
    assert_truth()


def test_sums_of_sums_follow_once():
    customer = Customer.objects.create(code="c")
    order = Order.objects.create(customer=customer)
    line = Line.objects.create(order=order, qty=2, price=Decimal("9.99"), date=DAY)
    assert_truth()

    line.qty = 3
    with sent() as statements:
        line.save()

    assert (statements.updates(Order), statements.updates(Customer)) == (1, 1)
    assert Customer.objects.get().spend == Decimal("29.97")
    assert_truth()


def test_a_change_that_evens_out_stops_half_way():
    order = Order.objects.create(customer=Customer.objects.create(code="c"))
    line = Line.objects.create(order=order, qty=2, price=Decimal(3))

    line.qty, line.price = 3, Decimal(2)
    with sent() as statements:
        line.save()

    assert statements.updates(Customer) == 0
    assert_truth()


def test_a_copy_of_a_count_follows():
    parent = zoo.Category.objects.create()
    child = zoo.Category.objects.create(parent=parent)
    assert zoo.Category.objects.get(pk=child.pk).sibling_count == 1

    zoo.Category.objects.create(parent=parent)

    assert zoo.Category.objects.get(pk=child.pk).sibling_count == 2
    assert_truth()


@pytest.mark.parametrize("edit", [{"qty": 5}, {"order": None}, {"price": 0}, {"date": DAY}])
def test_a_chain_follows_a_target_that_moves(edit):
    one, two = (Customer.objects.create(code=code) for code in "ab")
    orders = [Order.objects.create(customer=customer) for customer in (one, one, two)]
    lines = [Line.objects.create(order=order, qty=2, price=Decimal("1.5")) for order in orders]

    for name, value in edit.items():
        setattr(lines[0], name, value)
    lines[0].save()
    assert_truth()
    orders[0].customer = two
    orders[0].save()
    assert_truth()
    orders[2].delete()

    assert_truth()
