"""Who is in a segment, and what members have agreed to."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from server.storage.fields import IdField, InstantField


class Migration(migrations.Migration):
    dependencies = [("laurel", "0004_definitions")]

    initial = False

    operations = [
        ops.CreateModel(
            name="MemberConsent",
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
                ("purpose", fields.CharField(max_length=12)),
                ("is_given", fields.IntField()),
                ("changed_at", InstantField()),
                ("source", fields.CharField(max_length=8)),
            ],
            options={
                "table": "member_consents",
                "app": "laurel",
                "unique_together": (("member_id", "purpose"),),
                "pk_attr": "id",
                "table_description": "What a member said last of one purpose that their data may be used for.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "MemberConsent",
            CheckConstraint(check="is_given IN (0, 1)", name="member_consents_is_given"),
        ),
        ops.AddConstraint(
            "MemberConsent",
            CheckConstraint(
                check="purpose IN ('email', 'push', 'sms', 'profiling')",
                name="member_consents_purpose",
            ),
        ),
        ops.CreateModel(
            name="ConsentChange",
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
                ("purpose", fields.CharField(max_length=12)),
                ("is_given", fields.IntField()),
                ("changed_at", InstantField()),
                ("source", fields.CharField(max_length=8)),
                ("stated_by", fields.CharField(max_length=64)),
                ("note", fields.CharField(null=True, max_length=200)),
            ],
            options={
                "table": "consent_changes",
                "app": "laurel",
                "indexes": [Index(fields=["member_id", "id"])],
                "pk_attr": "id",
                "table_description": "The evidence of one change of a consent; it is never changed.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "ConsentChange",
            CheckConstraint(check="is_given IN (0, 1)", name="consent_changes_is_given"),
        ),
        ops.CreateModel(
            name="SegmentListing",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "version",
                    fields.OneToOneField(
                        "laurel.DefinitionVersion",
                        source_field="version_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("as_of", InstantField()),
                ("after_id", fields.BigIntField()),
                ("is_complete", fields.IntField()),
            ],
            options={
                "table": "segment_listings",
                "app": "laurel",
                "pk_attr": "id",
                "table_description": "How far the members of a published version that lists them are listed.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "SegmentListing",
            CheckConstraint(check="is_complete IN (0, 1)", name="segment_listings_is_complete"),
        ),
        ops.AddConstraint(
            "SegmentListing",
            CheckConstraint(check="after_id >= 0", name="segment_listings_after_id"),
        ),
        ops.CreateModel(
            name="SegmentMember",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "version",
                    fields.ForeignKeyField(
                        "laurel.DefinitionVersion",
                        source_field="version_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
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
            ],
            options={
                "table": "segment_members",
                "app": "laurel",
                "unique_together": (("version_id", "member_id"),),
                "indexes": [Index(fields=["member_id", "version_id"])],
                "pk_attr": "id",
                "table_description": "A member whom a published version of a segment lists.",
            },
            bases=["Model"],
        ),
    ]
