"""Named queries of explanations, which have no table of their own."""

from collections.abc import Iterable, Sequence

from server.clock import Instant
from server.storage import sql
from server.storage.each import of_each


async def lot_pages(
    member_ids: Iterable[int], asset: str, at: Instant, *, before: int, limit: int
) -> Sequence[sql.Row]:
    """The newest `limit` lots of each member's account, granted by the instant, with a sequence
    below `before`: member_id, account_id, id, sequence, amount, earned_at, available_at,
    expires_at, reason, rule, programme_version, reference."""
    return await of_each(
        "SELECT a.member_id, l.account_id, l.id, l.sequence, l.amount, l.earned_at, l.available_at,"
        " l.expires_at, l.reason, l.rule, l.programme_version, l.reference"
        " FROM lots l JOIN ledger_accounts a ON a.id = l.account_id"
        " WHERE a.member_id = {owner} AND a.asset = $1 AND l.earned_at <= $2 AND l.sequence < $3"
        " ORDER BY l.sequence DESC LIMIT $4",
        list(member_ids),
        asset,
        at,
        before,
        limit,
    )


async def movements(
    account_ids: Iterable[int], lot_ids: Iterable[int], at: Instant, *, since: int
) -> Sequence[sql.Row]:
    """What happened to the lots by the instant, oldest first: lot_id, debit, credit, amount,
    reason, reference, occurred_at, of the accounts' postings from number `since` on; and, as
    postings of the reason "release" that nobody has booked, the holds that had expired by then."""
    accounts, lots = sql.padded(account_ids), sql.padded(lot_ids)
    own = f"account_id IN ({sql.placeholders(len(accounts), 3)})"
    wanted = f"lot_id IN ({sql.placeholders(len(lots), 3 + len(accounts))})"
    return await sql.fetch(
        "SELECT lot_id, debit, credit, amount, reason, reference, occurred_at, sequence"
        f" FROM postings WHERE {own} AND sequence >= $1 AND occurred_at <= $2 AND {wanted}"
        " UNION ALL SELECT lot_id, 'held', 'member', remaining, 'release', hold_id, releases_at,"
        " 2147483647 FROM held_portions"
        f" WHERE {own} AND remaining > 0 AND releases_at <= $2 AND {wanted}"
        " ORDER BY 8, 7",
        since,
        at,
        *accounts,
        *lots,
    )
