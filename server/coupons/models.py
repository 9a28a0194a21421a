"""The tables of batches, single-use codes, redemptions and counters, and their named queries."""

from collections.abc import Iterable, Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.clock import Instant
from server.members.models import Member
from server.storage import sql
from server.storage.exchange import Asked
from server.storage.fields import IdField, InstantField
from server.storage.ids import new_id


class CouponBatch(Model):
    """Single-use codes that were generated together; they count once all of them are made."""

    id = IdField()
    coupon = fields.CharField(64)  # the key of the definition
    size = fields.IntField()  # how many codes
    status = fields.CharField(6)  # making, ready, void
    made_by = fields.CharField(120)
    made_at = InstantField()
    finished_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "coupon_batches"
        indexes = (("coupon", "id"), ("status", "id"))
        constraints = (
            CheckConstraint(check="size >= 1", name="coupon_batches_size"),
            CheckConstraint(
                check="status IN ('making', 'ready', 'void')", name="coupon_batches_status"
            ),
            CheckConstraint(
                check="(status = 'making') OR (finished_at IS NOT NULL)",
                name="coupon_batches_finished_at",
            ),
        )


class CouponCode(Model):
    """A single-use code, by its keyed hash alone, and who has it now."""

    id = IdField()
    code_hash = fields.CharField(43, unique=True)  # HMAC-SHA-256 of the code, base 64
    batch_id = fields.BigIntField()
    holder_id = fields.BigIntField(
        null=True
    )  # the member who reserved or redeemed it; null: in stock
    basket_id = fields.BigIntField(null=True)
    reserved_until = InstantField(null=True)
    redeemed_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "coupon_codes"
        constraints = (
            CheckConstraint(
                check="(redeemed_at IS NULL AND reserved_until IS NULL) = (holder_id IS NULL)",
                name="coupon_codes_holder_id",
            ),
            CheckConstraint(
                check="redeemed_at IS NULL OR reserved_until IS NULL",
                name="coupon_codes_reserved_until",
            ),
        )


class CouponRedemption(Model):
    """One use of a coupon by a member: reserved while their basket is open, or redeemed."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    coupon = fields.CharField(64)  # the key of the definition
    offer = fields.CharField(64)
    code = fields.CharField(48)  # a shared code, normalised, or a single-use code's hash
    local_day = fields.IntField()  # of the programme's time zone
    occurred_at = InstantField()
    status = fields.CharField(10)  # reserved, redeemed, cancelled, returned
    reserved_until = InstantField(null=True)
    basket_id = fields.BigIntField(null=True)
    purchase_id = fields.BigIntField(null=True)
    recorded_at = InstantField()

    class Meta:
        """Table."""

        table = "coupon_redemptions"
        indexes = (
            ("member_id", "coupon"),
            ("offer", "status"),
            ("coupon", "code", "status"),
            ("basket_id",),
            ("purchase_id",),
        )
        constraints = (
            CheckConstraint(
                check="status IN ('reserved', 'redeemed', 'cancelled', 'returned')",
                name="coupon_redemptions_status",
            ),
            CheckConstraint(
                check="(status = 'reserved') = (reserved_until IS NOT NULL)",
                name="coupon_redemptions_reserved_until",
            ),
        )


class CouponCounter(Model):
    """How often a code with a limit in total was redeemed; its row is what is locked for it."""

    id = IdField()
    coupon = fields.CharField(64)
    code = fields.CharField(48)
    uses = fields.BigIntField()

    class Meta:
        """Table."""

        table = "coupon_counters"
        unique_together = (("coupon", "code"),)
        constraints = (CheckConstraint(check="uses >= 0", name="coupon_counters_uses"),)


REDEMPTION_COLUMNS = (
    "id, member_id, coupon, offer, code, local_day, occurred_at, status, reserved_until,"
    " basket_id, purchase_id, recorded_at"
)
INSERT_REDEMPTION = sql.insert("coupon_redemptions", REDEMPTION_COLUMNS)
BATCH_COLUMNS = "id, coupon, size, status, made_by, made_at, finished_at"
INSERT_BATCH = sql.insert("coupon_batches", BATCH_COLUMNS)
FINISH_BATCH = (
    "UPDATE coupon_batches SET status = $1, finished_at = $2 WHERE id = $3 AND status = 'making'"
)
INSERT_CODE = sql.insert("coupon_codes", "id, code_hash, batch_id")
TAKE_CODE = (
    "UPDATE coupon_codes SET holder_id = $1, basket_id = $2, reserved_until = $3, redeemed_at = $4"
    " WHERE code_hash = $5 AND redeemed_at IS NULL"
    " AND (reserved_until IS NULL OR reserved_until <= $6 OR basket_id = $2)"
)
FREE_CODE = (
    "UPDATE coupon_codes SET holder_id = NULL, basket_id = NULL, reserved_until = NULL,"
    " redeemed_at = NULL WHERE code_hash = $1"
)
FREE_BASKETS_CODE = f"{FREE_CODE} AND basket_id = $2 AND redeemed_at IS NULL"
"""A reservation that expired may be somebody else's by now: only the basket's own is freed."""
FORGET_RESERVATION = "DELETE FROM coupon_redemptions WHERE id = $1"
CONFIRM = (
    "UPDATE coupon_redemptions SET status = 'redeemed', reserved_until = NULL, purchase_id = $1,"
    " local_day = $2, occurred_at = $3, recorded_at = $4 WHERE id = $5"
)
END = "UPDATE coupon_redemptions SET status = $1 WHERE id = $2"
_COUNTER = sql.insert(
    "coupon_counters", "id, coupon, code, uses", otherwise="ON CONFLICT (coupon, code) DO NOTHING"
)
COUNT = "UPDATE coupon_counters SET uses = uses + $1 WHERE coupon = $2 AND code = $3"


def _lock() -> str:
    return " FOR UPDATE" if sql.engine() == "postgres" else ""


def codes_by_hash(hashes: Iterable[str]) -> Asked:
    """Asks for (hash, coupon, member, basket, reserved until, redeemed at) of the codes of finished
    batches."""
    wanted = sql.padded(hashes)
    return (
        "SELECT c.code_hash, b.coupon, c.holder_id, c.basket_id, c.reserved_until, c.redeemed_at"
        " FROM coupon_codes c JOIN coupon_batches b ON b.id = c.batch_id"
        f" WHERE b.status = 'ready' AND c.code_hash IN ({sql.placeholders(len(wanted))})",
        wanted,
    )


def uses_of(member_ids: Iterable[int], now: Instant) -> Asked:
    """Asks for (member, coupon, code, local day, basket, number) of what the members have
    redeemed, and of what is reserved for them at the instant."""
    wanted = sql.padded(member_ids)
    return (
        "SELECT member_id, coupon, code, local_day, basket_id, COUNT(*) FROM coupon_redemptions"
        f" WHERE member_id IN ({sql.placeholders(len(wanted), 2)})"
        " AND (status = 'redeemed' OR (status = 'reserved' AND reserved_until > $1))"
        " GROUP BY member_id, coupon, code, local_day, basket_id",
        (now, *wanted),
    )


async def lock_counter(coupon: str, code: str) -> int:
    """How often the code was redeemed; its counter is locked, and made if there is none yet."""
    find = f"SELECT uses FROM coupon_counters WHERE coupon = $1 AND code = $2{_lock()}"
    row = await sql.fetch_one(find, coupon, code)
    if row is None:
        counted = await sql.fetch_one(
            "SELECT COUNT(*) FROM coupon_redemptions"
            " WHERE coupon = $1 AND code = $2 AND status = 'redeemed'",
            coupon,
            code,
        )
        assert counted is not None, "a count has a row"
        await sql.execute(_COUNTER, new_id(), coupon, code, counted[0])
        row = await sql.fetch_one(find, coupon, code)
        assert row is not None, "it was made"
    return int(row[0])


async def reservations(coupon: str, code: str, but: int | None, now: Instant) -> int:
    """How often the code is reserved at the instant, for other baskets."""
    row = await sql.fetch_one(
        "SELECT COUNT(*) FROM coupon_redemptions WHERE coupon = $1 AND code = $2"
        " AND status = 'reserved' AND reserved_until > $3 AND basket_id <> $4",
        coupon,
        code,
        now,
        but or 0,
    )
    assert row is not None, "a count has a row"
    return int(row[0])


def used_in_total(coupon: str, code: str, but: int | None, now: Instant) -> Asked:
    """Asks for how often the code was redeemed, or is reserved at the instant for other baskets;
    locks nothing."""
    return (
        "SELECT COALESCE("
        "(SELECT uses FROM coupon_counters WHERE coupon = $1 AND code = $2),"
        " (SELECT COUNT(*) FROM coupon_redemptions"
        " WHERE coupon = $1 AND code = $2 AND status = 'redeemed'))"
        " + (SELECT COUNT(*) FROM coupon_redemptions WHERE coupon = $1 AND code = $2"
        " AND status = 'reserved' AND reserved_until > $3 AND basket_id <> $4) AS uses",
        (coupon, code, now, but or 0),
    )


async def of_basket(basket_id: int) -> Sequence[sql.Row]:
    """REDEMPTION_COLUMNS of what is reserved for the basket, or was redeemed with it; locked."""
    return await sql.fetch(
        f"SELECT {REDEMPTION_COLUMNS} FROM coupon_redemptions WHERE basket_id = $1"
        f" ORDER BY id{_lock()}",
        basket_id,
    )


async def of_purchase(purchase_id: int) -> Sequence[sql.Row]:
    """REDEMPTION_COLUMNS of what was redeemed with the purchase; locked."""
    return await sql.fetch(
        f"SELECT {REDEMPTION_COLUMNS} FROM coupon_redemptions WHERE purchase_id = $1"
        f" ORDER BY id{_lock()}",
        purchase_id,
    )


async def redemption(redemption_id: int, *, locks: bool = False) -> sql.Row | None:
    """REDEMPTION_COLUMNS of one redemption."""
    return await sql.fetch_one(
        f"SELECT {REDEMPTION_COLUMNS} FROM coupon_redemptions WHERE id = $1"
        f"{_lock() if locks else ''}",
        redemption_id,
    )


async def batches(coupon: str | None, *, before: int, limit: int) -> Sequence[sql.Row]:
    """BATCH_COLUMNS and the number of redeemed codes of the newest batches with an id below."""
    return await sql.fetch(
        f"SELECT {BATCH_COLUMNS}, (SELECT COUNT(*) FROM coupon_codes c"
        " WHERE c.batch_id = coupon_batches.id AND c.redeemed_at IS NOT NULL)"
        " FROM coupon_batches WHERE id < $1"
        " AND (CAST($2 AS VARCHAR) IS NULL OR coupon = $2) ORDER BY id DESC LIMIT $3",
        before,
        coupon,
        limit,
    )


async def unfinished(coupon: str) -> list[int]:
    """The batches of the coupon that were never finished."""
    rows = await sql.fetch(
        "SELECT id FROM coupon_batches WHERE status = 'making' AND coupon = $1", coupon
    )
    return [int(row[0]) for row in rows]


async def results(at: Instant) -> Sequence[sql.Row]:
    """(offer, redemptions, members, different codes) of what was redeemed up to the instant."""
    return await sql.fetch(
        "SELECT offer, COUNT(*), COUNT(DISTINCT member_id), COUNT(DISTINCT code)"
        " FROM coupon_redemptions WHERE status = 'redeemed' AND occurred_at <= $1 GROUP BY offer",
        at,
    )


async def delete_codes(batch_id: int, after: int, limit: int) -> int | None:
    """Delete some of a batch's codes with an id above that; the last one's, None if none is left.
    Writes; call it inside a transaction."""
    rows = await sql.fetch(
        "SELECT id FROM coupon_codes WHERE id > $1 AND batch_id = $2 ORDER BY id LIMIT $3",
        after,
        batch_id,
        limit,
    )
    if not rows:
        return None
    last = int(rows[-1][0])
    await sql.execute(
        "DELETE FROM coupon_codes WHERE id > $1 AND id <= $2 AND batch_id = $3",
        after,
        last,
        batch_id,
    )
    return last
