"""The table of payments, and its named queries."""

from collections.abc import Iterable, Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.clock import Instant
from server.members.models import Member
from server.storage import sql
from server.storage.each import of_each
from server.storage.fields import IdField, InstantField
from server.storage.indexes import PartialIndex


class Payment(Model):
    """Value that a member used at the till: what it cost them, and what it took off the basket.

    `amount` is points, or minor units of cashback or of a voucher; `restored_*` is what of it was
    given back since. It pays for one purchase at most.
    """

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    kind = fields.CharField(8)  # points, cashback, voucher
    asset = fields.CharField(6)
    amount = fields.BigIntField()
    value_minor = fields.BigIntField()
    currency = fields.CharField(3)
    digits = fields.SmallIntField()
    restored_amount = fields.BigIntField()
    restored_minor = fields.BigIntField()
    voucher_id = fields.BigIntField(null=True)
    hold_id = fields.BigIntField(null=True)
    purchase_id = fields.BigIntField(null=True)
    partner = fields.CharField(64)
    paid_at = InstantField()
    cancelled_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "payments"
        indexes = (
            ("member_id", "id"),
            PartialIndex(
                fields=("purchase_id",),
                where="purchase_id IS NOT NULL",
                name="payments_purchase",
            ),
        )
        constraints = (
            CheckConstraint(
                check="kind IN ('points', 'cashback', 'voucher')", name="payments_kind"
            ),
            CheckConstraint(
                check="amount > 0 AND restored_amount >= 0 AND restored_amount <= amount",
                name="payments_amount",
            ),
            CheckConstraint(
                check="value_minor >= 0 AND restored_minor >= 0 AND restored_minor <= value_minor",
                name="payments_value_minor",
            ),
        )


PAYMENT_COLUMNS = (
    "id, member_id, kind, asset, amount, value_minor, currency, digits, restored_amount,"
    " restored_minor, voucher_id, hold_id, purchase_id, partner, paid_at, cancelled_at"
)
INSERT_PAYMENT = sql.insert("payments", PAYMENT_COLUMNS)
ATTACH = "UPDATE payments SET purchase_id = $1 WHERE id = $2 AND purchase_id IS NULL"
GIVE_BACK = (
    "UPDATE payments SET restored_amount = restored_amount + $1,"
    " restored_minor = restored_minor + $2 WHERE id = $3"
)
_CANCEL = (
    "UPDATE payments SET cancelled_at = $1, restored_amount = amount, restored_minor = value_minor"
    " WHERE id = $2 AND cancelled_at IS NULL AND purchase_id IS NULL"
)


def _lock() -> str:
    return " FOR UPDATE" if sql.engine() == "postgres" else ""


async def payment(payment_id: int) -> sql.Row | None:
    """PAYMENT_COLUMNS of one payment."""
    return await sql.fetch_one(f"SELECT {PAYMENT_COLUMNS} FROM payments WHERE id = $1", payment_id)


async def payments_for_writing(payment_ids: Iterable[int]) -> Sequence[sql.Row]:
    """PAYMENT_COLUMNS of the payments, locked in the order of their ids."""
    values = sql.padded(payment_ids)
    return await sql.fetch(
        f"SELECT {PAYMENT_COLUMNS} FROM payments"
        f" WHERE id IN ({sql.placeholders(len(values))}) ORDER BY id{_lock()}",
        *values,
    )


async def purchase_payments(purchase_id: int) -> Sequence[sql.Row]:
    """PAYMENT_COLUMNS of what has paid for the purchase, locked in the order of their ids."""
    return await sql.fetch(
        f"SELECT {PAYMENT_COLUMNS} FROM payments WHERE purchase_id = $1 ORDER BY id{_lock()}",
        purchase_id,
    )


async def purchase_payment_ids(purchase_id: int) -> Sequence[sql.Row]:
    """(id) of what has paid for the purchase."""
    return await sql.fetch("SELECT id FROM payments WHERE purchase_id = $1", purchase_id)


async def payers(payment_ids: Iterable[int]) -> Sequence[sql.Row]:
    """(payment's id, member_id) of everyone whose points or cashback the payments took."""
    values = sql.padded(payment_ids)
    return await sql.fetch(
        "SELECT DISTINCT reference, member_id FROM postings"
        f" WHERE reference IN ({sql.placeholders(len(values))}) AND debit <> 'issued'"
        " AND credit = 'redeemed' ORDER BY reference, member_id",
        *values,
    )


async def payment_pages(member_ids: Iterable[int], before: int, limit: int) -> Sequence[sql.Row]:
    """Each member's newest `limit` payments (PAYMENT_COLUMNS) with an id below `before`."""
    return await of_each(
        f"SELECT {PAYMENT_COLUMNS} FROM payments WHERE member_id = {{owner}} AND id < $1"
        " ORDER BY id DESC LIMIT $2",
        list(member_ids),
        before,
        limit,
    )


async def cancel(payment_id: int, now: Instant) -> bool:
    """Mark the payment as cancelled, and all of it as given back; whether it was not before."""
    return await sql.execute(_CANCEL, now, payment_id) == 1
