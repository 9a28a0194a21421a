"""Paid memberships."""

from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("laurel", "0009_catalogue")]

    initial = False

    operations = []
