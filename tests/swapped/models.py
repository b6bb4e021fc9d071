from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Count, F, Q

from syncfields import Tally, synced


class Member(AbstractUser):
    note_count = models.IntegerField(default=0)
    longest = models.IntegerField(null=True)


class Card(models.Model):
    holder = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="card")
    email = synced(models.EmailField(default=""), F("holder__email"))
    saves = synced(models.IntegerField(default=0), Tally("holder"))


class Note(models.Model):
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="notes")
    shelf = models.ForeignKey("Shelf", models.CASCADE, related_name="notes")
    length = models.IntegerField(default=1)


class Shelf(models.Model):
    active_count = synced(
        models.IntegerField(default=0),
        Count("notes", filter=Q(notes__author__is_active=True)),
    )
