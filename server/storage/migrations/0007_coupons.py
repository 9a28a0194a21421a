"""Coupon codes and their redemptions."""

from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("laurel", "0006_offers")]

    initial = False

    operations = []
