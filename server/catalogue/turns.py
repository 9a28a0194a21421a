"""Whose turn it is in the line of a drop: a function of the places and the clock alone.

A unit is offered to the first in line who is there, for as long as the drop holds it. Who takes it
has it; who leaves, or lets the time pass, passes it on in that instant, and so does who gives up
what they have ordered. Nothing has to run for that: whoever asks works it out from the places'
times, and always comes to the same.

Turns begin in the order of the places: units become free one after the other, each place takes the
one that is free first, and none that comes later can be free before it.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from heapq import heapify, heappop, heappush
from itertools import chain, repeat

from msgspec import Struct

from server.clock import MICROSECONDS_PER_SECOND, NEVER, Instant

_ALWAYS = Instant(-NEVER)


class PlaceStatus(StrEnum):
    """What has become of a place."""

    WAITING = "waiting"  # others come first
    YOUR_TURN = "your_turn"  # a unit is offered
    TAKEN = "taken"  # it was ordered
    LEFT = "left"  # the member has left the line, or given back what they ordered
    LAPSED = "lapsed"  # the turn has passed unused
    CLOSED = "closed"  # the drop has ended without a turn


class Place(Struct, frozen=True):
    """A place in line."""

    id: int
    line_id: int
    member_id: int
    number: int
    turn: int
    joined_at: Instant
    left_at: Instant | None = None
    taken_at: Instant | None = None
    freed_at: Instant | None = None


class Terms(Struct, frozen=True):
    """What a line is worked out by."""

    free_at: tuple[Instant, ...]  # from when on each unit is offered
    hold_seconds: int
    closes_at: Instant


class Turn(Struct, frozen=True):
    """A place whose turn has come: when it began, and when it is over if it is not used."""

    place: Place
    starts_at: Instant
    ends_at: Instant


class Standing(Struct):
    """A line at an instant: the turns so far, and where those begin who wait."""

    turns: dict[int, Turn]  # by number
    waiting_from: int  # the number of the first who waits, or will have come next
    next_at: Instant  # when a turn ends next, if nobody does anything

    def status(self, place: Place, now: Instant, closes_at: Instant) -> PlaceStatus:
        """What has become of a place by the instant that the line was worked out for."""
        if place.taken_at is not None:
            return PlaceStatus.TAKEN if place.freed_at is None else PlaceStatus.LEFT
        if place.left_at is not None:
            return PlaceStatus.LEFT
        turn = self.turns.get(place.number)
        if turn is not None:
            return PlaceStatus.YOUR_TURN if now < turn.ends_at else PlaceStatus.LAPSED
        return PlaceStatus.WAITING if now < closes_at else PlaceStatus.CLOSED


def free_at(units: int, later: Iterable[tuple[Instant, int]]) -> tuple[Instant, ...]:
    """From when on each unit is offered: so many from the beginning, and as many as there are more
    by each of the later versions, in their order, from its instant on; fewer take none back."""
    found = [_ALWAYS] * units
    for instant, total in later:
        found.extend(repeat(instant, total - len(found)))
    return tuple(found)


class Walk:
    """Works a line out place by place, until one comes who waits."""

    def __init__(self, terms: Terms, now: Instant) -> None:
        self._free = list(terms.free_at)
        heapify(self._free)
        self._hold = terms.hold_seconds * MICROSECONDS_PER_SECOND
        self._closes_at, self._now = terms.closes_at, now
        self.turns: dict[int, Turn] = {}
        self.waiting_from: int | None = None

    def add(self, places: Sequence[Place]) -> None:
        """Take the next places into account, in the order of their numbers."""
        for place in places:
            if self.waiting_from is None and not self._is_served(place):
                self.waiting_from = place.number

    def _is_served(self, place: Place) -> bool:
        """Whether its turn has come, or it was left before; False for the first who waits."""
        starts_at = max(self._free[0], place.joined_at) if self._free else NEVER
        if place.left_at is not None and place.left_at <= starts_at:
            return True
        if starts_at > self._now or starts_at >= self._closes_at:
            return False
        heappop(self._free)
        ends_at = Instant(starts_at + self._hold)
        if place.taken_at is not None:
            back = place.freed_at
        else:
            back = ends_at if place.left_at is None else place.left_at
        if back is not None:
            heappush(self._free, back)
        turn = Turn(place, starts_at, min(ends_at, self._closes_at))
        self.turns[place.number] = turn
        return True

    def standing(self, last_number: int) -> Standing:
        """The line as it stands, of which `last_number` is the last place."""
        running = (
            turn.ends_at
            for turn in self.turns.values()
            if turn.ends_at > self._now and turn.place.taken_at is None
            if turn.place.left_at is None
        )
        others = (one for one in (self._closes_at,) if one > self._now)
        return Standing(
            self.turns,
            last_number + 1 if self.waiting_from is None else self.waiting_from,
            min(chain(running, others), default=NEVER),
        )
