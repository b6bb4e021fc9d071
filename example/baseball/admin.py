from django.contrib import admin

from baseball.models import Batting, Franchise, Player, Team
from syncfields.admin import SyncedAdminMixin


@admin.register(Franchise)
class FranchiseAdmin(SyncedAdminMixin, admin.ModelAdmin):
    list_display = ["name", "seasons", "home_runs"]
    search_fields = ["name"]


@admin.register(Team)
class TeamAdmin(SyncedAdminMixin, admin.ModelAdmin):
    list_display = ["__str__", "name", "wins", "losses", "at_bats", "hits", "home_runs"]
    search_fields = ["name", "year"]
    autocomplete_fields = ["franchise"]


class BattingInline(SyncedAdminMixin, admin.TabularInline):
    model = Batting
    autocomplete_fields = ["team"]
    extra = 0


@admin.register(Player)
class PlayerAdmin(SyncedAdminMixin, admin.ModelAdmin):
    list_display = [
        "__str__",
        "at_bats",
        "hits",
        "home_runs",
        "seasons",
        "first_season",
        "last_season",
    ]
    ordering = ["-home_runs"]
    search_fields = ["first_name", "last_name"]
    inlines = [BattingInline]


@admin.register(Batting)
class BattingAdmin(SyncedAdminMixin, admin.ModelAdmin):
    list_display = ["__str__", "team_name", "games", "at_bats", "hits", "home_runs"]
    search_fields = ["player__last_name", "team_name"]
    autocomplete_fields = ["player", "team"]
