"""The table of baskets, and its named queries."""

from collections.abc import Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.clock import Instant
from server.members.models import Member
from server.storage import sql
from server.storage.fields import IdField, InstantField


class Basket(Model):
    """A basket that was reserved or confirmed, with what it was quoted.

    Whether a reservation has expired is read off the clock: its row says nothing of it.
    """

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    partner = fields.CharField(64)
    status = fields.CharField(9)  # reserved, confirmed, cancelled
    quote = fields.TextField()  # as JSON, without coupon codes
    quoted_at = InstantField()
    held_until = InstantField(null=True)  # of a reservation
    decided_at = InstantField(null=True)
    external_id = fields.CharField(64, null=True)  # of the purchase, within the partner
    content_hash = fields.CharField(64, null=True)  # of what was sent to confirm it
    purchase_id = fields.BigIntField(null=True)

    class Meta:
        """Table."""

        table = "baskets"
        unique_together = (("partner", "external_id"),)
        indexes = (("member_id", "id"), ("purchase_id",))
        constraints = (
            CheckConstraint(
                check="status IN ('reserved', 'confirmed', 'cancelled')", name="baskets_status"
            ),
            CheckConstraint(
                check="(status = 'reserved') = (decided_at IS NULL)", name="baskets_decided_at"
            ),
            CheckConstraint(
                check="(status = 'confirmed') = (purchase_id IS NOT NULL)"
                " AND (status = 'confirmed') = (external_id IS NOT NULL)"
                " AND (status = 'confirmed') = (content_hash IS NOT NULL)",
                name="baskets_purchase",
            ),
            CheckConstraint(
                check="status = 'confirmed' OR held_until IS NOT NULL", name="baskets_held_until"
            ),
        )


COLUMNS = (
    "id, member_id, partner, status, quote, quoted_at, held_until, decided_at, external_id,"
    " content_hash, purchase_id"
)
INSERT = sql.insert("baskets", COLUMNS)
_DECIDE = (
    "UPDATE baskets SET status = $1, decided_at = $2, external_id = $3, content_hash = $4,"
    " purchase_id = $5 WHERE id = $6 AND status = 'reserved'"
)


async def basket(basket_id: int) -> sql.Row | None:
    """COLUMNS of one basket."""
    return await sql.fetch_one(f"SELECT {COLUMNS} FROM baskets WHERE id = $1", basket_id)


async def confirmed(partner: str, external_id: str) -> sql.Row | None:
    """COLUMNS of the partner's basket that became the purchase with this id."""
    return await sql.fetch_one(
        f"SELECT {COLUMNS} FROM baskets WHERE partner = $1 AND external_id = $2",
        partner,
        external_id,
    )


async def insert(row: Sequence[object]) -> None:
    """Write a basket (COLUMNS)."""
    await sql.execute(INSERT, *row)


async def cancel(basket_id: int, at: Instant) -> int:
    """Cancel a reserved basket; 0 if it is none any more."""
    return await sql.execute(_DECIDE, "cancelled", at, None, None, None, basket_id)


async def confirm(
    basket_id: int, at: Instant, *, external_id: str, content_hash: str, purchase_id: int
) -> int:
    """Make a reserved basket a purchase; 0 if it is none any more."""
    return await sql.execute(
        _DECIDE, "confirmed", at, external_id, content_hash, purchase_id, basket_id
    )
