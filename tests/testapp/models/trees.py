"""Categories: relations of a model to itself."""

from django.db import models
from django.db.models import Count, F, Sum

from syncfields import synced
from tests.testapp.models.fields import count_field


class Category(models.Model):
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="children")
    name = models.CharField(max_length=40, default="")
    weight = models.IntegerField(default=1)
    child_count = synced(count_field(), Count("children"))
    grandchild_count = synced(count_field(), Count("children__children"))
    child_weight = synced(models.IntegerField(default=0), Sum("children__weight"))
    parent_name = synced(models.CharField(max_length=40, null=True), F("parent__name"))
    sibling_count = synced(models.IntegerField(null=True), F("parent__child_count"))
