"""Tables of imports, and their named queries."""

from collections.abc import Iterable, Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.clock import Instant
from server.members.models import Member
from server.storage import sql
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
    """One line of such a file that was taken in; `number` counts from 1 after the header.

    The lots that it made have its id as their reference. `asset` and `amount` are what it brought:
    the points, or the cashback of a line without points.
    """

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


LINE_COLUMNS = "id, balance_import_id, number, member_id, asset, amount"
INSERT_LINE = sql.insert("balance_import_lines", LINE_COLUMNS)
_BEGIN = sql.insert(
    "balance_imports",
    "id, digest, file_name, line_count, started_at, finished_at",
    otherwise="ON CONFLICT (digest) DO NOTHING",
)


async def begin(row: sql.Row) -> bool:
    """Note an import: id, digest, file name, number of lines, started, finished; whether its
    content is new."""
    return await sql.execute(_BEGIN, *row) == 1


async def by_digest(digest: str) -> sql.Row | None:
    """(id, file name, started, finished) of the import with the content."""
    return await sql.fetch_one(
        "SELECT id, file_name, started_at, finished_at FROM balance_imports WHERE digest = $1",
        digest,
    )


async def finish(import_id: int, at: Instant) -> None:
    """Note that every line of the import was taken."""
    await sql.execute(
        "UPDATE balance_imports SET finished_at = $1 WHERE id = $2 AND finished_at IS NULL",
        at,
        import_id,
    )


async def taken_numbers(import_id: int, first: int, last: int) -> Sequence[sql.Row]:
    """(number) of the import's lines from `first` to `last` that were taken."""
    return await sql.fetch(
        "SELECT number FROM balance_import_lines"
        " WHERE balance_import_id = $1 AND number BETWEEN $2 AND $3",
        import_id,
        first,
        last,
    )


async def with_other_opening(member_ids: Iterable[int], import_id: int) -> Sequence[sql.Row]:
    """(member_id) of those of the members who were given an opening balance by another import."""
    values = sql.padded(member_ids)
    return await sql.fetch(
        "SELECT DISTINCT a.member_id FROM ledger_accounts a"
        " JOIN lots l ON l.account_id = a.id AND l.reason = 'opening'"
        " JOIN balance_import_lines b ON b.id = l.reference AND b.balance_import_id <> $1"
        f" WHERE a.member_id IN ({sql.placeholders(len(values), 2)})",
        import_id,
        *values,
    )
