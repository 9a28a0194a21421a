"""Versions of what changes, so that answers can be used again while nothing has."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from server.storage.fields import IdField


class Migration(migrations.Migration):
    dependencies = [("laurel", "0002_sign_in_and_documents")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Version",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("version", fields.BigIntField()),
            ],
            options={"table": "versions", "app": "laurel", "pk_attr": "id"},
            bases=["Model"],
        ),
    ]
