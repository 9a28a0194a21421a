"""Offers: activations, uses and counters."""

from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("laurel", "0005_segments")]

    initial = False

    operations = []
