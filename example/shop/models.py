"""The Chinook record shop: what there is to hear, and who bought it."""

from django.db import models
from django.db.models import Count, F, Max, Sum

from syncfields import Tally, synced


class Artist(models.Model):
    name = models.CharField(max_length=120)
    album_count = synced(models.PositiveIntegerField(default=0), Count("albums"))
    track_count = synced(
        models.PositiveIntegerField(default=0, db_index=True), Count("albums__tracks")
    )

    def __str__(self) -> str:
        return self.name


class Album(models.Model):
    title = models.CharField(max_length=160)
    artist = models.ForeignKey(Artist, models.CASCADE, related_name="albums")
    duration_ms = synced(models.PositiveIntegerField(default=0), Sum("tracks__milliseconds"))

    def __str__(self) -> str:
        return self.title


class Genre(models.Model):
    name = models.CharField(max_length=120)

    def __str__(self) -> str:
        return self.name


class MediaType(models.Model):
    name = models.CharField(max_length=120)

    def __str__(self) -> str:
        return self.name


class Track(models.Model):
    name = models.CharField(max_length=200)
    album = models.ForeignKey(Album, models.CASCADE, null=True, blank=True, related_name="tracks")
    artist_name = synced(models.CharField(max_length=120, null=True), F("album__artist__name"))
    media_type = models.ForeignKey(MediaType, models.PROTECT)
    genre = models.ForeignKey(Genre, models.SET_NULL, null=True, blank=True)
    composer = models.CharField(max_length=220, blank=True)
    milliseconds = models.PositiveIntegerField()
    bytes = models.PositiveIntegerField(null=True, blank=True)
    unit_price = models.DecimalField(max_digits=5, decimal_places=2)

    def __str__(self) -> str:
        return self.name


class Playlist(models.Model):
    name = models.CharField(max_length=120)
    tracks = models.ManyToManyField(Track, related_name="playlists", blank=True)
    track_count = synced(models.PositiveIntegerField(default=0), Count("tracks"))

    def __str__(self) -> str:
        return self.name


class Employee(models.Model):
    first_name = models.CharField(max_length=20)
    last_name = models.CharField(max_length=20)
    title = models.CharField(max_length=30, blank=True)
    reports_to = models.ForeignKey("self", models.SET_NULL, null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}"


class Customer(models.Model):
    first_name = models.CharField(max_length=40)
    last_name = models.CharField(max_length=20)
    email = models.EmailField(max_length=60)
    address = models.CharField(max_length=70, blank=True)
    city = models.CharField(max_length=40, blank=True)
    country = models.CharField(max_length=40, blank=True)
    support_rep = models.ForeignKey(Employee, models.SET_NULL, null=True, blank=True)
    # A rule on a rule: a line changes the invoice's total, the total changes this.
    lifetime_spend = synced(
        models.DecimalField(max_digits=10, decimal_places=2, default=0), Sum("invoices__total")
    )
    last_invoice_date = synced(models.DateTimeField(null=True), Max("invoices__date"))
    # Ten points for each track sold, and nobody takes them back when an invoice is cancelled:
    # an event that is counted, not a state that could be recomputed.
    loyalty_points = synced(
        models.PositiveIntegerField(default=0),
        Tally("invoices__lines", F("quantity") * 10, on=("create",)),
    )

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}"


class Invoice(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="invoices")
    date = models.DateTimeField()
    billing_address = synced(models.CharField(max_length=70, default=""), F("customer__address"))
    billing_city = synced(models.CharField(max_length=40, default=""), F("customer__city"))
    billing_country = synced(models.CharField(max_length=40, default=""), F("customer__country"))
    total = synced(
        models.DecimalField(max_digits=10, decimal_places=2, default=0),
        Sum(F("lines__unit_price") * F("lines__quantity")),
    )

    def __str__(self) -> str:
        return f"Invoice {self.pk}"


class InvoiceLine(models.Model):
    invoice = models.ForeignKey(Invoice, models.CASCADE, related_name="lines")
    track = models.ForeignKey(Track, models.PROTECT, related_name="invoice_lines")
    unit_price = models.DecimalField(max_digits=5, decimal_places=2)
    quantity = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"{self.quantity} x {self.track_id}"
