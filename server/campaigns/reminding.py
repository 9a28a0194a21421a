"""Reminders: what comes near for members, looked for once a day of the programme.

For each message the members are gone through in the order of their ids, PAGE at a time; what is
written and how far that is come together in one transaction. So a process may die at any moment and
goes on where it was; and whoever looks twice writes nothing twice, for every reminder has a topic
of its own: what it is about, and until when.

What each trigger looks for is in `reminding_value` and `reminding_goals`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, time
from time import monotonic
from typing import Any

from msgspec import Struct

from server import clock
from server.campaigns import reminder_queries as queries
from server.campaigns.following import triggered
from server.campaigns.rules import local_instant
from server.campaigns.telling import Occasion, drafted
from server.clock import Instant
from server.definitions import service as definitions
from server.definitions.service import Published
from server.notifications import writing
from server.notifications.rendering import trigger_of
from server.notifications.shapes import Draft
from server.programme import service as programme
from server.programme.present import Present, present_of
from server.storage import sql

PAGE = 1_000
"""Members to a transaction."""
FROM_HOUR = 6
"""Of the programme's day: from then on members are looked at, three hours before they are told."""


class Page(Struct, frozen=True):
    """Some members, and the day on which they are looked at for what a message reminds of."""

    after_id: int
    last_id: int
    message: Published
    present: Present
    now: Instant

    @property
    def trigger(self) -> Any:
        """What the message says of its trigger."""
        return self.message.document.trigger


Finder = Callable[[Page], Awaitable[Sequence[Occasion]]]
"""Finds what the members of a page are to be reminded of; a few statements."""

_finders: dict[str, Finder] = {}


def finds(trigger: str) -> Callable[[Finder], Finder]:
    """Register what finds the occasions of a trigger."""

    def register(finder: Finder) -> Finder:
        _finders[trigger] = finder
        return finder

    return register


# ---------------------------------------------------------------- a day


async def remind(now: Instant, *, seconds: float) -> int:
    """Look at members for what is not reminded of yet today, for at most about so long; how many
    reminders were written. Twice at once, or again, it writes each once. A message that fails keeps
    no other one back; its failure is raised at the end."""
    present = await _present(now)
    if present is None:
        return 0
    written, until = 0, monotonic() + seconds
    failures: list[Exception] = []
    for message in await _left(present, now):
        try:
            while monotonic() < until:
                more = await remind_some(message, present, now)
                if more is None:
                    break
                written += more
        except Exception as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return written


async def _present(now: Instant) -> Present | None:
    """None before a programme was published: then nobody is reminded of anything."""
    rulebook = await programme.rulebook()
    return present_of(rulebook.at(now), now) if rulebook.ordered else None


async def _left(present: Present, now: Instant) -> list[Published]:
    """The messages for which not all members were looked at today."""
    zone_name = present.published.programme.programme.timezone
    if clock.local_datetime(now, zone_name).hour < FROM_HOUR:
        return []
    shelves = await definitions.shelves()
    known = [one for name in _finders for one in triggered(shelves, name, now)]
    scans = await queries.scans() if known else {}
    return [one for one in known if not _is_done(scans.get(one.key), one, present)]


def _is_done(scan: queries.Scan | None, message: Published, present: Present) -> bool:
    return scan is not None and scan.is_of(message.id, present.today) and scan.is_complete


async def remind_some(message: Published, present: Present, now: Instant) -> int | None:
    """Look at the next members for what the message reminds of; how many reminders were written,
    None once all members were looked at.

    What is read is read before the transaction, so that on SQLite nobody's purchase waits for it.
    """
    scan = await queries.scan(message.key)
    is_begun = scan is not None and scan.is_of(message.id, present.today)
    after_id = scan.after_id if scan is not None and is_begun else 0
    last_id = await queries.last_id(after_id=after_id, limit=PAGE)
    drafts: list[Draft] = []
    if last_id is not None:
        page = Page(after_id, last_id, message, present, now)
        drafts = await drafted(await _finders[_name(message)](page), now)
    async with sql.transaction(shares_commit=False):
        if await queries.scan(message.key, is_locked=True) != scan:
            return 0  # somebody else is further
        written = await writing.write(drafts, now) if drafts else []
        reached = queries.ALL if last_id is None else last_id
        await queries.save(message.key, message.id, present.today, reached)
    return None if last_id is None else sum(id_ is not None for id_ in written)


def _name(message: Published) -> str:
    name = trigger_of(message.document)
    assert name is not None, "messages without a trigger remind of nothing"
    return name


async def lag_seconds(now: Instant) -> int:
    """For how long members were to be looked at today who were not: for a message that counts only
    since, since then."""
    present = await _present(now)
    if present is None:
        return 0
    left = await _left(present, now)
    zone_name = present.published.programme.programme.timezone
    day = datetime.combine(clock.date_of(present.today), time(FROM_HOUR))
    began = local_instant(day, zone_name)
    since = min((max(began, one.effective_at) for one in left), default=now)
    return max(0, now - since) // clock.MICROSECONDS_PER_SECOND


async def is_due(now: Instant) -> bool:
    """Whether members are left to be looked at today."""
    present = await _present(now)
    return present is not None and bool(await _left(present, now))


def finders() -> Mapping[str, Finder]:
    """What finds the occasions of each trigger."""
    return _finders
