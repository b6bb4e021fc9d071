"""django-fsm-2: a state that changes by transitions, as a column like any other."""

from __future__ import annotations

import pytest

pytest.importorskip("django_fsm", reason="django-fsm-2 is not installed")

from django.db import models, transaction
from django.db.models import Count, F, Q
from django_fsm import ConcurrentTransition, ConcurrentTransitionMixin, FSMField, transition

from syncfields import synced
from tests.packages.truth import assert_true, shown

pytestmark = pytest.mark.django_db


class Office(models.Model):
    name = models.CharField(max_length=20)
    ticket_count = synced(models.IntegerField(default=0), Count("tickets"))
    open_count = synced(
        models.IntegerField(default=0), Count("tickets", filter=Q(tickets__state="open"))
    )
    state_count = synced(models.IntegerField(default=0), Count("tickets__state", distinct=True))


class Ticket(ConcurrentTransitionMixin, models.Model):
    office = models.ForeignKey(Office, models.CASCADE, related_name="tickets")
    state = FSMField(default="open", protected=True)
    office_name = synced(models.CharField(max_length=20, null=True), F("office__name"))
    answer_count = synced(models.IntegerField(default=0), Count("answers"))

    @transition(field=state, source="open", target="closed")
    def close(self):
        pass

    @transition(field=state, source="*", target="open")
    def reopen(self):
        pass


class Answer(models.Model):
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="answers")
    # The state of another row, copied; and one of its own.
    ticket_state = synced(models.CharField(max_length=50, null=True), F("ticket__state"))


@pytest.fixture
def office(db):
    office = Office.objects.create(name="one")
    for _ in range(3):
        Answer.objects.create(ticket=Ticket.objects.create(office=office))
    assert_true()
    return office


def test_transitions(office):
    for ticket in Ticket.objects.all()[:2]:
        ticket.close()
        ticket.save()
        assert_true()
    assert Office.objects.get().open_count == 1
    ticket.reopen()
    ticket.save()
    assert_true()
    Ticket.objects.filter(state="open").update(state="closed")
    assert_true()


def test_a_transition_that_came_second_changes_nothing(office):
    first, second = (Ticket.objects.first() for _ in range(2))
    first.close()
    first.save()
    second.close()
    with pytest.raises(ConcurrentTransition), transaction.atomic():
        second.save()
    assert_true()
    assert Office.objects.get().open_count == 2


def test_tickets_go(office):
    Ticket.objects.first().delete()
    assert_true()
    office.delete()
    assert_true(some=False)


def test_what_the_page_shows(office):
    shown("django-fsm-2", globals(), ticket=Ticket.objects.first())
    assert_true()
    assert Office.objects.get().open_count == 2
