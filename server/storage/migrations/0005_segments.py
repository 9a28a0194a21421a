"""Who is in a segment."""

from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("laurel", "0004_definitions")]

    initial = False

    operations = []
