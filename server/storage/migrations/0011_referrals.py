"""Referrals and rewarded actions."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from server.storage.fields import IdField, InstantField


class Migration(migrations.Migration):
    dependencies = [("laurel", "0010_plans")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Referral",
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
                ("friend_id", fields.BigIntField(unique=True)),
                ("programme", fields.CharField(max_length=64)),
                ("version", fields.IntField()),
                ("state", fields.CharField(max_length=8)),
                ("doubts", fields.CharField(max_length=120)),
                ("accepted_at", InstantField()),
                ("accepted_day", fields.IntField()),
                ("enrolled_day", fields.IntField()),
                ("purchase_id", fields.BigIntField(null=True)),
                ("purchase_day", fields.IntField(null=True)),
                ("granted_at", InstantField(null=True)),
                ("granted_month", fields.IntField(null=True)),
                ("available_at", InstantField(null=True)),
                ("is_capped", fields.SmallIntField()),
                ("inviter_points", fields.BigIntField()),
                ("inviter_cashback_minor", fields.BigIntField()),
                ("friend_points", fields.BigIntField()),
                ("friend_cashback_minor", fields.BigIntField()),
                ("decided_by", fields.BigIntField(null=True)),
                ("decided_at", InstantField(null=True)),
                ("note", fields.CharField(null=True, max_length=500)),
            ],
            options={
                "table": "referrals",
                "app": "laurel",
                "indexes": [
                    Index(fields=["member_id", "id"]),
                    Index(fields=["state", "id"]),
                    Index(fields=["purchase_id"]),
                ],
                "pk_attr": "id",
                "table_description": "A friend whom a member brought; `member` is who brought them, the inviter.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "Referral",
            CheckConstraint(
                check="state IN ('waiting', 'held', 'blocked', 'rejected', 'rewarded', 'returned')",
                name="referrals_state",
            ),
        ),
        ops.AddConstraint(
            "Referral",
            CheckConstraint(
                check="(purchase_id IS NULL) = (purchase_day IS NULL)",
                name="referrals_purchase_day",
            ),
        ),
        ops.AddConstraint(
            "Referral",
            CheckConstraint(
                check="state <> 'rewarded' OR (purchase_id IS NOT NULL AND granted_at IS NOT NULL AND granted_month IS NOT NULL AND available_at IS NOT NULL)",
                name="referrals_granted",
            ),
        ),
        ops.AddConstraint(
            "Referral",
            CheckConstraint(
                check="inviter_points >= 0 AND inviter_cashback_minor >= 0 AND friend_points >= 0 AND friend_cashback_minor >= 0",
                name="referrals_amounts",
            ),
        ),
        ops.CreateModel(
            name="ReferralMilestone",
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
                ("programme", fields.CharField(max_length=64)),
                ("friends", fields.IntField()),
                ("points", fields.BigIntField()),
                ("referral_id", fields.BigIntField()),
                ("state", fields.CharField(max_length=8)),
                ("granted_at", InstantField()),
            ],
            options={
                "table": "referral_milestones",
                "app": "laurel",
                "indexes": [Index(fields=["member_id", "id"])],
                "pk_attr": "id",
                "table_description": "Points that an inviter got for having brought so many friends.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "ReferralMilestone",
            CheckConstraint(
                check="state IN ('granted', 'returned', 'kept')", name="referral_milestones_state"
            ),
        ),
        ops.AddConstraint(
            "ReferralMilestone",
            CheckConstraint(check="friends >= 1", name="referral_milestones_friends"),
        ),
        ops.AddConstraint(
            "ReferralMilestone",
            CheckConstraint(check="points >= 0", name="referral_milestones_points"),
        ),
        ops.CreateModel(
            name="MemberMark",
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
                ("kind", fields.CharField(max_length=7)),
                ("mark_hash", fields.CharField(max_length=43)),
                ("noted_at", InstantField()),
            ],
            options={
                "table": "member_marks",
                "app": "laurel",
                "unique_together": (("member_id", "kind", "mark_hash"),),
                "indexes": [Index(fields=["kind", "mark_hash"])],
                "pk_attr": "id",
                "table_description": "Something that a member uses, by its keyed hash alone: a device, a means of payment or an address.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "MemberMark",
            CheckConstraint(
                check="kind IN ('device', 'payment', 'address')", name="member_marks_kind"
            ),
        ),
        ops.CreateModel(
            name="ActionCompletion",
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
                ("action", fields.CharField(max_length=64)),
                ("version", fields.IntField()),
                ("subject", fields.CharField(null=True, max_length=64)),
                ("local_day", fields.IntField()),
                ("points", fields.BigIntField()),
                ("completed_at", InstantField()),
                ("told_by", fields.CharField(max_length=120)),
            ],
            options={
                "table": "action_completions",
                "app": "laurel",
                "indexes": [
                    Index(fields=["member_id", "action", "id"]),
                    Index(fields=["action", "id"]),
                ],
                "pk_attr": "id",
                "table_description": "An action that a member completed, once.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "ActionCompletion",
            CheckConstraint(check="points >= 0", name="action_completions_points"),
        ),
        ops.CreateModel(
            name="ActionCounter",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("action", fields.CharField(unique=True, max_length=64)),
                ("completions", fields.BigIntField()),
            ],
            options={
                "table": "action_counters",
                "app": "laurel",
                "pk_attr": "id",
                "table_description": "How often an action with a limit in total was completed; its row is what is locked for it.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "ActionCounter",
            CheckConstraint(check="completions >= 0", name="action_counters_completions"),
        ),
        ops.CreateModel(
            name="SurveyAnswer",
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
                ("completion_id", fields.BigIntField()),
                ("action", fields.CharField(max_length=64)),
                ("question", fields.CharField(max_length=64)),
                ("value", fields.CharField(null=True, max_length=64)),
                ("text", fields.CharField(null=True, max_length=2000)),
            ],
            options={
                "table": "survey_answers",
                "app": "laurel",
                "indexes": [
                    Index(fields=["action", "question", "id"]),
                    Index(fields=["member_id", "id"]),
                ],
                "pk_attr": "id",
                "table_description": "A member's answer to one question of a survey.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "SurveyAnswer",
            CheckConstraint(
                check="(value IS NULL) <> (text IS NULL)", name="survey_answers_value_or_text"
            ),
        ),
    ]
