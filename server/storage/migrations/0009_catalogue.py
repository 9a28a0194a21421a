"""The rewards catalogue: stock, orders, favourites and drops."""

from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("laurel", "0008_baskets")]

    initial = False

    operations = []
