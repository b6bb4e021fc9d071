"""A copy that cannot be NULL, as the guide adds one to a table of any size."""

from django.db import migrations, models
from django.db.models import F

from syncfields.operations import Backfill


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("grown", "0002_totals")]
    operations = [
        migrations.AddField(
            "Order",
            "email",
            models.EmailField(default="", editable=False, max_length=254),
            preserve_default=False,
        ),
        Backfill("Order", email=F("customer__address"), batch_size=2),
    ]
