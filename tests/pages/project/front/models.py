from django.db import models
from django.db.models import Count, Max  # noqa: F401 - the page leaves out what it imports

from syncfields import synced  # noqa: F401
from tests.pages.blocks import declare

exec(declare("docs/index.md", "syncfields"))


class Comment(models.Model):
    post = models.ForeignKey("Post", models.CASCADE, related_name="comments")
    created = models.DateTimeField(auto_now_add=True)
