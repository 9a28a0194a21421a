"""Baskets that were reserved or confirmed."""

from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("laurel", "0007_coupons")]

    initial = False

    operations = []
