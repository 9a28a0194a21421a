"""What the shop writes down, in versions."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from server.storage.fields import IdField, InstantField


class Migration(migrations.Migration):
    dependencies = [("laurel", "0003_versions")]

    initial = False

    operations = [
        ops.CreateModel(
            name="DefinitionVersion",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("kind", fields.CharField(max_length=24)),
                ("key", fields.CharField(max_length=64)),
                ("version", fields.IntField()),
                ("document", fields.TextField(unique=False)),
                ("digest", fields.CharField(max_length=64)),
                ("status", fields.CharField(max_length=10)),
                ("effective_at", InstantField(null=True)),
                ("budget_minor", fields.BigIntField(null=True)),
                ("written_by", fields.CharField(max_length=120)),
                ("written_at", InstantField()),
                ("requested_by", fields.CharField(null=True, max_length=120)),
                ("requested_at", InstantField(null=True)),
                ("decided_by", fields.CharField(null=True, max_length=120)),
                ("decided_at", InstantField(null=True)),
                ("note", fields.CharField(null=True, max_length=500)),
            ],
            options={
                "table": "definition_versions",
                "app": "laurel",
                "unique_together": (("kind", "key", "version"),),
                "indexes": [Index(fields=["status", "id"])],
                "pk_attr": "id",
                "table_description": "One version of something that the shop has written down: a draft, or what became of it.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "DefinitionVersion",
            CheckConstraint(check="version >= 1", name="definition_versions_version"),
        ),
        ops.AddConstraint(
            "DefinitionVersion",
            CheckConstraint(
                check="status IN ('draft', 'waiting', 'published', 'rejected', 'discarded')",
                name="definition_versions_status",
            ),
        ),
        ops.AddConstraint(
            "DefinitionVersion",
            CheckConstraint(
                check="(status IN ('draft', 'discarded')) OR (effective_at IS NOT NULL)",
                name="definition_versions_effective_at",
            ),
        ),
        ops.AddConstraint(
            "DefinitionVersion",
            CheckConstraint(check="budget_minor >= 0", name="definition_versions_budget_minor"),
        ),
    ]
