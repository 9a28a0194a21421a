"""The ledger's named queries; each says what its rows hold."""

from collections.abc import Iterable, Sequence

from server.clock import Instant
from server.ledger.rules import OWN_SIDES
from server.storage import sql
from server.storage.each import of_each
from server.storage.periods import period_of

ACCOUNT_COLUMNS = (
    "id, member_id, asset, last_sequence, last_hash, balance, held, owed, granted_total,"
    " redeemed_total, expired_total, reversed_total, moved_total, next_expiry_at"
)
LOT_COLUMNS = (
    "id, member_id, account_id, sequence, amount, remaining, earned_at, available_at, expires_at,"
    " reason, rule, programme_version, reference, origin_id, undone, recalled,"
    " let_go"
)
POSTING_COLUMNS = (
    "id, member_id, account_id, sequence, debit, credit, amount, balance_after, lot_id, reason,"
    " rule, programme_version, reference, occurred_at, recorded_at, hash"
)
HOLD_COLUMNS = (
    "id, member_id, asset, amount, settled_amount, purpose, partner, created_at, expires_at,"
    " resolved_at, resolution"
)
PORTION_COLUMNS = (
    "id, hold_id, member_id, account_id, lot_id, amount, remaining, releases_at, lot_expires_at"
)

INSERT_ACCOUNT = sql.insert(
    "ledger_accounts", ACCOUNT_COLUMNS, otherwise="ON CONFLICT (member_id, asset) DO NOTHING"
)
UPDATE_ACCOUNT = (
    "UPDATE ledger_accounts SET last_sequence = $1, last_hash = $2, balance = $3, held = $4,"
    " owed = $5, granted_total = $6, redeemed_total = $7, expired_total = $8, reversed_total = $9,"
    " moved_total = $10, next_expiry_at = $11 WHERE id = $12"
)
INSERT_LOT = sql.insert("lots", LOT_COLUMNS)
UPDATE_LOT = "UPDATE lots SET remaining = $1, undone = $2, recalled = $3, let_go = $4 WHERE id = $5"
INSERT_POSTING = sql.insert("postings", POSTING_COLUMNS)
INSERT_HOLD = sql.insert("holds", HOLD_COLUMNS)
INSERT_PORTION = sql.insert("held_portions", PORTION_COLUMNS)
UPDATE_PORTION = "UPDATE held_portions SET remaining = $1 WHERE id = $2"
RESOLVE_HOLD = (
    "UPDATE holds SET settled_amount = $1, resolved_at = $2, resolution = $3"
    " WHERE id = $4 AND resolved_at IS NULL AND expires_at > $2"
)

OWN = ", ".join(f"'{side.value}'" for side in sorted(OWN_SIDES))
EFFECT = (
    f"CASE WHEN p.credit IN ({OWN}) AND p.debit IN ({OWN}) THEN 0"
    f" WHEN p.credit IN ({OWN}) THEN p.amount ELSE -p.amount END"
)
IS_LINE = (
    f"NOT (p.credit IN ({OWN}) AND p.debit IN ({OWN}))"
    " AND NOT (p.reason = 'restored' AND 'transferred' IN (p.debit, p.credit))"
)
"""Of postings `p`: whether it is a line of the statement, having changed the net worth."""


def _lock() -> str:
    return " FOR UPDATE" if sql.engine() == "postgres" else ""


async def accounts_for_writing(member_ids: Iterable[int]) -> Sequence[sql.Row]:
    """All accounts of the members (ACCOUNT_COLUMNS), locked in the order of their ids."""
    values = sql.padded(member_ids)
    return await sql.fetch(
        f"SELECT {ACCOUNT_COLUMNS} FROM ledger_accounts"
        f" WHERE member_id IN ({sql.placeholders(len(values))}) ORDER BY id{_lock()}",
        *values,
    )


async def members_due(now: Instant, *, after_id: int, limit: int) -> list[int]:
    """The next members, by id, of whose value something may have lapsed that is not booked."""
    rows = await sql.fetch(
        "SELECT DISTINCT member_id FROM ledger_accounts"
        " WHERE member_id > $1 AND next_expiry_at <= $2 ORDER BY member_id LIMIT $3",
        after_id,
        now,
        limit,
    )
    return [row[0] for row in rows]


async def open_lots(account_ids: Iterable[int]) -> Sequence[sql.Row]:
    """What is left of the accounts' lots (LOT_COLUMNS), in the order in which it is spent."""
    values = sql.padded(account_ids)
    return await sql.fetch(
        f"SELECT {LOT_COLUMNS} FROM lots"
        f" WHERE account_id IN ({sql.placeholders(len(values))}) AND remaining > 0"
        " ORDER BY account_id, expires_at, sequence",
        *values,
    )


async def lots(lot_ids: Iterable[int]) -> Sequence[sql.Row]:
    """LOT_COLUMNS of the lots."""
    values = sql.padded(lot_ids)
    return await sql.fetch(
        f"SELECT {LOT_COLUMNS} FROM lots WHERE id IN ({sql.placeholders(len(values))})", *values
    )


async def lots_by_reference(references: Iterable[int]) -> Sequence[sql.Row]:
    """LOT_COLUMNS of the lots that the things with these ids gave, in the order of granting."""
    values = sql.padded(references)
    return await sql.fetch(
        f"SELECT {LOT_COLUMNS} FROM lots WHERE reference IN ({sql.placeholders(len(values))})"
        " ORDER BY account_id, sequence",
        *values,
    )


async def lots_of_rule(member_ids: Iterable[int], reason: str, rule: str) -> Sequence[sql.Row]:
    """LOT_COLUMNS of what the rule gave to the members' accounts for the reason and was not undone
    in full, the latest earned first."""
    members = sql.padded(member_ids)
    count = len(members)
    columns = ", ".join(f"l.{name}" for name in LOT_COLUMNS.split(", "))
    return await sql.fetch(
        f"SELECT {columns} FROM ledger_accounts a JOIN lots l ON l.account_id = a.id"
        f" WHERE a.member_id IN ({sql.placeholders(count)}) AND l.reason = ${count + 1}"
        f" AND l.rule = ${count + 2} AND l.undone < l.amount"
        " ORDER BY l.earned_at DESC, l.id DESC",
        *members,
        reason,
        rule,
    )


async def family(lot_id: int) -> Sequence[sql.Row]:
    """The lot and those that go on with its value (LOT_COLUMNS), each with how much of it lapsed
    and how much was taken back because its own grant was undone."""
    columns = ", ".join(f"l.{name}" for name in LOT_COLUMNS.split(", "))
    ended = (
        "(SELECT CAST(COALESCE(SUM(p.amount), 0) AS BIGINT) FROM postings p WHERE p.lot_id = l.id"
        " AND p.credit IN ('expired', 'reversed') AND p.reason = '{0}')"
    )
    return await sql.fetch(
        f"SELECT {columns}, {ended.format('expiry')}, {ended.format('return')}"
        " FROM lots l WHERE l.id = $1 OR l.origin_id = $1 ORDER BY l.id",
        lot_id,
    )


async def open_portions(account_ids: Iterable[int]) -> Sequence[sql.Row]:
    """What the accounts' holds still hold, or held when they expired (PORTION_COLUMNS)."""
    values = sql.padded(account_ids)
    return await sql.fetch(
        f"SELECT {PORTION_COLUMNS} FROM held_portions"
        f" WHERE account_id IN ({sql.placeholders(len(values))}) AND remaining > 0"
        " ORDER BY releases_at, id",
        *values,
    )


async def portions_of(hold_id: int) -> Sequence[sql.Row]:
    """What the hold still holds (PORTION_COLUMNS), in the order of taking."""
    return await sql.fetch(
        f"SELECT {PORTION_COLUMNS} FROM held_portions WHERE hold_id = $1 AND remaining > 0"
        " ORDER BY id",
        hold_id,
    )


async def hold_for_writing(hold_id: int) -> sql.Row | None:
    """HOLD_COLUMNS of one hold, locked."""
    return await sql.fetch_one(f"SELECT {HOLD_COLUMNS} FROM holds WHERE id = $1{_lock()}", hold_id)


async def holds(hold_ids: Iterable[int]) -> Sequence[sql.Row]:
    """HOLD_COLUMNS of the holds."""
    values = sql.padded(hold_ids)
    return await sql.fetch(
        f"SELECT {HOLD_COLUMNS} FROM holds WHERE id IN ({sql.placeholders(len(values))})", *values
    )


async def open_holds(member_ids: Iterable[int], purpose: str, at: Instant) -> Sequence[sql.Row]:
    """HOLD_COLUMNS of the members' holds for the purpose that are open at the instant, the newest
    first."""
    values = sql.padded(member_ids)
    return await sql.fetch(
        f"SELECT {HOLD_COLUMNS} FROM holds WHERE member_id IN ({sql.placeholders(len(values), 3)})"
        " AND purpose = $1 AND resolved_at IS NULL AND expires_at > $2 ORDER BY id DESC",
        purpose,
        at,
        *values,
    )


async def holders(hold_id: int) -> Sequence[sql.Row]:
    """(member_id) of everyone whose value the hold has taken."""
    return await sql.fetch(
        "SELECT DISTINCT member_id FROM held_portions WHERE hold_id = $1", hold_id
    )


async def uses(reference: int) -> Sequence[sql.Row]:
    """What the thing with this id has taken for good from each lot and not given back yet:
    (member_id, account_id, lot_id, amount, id of the first posting), the first taken first. That
    what was given back went on in another lot is no taking."""
    return await sql.fetch(
        f"SELECT member_id, account_id, lot_id, CAST(SUM(CASE WHEN debit IN ({OWN})"
        " THEN amount ELSE -amount END) AS BIGINT), MIN(id)"
        " FROM postings WHERE reference = $1 AND debit <> 'issued' AND lot_id IS NOT NULL"
        f" AND (debit IN ({OWN})) <> (credit IN ({OWN}))"
        " AND NOT (reason IN ('restored', 'merge') AND 'transferred' IN (debit, credit))"
        " GROUP BY member_id, account_id, lot_id ORDER BY MIN(id)",
        reference,
    )


async def booked_rows(
    member_ids: Iterable[int], asset: str, before: int, limit: int
) -> Sequence[sql.Row]:
    """The newest `limit` booked lines of each member's account with a sequence below `before` that
    changed the member's net worth: member_id, sequence, effect, balance_after, reference,
    occurred_at, reason, rule. What was given back and went on in another lot of the same account is
    one line, not three."""
    return await of_each(
        f"SELECT a.member_id, CAST(p.sequence AS BIGINT), {EFFECT}, p.balance_after, p.reference,"
        " p.occurred_at, p.reason, p.rule"
        " FROM postings p JOIN ledger_accounts a ON a.id = p.account_id"
        f" WHERE a.member_id = {{owner}} AND a.asset = $1 AND p.sequence < $2 AND {IS_LINE}"
        " ORDER BY p.sequence DESC LIMIT $3",
        list(member_ids),
        asset,
        before,
        limit,
    )


async def instant_rows(member_ids: Iterable[int], asset: str, at: Instant) -> Sequence[sql.Row]:
    """What the members' accounts held at an instant, from what counted by then: rows of the member
    and of a kind, "lot" (available_at, expires_at, left, 0; expiries left out, for they follow from
    `expires_at`), "held" (0, 0, booked as held, 0), "portion" (releases_at, lot_expires_at, left,
    id) of holds that had expired by the instant and are not booked yet, and "owed" (0, 0, owed,
    0)."""
    members = sql.padded(member_ids)
    wanted = sql.placeholders(len(members), 3)
    here = f"a.asset = $1 AND a.member_id IN ({wanted})"
    side = "CASE WHEN p.credit = '{0}' THEN p.amount WHEN p.debit = '{0}' THEN -p.amount ELSE 0 END"

    zero = "CAST(0 AS BIGINT)"

    def of_side(name: str, sign: str) -> str:
        return (
            f"CAST(COALESCE({sign}SUM({side.format(name)}), 0) AS BIGINT), {zero}"
            " FROM postings p JOIN ledger_accounts a ON a.id = p.account_id"
            f" WHERE {here} AND p.occurred_at <= $2 GROUP BY a.member_id"
        )

    return await sql.fetch(
        "SELECT a.member_id, 'lot', l.available_at, l.expires_at,"
        f" CAST(SUM({side.format('member')}) AS BIGINT), {zero}"
        " FROM postings p JOIN lots l ON l.id = p.lot_id"
        " JOIN ledger_accounts a ON a.id = p.account_id"
        f" WHERE {here} AND p.occurred_at <= $2"
        " AND p.reason <> 'expiry' GROUP BY a.member_id, l.id, l.available_at, l.expires_at"
        f" UNION ALL SELECT a.member_id, 'held', {zero}, {zero}, {of_side('held', '')}"
        f" UNION ALL SELECT a.member_id, 'owed', {zero}, {zero}, {of_side('owed', '-')}"
        " UNION ALL SELECT a.member_id, 'portion', h.releases_at, h.lot_expires_at, h.remaining,"
        " h.id FROM held_portions h JOIN ledger_accounts a ON a.id = h.account_id"
        f" WHERE {here} AND h.remaining > 0 AND h.releases_at <= $2",
        asset,
        at,
        *members,
    )


async def flow_rows(edges: Sequence[Instant]) -> Sequence[sql.Row]:
    """(asset, span, granted, redeemed, expired, reversed, moved) over all members, for the spans
    that the ascending edges part, as `period_of` numbers them; what lies at or after the last edge
    is left out. What was given back is taken off what was redeemed.

    What has expired and is not booked yet counts as expired when it did; what holds will have given
    back by then fills what is owed first.
    """
    last = f"${len(edges)}"

    def net(side: str) -> str:
        return (
            f"SUM(CASE WHEN p.credit = '{side}' AND p.debit IN ({OWN}) THEN p.amount"
            f" WHEN p.debit = '{side}' AND p.credit IN ({OWN}) THEN -p.amount ELSE 0 END)"
        )

    moved = (
        "SUM(CASE WHEN p.credit IN ('issued', 'redeemed', 'expired', 'reversed')"
        " OR p.debit IN ('issued', 'redeemed', 'expired', 'reversed') THEN 0"
        f" ELSE {EFFECT} END)"
    )
    lapsed_at = (
        "CASE WHEN h.lot_expires_at > h.releases_at THEN h.lot_expires_at ELSE h.releases_at END"
    )
    return await sql.fetch(
        "SELECT asset, span, CAST(SUM(granted) AS BIGINT), CAST(SUM(redeemed) AS BIGINT),"
        " CAST(SUM(expired) AS BIGINT), CAST(SUM(reversed) AS BIGINT), CAST(SUM(moved) AS BIGINT)"
        " FROM ("
        f"SELECT a.asset AS asset, {period_of('p.occurred_at', len(edges))} AS span,"
        f" -{net('issued')} AS granted, {net('redeemed')} AS redeemed, {net('expired')} AS expired,"
        f" {net('reversed')} AS reversed, {moved} AS moved"
        " FROM postings p JOIN ledger_accounts a ON a.id = p.account_id"
        f" WHERE p.occurred_at < {last} GROUP BY 1, 2"
        f" UNION ALL SELECT a.asset, {period_of('l.expires_at', len(edges))}, 0, 0,"
        " SUM(l.remaining), 0, 0 FROM lots l JOIN ledger_accounts a ON a.id = l.account_id"
        f" WHERE l.remaining > 0 AND l.expires_at < {last} GROUP BY 1, 2"
        f" UNION ALL SELECT asset, {period_of('lapsed_at', len(edges))}, 0, 0, SUM(CASE"
        " WHEN owed <= through - remaining THEN remaining WHEN owed < through THEN through - owed"
        f" ELSE 0 END), 0, 0 FROM (SELECT a.asset, {lapsed_at} AS lapsed_at, h.remaining, a.owed,"
        " SUM(h.remaining) OVER (PARTITION BY a.id ORDER BY h.releases_at, h.id) AS through"
        " FROM held_portions h JOIN ledger_accounts a ON a.id = h.account_id"
        f" WHERE h.remaining > 0) AS portions WHERE lapsed_at < {last} GROUP BY 1, 2"
        ") AS flows GROUP BY asset, span",
        *edges,
    )
