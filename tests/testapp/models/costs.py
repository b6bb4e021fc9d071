"""Shelves: what a write costs."""

from django.db import models
from django.db.models import Count, Q, Sum

from syncfields import synced
from tests.testapp.models.fields import count_field


class Shelf(models.Model):
    book_count = synced(count_field(), Count("books"))
    page_sum = synced(models.IntegerField(default=0), Sum("books__pages"))


class Publisher(models.Model):
    thick_count = synced(count_field(), Count("books", filter=Q(books__pages__gte=500)))


class Book(models.Model):
    shelf = models.ForeignKey(Shelf, models.CASCADE, null=True, related_name="books")
    publisher = models.ForeignKey(Publisher, models.CASCADE, null=True, related_name="books")
    pages = models.IntegerField(default=0)
    title = models.CharField(max_length=40, default="")


class Unwatched(models.Model):
    """Read by no rule."""

    title = models.CharField(max_length=40, default="")
