"""Members' tiers at an instant, from the rows of one question."""

from collections.abc import Iterable, Sequence

import msgspec

from server.clock import Instant, LocalDay
from server.programme.document import Programme, TierLevel
from server.programme.present import Present, present_of
from server.programme.service import PublishedProgramme
from server.storage import parts
from server.storage.parts import FIRST_COLUMN, Ask, Found
from server.tiers import rules
from server.tiers.rules import State
from server.tiers.view_queries import DAYS, STATES

BEFORE_ALL_DAYS = LocalDay(-(2**31))


class TierView(msgspec.Struct, frozen=True):
    """A member's tier at one instant. Money is in minor units of the programme's currency."""

    name: str
    rank: int  # 1 is the lowest
    multiplier_percent: int
    since: Instant
    qualifying_spend_minor: int
    lifetime_spend_minor: int
    change_count: int
    next_name: str | None
    next_min_spend_minor: int | None


def view_part(present: Present) -> tuple[Ask, ...]:
    """What `view_of` is made from."""
    window_days = present.published.programme.tiers.window_days
    return ((STATES, ()), (DAYS, (present.today, _counts_from(present), window_days)))


def view_of(found: Found, present: Present) -> TierView | None:
    """The member's tier on a day not before that of their last purchase; None without any."""
    rows = found.rows(STATES)
    if not rows:
        return None
    row, programme = rows[0], present.published.programme
    state = State(row[found.text_at], *row[FIRST_COLUMN : FIRST_COLUMN + 7])
    days = {row[FIRST_COLUMN]: row[FIRST_COLUMN + 1] for row in found.rows(DAYS)}
    levels, window_days = programme.tiers.levels, programme.tiers.window_days
    is_due = state.next_drop_day <= present.today
    if is_due or state.evaluated_day <= _counts_from(present):
        rules.rewindow(state, days, window_days=window_days)
    rules.advance(
        state,
        present.today,
        days,
        levels=levels,
        window_days=window_days,
        zone_name=programme.programme.timezone,
    )
    return _view(state, programme)


async def views(
    member_ids: Iterable[int], published: PublishedProgramme, at: Instant
) -> dict[int, TierView]:
    """The members' tiers under the version at an instant not before their last purchase; one
    statement."""
    present = present_of(published, at)
    found = await parts.read(parts.Question(view_part(present)), set(member_ids))
    views = {member_id: view_of(one, present) for member_id, one in found.items()}
    return {member_id: view for member_id, view in views.items() if view is not None}


def _counts_from(present: Present) -> LocalDay:
    return BEFORE_ALL_DAYS if present.counts_from is None else present.counts_from


def level_of_state(levels: Sequence[TierLevel], state: State) -> TierLevel:
    """The tier that a state names, or that its spend gives where the version has none such."""
    named = next((level for level in levels if level.name == state.level), None)
    return named or rules.level_of(levels, state.window_spend_minor)


def _view(state: State, programme: Programme) -> TierView:
    levels = programme.tiers.levels
    level = level_of_state(levels, state)
    following = rules.next_level(levels, state.window_spend_minor)
    return TierView(
        name=level.name,
        rank=levels.index(level) + 1,
        multiplier_percent=level.multiplier_percent,
        since=state.since,
        qualifying_spend_minor=state.window_spend_minor,
        lifetime_spend_minor=state.lifetime_spend_minor,
        change_count=state.change_count,
        next_name=following.name if following else None,
        next_min_spend_minor=following.min_spend_minor if following else None,
    )
