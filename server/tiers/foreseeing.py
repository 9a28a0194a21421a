"""Which members will lose their tier if they buy nothing more."""

from collections.abc import Collection, Mapping

import msgspec

from server.clock import Instant, LocalDay
from server.programme.present import present_of
from server.programme.service import PublishedProgramme
from server.storage import sql
from server.tiers import models, rules

_DROPPING = (
    "SELECT member_id FROM tier_states WHERE member_id > $1 AND member_id <= $2"
    " AND next_drop_day <= $3"
)


class Loss(msgspec.Struct, frozen=True):
    """A tier that ends on a day; money in minor units of the programme's currency."""

    level: str
    first_day_without: LocalDay
    missing_minor: int  # to be spent before that, so that it does not end then
    minimum_minor: int  # the qualifying spend that the tier takes


async def dropping(*, after_id: int, last_id: int, by_day: LocalDay) -> list[int]:
    """Of the members with ids in the span those from whose window spend may fall by the day; some
    who are not concerned among them. One statement."""
    return [row[0] for row in await sql.fetch(_DROPPING, after_id, last_id, by_day)]


async def losses(
    member_ids: Collection[int], published: PublishedProgramme, at: Instant, *, by_day: LocalDay
) -> dict[int, Loss]:
    """The next loss of each of the members after the local day of the instant, up to the day;
    those without are left out. One statement."""
    if not member_ids:
        return {}
    today = present_of(published, at).today
    first_day = today - published.programme.tiers.window_days + 1
    spent: dict[int, dict[LocalDay, int]] = {}
    for member_id, day, spend in await models.days_since(member_ids, first_day):
        spent.setdefault(member_id, {})[day] = spend
    found = {member_id: _loss(days, published, today, by_day) for member_id, days in spent.items()}
    return {member_id: loss for member_id, loss in found.items() if loss is not None}


def _loss(
    days: Mapping[LocalDay, int], published: PublishedProgramme, today: LocalDay, by_day: LocalDay
) -> Loss | None:
    tiers = published.programme.tiers
    window_days = tiers.window_days
    present = rules.spend_in_window(days, today, window_days=window_days)
    level = rules.level_of(tiers.levels, present)
    for day in sorted(LocalDay(one + window_days) for one in days):
        if not today < day <= by_day:
            continue
        spend = rules.spend_in_window(days, day, window_days=window_days)
        if rules.level_of(tiers.levels, spend).min_spend_minor < level.min_spend_minor:
            missing = level.min_spend_minor - spend
            return Loss(level.name, day, missing, level.min_spend_minor)
    return None
