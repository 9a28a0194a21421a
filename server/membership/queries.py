"""Named queries of what is followed: how a member stands, and who else is shown with them."""

from collections.abc import Iterable, Sequence

from server.clock import Instant
from server.storage import sql
from server.storage.changes import PROGRAMME_VERSION_ID

_MARKS = (
    # Whatever changes what a member sees moves a version on, with the change itself.
    "(SELECT version FROM versions WHERE id = m.id)",
    f"(SELECT version FROM versions WHERE id = {PROGRAMME_VERSION_ID})",
    # So do the lines that they stand in, when somebody else moves.
    "(SELECT CAST(SUM(v.version) AS BIGINT) FROM drop_places p JOIN versions v ON v.id = p.line_id"
    " WHERE p.member_id = m.id)",
    "(SELECT CAST(SUM((other.id % 1000003) * LENGTH(other.role)) AS BIGINT)"
    " FROM household_members own JOIN household_members other"
    " ON other.household_id = own.household_id AND other.left_at IS NULL"
    " WHERE own.member_id = m.id AND own.left_at IS NULL)",
)
_OPEN_LOTS = (
    "FROM ledger_accounts a JOIN lots l ON l.account_id = a.id"
    " WHERE a.member_id = m.id AND l.remaining > 0"
)
_UNREAD = "FROM notifications n WHERE n.member_id = m.id AND n.read_at IS NULL AND n.is_shown = 1"
_MOMENTS = (
    f"(SELECT MIN(l.available_at) {_OPEN_LOTS} AND l.available_at > $1)",
    f"(SELECT MIN(l.expires_at) {_OPEN_LOTS} AND l.expires_at > $1)",
    "(SELECT MIN(h.releases_at) FROM ledger_accounts a JOIN held_portions h ON h.account_id = a.id"
    " WHERE a.member_id = m.id AND h.remaining > 0 AND h.releases_at > $1)",
    "(SELECT MIN(expires_at) FROM holds"
    " WHERE member_id = m.id AND resolved_at IS NULL AND expires_at > $1)",
    "(SELECT MIN(effective_at) FROM programme_versions WHERE effective_at > $1)",
    f"(SELECT MIN(n.shown_from) {_UNREAD} AND n.shown_from > $1)",
    f"(SELECT MIN(n.expires_at) {_UNREAD} AND n.expires_at > $1)",
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
