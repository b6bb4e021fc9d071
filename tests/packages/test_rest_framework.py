"""djangorestframework: serializers and views answer with what the row holds."""

from __future__ import annotations

import pytest

pytest.importorskip("rest_framework", reason="djangorestframework is not installed")

from django.db import models
from django.db.models import Count, F, Max, Q, Sum
from rest_framework import serializers, viewsets
from rest_framework.test import APIRequestFactory

from syncfields import synced
from tests.packages.truth import assert_true, shown

pytestmark = pytest.mark.django_db


class Invoice(models.Model):
    number = models.CharField(max_length=20)
    line_count = synced(models.IntegerField(default=0), Count("lines"))
    paid_count = synced(models.IntegerField(default=0), Count("lines", filter=Q(lines__paid=True)))
    total = synced(models.IntegerField(default=0), Sum("lines__amount"))
    largest = synced(models.IntegerField(null=True), Max("lines__amount"))


class InvoiceLine(models.Model):
    invoice = models.ForeignKey(Invoice, models.CASCADE, related_name="lines")
    amount = models.IntegerField(default=1)
    paid = models.BooleanField(default=False)
    number = synced(models.CharField(max_length=20), F("invoice__number"))


class LineSerializer(serializers.ModelSerializer):
    class Meta:
        model = InvoiceLine
        fields = "__all__"
        read_only_fields = ["number"]


class InvoiceSerializer(serializers.ModelSerializer):
    class Meta:
        model = Invoice
        fields = "__all__"


class NestedSerializer(serializers.ModelSerializer):
    lines = LineSerializer(many=True, read_only=False, required=False)

    class Meta:
        model = Invoice
        fields = ["id", "number", "lines", "line_count", "total", "largest"]
        read_only_fields = ["line_count", "total", "largest"]

    def create(self, validated_data):
        lines = validated_data.pop("lines")
        invoice = super().create(validated_data)
        for line in lines:
            InvoiceLine.objects.create(invoice=invoice, **line)
        return invoice


LineSerializer.Meta.extra_kwargs = {"invoice": {"required": False}}


class InvoiceView(viewsets.ModelViewSet):
    queryset = Invoice.objects.all()
    serializer_class = InvoiceSerializer


class LineView(viewsets.ModelViewSet):
    queryset = InvoiceLine.objects.all()
    serializer_class = LineSerializer


def send(view, method, given=None, pk=None):
    actions = {
        "post": "create",
        "get": "retrieve" if pk else "list",
        "put": "update",
        "patch": "partial_update",
        "delete": "destroy",
    }
    request = getattr(APIRequestFactory(), method)("/", given, format="json")
    response = view.as_view({method: actions[method]})(request, pk=pk)
    assert response.status_code < 300, response.data
    return response.data


@pytest.fixture
def invoice(db):
    invoice = Invoice.objects.create(number="A1")
    for amount in (10, 20):
        InvoiceLine.objects.create(invoice=invoice, amount=amount)
    assert_true()
    return invoice


def stored(pk):
    return Invoice.objects.values().get(pk=pk)


def test_rows_are_created_changed_and_deleted(invoice):
    line = send(LineView, "post", {"invoice": invoice.pk, "amount": 30, "paid": True})
    assert_true()
    assert line["number"] == "A1"

    other = send(InvoiceView, "post", {"number": "B2"})
    send(LineView, "patch", {"invoice": other["id"]}, pk=line["id"])
    assert_true()
    send(LineView, "put", {"invoice": other["id"], "amount": 5}, pk=line["id"])
    assert_true()
    assert send(InvoiceView, "patch", {"number": "C3"}, pk=other["id"])["line_count"] == 1
    assert_true()
    assert send(LineView, "get", pk=line["id"])["number"] == "C3"
    send(LineView, "delete", pk=line["id"])
    assert_true()
    send(InvoiceView, "delete", pk=other["id"])
    assert_true()


def test_the_answer_to_a_change_is_what_the_row_holds(invoice):
    answer = send(InvoiceView, "patch", {"total": 999, "number": "A2"}, pk=invoice.pk)
    assert_true()
    assert answer == stored(invoice.pk)

    answer = send(InvoiceView, "put", {"number": "A3", "line_count": 77}, pk=invoice.pk)
    assert_true()
    assert answer == stored(invoice.pk)


def test_nested_rows(invoice):
    serializer = NestedSerializer(data={"number": "N", "lines": [{"amount": 4}, {"amount": 6}]})
    serializer.is_valid(raise_exception=True)
    made = serializer.save()
    assert_true()

    assert serializer.data["line_count"] == stored(made.pk)["line_count"] == 2
    assert serializer.data["total"] == 10
    assert serializer.data["largest"] == 6


def test_many_rows(invoice):
    given = [{"invoice": invoice.pk, "amount": n} for n in (1, 2, 3)]
    serializer = LineSerializer(data=given, many=True)
    serializer.is_valid(raise_exception=True)
    serializer.save()
    assert_true()
    assert {line["number"] for line in serializer.data} == {"A1"}


def test_a_serializer_reads_synced_fields_only():
    fields = InvoiceSerializer().fields

    read_only = {name for name, field in fields.items() if field.read_only}
    assert read_only == {"id", "line_count", "paid_count", "total", "largest"}


def test_what_a_serializer_need_not_be_told(invoice):
    """``number`` of a line has no default and is not ``blank``."""

    class Whole(serializers.ModelSerializer):
        class Meta:
            model = InvoiceLine
            fields = "__all__"

    serializer = Whole(data={"invoice": invoice.pk, "number": "wrong"})
    serializer.is_valid(raise_exception=True)
    assert "number" not in serializer.validated_data
    assert serializer.save().number == "A1"
    assert_true()


def test_what_the_page_shows(invoice):
    def patch(invoice, given):
        return send(InvoiceView, "patch", given, pk=invoice.pk)

    shown("djangorestframework", globals(), patch=patch, invoice=invoice)
    assert_true()
