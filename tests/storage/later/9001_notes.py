# ruff: noqa: N999, RUF012 (numbered module; the ORM wants class attributes)
"""Adds notes on members, and guards that the models do not know."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import UniqueConstraint

from server.storage.fields import IdField
from server.storage.operations import AppendOnly
from tests.storage.later import LAST_OWN


class Migration(migrations.Migration):
    dependencies = [("laurel", LAST_OWN)]
    operations = [
        ops.CreateModel(
            name="Note",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "member",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("text", fields.TextField(unique=False)),
                ("number", fields.IntField()),
            ],
            options={
                "table": "notes",
                "app": "laurel",
                "constraints": [
                    UniqueConstraint(fields=("member_id", "number"), name="notes_number")
                ],
                "pk_attr": "id",
                "table_description": "What staff noted; it's theirs /* and only theirs */",
            },
            bases=["Model"],
        ),
        ops.RunSQL(
            [
                "INSERT INTO notes (id, member_id, text, number)"
                " SELECT id + 500, id, 'a; b', 1 FROM members",
                "CREATE INDEX members_named ON members (enrolled_at) WHERE name IS NOT NULL",
                "CREATE UNIQUE INDEX members_by_name ON members (LOWER(name))",
            ]
        ),
        AppendOnly("ProgrammeVersion"),
    ]
