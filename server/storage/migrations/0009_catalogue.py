"""The rewards catalogue: stock, orders, favourites and drops."""

from typing import Any

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from server.storage.fields import IdField, InstantField


def _of_member() -> tuple[str, Any]:
    return (
        "member",
        fields.ForeignKeyField(
            "laurel.Member",
            source_field="member_id",
            db_constraint=True,
            to_field="id",
            on_delete=OnDelete.RESTRICT,
        ),
    )


def _checked(model: str, table: str, **checks: str) -> list[ops.Operation]:
    return [
        ops.AddConstraint(model, CheckConstraint(check=check, name=f"{table}_{name}"))
        for name, check in checks.items()
    ]


class Migration(migrations.Migration):
    dependencies = [("laurel", "0008_baskets")]

    initial = False

    operations = [
        ops.CreateModel(
            name="RewardStock",
            fields=[
                (
                    "reward_key",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64),
                ),
                ("sold", fields.BigIntField()),
            ],
            options={
                "table": "reward_stock",
                "app": "laurel",
                "pk_attr": "reward_key",
                "table_description": "How many units of a reward are ordered and not cancelled: its row is what orders wait for.",
            },
            bases=["Model"],
        ),
        *_checked("RewardStock", "reward_stock", sold="sold >= 0"),
        ops.CreateModel(
            name="RewardOrder",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                _of_member(),
                ("reward_key", fields.CharField(max_length=64)),
                ("reward_version", fields.IntField()),
                ("kind", fields.CharField(max_length=16)),
                ("quantity", fields.IntField()),
                ("points", fields.BigIntField()),
                ("money_minor", fields.BigIntField()),
                ("currency", fields.CharField(max_length=3)),
                ("digits", fields.SmallIntField()),
                ("status", fields.CharField(max_length=10)),
                ("fulfilment", fields.CharField(max_length=10)),
                ("code", fields.CharField(unique=True, max_length=24)),
                ("ordered_at", InstantField()),
                ("expires_at", InstantField()),
                ("refund_until", InstantField()),
                ("place_id", fields.BigIntField(null=True)),
                ("ready_at", InstantField(null=True)),
                ("delivered_at", InstantField(null=True)),
                ("cancelled_at", InstantField(null=True)),
                ("paid_at", InstantField(null=True)),
                ("changed_by", fields.CharField(max_length=32)),
            ],
            options={
                "table": "reward_orders",
                "app": "laurel",
                "indexes": [Index(fields=["member_id", "id"]), Index(fields=["status", "id"])],
                "pk_attr": "id",
                "table_description": "Units of a reward that a member bought with points. A voucher of its own has the same id.",
            },
            bases=["Model"],
        ),
        *_checked(
            "RewardOrder",
            "reward_orders",
            quantity="quantity >= 1",
            points="points > 0",
            money_minor="money_minor >= 0",
            status="status IN ('issued', 'ready', 'delivered', 'cancelled')",
        ),
        ops.CreateModel(
            name="RewardFavourite",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                _of_member(),
                ("reward_key", fields.CharField(max_length=64)),
            ],
            options={
                "table": "reward_favourites",
                "app": "laurel",
                "unique_together": (("member_id", "reward_key"),),
                "pk_attr": "id",
                "table_description": "A reward that a member likes.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="DropLine",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("drop_key", fields.CharField(unique=True, max_length=64)),
                ("units", fields.IntField()),
                ("hold_seconds", fields.IntField()),
                ("created_at", InstantField()),
                ("last_number", fields.IntField()),
                ("changed_at", InstantField()),
                ("taken", fields.IntField()),
            ],
            options={
                "table": "drop_lines",
                "app": "laurel",
                "pk_attr": "id",
                "table_description": "The line of a drop, made by the first who comes; its row is what those who come wait for.",
            },
            bases=["Model"],
        ),
        *_checked("DropLine", "drop_lines", last_number="last_number >= 0", taken="taken >= 0"),
        ops.CreateModel(
            name="DropPlace",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "line",
                    fields.ForeignKeyField(
                        "laurel.DropLine",
                        source_field="line_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                _of_member(),
                ("number", fields.IntField()),
                ("turn", fields.IntField()),
                ("joined_at", InstantField()),
                ("left_at", InstantField(null=True)),
                ("taken_at", InstantField(null=True)),
                ("freed_at", InstantField(null=True)),
            ],
            options={
                "table": "drop_places",
                "app": "laurel",
                "unique_together": (("line_id", "number"), ("line_id", "member_id", "turn")),
                "indexes": [Index(fields=["member_id", "id"])],
                "pk_attr": "id",
                "table_description": "A member's place in the line of a drop.",
            },
            bases=["Model"],
        ),
        *_checked(
            "DropPlace",
            "drop_places",
            number="number >= 1",
            turn="turn >= 1",
            left_or_taken="left_at IS NULL OR taken_at IS NULL",
            freed_at="freed_at IS NULL OR taken_at IS NOT NULL",
        ),
        # Vouchers of the catalogue may lapse; all others are good for ever.
        ops.AddField("Voucher", "expires_at", InstantField(null=True)),
    ]
