"""Who pays for what."""

from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("laurel", "0011_referrals")]

    initial = False

    operations = []
