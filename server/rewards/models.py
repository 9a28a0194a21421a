"""The table of vouchers, and its named queries."""

from collections.abc import Iterable, Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.clock import Instant
from server.members.models import Member
from server.storage import sql
from server.storage.each import of_each
from server.storage.fields import IdField, InstantField
from server.storage.parts import Branch
from server.storage.periods import period_of


class Voucher(Model):
    """A voucher bought with points."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    code = fields.CharField(24, unique=True)
    points = fields.BigIntField()
    value_minor = fields.BigIntField()
    currency = fields.CharField(3)
    digits = fields.SmallIntField()  # a major unit has 10**digits minor units
    issued_at = InstantField()
    status = fields.CharField(10)  # issued, used, cancelled
    remaining_minor = fields.BigIntField()  # of its value, what has not been used
    expires_at = InstantField(null=True)  # null: it is good for ever

    class Meta:
        """Table."""

        table = "vouchers"
        indexes = (("member_id", "id"), ("issued_at",))
        constraints = (
            CheckConstraint(check="points > 0", name="vouchers_points"),
            CheckConstraint(check="value_minor >= 0", name="vouchers_value_minor"),
            CheckConstraint(
                check="remaining_minor >= 0 AND remaining_minor <= value_minor",
                name="vouchers_remaining_minor",
            ),
            CheckConstraint(
                check="status IN ('issued', 'used', 'cancelled')", name="vouchers_status"
            ),
        )


VOUCHER_COLUMNS = (
    "id, member_id, code, points, value_minor, currency, digits, issued_at, status,"
    " remaining_minor, expires_at"
)
INSERT_VOUCHER = sql.insert("vouchers", VOUCHER_COLUMNS)
USE_VOUCHER = (
    "UPDATE vouchers SET remaining_minor = remaining_minor - $1,"
    " status = CASE WHEN remaining_minor = $1 THEN 'used' ELSE status END WHERE id = $2"
)
REFILL_VOUCHER = (
    "UPDATE vouchers SET remaining_minor = remaining_minor + $1, status = 'issued' WHERE id = $2"
)
CANCEL_VOUCHER = "UPDATE vouchers SET status = 'cancelled', remaining_minor = 0 WHERE id = $1"


def _lock() -> str:
    return " FOR UPDATE" if sql.engine() == "postgres" else ""


async def voucher_pages(member_ids: Iterable[int], before: int, limit: int) -> Sequence[sql.Row]:
    """Each member's newest `limit` vouchers (VOUCHER_COLUMNS) with an id below `before`."""
    return await of_each(
        f"SELECT {VOUCHER_COLUMNS} FROM vouchers WHERE member_id = {{owner}} AND id < $1"
        " ORDER BY id DESC LIMIT $2",
        list(member_ids),
        before,
        limit,
    )


async def vouchers(voucher_ids: Iterable[int]) -> Sequence[sql.Row]:
    """VOUCHER_COLUMNS of the vouchers."""
    values = sql.padded(voucher_ids)
    return await sql.fetch(
        f"SELECT {VOUCHER_COLUMNS} FROM vouchers WHERE id IN ({sql.placeholders(len(values))})",
        *values,
    )


async def voucher(voucher_id: int) -> sql.Row | None:
    """VOUCHER_COLUMNS of one voucher."""
    return await sql.fetch_one(f"SELECT {VOUCHER_COLUMNS} FROM vouchers WHERE id = $1", voucher_id)


async def voucher_for_writing(voucher_id: int) -> sql.Row | None:
    """VOUCHER_COLUMNS of one voucher, locked."""
    return await sql.fetch_one(
        f"SELECT {VOUCHER_COLUMNS} FROM vouchers WHERE id = $1{_lock()}", voucher_id
    )


async def is_of_order(voucher_id: int) -> bool:
    """Whether the voucher was ordered from the catalogue: its order has the same id."""
    return await sql.fetch_one("SELECT 1 FROM reward_orders WHERE id = $1", voucher_id) is not None


async def voucher_by_code(code: str) -> sql.Row | None:
    """VOUCHER_COLUMNS of the voucher with the code."""
    return await sql.fetch_one(f"SELECT {VOUCHER_COLUMNS} FROM vouchers WHERE code = $1", code)


COUNTS = Branch(
    "voucher counts",
    member="member_id",
    numbers=("COUNT(*)",),
    source="FROM vouchers WHERE member_id IN ({members}) GROUP BY member_id",
)
"""How many vouchers the members have had, those who have any."""


async def issued_counts(edges: Sequence[Instant]) -> Sequence[sql.Row]:
    """(span, number of vouchers issued in it) for the spans that the ascending edges part, as
    `period_of` numbers them; what lies at or after the last edge is left out."""
    return await sql.fetch(
        f"SELECT {period_of('issued_at', len(edges))} AS span, COUNT(*) FROM vouchers"
        f" WHERE issued_at < ${len(edges)} GROUP BY 1",
        *edges,
    )
