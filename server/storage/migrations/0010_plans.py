"""Paid memberships."""

from typing import Any

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from server.storage.fields import IdField, InstantField


def _checked(model: str, table: str, **checks: str) -> list[ops.Operation]:
    return [
        ops.AddConstraint(model, CheckConstraint(check=check, name=f"{table}_{name}"))
        for name, check in checks.items()
    ]


def _reference(name: str, to: str) -> tuple[str, Any]:
    return (
        name,
        fields.ForeignKeyField(
            to,
            source_field=f"{name}_id",
            db_constraint=True,
            to_field="id",
            on_delete=OnDelete.RESTRICT,
        ),
    )


class Migration(migrations.Migration):
    dependencies = [("laurel", "0009_catalogue")]

    initial = False

    operations = [
        ops.CreateModel(
            name="PlanSubscription",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                _reference("member", "laurel.Member"),
                ("plan_key", fields.CharField(max_length=64)),
                ("plan_version", fields.IntField()),
                ("period_unit", fields.CharField(max_length=5)),
                ("price_minor", fields.BigIntField()),
                ("currency", fields.CharField(max_length=3)),
                ("digits", fields.SmallIntField()),
                ("grace_days", fields.SmallIntField()),
                ("cancellation", fields.CharField(max_length=13)),
                ("time_zone", fields.CharField(max_length=64)),
                ("created_at", InstantField()),
                ("first_period_at", InstantField(null=True)),
                ("is_trial", fields.SmallIntField()),
                ("source", fields.CharField(max_length=7)),
                ("expires_at", InstantField()),
                ("granted_by", fields.BigIntField(null=True)),
                ("reason", fields.CharField(null=True, max_length=200)),
                ("follows_id", fields.BigIntField(null=True)),
                ("begins_at", InstantField(null=True)),
                ("periods", fields.IntField()),
                ("covered_until", InstantField(null=True)),
                ("cancelled_at", InstantField(null=True)),
                ("ended_at", InstantField(null=True)),
                ("failed_at", InstantField(null=True)),
                ("review_count", fields.IntField()),
            ],
            options={
                "table": "plan_subscriptions",
                "app": "laurel",
                "indexes": [Index(fields=["member_id", "id"])],
                "pk_attr": "id",
                "table_description": "A plan that a member has, or had: what was agreed on, and what follows from its events.",
            },
            bases=["Model"],
        ),
        *_checked(
            "PlanSubscription",
            "plan_subscriptions",
            price_minor="price_minor >= 0",
            period_unit="period_unit IN ('month', 'year')",
            cancellation="cancellation IN ('at_period_end', 'at_once')",
            source="source IN ('paid', 'free', 'granted')",
            is_trial="is_trial = 0 OR (is_trial = 1 AND first_period_at IS NOT NULL)",
            counts="periods >= 0 AND review_count >= 0",
        ),
        ops.CreateModel(
            name="PlanEvent",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("event_id", fields.CharField(unique=True, max_length=160)),
                _reference("subscription", "laurel.PlanSubscription"),
                ("kind", fields.CharField(max_length=24)),
                ("occurred_at", InstantField()),
                ("payment_id", fields.CharField(null=True, max_length=120)),
                ("amount_minor", fields.BigIntField(null=True)),
                ("currency", fields.CharField(null=True, max_length=3)),
                ("note", fields.CharField(null=True, max_length=200)),
                ("recorded_by", fields.CharField(max_length=32)),
                ("recorded_at", InstantField()),
            ],
            options={
                "table": "plan_events",
                "app": "laurel",
                "indexes": [Index(fields=["subscription_id", "id"])],
                "pk_attr": "id",
                "table_description": "Something that happened to a member's plan; never changed, and kept for ever.",
            },
            bases=["Model"],
        ),
        *_checked("PlanEvent", "plan_events", amount_minor="amount_minor >= 0"),
    ]
