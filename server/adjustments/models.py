"""The table of adjustments, and its named queries."""

from collections.abc import Iterable, Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.clock import Instant
from server.members.models import Member
from server.storage import sql
from server.storage.fields import IdField, InstantField


class Adjustment(Model):
    """Value that staff give (or take, if negative), applied at once or after a second person."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    asset = fields.CharField(6)
    amount = fields.BigIntField()
    reason = fields.CharField(500)
    status = fields.CharField(8)
    requested_by = fields.BigIntField()  # an account of staff
    requested_at = InstantField()
    decided_by = fields.BigIntField(null=True)  # another account of staff
    decided_at = InstantField(null=True)
    note = fields.CharField(500, null=True)

    class Meta:
        """Table."""

        table = "adjustments"
        indexes = (("member_id", "id"), ("status", "id"))
        constraints = (
            CheckConstraint(check="amount <> 0", name="adjustments_amount"),
            CheckConstraint(
                check="status IN ('pending', 'applied', 'rejected')", name="adjustments_status"
            ),
            CheckConstraint(
                check="decided_by IS NULL OR decided_by <> requested_by",
                name="adjustments_second_person",
            ),
        )


ADJUSTMENT_COLUMNS = (
    "id, member_id, asset, amount, reason, status, requested_by, requested_at, decided_by,"
    " decided_at, note"
)
INSERT_ADJUSTMENT = sql.insert("adjustments", ADJUSTMENT_COLUMNS)
_DECIDE = (
    "UPDATE adjustments SET status = $1, decided_by = $2, decided_at = $3, note = $4"
    " WHERE id = $5 AND status = 'pending'"
)


async def adjustment(adjustment_id: int) -> sql.Row | None:
    """ADJUSTMENT_COLUMNS of one adjustment."""
    return await sql.fetch_one(
        f"SELECT {ADJUSTMENT_COLUMNS} FROM adjustments WHERE id = $1", adjustment_id
    )


async def adjustment_for_writing(adjustment_id: int) -> sql.Row | None:
    """ADJUSTMENT_COLUMNS of one adjustment, locked, so that it's decided once."""
    lock = " FOR UPDATE" if sql.engine() == "postgres" else ""
    return await sql.fetch_one(
        f"SELECT {ADJUSTMENT_COLUMNS} FROM adjustments WHERE id = $1{lock}", adjustment_id
    )


async def adjustment_page(status: str | None, before: int, limit: int) -> Sequence[sql.Row]:
    """The newest `limit` adjustments (ADJUSTMENT_COLUMNS) of the status, or of all, with an id
    below `before`."""
    if status is None:
        return await sql.fetch(
            f"SELECT {ADJUSTMENT_COLUMNS} FROM adjustments WHERE id < $1 ORDER BY id DESC LIMIT $2",
            before,
            limit,
        )
    return await sql.fetch(
        f"SELECT {ADJUSTMENT_COLUMNS} FROM adjustments WHERE status = $1 AND id < $2"
        " ORDER BY id DESC LIMIT $3",
        status,
        before,
        limit,
    )


async def applied_alone(
    member_id: int, asset: str, *, by: int, start: Instant, before: Instant
) -> int:
    """How much, gifts and takings alike, the person has applied for the member without a second
    one from `start` until just before `before`."""
    row = await sql.fetch_one(
        "SELECT CAST(COALESCE(SUM(ABS(amount)), 0) AS BIGINT) FROM adjustments"
        " WHERE member_id = $1 AND asset = $2 AND requested_by = $3 AND status = 'applied'"
        " AND decided_by IS NULL AND requested_at >= $4 AND requested_at < $5",
        member_id,
        asset,
        by,
        start,
        before,
    )
    return int(row[0]) if row else 0


async def decide(
    adjustment_id: int, *, status: str, by: int, at: Instant, note: str | None
) -> None:
    """Decide an adjustment that is pending."""
    await sql.execute(_DECIDE, status, by, at, note, adjustment_id)


async def reasons(adjustment_ids: Iterable[int]) -> Sequence[sql.Row]:
    """(id, reason) of the adjustments."""
    values = sql.padded(adjustment_ids)
    return await sql.fetch(
        f"SELECT id, reason FROM adjustments WHERE id IN ({sql.placeholders(len(values))})", *values
    )
