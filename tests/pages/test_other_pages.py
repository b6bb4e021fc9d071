"""README.md, and the pages that show little code."""

from __future__ import annotations

from types import SimpleNamespace

import blog.models
import front.models
import pytest
import tenants.models
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import RequestFactory, override_settings

import shop.models
from syncfields import unsynced
from syncfields.explain import labels
from syncfields.testing import assert_in_sync

MANY = "By many workers, on many machines"


@pytest.fixture
def order(db):
    """An order over 6, of which the database says 0."""
    customer = shop.models.Customer.objects.create(name="Ann")
    order = shop.models.Order.objects.create(customer=customer)
    with unsynced():
        order.lines.create(price=3, quantity=2)
    return order


@pytest.mark.block("README.md", "syncfields")
def test_what_now_stays_true(db):
    made = blog.models.Blog.objects.create(name="News")
    one, other = (made.posts.create(title=title) for title in ("One", "Other"))
    comments = [one.comments.create() for _ in range(3)]
    comments[0].delete()
    comments[1].post = other
    comments[1].save()
    blog.models.Comment.objects.filter(pk=comments[2].pk).update(is_public=False)
    one.title = "First"
    one.save()
    user = User.objects.create(username="ann")
    profile = blog.models.Profile.objects.create(user=user)
    user.email = "ann@example.org"
    user.save()

    for each in (made, one, other, profile):
        each.refresh_from_db()
    assert (one.comment_count, one.public_count, other.comment_count) == (1, 0, 1)
    assert other.last_comment_at == comments[1].created
    assert (made.comment_total, profile.email, profile.points) == (2, "ann@example.org", 100)
    assert_in_sync("blog")


@pytest.mark.block("README.md", "Install")
def test_what_is_installed(run):
    assert run().INSTALLED_APPS == ["syncfields"]


@pytest.mark.block("docs/start.md", "1. A project")
def test_what_the_first_project_installs(run):
    assert run().INSTALLED_APPS == ["syncfields", "blog"]


@pytest.mark.block("docs/index.md", "syncfields")
def test_the_first_page(db):
    post = front.models.Post.objects.create(title="Hello")
    comment = post.comments.create()

    assert (post.comment_count, post.last_comment_at) == (1, comment.created)
    assert_in_sync("front")


@pytest.mark.block("docs/costs.md", "Counting for yourself")
def test_the_statements_of_a_write(run, db):
    post = front.models.Post.objects.create()

    sent = run().statements(post.comments.create)

    assert [each.split()[0] for each in sent] == ["INSERT", "UPDATE"]


@pytest.mark.block("docs/cookbook.md", "Importing many rows")
def test_importing_many_rows(run, order):
    run(Line=shop.models.Line).import_lines({"A": order.pk}, [{"number": "A", "price": 4}])

    order.refresh_from_db()
    assert order.total == 4, "the difference, to what was there"


@pytest.mark.block("docs/cookbook.md", "Two parents in opposite orders")
def test_two_parents_in_opposite_orders(run, order):
    other = shop.models.Order.objects.create(customer=order.customer)

    run(Line=shop.models.Line).transfer(order, other, 4)

    for each in (order, other):
        each.refresh_from_db()
    assert (order.total, other.total) == (-4, 4)


@pytest.mark.block("docs/cookbook.md", "A transaction that is run again")
@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_is_run_again(run):
    names = run()
    errors = [names.OperationalError("database is locked")] * 2

    @names.tried_again
    def write():
        assert transaction.get_connection().in_atomic_block
        if errors:
            raise errors.pop()
        return "written"

    assert write() == "written"


@pytest.mark.block("docs/reconcile.md", "The function")
def test_the_function(run, order):
    run()

    assert_in_sync("shop")
    order.refresh_from_db()
    assert order.total == 6


@pytest.fixture
def celery(tmp_path):
    """An application whose workers are the test itself."""
    found = pytest.importorskip("celery")
    app = found.Celery("pages", set_as_current=True)
    app.conf.task_always_eager = True
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    with override_settings(CACHES={"default": {"BACKEND": backend, "LOCATION": str(tmp_path)}}):
        yield SimpleNamespace(app=app, crontab=__import__("celery.schedules").schedules.crontab)


@pytest.mark.block("docs/reconcile.md", MANY)
def test_the_schedule(run, celery):
    run(app=celery.app, crontab=celery.crontab)

    celery.app.loader.import_default_modules()
    (entry,) = celery.app.conf.beat_schedule.values()
    assert entry["task"] in celery.app.tasks


@pytest.mark.block("docs/reconcile.md", MANY, 2)
def test_a_run_by_workers(run, celery, order):
    names = run()

    assert names.runs.progress(names.run).finished
    assert_in_sync("shop")


@pytest.mark.block("docs/operating.md", "Monitoring")
def test_health(run, order, capsys):
    assert not run().found.ok
    assert capsys.readouterr().out.startswith("{'shop.Order.total': 1} (")


@pytest.mark.block("docs/operating.md", "Monitoring", 2)
def test_a_page_for_monitors(run, order):
    (pattern,) = run().urlpatterns

    assert pattern.callback(RequestFactory().get("/health/synced/")).status_code == 503


@pytest.mark.block("docs/operating.md", "Whose SQL it is")
def test_whose_sql_it_is(run, order):
    sent = []

    def note(execute, sql, *rest):
        sent.append(sql)
        return execute(sql, *rest)

    with override_settings(SYNCFIELDS=run().SYNCFIELDS):
        labels.connect()  # As at the start of a process.
        with connection.execute_wrapper(note):
            order.lines.create(price=1)
        labels.disconnect()

    first, *others = sent
    assert first.startswith("INSERT")
    assert [each for each in others if not each.startswith("/* syncfields */ ")] == []


@pytest.mark.block("docs/operating.md", "Tenants")
def test_tenants_with_a_column_each(run):
    orders = [
        tenants.models.Order.objects.create(tenant=tenants.models.Tenant.objects.create())
        for _ in range(2)
    ]
    with unsynced():
        for order in orders:
            order.lines.create()

    report = run(Order=tenants.models.Order).put_right(orders[0].tenant)

    assert (report.drifted, [each.scanned for each in report.rules]) == (1, [1])
