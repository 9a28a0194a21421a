"""The named queries of returns, and of purchases as they stand; each says what its rows hold."""

from collections.abc import Iterable, Sequence

from server.clock import Instant
from server.purchases.models import LINE_COLUMNS, PURCHASE_COLUMNS
from server.storage import sql
from server.storage.each import of_each

RETURN_COLUMNS = (
    "id, member_id, purchase_id, partner, external_id, content_hash, occurred_at, recorded_at,"
    " net_minor, outcome"
)
RETURN_LINE_COLUMNS = "id, member_id, purchase_return_id, number, quantity, amount_minor"
INSERT_RETURN = sql.insert("purchase_returns", RETURN_COLUMNS)
INSERT_RETURN_LINE = sql.insert("return_lines", RETURN_LINE_COLUMNS)
UPDATE_LINE = (
    "UPDATE purchase_lines SET returned_quantity = $1, returned_minor = $2"
    " WHERE purchase_id = $3 AND number = $4"
)
UPDATE_PURCHASE = (
    "UPDATE purchases SET returned_net_minor = $1, returned_eligible_minor = $2 WHERE id = $3"
)


async def purchase(purchase_id: int) -> sql.Row | None:
    """PURCHASE_COLUMNS of one purchase."""
    return await sql.fetch_one(
        f"SELECT {PURCHASE_COLUMNS} FROM purchases WHERE id = $1", purchase_id
    )


async def purchase_of_partner(partner: str, external_id: str) -> sql.Row | None:
    """PURCHASE_COLUMNS of the purchase that a partner knows by this id."""
    return await sql.fetch_one(
        f"SELECT {PURCHASE_COLUMNS} FROM purchases WHERE partner = $1 AND external_id = $2",
        partner,
        external_id,
    )


async def purchases(purchase_ids: Iterable[int]) -> Sequence[sql.Row]:
    """PURCHASE_COLUMNS of the purchases."""
    values = sql.padded(purchase_ids)
    return await sql.fetch(
        f"SELECT {PURCHASE_COLUMNS} FROM purchases WHERE id IN ({sql.placeholders(len(values))})",
        *values,
    )


async def purchase_pages(
    member_ids: Iterable[int], before: int, limit: int, *, partner: str | None
) -> Sequence[sql.Row]:
    """PURCHASE_COLUMNS of each member's newest purchases with an id below `before`; only those of
    the partner, if one is given."""
    of_partner = "" if partner is None else " AND partner = $3"
    return await of_each(
        f"SELECT {PURCHASE_COLUMNS} FROM purchases WHERE member_id = {{owner}} AND id < $1"
        f"{of_partner} ORDER BY id DESC LIMIT $2",
        list(member_ids),
        before,
        limit,
        *([] if partner is None else [partner]),
    )


async def lines(purchase_ids: Iterable[int]) -> Sequence[sql.Row]:
    """LINE_COLUMNS of the purchases' lines, each purchase's in their order."""
    values = sql.padded(purchase_ids)
    return await sql.fetch(
        f"SELECT {LINE_COLUMNS} FROM purchase_lines"
        f" WHERE purchase_id IN ({sql.placeholders(len(values))}) ORDER BY purchase_id, number",
        *values,
    )


async def purchases_between(member_id: int, first: Instant, end: Instant) -> Sequence[sql.Row]:
    """(id, occurred_at, programme_version) of the member's purchases made from `first` on and
    before `end`, in the order in which they were recorded."""
    return await sql.fetch(
        "SELECT id, occurred_at, programme_version FROM purchases"
        " WHERE member_id = $1 AND occurred_at >= $2 AND occurred_at < $3 ORDER BY id",
        member_id,
        first,
        end,
    )


async def lines_between(member_id: int, first: Instant, end: Instant) -> Sequence[sql.Row]:
    """LINE_COLUMNS of the lines of the member's purchases made in that span."""
    columns = ", ".join(f"l.{name}" for name in LINE_COLUMNS.split(", "))
    return await sql.fetch(
        f"SELECT {columns} FROM purchases p JOIN purchase_lines l ON l.purchase_id = p.id"
        " WHERE p.member_id = $1 AND p.occurred_at >= $2 AND p.occurred_at < $3"
        " ORDER BY l.purchase_id, l.number",
        member_id,
        first,
        end,
    )


async def return_of_partner(partner: str, external_id: str) -> sql.Row | None:
    """(content_hash, outcome) of the return that a partner knows by this id."""
    return await sql.fetch_one(
        "SELECT content_hash, outcome FROM purchase_returns"
        " WHERE partner = $1 AND external_id = $2",
        partner,
        external_id,
    )


async def returns_of(purchase_ids: Iterable[int]) -> Sequence[sql.Row]:
    """(purchase_id, outcome, occurred_at, recorded_at) of the purchases' returns, the first
    recorded first."""
    values = sql.padded(purchase_ids)
    return await sql.fetch(
        "SELECT purchase_id, outcome, occurred_at, recorded_at FROM purchase_returns"
        f" WHERE purchase_id IN ({sql.placeholders(len(values))}) ORDER BY id",
        *values,
    )


async def duplicates_of(member_id: int) -> list[int]:
    """The members who were merged into the member, and into those in turn: what they were granted
    may stand in lots of theirs."""
    rows = await sql.fetch(
        "WITH RECURSIVE joined(member_id) AS (SELECT duplicate_id FROM merges"
        " WHERE survivor_id = $1 AND undone_at IS NULL"
        " UNION SELECT m.duplicate_id FROM merges m JOIN joined j ON m.survivor_id = j.member_id"
        " WHERE m.undone_at IS NULL) SELECT member_id FROM joined",
        member_id,
    )
    return [row[0] for row in rows]
