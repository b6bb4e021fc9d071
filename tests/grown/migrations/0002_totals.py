from django.db import migrations, models
from django.db.models import Count, Sum

from syncfields.operations import Backfill

TOTAL = models.DecimalField(
    db_default=0, decimal_places=2, default=0, editable=False, max_digits=12
)
LINE_COUNT = models.PositiveIntegerField(db_default=0, default=0, editable=False)
PARCEL_COUNT = models.PositiveIntegerField(db_default=0, default=0)


class Migration(migrations.Migration):
    dependencies = [("grown", "0001_initial")]
    operations = [
        migrations.AddField("Order", "total", TOTAL),
        migrations.AddField("Order", "line_count", LINE_COUNT),
        migrations.AddField("Order", "parcel_count", PARCEL_COUNT),
        Backfill(
            "grown.Order",
            total=Sum("lines__amount"),
            line_count=Count("lines"),
            parcel_count=Count("parcels"),
        ),
    ]
