# ruff: noqa: N999, RUF012 (numbered module; the ORM wants class attributes)
"""Changes tables that have rows, children of both kinds, indexes, triggers and constraints."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint


class Migration(migrations.Migration):
    dependencies = [("laurel", "9001_notes")]
    operations = [
        ops.AlterField("Member", "name", fields.CharField(null=True, max_length=200)),
        ops.AddConstraint(
            "Member", CheckConstraint(check="LENGTH(locale) >= 2", name="members_locale")
        ),
        ops.AddField("Member", "nickname", fields.CharField(null=True, max_length=20)),
        ops.RemoveField("Member", "time_zone"),
        # Append-only tables, whose triggers have to be there again afterwards.
        ops.AlterField("Posting", "rule", fields.CharField(max_length=80)),
        ops.AlterField("ProgrammeVersion", "published_by", fields.CharField(max_length=200)),
        ops.AlterField("Lot", "rule", fields.CharField(max_length=80)),
        ops.AlterField("Card", "number", fields.CharField(unique=True, max_length=24)),
        ops.AddConstraint(
            "Account", UniqueConstraint(fields=("member", "email"), name="accounts_email_once")
        ),
        ops.AddConstraint(
            "Card",
            UniqueConstraint(
                fields=("member_id",), name="cards_one_active", condition="status = 'active'"
            ),
        ),
        ops.RemoveConstraint("Session", name="sessions_generation"),
        ops.RenameConstraint("Voucher", "vouchers_points", "vouchers_price"),
        ops.RenameField("Voucher", "currency", "currency_code"),
    ]
