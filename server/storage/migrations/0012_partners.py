"""Who pays for what."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from server.storage.fields import IdField, InstantField


class Migration(migrations.Migration):
    dependencies = [("laurel", "0011_referrals")]

    initial = False

    operations = [
        ops.CreateModel(
            name="SettlementEntry",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("member_id", fields.BigIntField()),
                ("local_month", fields.IntField()),
                ("partner", fields.CharField(max_length=64)),
                ("source", fields.CharField(max_length=12)),
                ("rule", fields.CharField(max_length=80)),
                ("reference", fields.BigIntField()),
                ("lot_id", fields.BigIntField(null=True)),
                ("asset", fields.CharField(max_length=6)),
                ("amount", fields.BigIntField()),
                ("value_minor", fields.BigIntField()),
                ("currency", fields.CharField(max_length=3)),
                ("occurred_at", InstantField()),
                ("recorded_at", InstantField()),
            ],
            options={
                "table": "settlement_entries",
                "app": "laurel",
                "indexes": [
                    Index(fields=["local_month", "partner"]),
                    Index(fields=["reference", "rule"]),
                    Index(fields=["member_id", "id"]),
                ],
                "pk_attr": "id",
                "table_description": "A party's part of one reward, or of what undoes it; never changed afterwards.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "SettlementEntry",
            CheckConstraint(
                check="source IN ('points', 'cashback', 'discount', 'reward', 'redemption')",
                name="settlement_entries_source",
            ),
        ),
    ]
