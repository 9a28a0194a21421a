"""Referrals and rewarded actions."""

from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("laurel", "0010_plans")]

    initial = False

    operations = []
