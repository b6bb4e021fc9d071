"""django-ordered-model: rows with a place among those that share a key."""

from __future__ import annotations

import pytest

pytest.importorskip("ordered_model", reason="django-ordered-model is not installed")

from django.core.management import call_command
from django.db import models
from django.db.models import Count, F, Max, Q, Sum
from ordered_model.models import OrderedModel

from syncfields import synced
from tests.packages.truth import assert_true, shown

pytestmark = pytest.mark.django_db


class Quiz(OrderedModel):
    name = models.CharField(max_length=20)
    question_count = synced(models.IntegerField(default=0), Count("questions"))
    late_count = synced(
        models.IntegerField(default=0), Count("questions", filter=Q(questions__order__gt=1))
    )
    order_sum = synced(models.IntegerField(default=0), Sum("questions__order"))
    last_order = synced(models.IntegerField(null=True), Max("questions__order"))


class Question(OrderedModel):
    quiz = models.ForeignKey(Quiz, models.CASCADE, related_name="questions")
    points = models.IntegerField(default=1)
    quiz_name = synced(models.CharField(max_length=20, null=True), F("quiz__name"))
    quiz_order = synced(models.IntegerField(null=True), F("quiz__order"))
    order_with_respect_to = "quiz"


@pytest.fixture
def quizzes(db):
    one, two = Quiz.objects.create(name="one"), Quiz.objects.create(name="two")
    for points in (1, 2, 3, 4):
        Question.objects.create(quiz=one, points=points)
    Question.objects.create(quiz=two, points=5)
    assert_true()
    return one, two


def question(points):
    return Question.objects.get(points=points)


def test_questions_are_moved_about(quizzes):
    question(1).down()
    assert_true()
    question(4).up()
    assert_true()
    question(4).top()
    assert_true()
    question(2).bottom()
    assert_true()
    question(3).to(0)
    assert_true()
    question(3).below(question(1))
    assert_true()
    question(2).above(question(4))
    assert_true()
    question(1).swap(question(2))
    assert_true()
    assert list(Question.objects.filter(quiz__name="one").values_list("order", flat=True)) == [
        0,
        1,
        2,
        3,
    ]


def test_quizzes_are_moved_about(quizzes):
    one, two = quizzes
    one.down()
    assert_true()
    two.bottom()
    assert_true()
    one.refresh_from_db()
    one.name = "new"
    one.save()
    assert_true()


def test_a_question_goes_to_another_quiz(quizzes):
    _, two = quizzes
    moved = question(2)
    moved.quiz = two
    moved.save()
    assert_true()
    assert Quiz.objects.get(pk=two.pk).question_count == 2


def test_questions_go_and_come(quizzes):
    one, two = quizzes
    question(2).delete()
    assert_true()
    Question.objects.bulk_create([Question(quiz=two, points=n) for n in (8, 9)])
    assert_true()
    Question.objects.filter(points=1).delete()
    assert_true()
    call_command("reorder_model", "packages.question", verbosity=0)
    assert_true()
    one.delete()
    assert_true()


def test_what_the_page_shows(quizzes):
    shown("django-ordered-model", globals(), question=question(3))
    assert_true()
    assert question(3).order == 0
