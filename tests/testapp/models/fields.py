"""What several files declare alike."""

from django.db import models


def count_field() -> models.PositiveIntegerField:
    return models.PositiveIntegerField(default=0)


def money_field(**options) -> models.DecimalField:
    return models.DecimalField(max_digits=14, decimal_places=2, **options)
