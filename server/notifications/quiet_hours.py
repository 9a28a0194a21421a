"""Quiet hours that members choose for themselves, in place of the programme's.

They are minutes of the local day, in the time zone of the member, and may go past midnight.
"""

import re
from collections.abc import Iterable

import msgspec

from server.clock import Instant
from server.errors import InvalidInput, phrase
from server.notifications.shapes import Hours
from server.storage import changes, sql

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_MINUTES_PER_HOUR = 60
_WRITE = sql.insert(
    "quiet_hours",
    "id, from_minute, until_minute, changed_at",
    otherwise="ON CONFLICT (id) DO UPDATE SET from_minute = excluded.from_minute,"
    " until_minute = excluded.until_minute, changed_at = excluded.changed_at",
)


class OwnHours(msgspec.Struct, frozen=True):
    """The hours that a member chose."""

    hours: Hours
    changed_at: Instant


def minute_of(text: str, *, path: tuple[str, ...]) -> int:
    """The minute of the day of "HH:MM". Raises InvalidInput."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise InvalidInput(
            "quiet_hours.time", path=path, value=text, accepted=phrase("accepted.time_of_day")
        )
    return int(found[1]) * _MINUTES_PER_HOUR + int(found[2])


def time_of(minute: int) -> str:
    """The minute of the day as "HH:MM"."""
    return f"{minute // _MINUTES_PER_HOUR:02}:{minute % _MINUTES_PER_HOUR:02}"


async def set_hours(member_id: int, hours: Hours | None, *, now: Instant) -> None:
    """Let the member have these quiet hours, or with None the programme's.

    Writes; call it inside a transaction.
    """
    if hours is None:
        await sql.execute("DELETE FROM quiet_hours WHERE id = $1", member_id)
    else:
        await sql.execute(_WRITE, member_id, hours.from_minute, hours.until_minute, now)
    changes.note(changes.MEMBER, member_id)


async def of_members(member_ids: Iterable[int]) -> dict[int, OwnHours]:
    """The hours of those of the members who chose some; one statement."""
    values = sql.padded(member_ids)
    rows = await sql.fetch(
        "SELECT id, from_minute, until_minute, changed_at FROM quiet_hours"
        f" WHERE id IN ({sql.placeholders(len(values))})",
        *values,
    )
    return {row[0]: OwnHours(Hours(row[1], row[2]), row[3]) for row in rows}
