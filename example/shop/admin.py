from django.contrib import admin

from shop.models import (
    Album,
    Artist,
    Customer,
    Employee,
    Genre,
    Invoice,
    InvoiceLine,
    MediaType,
    Playlist,
    Track,
)
from syncfields.admin import SyncedAdminMixin

admin.site.register([Employee, Genre, MediaType])


class AlbumInline(SyncedAdminMixin, admin.TabularInline):
    model = Album
    extra = 0


@admin.register(Artist)
class ArtistAdmin(SyncedAdminMixin, admin.ModelAdmin):
    list_display = ["name", "album_count", "track_count"]
    ordering = ["-track_count"]
    search_fields = ["name"]
    inlines = [AlbumInline]


@admin.register(Album)
class AlbumAdmin(SyncedAdminMixin, admin.ModelAdmin):
    list_display = ["title", "duration_ms"]
    search_fields = ["title"]
    autocomplete_fields = ["artist"]


@admin.register(Track)
class TrackAdmin(SyncedAdminMixin, admin.ModelAdmin):
    list_display = ["name", "artist_name", "milliseconds", "unit_price"]
    search_fields = ["name", "artist_name"]
    autocomplete_fields = ["album"]


@admin.register(Playlist)
class PlaylistAdmin(SyncedAdminMixin, admin.ModelAdmin):
    list_display = ["name", "track_count"]
    autocomplete_fields = ["tracks"]


@admin.register(Customer)
class CustomerAdmin(SyncedAdminMixin, admin.ModelAdmin):
    list_display = ["__str__", "lifetime_spend", "last_invoice_date", "loyalty_points"]
    ordering = ["-lifetime_spend"]
    search_fields = ["first_name", "last_name"]


class InvoiceLineInline(admin.TabularInline):
    model = InvoiceLine
    autocomplete_fields = ["track"]
    extra = 1


@admin.register(Invoice)
class InvoiceAdmin(SyncedAdminMixin, admin.ModelAdmin):
    list_display = ["__str__", "date", "billing_city", "billing_country", "total"]
    autocomplete_fields = ["customer"]
    inlines = [InvoiceLineInline]
