"""Coupon codes and their redemptions."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from server.storage.fields import IdField, InstantField


class Migration(migrations.Migration):
    dependencies = [("laurel", "0006_offers")]

    initial = False

    operations = [
        ops.CreateModel(
            name="CouponBatch",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("coupon", fields.CharField(max_length=64)),
                ("size", fields.IntField()),
                ("status", fields.CharField(max_length=6)),
                ("made_by", fields.CharField(max_length=120)),
                ("made_at", InstantField()),
                ("finished_at", InstantField(null=True)),
            ],
            options={
                "table": "coupon_batches",
                "app": "laurel",
                "indexes": [Index(fields=["coupon", "id"]), Index(fields=["status", "id"])],
                "pk_attr": "id",
                "table_description": "Single-use codes that were generated together; they count once all of them are made.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "CouponBatch", CheckConstraint(check="size >= 1", name="coupon_batches_size")
        ),
        ops.AddConstraint(
            "CouponBatch",
            CheckConstraint(
                check="status IN ('making', 'ready', 'void')", name="coupon_batches_status"
            ),
        ),
        ops.AddConstraint(
            "CouponBatch",
            CheckConstraint(
                check="(status = 'making') OR (finished_at IS NOT NULL)",
                name="coupon_batches_finished_at",
            ),
        ),
        ops.CreateModel(
            name="CouponCode",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("code_hash", fields.CharField(unique=True, max_length=43)),
                ("batch_id", fields.BigIntField()),
                ("holder_id", fields.BigIntField(null=True)),
                ("basket_id", fields.BigIntField(null=True)),
                ("reserved_until", InstantField(null=True)),
                ("redeemed_at", InstantField(null=True)),
            ],
            options={
                "table": "coupon_codes",
                "app": "laurel",
                "pk_attr": "id",
                "table_description": "A single-use code, by its keyed hash alone, and who has it now.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "CouponCode",
            CheckConstraint(
                check="(redeemed_at IS NULL AND reserved_until IS NULL) = (holder_id IS NULL)",
                name="coupon_codes_holder_id",
            ),
        ),
        ops.AddConstraint(
            "CouponCode",
            CheckConstraint(
                check="redeemed_at IS NULL OR reserved_until IS NULL",
                name="coupon_codes_reserved_until",
            ),
        ),
        ops.CreateModel(
            name="CouponRedemption",
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
                ("coupon", fields.CharField(max_length=64)),
                ("offer", fields.CharField(max_length=64)),
                ("code", fields.CharField(max_length=48)),
                ("local_day", fields.IntField()),
                ("occurred_at", InstantField()),
                ("status", fields.CharField(max_length=10)),
                ("reserved_until", InstantField(null=True)),
                ("basket_id", fields.BigIntField(null=True)),
                ("purchase_id", fields.BigIntField(null=True)),
                ("recorded_at", InstantField()),
            ],
            options={
                "table": "coupon_redemptions",
                "app": "laurel",
                "indexes": [
                    Index(fields=["member_id", "coupon"]),
                    Index(fields=["offer", "status"]),
                    Index(fields=["coupon", "code", "status"]),
                    Index(fields=["basket_id"]),
                    Index(fields=["purchase_id"]),
                ],
                "pk_attr": "id",
                "table_description": "One use of a coupon by a member: reserved while their basket is open, or redeemed.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "CouponRedemption",
            CheckConstraint(
                check="status IN ('reserved', 'redeemed', 'cancelled', 'returned')",
                name="coupon_redemptions_status",
            ),
        ),
        ops.AddConstraint(
            "CouponRedemption",
            CheckConstraint(
                check="(status = 'reserved') = (reserved_until IS NOT NULL)",
                name="coupon_redemptions_reserved_until",
            ),
        ),
        ops.CreateModel(
            name="CouponCounter",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("coupon", fields.CharField(max_length=64)),
                ("code", fields.CharField(max_length=48)),
                ("uses", fields.BigIntField()),
            ],
            options={
                "table": "coupon_counters",
                "app": "laurel",
                "unique_together": (("coupon", "code"),),
                "pk_attr": "id",
                "table_description": "How often a code with a limit in total was redeemed; its row is what is locked for it.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "CouponCounter", CheckConstraint(check="uses >= 0", name="coupon_counters_uses")
        ),
        # Few codes of many are redeemed, and only those are counted.
        ops.RunSQL(
            "CREATE INDEX idx_coupon_code_redeemed ON coupon_codes (batch_id)"
            " WHERE redeemed_at IS NOT NULL",
            "DROP INDEX idx_coupon_code_redeemed",
        ),
    ]
