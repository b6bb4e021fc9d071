"""Users and their profiles: copies, copies of copies, tallies."""

from django.conf import settings
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Coalesce, Concat, Upper

from syncfields import Tally, synced
from tests.testapp.models.fields import count_field, money_field


class Profile(models.Model):
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="profile"
    )
    nickname = models.CharField(max_length=40, default="")
    email = synced(models.EmailField(null=True), F("user__email"))
    display_name = synced(
        models.CharField(max_length=150, default=""),
        Coalesce("user__first_name", "user__username", Value("nobody")),
    )
    standing = synced(
        models.CharField(max_length=10, default=""),
        Case(When(user__is_active=True, then=Value("active")), default=Value("away")),
    )
    points = synced(models.IntegerField(default=0), Tally("user", 100))
    logins = synced(count_field(), Tally("user__logins", when=Q(succeeded=True), on=("create",)))
    login_weight = synced(
        money_field(default=0), Tally("user__logins", F("weight") * 2, on=("create", "save"))
    )


class Card(models.Model):
    profile = models.ForeignKey(Profile, models.CASCADE, related_name="cards")
    kind = models.CharField(max_length=10, default="visit")
    email = synced(models.EmailField(null=True), F("profile__email"))
    username = synced(models.CharField(max_length=150, null=True), F("profile__user__username"))
    line = synced(
        models.TextField(default=""), Concat("kind", Value(": "), Upper("profile__nickname"))
    )


class Passport(models.Model):
    holder = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE)
    email = synced(models.EmailField(default=""), F("holder__email"))


class Login(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="logins")
    succeeded = models.BooleanField(default=True)
    weight = money_field(default=1)


class Badge(models.Model):
    """Source of a rule on a model that is not edited: ``User.is_staff``."""

    holder = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="badges")
    revoked = models.BooleanField(default=False)
