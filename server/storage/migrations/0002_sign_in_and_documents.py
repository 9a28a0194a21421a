"""Identities elsewhere, password resets, attempt limits, trusted documents, key rotation."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from server.storage.fields import IdField, InstantField


class Migration(migrations.Migration):
    dependencies = [("laurel", "0001_initial")]

    initial = False

    operations = [
        ops.CreateModel(
            name="AccountIdentity",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "account",
                    fields.ForeignKeyField(
                        "laurel.Account",
                        source_field="account_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("provider", fields.CharField(max_length=32)),
                ("subject", fields.CharField(max_length=128)),
                ("created_at", InstantField()),
            ],
            options={
                "table": "account_identities",
                "app": "laurel",
                "unique_together": (("provider", "subject"),),
                "indexes": [Index(fields=["account_id"])],
                "pk_attr": "id",
                "table_description": "An identity elsewhere that signs in to an account.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AttemptLimit",
            fields=[
                (
                    "name_hash",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64),
                ),
                ("used_up_until", InstantField()),
            ],
            options={
                "table": "attempt_limits",
                "app": "laurel",
                "indexes": [Index(fields=["used_up_until"])],
                "pk_attr": "name_hash",
                "table_description": "What has been tried under one name, as the one instant of the generic cell rate algorithm.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PasswordReset",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "account",
                    fields.ForeignKeyField(
                        "laurel.Account",
                        source_field="account_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("code_hash", fields.CharField(unique=True, max_length=64)),
                ("created_at", InstantField()),
                ("expires_at", InstantField()),
                ("used_at", InstantField(null=True)),
            ],
            options={
                "table": "password_resets",
                "app": "laurel",
                "indexes": [Index(fields=["account_id", "id"])],
                "pk_attr": "id",
                "table_description": "A code that was sent to an account's address, and sets a new password once.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TrustedDocument",
            fields=[
                (
                    "sha256",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64),
                ),
                ("body", fields.TextField(unique=False)),
                ("label", fields.CharField(max_length=255)),
                ("published_at", InstantField()),
                ("withdrawn_at", InstantField(null=True)),
            ],
            options={
                "table": "trusted_documents",
                "app": "laurel",
                "pk_attr": "sha256",
                "table_description": "One published document; its text never changes, for its name is its hash.",
            },
            bases=["Model"],
        ),
        ops.AlterField(
            model_name="Account",
            name="email",
            field=fields.CharField(null=True, max_length=254),
        ),
        ops.AlterField(
            model_name="Account",
            name="email_key",
            field=fields.CharField(null=True, unique=True, max_length=254),
        ),
        ops.AlterField(
            model_name="Account",
            name="password_hash",
            field=fields.CharField(null=True, max_length=200),
        ),
        ops.AddConstraint(
            model_name="Account",
            constraint=CheckConstraint(
                check="(email IS NULL) = (email_key IS NULL)", name="accounts_email_and_key"
            ),
        ),
        ops.AddConstraint(
            model_name="Account",
            constraint=CheckConstraint(
                check="password_hash IS NULL OR email IS NOT NULL", name="accounts_password"
            ),
        ),
        ops.AddField(
            model_name="ApiKey",
            name="last_used_at",
            field=InstantField(null=True),
        ),
        ops.AddField(
            model_name="ApiKey",
            name="replaces_id",
            field=fields.BigIntField(null=True),
        ),
        ops.AddField(
            model_name="SigningKey",
            name="signs_from",
            field=InstantField(null=True),
        ),
    ]
