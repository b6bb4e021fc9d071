from django.db import models
from django.db.models import Count  # noqa: F401 - the page has imported it before

from syncfields import synced  # noqa: F401
from tests.pages.blocks import declare


class Blog(models.Model):
    name = models.CharField(max_length=80)


exec(declare("docs/guide.md", "Reconcile", 2))


class Comment(models.Model):
    post = models.ForeignKey("Post", models.CASCADE, related_name="comments")
