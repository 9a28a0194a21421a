"""Statements of reminders: how far they are, and which members may be concerned.

The spans of ids keep each statement short, and let it use the index that begins with the member's
id: none reads more of a member than what is asked for.
"""

from collections.abc import Collection, Sequence

from msgspec import Struct

from server.clock import Instant, LocalDay
from server.storage import sql
from server.storage.ids import new_id

ALL = 2**63 - 1
"""The id that no member's is above."""


class Scan(Struct, frozen=True):
    """How far the members were looked at for a message."""

    version_id: int
    local_day: LocalDay
    after_id: int

    @property
    def is_complete(self) -> bool:
        """Whether all were."""
        return self.after_id == ALL

    def is_of(self, version_id: int, day: LocalDay) -> bool:
        """Whether it is of the version and the day."""
        return (self.version_id, self.local_day) == (version_id, day)


_SCAN_COLUMNS = "message, version_id, local_day, after_id"
_SAVE = sql.insert(
    "reminder_scans",
    f"id, {_SCAN_COLUMNS}",
    otherwise="ON CONFLICT (message) DO UPDATE SET version_id = excluded.version_id,"
    " local_day = excluded.local_day, after_id = excluded.after_id",
)


async def scans() -> dict[str, Scan]:
    """How far all are, by message."""
    rows = await sql.fetch(f"SELECT {_SCAN_COLUMNS} FROM reminder_scans")
    return {row[0]: Scan(*row[1:]) for row in rows}


async def scan(message: str, *, is_locked: bool = False) -> Scan | None:
    """How far one is."""
    lock = " FOR UPDATE" if is_locked and sql.engine() == "postgres" else ""
    row = await sql.fetch_one(
        f"SELECT {_SCAN_COLUMNS} FROM reminder_scans WHERE message = $1{lock}", message
    )
    return None if row is None else Scan(*row[1:])


async def save(message: str, version_id: int, day: LocalDay, after_id: int) -> None:
    """Note how far one is."""
    await sql.execute(_SAVE, new_id(), message, version_id, day, after_id)


async def last_id(*, after_id: int, limit: int) -> int | None:
    """The last of the next members' ids; None if none follow."""
    row = await sql.fetch_one(
        "SELECT MAX(id) FROM (SELECT id FROM members WHERE id > $1 ORDER BY id LIMIT $2) AS page",
        after_id,
        limit,
    )
    return None if row is None or row[0] is None else int(row[0])


# ---------------------------------------------------------------- who may be concerned

_SPAN = "member_id > $1 AND member_id <= $2"
_LAPSING = (
    f"SELECT member_id FROM ledger_accounts WHERE {_SPAN} AND asset = $3 AND next_expiry_at < $4"
)
_RICH = f"SELECT member_id FROM ledger_accounts WHERE {_SPAN} AND asset = $3 AND balance >= $4"
_MATURED = (
    "SELECT a.member_id, MAX(l.available_at) FROM ledger_accounts a"
    " JOIN lots l ON l.account_id = a.id AND l.remaining > 0"
    " WHERE a.member_id > $1 AND a.member_id <= $2 AND a.asset = $3"
    " AND l.available_at >= $4 AND l.available_at <= $5 AND l.earned_at < l.available_at"
    " GROUP BY a.member_id"
)
_BIRTHDAYS = (
    "SELECT id, birthday FROM members WHERE id > $1 AND id <= $2 AND merged_into IS NULL"
    " AND SUBSTR(birthday, 6) IN ({days})"
)


async def lapsing(after_id: int, up_to_id: int, asset: str, *, before: Instant) -> list[int]:
    """Members of whose value in the asset some may lapse before the instant."""
    rows = await sql.fetch(_LAPSING, after_id, up_to_id, asset, before)
    return [row[0] for row in rows]


async def rich(after_id: int, up_to_id: int, asset: str, *, minimum: int) -> list[int]:
    """Members who may have so much of the asset."""
    return [row[0] for row in await sql.fetch(_RICH, after_id, up_to_id, asset, minimum)]


async def matured(
    after_id: int, up_to_id: int, asset: str, *, since: Instant, until: Instant
) -> dict[int, Instant]:
    """Members of whose value in the asset some was pending and became available in the time; and
    when the last of it did."""
    rows = await sql.fetch(_MATURED, after_id, up_to_id, asset, since, until)
    return {row[0]: Instant(row[1]) for row in rows}


async def born_on(
    after_id: int, up_to_id: int, month_days: Collection[str]
) -> Sequence[tuple[int, str]]:
    """Members who were born on one of the days MM-DD, and when."""
    wanted = sorted(month_days)
    statement = _BIRTHDAYS.format(days=sql.placeholders(len(wanted), 3))
    return [(row[0], row[1]) for row in await sql.fetch(statement, after_id, up_to_id, *wanted)]


async def with_progress(
    after_id: int, up_to_id: int, marks: Collection[tuple[str, LocalDay, int]]
) -> list[int]:
    """Members who have not completed one of the challenges in the period that starts on the day,
    and have counted so much."""
    return await _of_marks(
        "SELECT member_id FROM challenge_progress WHERE member_id IN ({members})"
        " AND challenge = {0} AND period_start = {1} AND progress >= {2} AND completed_at IS NULL",
        after_id,
        up_to_id,
        marks,
    )


async def with_runs(
    after_id: int, up_to_id: int, marks: Collection[tuple[str, LocalDay, int]]
) -> list[int]:
    """Members with a run of one of the challenges whose last period starts on the day; it began by
    then."""
    return await _of_marks(
        "SELECT member_id FROM challenge_runs WHERE member_id IN ({members})"
        " AND challenge = {0} AND last_period = {1} AND first_period <= {2}",
        after_id,
        up_to_id,
        marks,
    )


async def _of_marks(
    template: str, after_id: int, up_to_id: int, marks: Collection[tuple[str, LocalDay, int]]
) -> list[int]:
    # Member by member, for one index has their ids first and the challenge after them: a span of
    # ids would read all that they ever did.
    if not marks:
        return []
    span = "SELECT id FROM members WHERE id > $1 AND id <= $2 AND merged_into IS NULL"
    parts: list[str] = []
    values: list[object] = []
    for mark in marks:
        places = [f"${3 + len(values) + number}" for number in range(3)]
        parts.append(template.format(*places, members=span))
        values += mark
    rows = await sql.fetch(" UNION ".join(parts), after_id, up_to_id, *values)
    return sorted(row[0] for row in rows)


_ACTIVATED = (
    "SELECT DISTINCT a.member_id FROM offer_activations a"
    " WHERE a.member_id > $1 AND a.member_id <= $2 AND a.offer || '' IN ({offers})"
)


async def activated(after_id: int, up_to_id: int, offers: Collection[str]) -> list[int]:
    """Members who have activated one of the offers."""
    wanted = sorted(offers)
    # Not by the index of offers, which would read everybody's activations for each page.
    statement = _ACTIVATED.format(offers=sql.placeholders(len(wanted), 3))
    return sorted([row[0] for row in await sql.fetch(statement, after_id, up_to_id, *wanted)])
