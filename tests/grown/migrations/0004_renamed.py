"""What came with the same deploy: the names that the migrations before read are gone."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("grown", "0003_email")]
    operations = [
        migrations.RenameField("Customer", "address", "email"),
        migrations.RenameField("Line", "amount", "price"),
        migrations.DeleteModel("Parcel"),
    ]
