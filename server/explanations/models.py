"""Named queries of explanations, which have no table of their own."""

from collections.abc import Iterable, Sequence

from server.clock import Instant
from server.storage import sql


async def lot_page(
    member_id: int, asset: str, at: Instant, *, before: int, limit: int
) -> Sequence[sql.Row]:
    """The newest `limit` lots of the account, granted by the instant, with a sequence below
    `before`: account_id, id, sequence, amount, earned_at, available_at, expires_at, reason, rule,
    programme_version, reference."""
    return await sql.fetch(
        "SELECT l.account_id, l.id, l.sequence, l.amount, l.earned_at, l.available_at,"
        " l.expires_at, l.reason, l.rule, l.programme_version, l.reference"
        " FROM lots l JOIN ledger_accounts a ON a.id = l.account_id"
        " WHERE a.member_id = $1 AND a.asset = $2 AND l.earned_at <= $3 AND l.sequence < $4"
        " ORDER BY l.sequence DESC LIMIT $5",
        member_id,
        asset,
        at,
        before,
        limit,
    )


async def movements(
    account_id: int, lot_ids: Iterable[int], at: Instant, *, since: int
) -> Sequence[sql.Row]:
    """What happened to the lots by the instant, oldest first: lot_id, debit, credit, amount,
    reason, reference, occurred_at, of the account's postings from number `since` on; and, as
    postings of the reason "release" that nobody has booked, the holds that had expired by then."""
    lots = sql.padded(lot_ids)
    wanted = sql.placeholders(len(lots), 4)
    return await sql.fetch(
        "SELECT lot_id, debit, credit, amount, reason, reference, occurred_at, sequence"
        " FROM postings WHERE account_id = $1 AND sequence >= $2 AND occurred_at <= $3"
        f" AND lot_id IN ({wanted})"
        " UNION ALL SELECT lot_id, 'held', 'member', remaining, 'release', hold_id, releases_at,"
        " 2147483647 FROM held_portions"
        f" WHERE account_id = $1 AND remaining > 0 AND releases_at <= $3 AND lot_id IN ({wanted})"
        " ORDER BY 8, 7",
        account_id,
        since,
        at,
        *lots,
    )
