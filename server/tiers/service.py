"""The verbs of tiers: counting purchases, and telling a member's tier at any instant."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from server import clock
from server.clock import Instant, LocalDay
from server.programme.document import Programme, TierLevel
from server.programme.service import PublishedProgramme, Rulebook
from server.storage import outbox, sql
from server.storage.exchange import Written, execute_each
from server.storage.ids import new_id
from server.tiers import models, rules
from server.tiers.rules import State
from server.tiers.views import BEFORE_ALL_DAYS, TierView, level_of_state, view_of, view_part, views

__all__ = [
    "Counting",
    "Evaluated",
    "TierView",
    "counting",
    "members_by_level",
    "reopening",
    "view_of",
    "view_part",
    "views",
]

COUNTS_PER_STATEMENT = 1000
"""How many numbers of members one statement counts: both engines limit a statement's columns."""
UNKNOWN_WINDOW_DAYS = 0
"""Of a state whose days were just read: the window is taken anew before it moves on."""


class Evaluated(msgspec.Struct, frozen=True):
    """The tier that applied to a purchase, and the one after it."""

    before: TierLevel
    after: str


@dataclass(slots=True)
class _Member:
    state: State
    days: dict[LocalDay, int] = field(default_factory=dict)
    added: dict[LocalDay, int] = field(default_factory=dict)
    taken: dict[LocalDay, int] = field(default_factory=dict)
    window_days: int | None = None  # of the window in `state`; None if `days` were not read
    is_new: bool = False
    changed: bool = False
    changes: list[rules.Change] = field(default_factory=list)


class Counting:
    """The tiers of some members within one writing transaction; made by `counting`."""

    def __init__(self, members: dict[int, _Member], book: Rulebook) -> None:
        self._members = members
        self._book = book

    def enrol(self, member_id: int, published: PublishedProgramme, at: Instant) -> None:
        """Start a new member at the lowest tier."""
        programme = published.programme
        day = clock.local_day(at, programme.programme.timezone)
        state = rules.enrolled(programme.tiers.levels, at, day, published.version)
        window_days = programme.tiers.window_days
        self._members[member_id] = _Member(
            state, window_days=window_days, is_new=True, changed=True
        )

    def count(
        self, member_id: int, published: PublishedProgramme, at: Instant, spend_minor: int
    ) -> Evaluated:
        """Count a purchase's eligible spend; the tier that applied to it and the one after it.

        For a purchase that arrives late, the tier is that which the recorded purchases gave on its
        own day, by the version of the rules of its own time; the member's present tier goes on by
        the version that it was evaluated with, and what was granted to later purchases stands.
        """
        member, own = self._members[member_id], published.programme.tiers
        state = member.state
        day = clock.local_day(at, published.programme.programme.timezone)
        standing = self._book.numbered(state.programme_version)
        if day < state.evaluated_day or _precedes(published, standing):
            spent = rules.spend_in_window(member.days, day, window_days=own.window_days)
            before = rules.level_of(own.levels, spent)
            tiers, evaluated_at = standing.programme.tiers, max(at, state.since)
        else:
            self._advance(member, published, day)
            before = level_of_state(own.levels, state)
            tiers, evaluated_at = own, at
        rules.add_spend(state, day, spend_minor, window_days=tiers.window_days)
        if spend_minor:
            member.added[day] = member.added.get(day, 0) + spend_minor
            member.days[day] = member.days.get(day, 0) + spend_minor
        change = rules.evaluate(state, tiers.levels, evaluated_at)
        if change:
            member.changes.append(change)
        member.changed = True
        return Evaluated(before, state.level)

    def uncount(
        self,
        member_id: int,
        day: LocalDay,
        spend_minor: int,
        *,
        published: PublishedProgramme,
        at: Instant,
    ) -> Evaluated:
        """Take returned spend off the local day on which it was counted, and evaluate the tier at
        the instant under the version; the tiers before and after.

        What purchases earned meanwhile by a tier that this takes away stands. The member's days
        were read by `reopening`.
        """
        member, state = self._members[member_id], self._members[member_id].state
        standing = self._book.numbered(state.programme_version)
        today = clock.local_day(at, published.programme.programme.timezone)
        if today >= state.evaluated_day and not _precedes(published, standing):
            self._advance(member, published, today)
            standing = published
        tiers = standing.programme.tiers
        before = level_of_state(tiers.levels, state)
        if spend_minor:
            member.taken[day] = member.taken.get(day, 0) + spend_minor
            member.days[day] = member.days.get(day, 0) - spend_minor
        rules.take_spend(state, member.days, spend_minor, window_days=tiers.window_days)
        change = rules.evaluate(state, tiers.levels, max(at, state.since))
        if change:
            member.changes.append(change)
        member.changed = True
        return Evaluated(before, state.level)

    def _advance(self, member: _Member, published: PublishedProgramme, day: LocalDay) -> None:
        programme = published.programme
        window_days = programme.tiers.window_days
        member.state.programme_version = published.version
        if member.window_days not in (None, window_days):
            rules.rewindow(member.state, member.days, window_days=window_days)
            member.window_days = window_days
        member.changes += rules.advance(
            member.state,
            day,
            member.days,
            levels=programme.tiers.levels,
            window_days=window_days,
            zone_name=programme.programme.timezone,
        )

    def writes(self) -> list[Written]:
        """What writes what was counted; the changes of tiers are put as events."""
        self._put_events()
        return self._writes()

    def _writes(self) -> list[Written]:
        changed = [(id_, member) for id_, member in self._members.items() if member.changed]
        return [
            (
                models.INSERT_STATE,
                [
                    (new_id(), id_, *_state_values(member.state))
                    for id_, member in changed
                    if member.is_new
                ],
            ),
            (
                models.UPDATE_STATE,
                [
                    (*_state_values(member.state), id_)
                    for id_, member in changed
                    if not member.is_new
                ],
            ),
            (
                models.ADD_TO_DAY,
                [
                    (new_id(), id_, day, spend)
                    for id_, member in changed
                    for day, spend in member.added.items()
                ],
            ),
            (
                models.TAKE_FROM_DAY,
                [
                    (spend, id_, day)
                    for id_, member in changed
                    for day, spend in member.taken.items()
                ],
            ),
            (
                models.INSERT_CHANGE,
                [
                    (new_id(), id_, change.changed_at, change.level_before, change.level_after)
                    for id_, member in changed
                    for change in member.changes
                ],
            ),
        ]

    def _put_events(self) -> None:
        for id_, member in self._members.items():
            for change in member.changes:
                facts = {"before": change.level_before, "after": change.level_after}
                outbox.put("tier.changed", id_, facts, occurred_at=change.changed_at)

    async def flush(self, *, puts_events: bool = True) -> None:
        """Write what was counted; without events if it is only counted anew."""
        await execute_each(self.writes() if puts_events else self._writes())

    def tier_of(self, member_id: int) -> State:
        """The member's tier as it is counted so far."""
        return self._members[member_id].state


def _state_values(state: State) -> tuple[object, ...]:
    return (
        state.level,
        state.since,
        state.window_spend_minor,
        state.lifetime_spend_minor,
        state.evaluated_day,
        state.next_drop_day,
        state.change_count,
        state.programme_version,
    )


states_asked = models.states_asked
"""What `counting` asks first of its members."""


async def counting(
    days_to_count: Mapping[int, Iterable[LocalDay]],
    versions: Iterable[PublishedProgramme],
    book: Rulebook,
    *,
    states: Sequence[sql.Row] | None = None,
) -> Counting:
    """Open the tiers of members for counting purchases of the given local days, in this order.

    `versions` are those of the programme, of all in `book`, that the purchases are held against.
    Members without a state yet are to be enrolled. The members' ledger accounts are locked by the
    caller. `states` are the rows that `states_asked` found, where they were asked for with others.
    """
    concerned = list({each.version: each for each in versions}.values())
    window_days = max(each.programme.tiers.window_days for each in concerned)
    changed_on = max(map(_first_day, concerned))
    members: dict[int, _Member] = {}
    first_needed: dict[int, int] = {}
    if states is None:
        states = await models.states(days_to_count) if days_to_count else ()
    for row in states:
        state = State(*row[1:])
        standing = book.numbered(state.programme_version)
        members[row[0]] = _Member(state)
        days = list(days_to_count[row[0]])
        earliest, latest = min(days), max(days)
        next_drop = min(state.next_drop_day, earliest + window_days)
        some_are_late = earliest < state.evaluated_day or days != sorted(days)
        some_are_older = any(_precedes(each, standing) for each in concerned)
        if (
            latest >= next_drop
            or some_are_late
            or some_are_older
            or state.evaluated_day <= changed_on
        ):
            members[row[0]].window_days = UNKNOWN_WINDOW_DAYS
            longest = max(window_days, standing.programme.tiers.window_days)
            first_needed[row[0]] = min(state.evaluated_day, earliest) - longest + 1
    if first_needed:
        rows = await models.days_since(first_needed, min(first_needed.values()))
        for member_id, day, spend in rows:
            members[member_id].days[day] = spend
    return Counting(members, book)


async def reopening(member_id: int, published: PublishedProgramme, book: Rulebook) -> Counting:
    """Open the tier of a member for taking spend off, with all days that any window can reach.

    The member's ledger accounts are locked by the caller.
    """
    [row] = await models.states([member_id])
    member = _Member(State(*row[1:]), window_days=UNKNOWN_WINDOW_DAYS)
    standing = book.numbered(member.state.programme_version)
    longest = max(each.programme.tiers.window_days for each in (published, standing))
    first = member.state.evaluated_day - longest + 1
    for _member_id, day, spend in await models.days_since([member_id], first):
        member.days[day] = spend
    return Counting({member_id: member}, book)


def _precedes(one: PublishedProgramme, other: PublishedProgramme) -> bool:
    """Whether the other version has replaced the one."""
    return (one.effective_at, one.version) < (other.effective_at, other.version)


def _first_day(published: PublishedProgramme) -> LocalDay:
    """The local day on which the version took effect; before all days for the first version."""
    if published.counts_from_the_beginning:
        return BEFORE_ALL_DAYS
    return clock.local_day(published.effective_at, published.programme.programme.timezone)


async def members_by_level(
    moments: Sequence[tuple[Instant, Programme]],
) -> list[dict[str, int]]:
    """For each (end, programme): how many of the members enrolled before the end had which tier of
    the programme just before it, in the order of its tiers, zeros included.

    It follows from the purchases that are recorded by now, late arrivals included, and not from
    what has been booked: whether anybody's tier was looked at since does not matter. One statement
    serves COUNTS_PER_STATEMENT moments times tiers.
    """
    counts: list[dict[str, int]] = []
    most = max((len(programme.tiers.levels) for _, programme in moments), default=1)
    size = COUNTS_PER_STATEMENT // most
    for start in range(0, len(moments), size):
        batch = moments[start : start + size]
        reaching = iter(await models.reaching_counts([_moment(*each) for each in batch]))
        for _, programme in batch:
            levels = programme.tiers.levels
            reached = [*islice(reaching, len(levels)), 0]
            counts.append(
                {
                    level.name: reached[place] - reached[place + 1]
                    for place, level in enumerate(levels)
                }
            )
    return counts


def _moment(end: Instant, programme: Programme) -> models.Moment:
    day = clock.local_day(Instant(end - 1), programme.programme.timezone)
    return models.Moment(
        end=end,
        after_day=day - programme.tiers.window_days,
        last_day=day,
        minimums=tuple(level.min_spend_minor for level in programme.tiers.levels),
    )
