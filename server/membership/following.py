"""Following a member: when what they see may have changed, and needs to be looked at again.

Hints of commits (`server.integrations.live`) say when to look; so do the instants at which time
alone changes something: value becomes available or lapses, a reservation ends, a day of the
programme begins. Where hints may have been lost, how the member stands is compared with how they
stood, for all who are followed in one statement.

Of a household everybody's points are shown to everybody: who follows one of them follows them all.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Protocol

from server import clock
from server.catalogue import service as catalogue
from server.clock import Instant, LocalDay
from server.integrations.live import Heard, Live, Subscriber
from server.membership import queries
from server.membership.standing import Standing, standings
from server.programme import service as programme
from server.programme.errors import NoProgramme
from server.storage import changes, sql
from server.storage.changes import Change

EVENTS_PER_SECOND = 200
"""Of a process, where one cause wakes all followers: a new day, a new programme, a gap."""
RETRY_SECONDS = 1.0
_PROGRAMME: Change = (changes.PROGRAMME, 0)


_OF_MANY = frozenset({changes.PROGRAMME, changes.DROP})


def _is_of_many(heard: Collection[Change]) -> bool:
    """Whether something was announced, and nothing but what wakes many followers at once."""
    return bool(heard) and all(topic in _OF_MANY for topic, _number in heard)


class Delivery(Protocol):
    """What became of an occasion."""

    @property
    def is_shown(self) -> bool:
        """Whether it was delivered without errors."""
        ...


class Pace:
    """Turns, so many a second, in the order of asking."""

    def __init__(self, per_second: int) -> None:
        self._interval_seconds = 1 / per_second
        self._next_turn = 0.0

    async def turn(self) -> None:
        """Wait for one's turn; the first is at once."""
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next_turn)
        self._next_turn = turn + self._interval_seconds
        await asyncio.sleep(turn - now)


_pace = Pace(EVENTS_PER_SECOND)


class Following:
    """One who follows a member; made by `following`."""

    def __init__(self, subscriber: Subscriber, member_id: int) -> None:
        self.member_id = member_id  # who is shown; another one after a merge
        self._asked_for = member_id
        self._subscriber = subscriber
        self._standings: dict[int, Standing] = {}
        self._next_at = clock.NEVER

    async def occasion(self, last: Delivery | None) -> None:
        """Return when the member is to be shown: at once if there was no `last` occasion, else
        when what the last one showed may be old. What is read afterwards shows everything that was
        committed before. Waits while the database is away."""
        while True:
            try:
                if last is not None:
                    await self._until_changed(last)
                await self._look()
            except Exception as error:
                if not sql.is_unavailable(error):
                    raise
                await asyncio.sleep(RETRY_SECONDS)
                last = None
            else:
                return

    async def _look(self) -> None:
        # First listen and then read, so that nothing happens in between.
        topics = {_PROGRAMME, *((changes.MEMBER, one) for one in self._members)}
        self._subscriber.listen_to(topics | self._subscriber.topics)
        household = await queries.fellows(self.member_id)
        members = self._members | {member_id for _household, member_id in household}
        topics |= {(changes.MEMBER, one) for one in members}
        topics |= {(changes.HOUSEHOLD, household_id) for household_id, _member in household}
        self._subscriber.listen_to(topics)
        moves_at = await self._listen_to_lines(topics)
        self._standings = await standings(members)
        day_starts_at = await _next_day()
        instants = (one.next_at for one in self._standings.values())
        self._next_at = min(day_starts_at, moves_at, *instants)
        # Whatever was heard so far, the reading that follows sees.
        self._subscriber.drain()

    async def _listen_to_lines(self, topics: set[Change]) -> Instant:
        """Listen to the lines of drops that the member stands in as well; when time alone moves one
        of them next."""
        lines, moves_at = await catalogue.followed(self.member_id, clock.now())
        if lines:
            self._subscriber.listen_to(topics | {(changes.DROP, line_id) for line_id in lines})
            _lines, moves_at = await catalogue.followed(self.member_id, clock.now())
        return clock.NEVER if moves_at is None else moves_at

    @property
    def _members(self) -> set[int]:
        return {self._asked_for, self.member_id}

    async def _until_changed(self, last: Delivery) -> None:
        while self.member_id in self._standings:  # else whoever is shown now was not listened to
            heard = await self._heard()
            if heard is None or _is_of_many(heard.changes):
                await _pace.turn()
                return
            if heard.changes:
                return
            if not last.is_shown or await self._stands_otherwise():
                await _pace.turn()
                return

    async def _heard(self) -> Heard | None:
        """What has been announced; None when time alone has changed something."""
        while (left := self._next_at - clock.now()) > 0:
            try:
                async with asyncio.timeout(left / clock.MICROSECONDS_PER_SECOND):
                    return await self._subscriber.wait()
            except TimeoutError:
                continue  # the two clocks may differ by a little
        return None

    async def _stands_otherwise(self) -> bool:
        now = await standings(self._standings)
        return any(now[one].mark != stood.mark for one, stood in self._standings.items())


async def _next_day() -> Instant:
    """When the next day of the programme begins; of UTC without any."""
    now = clock.now()
    try:
        zone = (await programme.rulebook()).at(now).programme.programme.timezone
    except NoProgramme:
        zone = "UTC"
    return clock.start_of_day(LocalDay(clock.local_day(now, zone) + 1), zone)


@asynccontextmanager
async def following(live: Live, member_id: int) -> AsyncIterator[Following]:
    """Within the block the member is followed: it costs nothing until something happens."""
    async with live.subscribed((changes.MEMBER, member_id)) as subscriber:
        yield Following(subscriber, member_id)
