"""The table of payouts, and its named queries."""

from collections.abc import Iterable, Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.members.models import Member
from server.storage import sql
from server.storage.each import of_each
from server.storage.fields import IdField, InstantField


class Payout(Model):
    """Cashback that a member asked to be paid; it is held until it is paid or comes back."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    hold_id = fields.BigIntField()
    amount_minor = fields.BigIntField()
    currency = fields.CharField(3)
    digits = fields.SmallIntField()
    destination = fields.CharField(200)  # where to, as the member wrote it
    status = fields.CharField(10)
    local_day = fields.IntField()  # of the request, for the daily limit
    requested_at = InstantField()
    decided_at = InstantField(null=True)
    # The account of staff who decided; until then, who asked for it on the member's behalf.
    requested_by = fields.BigIntField(null=True)  # an account of staff, on the member's behalf
    decided_by = fields.BigIntField(null=True)  # an account of staff
    finished_at = InstantField(null=True)
    finished_by = fields.CharField(32, null=True)  # an account of staff or a key, by its name
    bank_reference = fields.CharField(200, null=True)
    note = fields.CharField(200, null=True)  # why it was rejected or failed

    class Meta:
        """Table."""

        table = "payouts"
        indexes = (("member_id", "id"), ("status", "id"))
        constraints = (
            CheckConstraint(check="amount_minor > 0", name="payouts_amount_minor"),
            CheckConstraint(
                check="status IN ('requested', 'approved', 'rejected', 'paid', 'failed',"
                " 'cancelled')",
                name="payouts_status",
            ),
        )


PAYOUT_COLUMNS = (
    "id, member_id, hold_id, amount_minor, currency, digits, status, local_day, requested_at,"
    " decided_at, requested_by, decided_by, finished_at, finished_by, bank_reference, note"
)
"""All but the destination, which is read by itself, and only to be shown."""
INSERT_PAYOUT = sql.insert("payouts", f"{PAYOUT_COLUMNS}, destination")
UPDATE_PAYOUT = (
    "UPDATE payouts SET status = $1, decided_at = $2, decided_by = $3, finished_at = $4,"
    " finished_by = $5, bank_reference = $6, note = $7 WHERE id = $8 AND status = $9"
)


async def payouts(payout_ids: Iterable[int]) -> Sequence[sql.Row]:
    """PAYOUT_COLUMNS of the payouts."""
    values = sql.padded(payout_ids)
    return await sql.fetch(
        f"SELECT {PAYOUT_COLUMNS} FROM payouts WHERE id IN ({sql.placeholders(len(values))})",
        *values,
    )


async def payout_for_writing(payout_id: int) -> sql.Row | None:
    """PAYOUT_COLUMNS of one payout, locked."""
    lock = " FOR UPDATE" if sql.engine() == "postgres" else ""
    return await sql.fetch_one(
        f"SELECT {PAYOUT_COLUMNS} FROM payouts WHERE id = $1{lock}", payout_id
    )


async def destinations(payout_ids: Iterable[int]) -> Sequence[sql.Row]:
    """(id, destination) of the payouts."""
    values = sql.padded(payout_ids)
    return await sql.fetch(
        f"SELECT id, destination FROM payouts WHERE id IN ({sql.placeholders(len(values))})",
        *values,
    )


async def payouts_of_members(
    member_ids: Iterable[int], before: int, limit: int
) -> Sequence[sql.Row]:
    """Each member's newest `limit` payouts (PAYOUT_COLUMNS) with an id below `before`."""
    return await of_each(
        f"SELECT {PAYOUT_COLUMNS} FROM payouts WHERE member_id = {{owner}} AND id < $1"
        " ORDER BY id DESC LIMIT $2",
        list(member_ids),
        before,
        limit,
    )


async def payout_page(status: str | None, before: int, limit: int) -> Sequence[sql.Row]:
    """The newest `limit` payouts (PAYOUT_COLUMNS) with an id below `before`, of everybody; only
    those with the status, if one is given."""
    if status is None:
        return await sql.fetch(
            f"SELECT {PAYOUT_COLUMNS} FROM payouts WHERE id < $1 ORDER BY id DESC LIMIT $2",
            before,
            limit,
        )
    return await sql.fetch(
        f"SELECT {PAYOUT_COLUMNS} FROM payouts WHERE status = $1 AND id < $2"
        " ORDER BY id DESC LIMIT $3",
        status,
        before,
        limit,
    )


async def counting_on_day(member_id: int, currency: str, local_day: int) -> int:
    """What counts towards the member's limit of the day: the sum of the payouts that were asked for
    on it and have not come back, in minor units of the currency."""
    row = await sql.fetch_one(
        "SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) FROM payouts WHERE member_id = $1"
        " AND currency = $2 AND local_day = $3"
        " AND status IN ('requested', 'approved', 'paid')",
        member_id,
        currency,
        local_day,
    )
    assert row is not None, "a sum has a row"
    return int(row[0])
