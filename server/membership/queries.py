"""Named queries of what is followed: how a member stands, and who else is shown with them."""

from collections.abc import Iterable, Sequence

from server.clock import Instant
from server.storage import sql

_LATEST = "(SELECT MAX({column}) FROM {table} WHERE member_id = m.id)"
_MARKS = (
    "m.name, m.external_id, m.birthday, m.locale, m.time_zone, m.merged_into",
    # Everything that has moved value, and everything that is reserved.
    "(SELECT CAST(SUM(last_sequence) AS BIGINT) FROM ledger_accounts WHERE member_id = m.id)",
    "(SELECT CAST(SUM(lifetime_spend_minor + change_count) AS BIGINT) FROM tier_states"
    " WHERE member_id = m.id)",
    _LATEST.format(column="occurred_at", table="purchases"),
    _LATEST.format(column="id", table="purchase_returns"),
    _LATEST.format(column="status_changed_at", table="cards"),
    _LATEST.format(column="reported_lost_at", table="cards"),
    "(SELECT CAST(SUM((id % 1000003) * LENGTH(status)) AS BIGINT) FROM cards"
    " WHERE member_id = m.id)",
    _LATEST.format(column="id", table="payments"),
    _LATEST.format(column="cancelled_at", table="payments"),
    _LATEST.format(column="id", table="vouchers"),
    "(SELECT CAST(SUM(remaining_minor) AS BIGINT) FROM vouchers WHERE member_id = m.id)",
    _LATEST.format(column="id", table="holds"),
    _LATEST.format(column="resolved_at", table="holds"),
    _LATEST.format(column="requested_at", table="payouts"),
    _LATEST.format(column="decided_at", table="payouts"),
    _LATEST.format(column="finished_at", table="payouts"),
    "(SELECT CAST(SUM((other.id % 1000003) * LENGTH(other.role)) AS BIGINT)"
    " FROM household_members own JOIN household_members other"
    " ON other.household_id = own.household_id AND other.left_at IS NULL"
    " WHERE own.member_id = m.id AND own.left_at IS NULL)",
    "(SELECT MAX(id) FROM programme_versions)",
)
_OPEN_LOTS = (
    "FROM ledger_accounts a JOIN lots l ON l.account_id = a.id"
    " WHERE a.member_id = m.id AND l.remaining > 0"
)
_MOMENTS = (
    f"(SELECT MIN(l.available_at) {_OPEN_LOTS} AND l.available_at > $1)",
    f"(SELECT MIN(l.expires_at) {_OPEN_LOTS} AND l.expires_at > $1)",
    "(SELECT MIN(h.releases_at) FROM ledger_accounts a JOIN held_portions h ON h.account_id = a.id"
    " WHERE a.member_id = m.id AND h.remaining > 0 AND h.releases_at > $1)",
    "(SELECT MIN(expires_at) FROM holds"
    " WHERE member_id = m.id AND resolved_at IS NULL AND expires_at > $1)",
    "(SELECT MIN(effective_at) FROM programme_versions WHERE effective_at > $1)",
)
MOMENT_COUNT = len(_MOMENTS)


async def standings(member_ids: Iterable[int], at: Instant) -> Sequence[sql.Row]:
    """For each member: the id; MOMENT_COUNT instants after `at` at which something that is theirs
    becomes available, lapses or begins to count, or null; and marks, of which at least one differs
    after a change of what the member sees of their own."""
    values = sql.padded(member_ids)
    columns = ", ".join(("m.id", *_MOMENTS, *_MARKS))
    return await sql.fetch(
        f"SELECT {columns} FROM members m WHERE m.id IN ({sql.placeholders(len(values), 2)})",
        at,
        *values,
    )


async def fellows(member_id: int) -> Sequence[sql.Row]:
    """(household id, member id) of everyone present in the member's household, theirs included;
    nothing for a member in none."""
    return await sql.fetch(
        "SELECT other.household_id, other.member_id FROM household_members own"
        " JOIN household_members other ON other.household_id = own.household_id"
        " AND other.left_at IS NULL WHERE own.member_id = $1 AND own.left_at IS NULL",
        member_id,
    )
