"""Offers: activations, uses and counters."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from server.storage.fields import IdField, InstantField
from server.storage.indexes import PartialIndex


class Migration(migrations.Migration):
    dependencies = [("laurel", "0005_segments")]

    initial = False

    operations = [
        ops.CreateModel(
            name="OfferActivation",
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
                ("offer", fields.CharField(max_length=64)),
                ("activated_at", InstantField()),
            ],
            options={
                "table": "offer_activations",
                "app": "laurel",
                "unique_together": (("member_id", "offer"),),
                "indexes": [Index(fields=["offer"])],
                "pk_attr": "id",
                "table_description": "That a member has activated an offer. Deactivating takes the row away.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="OfferCounter",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("offer", fields.CharField(max_length=64)),
                ("local_day", fields.IntField()),
                ("uses", fields.BigIntField()),
                ("budget_minor", fields.BigIntField()),
                ("budget_points", fields.BigIntField()),
            ],
            options={
                "table": "offer_counters",
                "app": "laurel",
                "unique_together": (("offer", "local_day"),),
                "pk_attr": "id",
                "table_description": "What is used of an offer's limits that all members share, on one local day or EVER.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="OfferUse",
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
                ("offer", fields.CharField(max_length=64)),
                ("version", fields.IntField()),
                ("basket_id", fields.BigIntField(null=True)),
                ("purchase_id", fields.BigIntField(null=True)),
                ("local_day", fields.IntField()),
                ("status", fields.CharField(max_length=8)),
                ("held_until", InstantField(null=True)),
                ("used_at", InstantField(null=True)),
                ("discount_minor", fields.BigIntField()),
                ("shipping_minor", fields.BigIntField()),
                ("points", fields.BigIntField()),
                ("cashback_minor", fields.BigIntField()),
                ("budget_minor", fields.BigIntField()),
                ("budget_points", fields.BigIntField()),
                ("returned_discount_minor", fields.BigIntField()),
                ("returned_shipping_minor", fields.BigIntField()),
                ("returned_points", fields.BigIntField()),
                ("returned_cashback_minor", fields.BigIntField()),
                ("returned_budget_minor", fields.BigIntField()),
                ("returned_budget_points", fields.BigIntField()),
            ],
            options={
                "table": "offer_uses",
                "app": "laurel",
                "indexes": [
                    Index(fields=["member_id", "offer"]),
                    Index(fields=["offer", "local_day"]),
                    PartialIndex(
                        fields=["offer", "held_until"],
                        name="offer_uses_held",
                        where="status = 'held'",
                    ),
                    PartialIndex(
                        fields=["basket_id"],
                        name="offer_uses_basket",
                        where="basket_id IS NOT NULL",
                    ),
                    PartialIndex(
                        fields=["purchase_id"],
                        name="offer_uses_purchase",
                        where="purchase_id IS NOT NULL",
                    ),
                ],
                "pk_attr": "id",
                "table_description": "One offer in one basket: held while the basket is open, used once it is a purchase.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "OfferCounter",
            CheckConstraint(
                check="uses >= 0 AND budget_minor >= 0 AND budget_points >= 0",
                name="offer_counters_used",
            ),
        ),
        ops.AddConstraint(
            "OfferUse",
            CheckConstraint(
                check="status IN ('held', 'used', 'returned')",
                name="offer_uses_status",
            ),
        ),
        ops.AddConstraint(
            "OfferUse",
            CheckConstraint(
                check="status <> 'held' OR (held_until IS NOT NULL AND basket_id IS NOT NULL)",
                name="offer_uses_held_until",
            ),
        ),
        ops.AddConstraint(
            "OfferUse",
            CheckConstraint(
                check="(status IN ('used', 'returned')) = (used_at IS NOT NULL)",
                name="offer_uses_used_at",
            ),
        ),
        ops.AddConstraint(
            "OfferUse",
            CheckConstraint(
                check="returned_discount_minor >= 0 AND returned_discount_minor <= discount_minor"
                " AND returned_shipping_minor >= 0 AND returned_shipping_minor <= shipping_minor"
                " AND returned_points >= 0 AND returned_points <= points"
                " AND returned_cashback_minor >= 0 AND returned_cashback_minor <= cashback_minor",
                name="offer_uses_returned",
            ),
        ),
        ops.AddConstraint(
            "OfferUse",
            CheckConstraint(
                check="returned_budget_minor >= 0 AND returned_budget_minor <= budget_minor"
                " AND returned_budget_points >= 0 AND returned_budget_points <= budget_points",
                name="offer_uses_returned_budget",
            ),
        ),
    ]
