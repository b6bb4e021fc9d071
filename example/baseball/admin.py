from django.contrib import admin

from baseball.models import Batting, Franchise, Player, Team


@admin.register(Franchise)
class FranchiseAdmin(admin.ModelAdmin):
    list_display = ["name", "seasons", "home_runs"]
    readonly_fields = ["seasons", "home_runs"]
    search_fields = ["name"]


@admin.register(Team)
class TeamAdmin(admin.ModelAdmin):
    list_display = ["__str__", "name", "wins", "losses", "at_bats", "hits", "home_runs"]
    readonly_fields = ["at_bats", "hits", "home_runs"]
    search_fields = ["name", "year"]
    autocomplete_fields = ["franchise"]


class BattingInline(admin.TabularInline):
    model = Batting
    readonly_fields = ["team_name"]
    autocomplete_fields = ["team"]
    extra = 0


@admin.register(Player)
class PlayerAdmin(admin.ModelAdmin):
    list_display = [
        "__str__",
        "at_bats",
        "hits",
        "home_runs",
        "seasons",
        "first_season",
        "last_season",
    ]
    readonly_fields = [
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
class BattingAdmin(admin.ModelAdmin):
    list_display = ["__str__", "team_name", "games", "at_bats", "hits", "home_runs"]
    readonly_fields = ["team_name"]
    search_fields = ["player__last_name", "team_name"]
    autocomplete_fields = ["player", "team"]
