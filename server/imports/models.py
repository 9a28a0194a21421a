"""Tables of imports."""

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.members.models import Member
from server.storage.fields import IdField, InstantField


class BalanceImport(Model):
    """One file of opening balances, known by the hash of its content."""

    id = IdField()
    digest = fields.CharField(64, unique=True)  # SHA-256 of the file
    file_name = fields.CharField(255)
    line_count = fields.IntField()
    started_at = InstantField()
    finished_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "balance_imports"


class BalanceImportLine(Model):
    """One line of such a file that was taken in; `number` counts from 1 after the header."""

    id = IdField()
    balance_import: fields.ForeignKeyRelation[BalanceImport] = fields.ForeignKeyField(
        "laurel.BalanceImport", on_delete=fields.RESTRICT
    )
    number = fields.IntField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    asset = fields.CharField(6)
    amount = fields.BigIntField()

    class Meta:
        """Table."""

        table = "balance_import_lines"
        unique_together = (("balance_import_id", "number"),)
        constraints = (
            CheckConstraint(check="number >= 1", name="balance_import_lines_number"),
            CheckConstraint(check="amount > 0", name="balance_import_lines_amount"),
        )
