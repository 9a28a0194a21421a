"""The audit's named queries: they read, in pages, and lock nothing."""

from collections.abc import Iterable, Sequence

from server.ledger.queries import ACCOUNT_COLUMNS, LOT_COLUMNS, POSTING_COLUMNS
from server.storage import sql

IDS_PER_STATEMENT = 512


async def member_ids_after(member_id: int, limit: int) -> list[int]:
    """The ids of the next members, in their order."""
    rows = await sql.fetch(
        "SELECT id FROM members WHERE id > $1 ORDER BY id LIMIT $2", member_id, limit
    )
    return [row[0] for row in rows]


async def member_count() -> int:
    """How many members there are."""
    row = await sql.fetch_one("SELECT COUNT(*) FROM members")
    return int(row[0]) if row else 0


async def chosen(
    table: str, columns: str, ids: Iterable[int], *, by: str = "member_id", order: str = "id"
) -> list[sql.Row]:
    """The columns of the table's rows whose column `by` is one of the ids; for each so many ids in
    the order asked for."""
    wanted = sorted(set(ids))
    rows: list[sql.Row] = []
    for start in range(0, len(wanted), IDS_PER_STATEMENT):
        values = sql.padded(wanted[start : start + IDS_PER_STATEMENT])
        rows += await sql.fetch(
            f"SELECT {columns} FROM {table} WHERE {by} IN ({sql.placeholders(len(values))})"
            f" ORDER BY {order}",
            *values,
        )
    return rows


async def merges(member_ids: Iterable[int]) -> Sequence[sql.Row]:
    """(duplicate's id, survivor's id) of the merges, undone or not, of the members."""
    values = sql.padded(member_ids)
    wanted = sql.placeholders(len(values))
    return await sql.fetch(
        "SELECT duplicate_id, survivor_id FROM merges WHERE"
        f" duplicate_id IN ({wanted}) OR survivor_id IN ({wanted})",
        *values,
    )


async def accounts(member_ids: Iterable[int]) -> list[sql.Row]:
    """ACCOUNT_COLUMNS of the members' accounts."""
    return await chosen("ledger_accounts", ACCOUNT_COLUMNS, member_ids)


async def lots(account_ids: Iterable[int]) -> list[sql.Row]:
    """LOT_COLUMNS of all lots of the accounts."""
    return await chosen(
        "lots", LOT_COLUMNS, account_ids, by="account_id", order="account_id, sequence"
    )


async def postings(account_ids: Iterable[int]) -> Sequence[sql.Row]:
    """POSTING_COLUMNS of all postings of the accounts, account by account, in their order."""
    return await chosen(
        "postings", POSTING_COLUMNS, account_ids, by="account_id", order="account_id, sequence"
    )


async def postings_after(account_id: int, sequence: int, limit: int) -> Sequence[sql.Row]:
    """The next postings of one account (POSTING_COLUMNS), in their order."""
    return await sql.fetch(
        f"SELECT {POSTING_COLUMNS} FROM postings WHERE account_id = $1 AND sequence > $2"
        " ORDER BY sequence LIMIT $3",
        account_id,
        sequence,
        limit,
    )


async def posted(references: Iterable[int]) -> list[sql.Row]:
    """What was posted with these references, but for grants by the programme's rules: (reference,
    asset, debit, credit, reason, sum, instant of the first)."""
    wanted = sorted(set(references))
    rows: list[sql.Row] = []
    for start in range(0, len(wanted), IDS_PER_STATEMENT):
        values = sql.padded(wanted[start : start + IDS_PER_STATEMENT])
        rows += await sql.fetch(
            "SELECT p.reference, a.asset, p.debit, p.credit, p.reason,"
            " CAST(SUM(p.amount) AS BIGINT), MIN(p.occurred_at) FROM postings p"
            " JOIN ledger_accounts a ON a.id = p.account_id"
            f" WHERE p.reference IN ({sql.placeholders(len(values))}) AND p.debit <> 'issued'"
            " GROUP BY p.reference, a.asset, p.debit, p.credit, p.reason",
            *values,
        )
    return rows


async def existing(table: str, ids: Iterable[int]) -> set[int]:
    """Those of the ids that the table has."""
    return {row[0] for row in await chosen(table, "id", ids, by="id")}


async def families(root_ids: Iterable[int]) -> list[sql.Row]:
    """Of each of the lots and those that go on with its value: the lot's id, how much of them
    lapsed, and how much was taken back because the grant was undone."""
    wanted = sorted(set(root_ids))
    rows: list[sql.Row] = []
    for start in range(0, len(wanted), IDS_PER_STATEMENT):
        values = sql.padded(wanted[start : start + IDS_PER_STATEMENT])
        places = sql.placeholders(len(values))

        def of(reason: str) -> str:
            return f"CAST(SUM(CASE WHEN p.reason = '{reason}' THEN p.amount ELSE 0 END) AS BIGINT)"

        rows += await sql.fetch(
            f"SELECT f.root, {of('expiry')}, {of('return')} FROM (SELECT id AS root, id FROM lots"
            f" WHERE id IN ({places}) UNION ALL SELECT origin_id AS root, id FROM lots"
            f" WHERE origin_id IN ({places})) AS f JOIN postings p ON p.lot_id = f.id"
            " AND p.credit IN ('expired', 'reversed') GROUP BY f.root",
            *values,
        )
    return rows


_CHANGED: tuple[tuple[str, str], ...] = (
    ("members", "id"),
    ("postings", "member_id"),
    ("lots", "member_id"),
    ("purchases", "member_id"),
    ("purchase_returns", "member_id"),
    ("holds", "member_id"),
    ("payments", "member_id"),
    ("vouchers", "member_id"),
    ("reward_orders", "member_id"),
    ("payouts", "member_id"),
    ("adjustments", "member_id"),
    ("balance_import_lines", "member_id"),
    ("gifts", "giver_id"),
    ("gifts", "receiver_id"),
    ("merges", "duplicate_id"),
    ("merges", "survivor_id"),
    ("tier_changes", "member_id"),
    ("challenge_progress", "member_id"),
)


async def changed_member_ids(since_id: int, *, after: int, limit: int) -> list[int]:
    """The next members, in the order of their ids, of whom a row was made from that id on."""
    found = " UNION ".join(
        f"SELECT {column} AS member_id FROM {table} WHERE id >= $1 AND {column} > $2"
        for table, column in _CHANGED
    )
    rows = await sql.fetch(
        f"SELECT member_id FROM ({found}) AS changed ORDER BY member_id LIMIT $3",
        since_id,
        after,
        limit,
    )
    return [row[0] for row in rows]
