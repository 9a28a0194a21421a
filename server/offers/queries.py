"""The named queries of activations, uses and counters.

Each is about some offers and one member at most, and reads by index: neither the number of members
nor what was used long ago makes it longer.
"""

from collections.abc import Collection, Sequence
from functools import lru_cache

from server.clock import Instant, LocalDay
from server.offers.models import EVER
from server.storage import sql
from server.storage.exchange import Asked
from server.storage.ids import new_id

ACTIVATED, USED = 0, 1
"""What a row of `of_member` tells."""
COUNTED, HELD = 0, 1
"""What a row of `of_all` tells."""

USE_COLUMNS = (
    "id, member_id, offer, version, basket_id, purchase_id, local_day, status, held_until, used_at,"
    " discount_minor, shipping_minor, points, cashback_minor, budget_minor, budget_points,"
    " returned_discount_minor, returned_shipping_minor, returned_points, returned_cashback_minor,"
    " returned_budget_minor, returned_budget_points"
)
INSERT_USE = sql.insert("offer_uses", USE_COLUMNS)
BECOME_USED = (
    "UPDATE offer_uses SET status = 'used', purchase_id = $1, used_at = $2, held_until = NULL"
    " WHERE id = $3"
)
COUNT = (
    "UPDATE offer_counters SET uses = uses + $1, budget_minor = budget_minor + $2,"
    " budget_points = budget_points + $3 WHERE offer = $4 AND local_day = $5"
)
GIVE_BACK = (
    "UPDATE offer_uses SET status = $1, returned_discount_minor = $2, returned_shipping_minor = $3,"
    " returned_points = $4, returned_cashback_minor = $5, returned_budget_minor = $6,"
    " returned_budget_points = $7 WHERE id = $8"
)
FORGET_HOLD = "DELETE FROM offer_uses WHERE id = $1"
_LIVE = "status = 'held' AND held_until > {now} AND basket_id <> {basket}"
_CREATE_COUNTER = """
    INSERT INTO offer_counters (id, offer, local_day, uses, budget_minor, budget_points)
    SELECT CAST($1 AS BIGINT), CAST($2 AS VARCHAR), CAST($3 AS INT), COUNT(*),
        CAST(COALESCE(SUM(budget_minor - returned_budget_minor), 0) AS BIGINT),
        CAST(COALESCE(SUM(budget_points - returned_budget_points), 0) AS BIGINT)
    FROM offer_uses WHERE offer = $2 AND status = 'used'{of_day}
    ON CONFLICT (offer, local_day) DO NOTHING
"""


def _lock() -> str:
    return " FOR UPDATE" if sql.engine() == "postgres" else ""


# ---------------------------------------------------------------- reading


@lru_cache(maxsize=128)
def _of_members(member_count: int, count: int) -> str:
    members = sql.placeholders(member_count, first=4)
    keys = sql.placeholders(count, first=4 + member_count)
    live = _LIVE.format(now="$2", basket="$3")
    return f"""
        SELECT CAST({ACTIVATED} AS BIGINT), offer, CAST(1 AS BIGINT), CAST(0 AS BIGINT), member_id
        FROM offer_activations WHERE member_id IN ({members}) AND offer IN ({keys})
        UNION ALL
        SELECT CAST({USED} AS BIGINT), offer, COUNT(*),
            CAST(SUM(CASE WHEN local_day = $1 THEN 1 ELSE 0 END) AS BIGINT), member_id
        FROM offer_uses
        WHERE member_id IN ({members}) AND offer IN ({keys})
            AND (status = 'used' OR ({live}))
        GROUP BY member_id, offer
    """


def of_members(
    member_ids: Collection[int],
    offers: Collection[str],
    *,
    day: LocalDay,
    now: Instant,
    apart_from: int,
) -> Asked:
    """Asks for (ACTIVATED, offer, 1, 0, member) of what the members have activated, and (USED,
    offer, uses, those of the day, member): used or held, but for the basket `apart_from`."""
    members, keys = sql.padded(member_ids), sql.padded(offers)
    return _of_members(len(members), len(keys)), (day, now, apart_from, *members, *keys)


@lru_cache(maxsize=32)
def _of_all(count: int) -> str:
    keys = sql.placeholders(count, first=4)
    live = _LIVE.format(now="$2", basket="$3")
    return f"""
        SELECT CAST({COUNTED} AS BIGINT), offer, local_day, uses, budget_minor, budget_points
        FROM offer_counters WHERE offer IN ({keys}) AND local_day IN ({EVER}, $1)
        UNION ALL
        SELECT CAST({HELD} AS BIGINT), offer, local_day, COUNT(*),
            CAST(SUM(budget_minor) AS BIGINT), CAST(SUM(budget_points) AS BIGINT)
        FROM offer_uses WHERE offer IN ({keys}) AND {live}
        GROUP BY offer, local_day
    """


def of_all(offers: Collection[str], *, day: LocalDay, now: Instant, apart_from: int) -> Asked:
    """Asks for (COUNTED, offer, EVER or the day, uses, budget in minor units, in points) of what is
    used, and (HELD, offer, its day, ...) of what is held, but for the basket `apart_from`."""
    keys = sql.padded(offers)
    return _of_all(len(keys)), (day, now, apart_from, *keys)


_USES_OF_BASKET = f"SELECT {USE_COLUMNS} FROM offer_uses WHERE basket_id = $1 ORDER BY id"
_USES_OF_PURCHASE = f"SELECT {USE_COLUMNS} FROM offer_uses WHERE purchase_id = $1 ORDER BY id"


async def uses_of_basket(basket_id: int) -> Sequence[sql.Row]:
    """USE_COLUMNS of the basket, locked."""
    return await sql.fetch(_USES_OF_BASKET + _lock(), basket_id)


def of_purchase(purchase_id: int) -> Asked:
    """Asks for USE_COLUMNS of the purchase."""
    return _USES_OF_PURCHASE, (purchase_id,)


async def uses_of_purchase(purchase_id: int) -> Sequence[sql.Row]:
    """USE_COLUMNS of the purchase, locked."""
    return await sql.fetch(_USES_OF_PURCHASE + _lock(), purchase_id)


def held_too_long(member_id: int, offers: Collection[str], now: Instant) -> Asked:
    """Asks for the (id) of what was held for the member and is free again since."""
    keys = sql.padded(offers)
    return (
        "SELECT id FROM offer_uses WHERE member_id = $1 AND status = 'held' AND held_until <= $2"
        f" AND offer IN ({sql.placeholders(len(keys), first=3)})",
        (member_id, now, *keys),
    )


async def last_visits(member_ids: Collection[int], at: Instant) -> dict[int, Instant]:
    """When each of the members bought something last, until the instant; who never did is left
    out."""
    members = sql.padded(member_ids)
    rows = await sql.fetch(
        "SELECT member_id, MAX(occurred_at) FROM purchases"
        f" WHERE member_id IN ({sql.placeholders(len(members), first=2)}) AND occurred_at <= $1"
        " GROUP BY member_id",
        at,
        *members,
    )
    return {row[0]: Instant(row[1]) for row in rows}


# ---------------------------------------------------------------- counters


async def lock_counters(offers: Collection[str]) -> set[str]:
    """Lock what is counted of the offers, in the order of their keys; those that are counted yet.

    Who has the row for EVER of an offer has the rows of its days as well.
    """
    keys = sql.padded(offers)
    rows = await sql.fetch(
        f"SELECT offer FROM offer_counters WHERE offer IN ({sql.placeholders(len(keys))})"
        f" AND local_day = {EVER} ORDER BY offer{_lock()}",
        *keys,
    )
    return {row[0] for row in rows}


async def create_counter(offer: str, day: int) -> None:
    """Begin to count the offer on the day, or EVER, with what has been used of it before."""
    if day == EVER:
        await sql.execute(_CREATE_COUNTER.format(of_day=""), new_id(), offer, day)
    else:
        statement = _CREATE_COUNTER.format(of_day=" AND local_day = $3")
        await sql.execute(statement, new_id(), offer, day)


# ---------------------------------------------------------------- writing


async def release(basket_id: int) -> int:
    """Forget what is held for the basket; how many offers those were."""
    return await sql.execute(
        "DELETE FROM offer_uses WHERE basket_id = $1 AND status = 'held'", basket_id
    )


_ACTIVATE = sql.insert(
    "offer_activations",
    "id, member_id, offer, activated_at",
    otherwise="ON CONFLICT (member_id, offer) DO NOTHING",
)


async def activate(activation_id: int, member_id: int, offer: str, now: Instant) -> bool:
    """Note that the member has activated the offer; whether they had not."""
    return await sql.execute(_ACTIVATE, activation_id, member_id, offer, now) == 1


async def deactivate(member_id: int, offer: str) -> bool:
    """Forget that the member has activated the offer; whether they had."""
    statement = "DELETE FROM offer_activations WHERE member_id = $1 AND offer = $2"
    return await sql.execute(statement, member_id, offer) == 1


# ---------------------------------------------------------------- results


async def tallies(offers: Collection[str], now: Instant) -> Sequence[sql.Row]:
    """Of each of the offers that have uses: (offer, uses, members, held, discount, shipping,
    points, cashback, budget in minor units, in points), net of what came back."""
    keys = sql.padded(offers)
    sums = ", ".join(
        f"CAST(SUM(CASE WHEN status = 'held' THEN 0 ELSE {name} - returned_{name} END) AS BIGINT)"
        for name in (
            "discount_minor",
            "shipping_minor",
            "points",
            "cashback_minor",
            "budget_minor",
            "budget_points",
        )
    )
    return await sql.fetch(
        "SELECT offer, SUM(CASE WHEN status = 'used' THEN 1 ELSE 0 END),"
        " COUNT(DISTINCT CASE WHEN status = 'used' THEN member_id END),"
        " SUM(CASE WHEN status = 'held' AND held_until > $1 THEN 1 ELSE 0 END),"
        f" {sums} FROM offer_uses WHERE offer IN ({sql.placeholders(len(keys), first=2)})"
        " GROUP BY offer",
        now,
        *keys,
    )


async def activation_counts(offers: Collection[str]) -> dict[str, int]:
    """How many members have activated each of the offers; those that nobody has are left out."""
    keys = sql.padded(offers)
    rows = await sql.fetch(
        "SELECT offer, COUNT(*) FROM offer_activations"
        f" WHERE offer IN ({sql.placeholders(len(keys))}) GROUP BY offer",
        *keys,
    )
    return {row[0]: int(row[1]) for row in rows}


async def count_members() -> int:
    """How many members there are, merged duplicates left out."""
    row = await sql.fetch_one("SELECT COUNT(*) FROM members WHERE merged_into IS NULL")
    return int(row[0]) if row else 0


async def member_ids_after(member_id: int, limit: int) -> list[int]:
    """The next members after an id, in the order of ids, merged duplicates left out."""
    rows = await sql.fetch(
        "SELECT id FROM members WHERE id > $1 AND merged_into IS NULL ORDER BY id LIMIT $2",
        member_id,
        limit,
    )
    return [int(row[0]) for row in rows]


# ---------------------------------------------------------------- merging


async def move_activations(*, giver: int, receiver: int) -> list[int]:
    """Let the receiver have what the giver has activated, where they have not; the rows' ids."""
    rows = await sql.fetch(
        "UPDATE offer_activations SET member_id = $1 WHERE member_id = $2 AND offer NOT IN"
        " (SELECT o.offer FROM offer_activations o WHERE o.member_id = $1) RETURNING id",
        receiver,
        giver,
    )
    return sorted(row[0] for row in rows)


async def move_activations_back(ids: Sequence[int], *, giver: int, receiver: int) -> None:
    """Let the receiver have those of these activations that are the giver's still; they have none
    of these offers themselves."""
    await sql.execute_many(
        "UPDATE offer_activations SET member_id = $1 WHERE id = $2 AND member_id = $3",
        [(receiver, number, giver) for number in ids],
    )
