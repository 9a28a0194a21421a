"""The catalogue's named queries."""

from collections.abc import Iterable, Sequence

from server.catalogue.models import LINE_COLUMNS, ORDER_COLUMNS, PLACE_COLUMNS
from server.storage import sql
from server.storage.each import of_each

RECENT_PURCHASES = 10


def _lock() -> str:
    return " FOR UPDATE" if sql.engine() == "postgres" else ""


# ---------------------------------------------------------------- orders


async def orders(order_ids: Iterable[int]) -> Sequence[sql.Row]:
    """ORDER_COLUMNS of the orders."""
    values = sql.padded(order_ids)
    return await sql.fetch(
        f"SELECT {ORDER_COLUMNS} FROM reward_orders WHERE id IN ({sql.placeholders(len(values))})",
        *values,
    )


async def order_by_code(code: str) -> sql.Row | None:
    """ORDER_COLUMNS of the order with the code."""
    return await sql.fetch_one(f"SELECT {ORDER_COLUMNS} FROM reward_orders WHERE code = $1", code)


async def order_for_writing(order_id: int) -> sql.Row | None:
    """ORDER_COLUMNS of one order, locked."""
    return await sql.fetch_one(
        f"SELECT {ORDER_COLUMNS} FROM reward_orders WHERE id = $1{_lock()}", order_id
    )


async def orders_of_members(
    member_ids: Iterable[int], before: int, limit: int
) -> Sequence[sql.Row]:
    """Each member's newest `limit` orders (ORDER_COLUMNS) with an id below `before`."""
    return await of_each(
        f"SELECT {ORDER_COLUMNS} FROM reward_orders WHERE member_id = {{owner}} AND id < $1"
        " ORDER BY id DESC LIMIT $2",
        list(member_ids),
        before,
        limit,
    )


async def order_page(status: str | None, before: int, limit: int) -> Sequence[sql.Row]:
    """The newest `limit` orders (ORDER_COLUMNS) with an id below `before`, of everybody; only those
    with the status, if one is given."""
    only = "" if status is None else "status = $3 AND "
    values = (before, limit) if status is None else (before, limit, status)
    return await sql.fetch(
        f"SELECT {ORDER_COLUMNS} FROM reward_orders WHERE {only}id < $1 ORDER BY id DESC LIMIT $2",
        *values,
    )


async def ordered_units(member_ids: Iterable[int]) -> Sequence[sql.Row]:
    """(member, reward's key, units) that the members have ordered and not cancelled."""
    values = sql.padded(member_ids)
    return await sql.fetch(
        "SELECT member_id, reward_key, CAST(SUM(quantity) AS BIGINT) FROM reward_orders"
        f" WHERE member_id IN ({sql.placeholders(len(values))}) AND status <> 'cancelled'"
        " GROUP BY member_id, reward_key",
        *values,
    )


async def units_of(member_id: int, reward_key: str) -> int:
    """How many units of the reward the member has ordered and not cancelled."""
    row = await sql.fetch_one(
        "SELECT CAST(COALESCE(SUM(quantity), 0) AS BIGINT) FROM reward_orders"
        " WHERE member_id = $1 AND reward_key = $2 AND status <> 'cancelled'",
        member_id,
        reward_key,
    )
    assert row is not None, "a sum has a row"
    return int(row[0])


async def sold(reward_key: str) -> int:
    """How many units of the reward are ordered and not cancelled."""
    row = await sql.fetch_one("SELECT sold FROM reward_stock WHERE reward_key = $1", reward_key)
    return int(row[0]) if row else 0


async def all_sold() -> Sequence[sql.Row]:
    """(reward's key, units ordered and not cancelled) of all rewards."""
    return await sql.fetch("SELECT reward_key, sold FROM reward_stock")


# ---------------------------------------------------------------- a member


async def favourites(member_ids: Iterable[int]) -> Sequence[sql.Row]:
    """(member, reward's key) of what the members like."""
    values = sql.padded(member_ids)
    return await sql.fetch(
        "SELECT member_id, reward_key FROM reward_favourites"
        f" WHERE member_id IN ({sql.placeholders(len(values))})",
        *values,
    )


async def move_favourites(*, giver: int, receiver: int) -> list[int]:
    """Let the receiver like what the giver does, where they do not yet; the rows' ids."""
    rows = await sql.fetch(
        "UPDATE reward_favourites SET member_id = $1 WHERE member_id = $2 AND reward_key NOT IN"
        " (SELECT o.reward_key FROM reward_favourites o WHERE o.member_id = $1) RETURNING id",
        receiver,
        giver,
    )
    return sorted(row[0] for row in rows)


async def move_favourites_back(ids: Iterable[int], *, giver: int, receiver: int) -> None:
    """Let the receiver have those of these favourites that are the giver's still."""
    await sql.execute_many(
        "UPDATE reward_favourites SET member_id = $1 WHERE id = $2 AND member_id = $3",
        [(receiver, number, giver) for number in ids],
    )


async def recent_purchases(member_ids: Iterable[int]) -> Sequence[sql.Row]:
    """(member, points that it earned and that stand) of each member's latest ten purchases."""
    return await of_each(
        "SELECT p.member_id, (SELECT CAST(COALESCE(SUM(l.amount - l.undone), 0) AS BIGINT)"
        " FROM lots l JOIN ledger_accounts a ON a.id = l.account_id"
        " WHERE l.reference = p.id AND a.asset = 'POINTS' AND l.origin_id IS NULL) AS points"
        " FROM purchases p WHERE p.member_id = {owner}"
        f" ORDER BY p.occurred_at DESC, p.id DESC LIMIT {RECENT_PURCHASES}",
        list(member_ids),
    )


# ---------------------------------------------------------------- drops


async def lines(drop_keys: Iterable[str]) -> Sequence[sql.Row]:
    """LINE_COLUMNS of the drops' lines."""
    values = sql.padded(drop_keys)
    return await sql.fetch(
        f"SELECT {LINE_COLUMNS} FROM drop_lines"
        f" WHERE drop_key IN ({sql.placeholders(len(values))})",
        *values,
    )


async def lines_of(member_ids: Iterable[int]) -> list[str]:
    """The keys of the drops in whose lines the members have places, in their order."""
    values = sql.padded(member_ids)
    rows = await sql.fetch(
        "SELECT DISTINCT l.drop_key FROM drop_places p JOIN drop_lines l ON l.id = p.line_id"
        f" WHERE p.member_id IN ({sql.placeholders(len(values))}) ORDER BY l.drop_key",
        *values,
    )
    return [row[0] for row in rows]


async def line_for_writing(drop_key: str) -> sql.Row | None:
    """LINE_COLUMNS of the drop's line, locked."""
    return await sql.fetch_one(
        f"SELECT {LINE_COLUMNS} FROM drop_lines WHERE drop_key = $1{_lock()}", drop_key
    )


async def line_of_place(place_id: int) -> str:
    """The key of the drop in whose line the place is."""
    row = await sql.fetch_one(
        "SELECT l.drop_key FROM drop_places p JOIN drop_lines l ON l.id = p.line_id"
        " WHERE p.id = $1",
        place_id,
    )
    assert row is not None, "places are never deleted"
    return str(row[0])


async def place(place_id: int) -> sql.Row:
    """PLACE_COLUMNS of the place."""
    row = await sql.fetch_one(f"SELECT {PLACE_COLUMNS} FROM drop_places WHERE id = $1", place_id)
    assert row is not None, "places are never deleted"
    return row


async def places_of_member(line_id: int, member_id: int) -> Sequence[sql.Row]:
    """PLACE_COLUMNS of the member's places in the line, in their order."""
    return await sql.fetch(
        f"SELECT {PLACE_COLUMNS} FROM drop_places WHERE line_id = $1 AND member_id = $2"
        " ORDER BY turn",
        line_id,
        member_id,
    )


async def newest_places(member_ids: Iterable[int]) -> Sequence[sql.Row]:
    """The drop's key and PLACE_COLUMNS of the last place of each of the members in each line."""
    values = sql.padded(member_ids)
    columns = ", ".join(f"p.{column}" for column in PLACE_COLUMNS.split(", "))
    return await sql.fetch(
        f"SELECT l.drop_key, {columns} FROM drop_places p JOIN drop_lines l ON l.id = p.line_id"
        f" WHERE p.member_id IN ({sql.placeholders(len(values))}) AND NOT EXISTS (SELECT 1"
        " FROM drop_places n WHERE n.line_id = p.line_id AND n.member_id = p.member_id"
        " AND n.turn > p.turn)",
        *values,
    )


async def places_after(line_id: int, number: int, limit: int) -> Sequence[sql.Row]:
    """The next places of the line (PLACE_COLUMNS), in their order."""
    return await sql.fetch(
        f"SELECT {PLACE_COLUMNS} FROM drop_places WHERE line_id = $1 AND number > $2"
        " ORDER BY number LIMIT $3",
        line_id,
        number,
        limit,
    )


async def waiting_before(line_id: int, first: int, numbers: Iterable[int]) -> Sequence[sql.Row]:
    """(number, how many others stand in the line before it, from the number `first` on) of each of
    the places with these numbers."""
    values = sql.padded(numbers)
    return await sql.fetch(
        "SELECT p.number, (SELECT COUNT(*) FROM drop_places q WHERE q.line_id = p.line_id"
        " AND q.number >= $2 AND q.number < p.number AND q.left_at IS NULL)"
        " FROM drop_places p WHERE p.line_id = $1"
        f" AND p.number IN ({sql.placeholders(len(values), 3)})",
        line_id,
        first,
        *values,
    )
