"""Baskets that were reserved or confirmed."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from server.storage.fields import IdField, InstantField


class Migration(migrations.Migration):
    dependencies = [("laurel", "0007_coupons")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Basket",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "member",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("partner", fields.CharField(max_length=64)),
                ("status", fields.CharField(max_length=9)),
                ("quote", fields.TextField(unique=False)),
                ("quoted_at", InstantField()),
                ("held_until", InstantField(null=True)),
                ("decided_at", InstantField(null=True)),
                ("external_id", fields.CharField(null=True, max_length=64)),
                ("content_hash", fields.CharField(null=True, max_length=64)),
                ("purchase_id", fields.BigIntField(null=True)),
            ],
            options={
                "table": "baskets",
                "app": "laurel",
                "unique_together": (("partner", "external_id"),),
                "indexes": [Index(fields=["member_id", "id"]), Index(fields=["purchase_id"])],
                "pk_attr": "id",
                "table_description": "A basket that was reserved or confirmed, with what it was quoted.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "Basket",
            CheckConstraint(
                check="status IN ('reserved', 'confirmed', 'cancelled')", name="baskets_status"
            ),
        ),
        ops.AddConstraint(
            "Basket",
            CheckConstraint(
                check="(status = 'reserved') = (decided_at IS NULL)", name="baskets_decided_at"
            ),
        ),
        ops.AddConstraint(
            "Basket",
            CheckConstraint(
                check="(status = 'confirmed') = (purchase_id IS NOT NULL)"
                " AND (status = 'confirmed') = (external_id IS NOT NULL)"
                " AND (status = 'confirmed') = (content_hash IS NOT NULL)",
                name="baskets_purchase",
            ),
        ),
        ops.AddConstraint(
            "Basket",
            CheckConstraint(
                check="status = 'confirmed' OR held_until IS NOT NULL", name="baskets_held_until"
            ),
        ),
    ]
