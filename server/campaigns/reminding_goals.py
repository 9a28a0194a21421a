"""Reminders of what members are about to reach or to lose, and of their birthday."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from server import clock
from server.campaigns import reminder_queries as queries
from server.campaigns.following import challenge_title
from server.campaigns.reminding import Page, finds
from server.campaigns.telling import Occasion, Variables
from server.challenges import rules as challenge_rules
from server.challenges import service as challenges
from server.challenges.rules import Challenge
from server.challenges.service import Standing
from server.clock import Instant, LocalDay
from server.definitions import service as definitions
from server.notifications.triggers import Money, Value
from server.offers import service as offers
from server.offers.eligible import Had
from server.offers.engine import prepared
from server.offers.schedules import Timetable
from server.offers.wording import text_of
from server.tiers import foreseeing

_LEAP_DAY = "02-29"


def _occasion(
    page: Page, member_id: int, about: str, variables: Variables, *, until: Instant = clock.NEVER
) -> Occasion:
    return Occasion(
        member_id=member_id,
        topic=f"{page.message.key}:{about}",
        message=page.message,
        variables=variables,
        day=page.present.today,
        until=until,
    )


# ---------------------------------------------------------------- challenges


@finds("challenge_nearly_done")
async def challenge_nearly_done(page: Page) -> Sequence[Occasion]:
    """Challenges of which so much is done in the present period; each once a period."""
    percent, today = page.trigger.percent, page.present.today
    marks = [
        (one.key, challenge_rules.period_start(one.period, today), -(-one.target * percent // 100))
        for one in _challenges(page)
    ]
    concerned = await queries.with_progress(page.after_id, page.last_id, marks)
    return [
        _nearly_done(page, member_id, standing)
        for member_id, standing in await _standings(page, concerned)
        if standing.progress * 100 >= percent * standing.target
    ]


def _nearly_done(page: Page, member_id: int, standing: Standing) -> Occasion:
    def variables(locale: str) -> dict[str, Value]:
        return {
            "challenge": challenge_title(standing.key, locale),
            "left": standing.target - standing.progress,
            "percent": standing.progress * 100 // standing.target,
        }

    return _of_period(page, member_id, standing, variables)


@finds("streak_in_danger")
async def streak_in_danger(page: Page) -> Sequence[Occasion]:
    """Streaks that end with the present period, if that is over in so many days; each once a
    period."""
    today = page.present.today
    marks = []
    for one in _challenges(page):
        start = challenge_rules.period_start(one.period, today)
        end = challenge_rules.next_period_start(one.period, start)
        if one.streak is not None and end - 1 - today <= page.trigger.days:
            before = challenge_rules.previous_period_start(one.period, start)
            marks.append((one.key, before, int(before)))
    concerned = await queries.with_runs(page.after_id, page.last_id, marks)
    keys = {key for key, _start, _last in marks}
    return [
        _in_danger(page, member_id, standing)
        for member_id, standing in await _standings(page, concerned)
        if standing.key in keys
        and standing.streak is not None
        and standing.streak.current >= page.trigger.minimum_streak
    ]


def _in_danger(page: Page, member_id: int, standing: Standing) -> Occasion:
    assert standing.streak is not None, "who has no streak is in no danger"
    streak = standing.streak.current
    ends_on = clock.date_of(LocalDay(standing.next_period_start - 1))

    def variables(locale: str) -> dict[str, Value]:
        title = challenge_title(standing.key, locale)
        return {"challenge": title, "streak": streak, "ends_on": ends_on}

    return _of_period(page, member_id, standing, variables)


def _of_period(page: Page, member_id: int, standing: Standing, variables: Variables) -> Occasion:
    zone_name = page.present.published.programme.programme.timezone
    about = f"{standing.key}:{clock.date_of(standing.period_start)}"
    until = challenges.period_end(standing, zone_name)
    return _occasion(page, member_id, about, variables, until=until)


def _challenges(page: Page) -> Sequence[Challenge]:
    return challenge_rules.challenges_of(page.present.published.programme)


async def _standings(page: Page, member_ids: Sequence[int]) -> Iterable[tuple[int, Standing]]:
    """How the members stand in each of the challenges that they have not completed."""
    if not member_ids:
        return []
    programme = page.present.published.programme
    found = await challenges.standings(member_ids, programme, page.present.today)
    return [
        (member_id, standing)
        for member_id in member_ids
        for standing in found[member_id]
        if standing.completed_at is None
    ]


# ---------------------------------------------------------------- tiers


@finds("tier_at_risk")
async def tier_at_risk(page: Page) -> Sequence[Occasion]:
    """Tiers that end within so many days if nothing more is bought; each day of ending once."""
    present, trigger = page.present, page.trigger
    by_day = LocalDay(present.today + trigger.days)
    concerned = await foreseeing.dropping(
        after_id=page.after_id, last_id=page.last_id, by_day=by_day
    )
    losses = await foreseeing.losses(concerned, present.published, page.now, by_day=by_day)
    zone_name = present.published.programme.programme.timezone
    return [
        _occasion(
            page,
            member_id,
            f"{loss.level}:{clock.date_of(loss.first_day_without)}",
            _losing(page, loss),
            until=clock.start_of_day(loss.first_day_without, zone_name),
        )
        for member_id, loss in losses.items()
        if loss.missing_minor * 100 <= loss.minimum_minor * trigger.within_percent
    ]


def _losing(page: Page, loss: foreseeing.Loss) -> Variables:
    values: dict[str, Value] = {
        "tier": loss.level,
        "missing": Money(loss.missing_minor, page.present.currency, page.present.digits),
        "ends_on": clock.date_of(LocalDay(loss.first_day_without - 1)),
    }
    return lambda _locale: values


# ---------------------------------------------------------------- offers


@finds("offer_ending")
async def offer_ending(page: Page) -> Sequence[Occasion]:
    """Offers that a member has activated, still has and has not used, and that are over within so
    many days; each end once."""
    present = page.present
    ready = prepared(await definitions.shelves(), present.published.programme, page.now)
    ends = {
        one.key: ready.timetable(one.key)
        for one in ready.offers
        if one.needs_clip and _ends_soon(ready.timetable(one.key), page)
    }
    if not ends:
        return []
    concerned = await queries.activated(page.after_id, page.last_id, ends)
    had = await offers.member_offers(concerned, present, page.now, keys=ends)
    return [
        _ending(page, member_id, one, ends[one.offer.key])
        for member_id in concerned
        for one in had.get(member_id, [])
        if one.offer.is_activated and not one.used.by_member
    ]


def _ends_soon(timetable: Timetable, page: Page) -> bool:
    if timetable.ends == clock.NEVER:
        return False
    days = _last_day(timetable) - page.present.today
    return page.now < timetable.ends and days <= int(page.trigger.days)


def _last_day(timetable: Timetable) -> LocalDay:
    return clock.local_day(Instant(timetable.ends - 1), timetable.zone_name)


def _ending(page: Page, member_id: int, had: Had, timetable: Timetable) -> Occasion:
    ends_on = clock.date_of(_last_day(timetable))

    def variables(locale: str) -> dict[str, Value]:
        return {"offer": text_of(had.document, locale)[1].title, "ends_on": ends_on}

    about = f"{had.offer.key}:{ends_on}"
    return _occasion(page, member_id, about, variables, until=timetable.ends)


# ---------------------------------------------------------------- birthdays


@finds("birthday")
async def birthday(page: Page) -> Sequence[Occasion]:
    """Birthdays of today and tomorrow, each told on the member's own day: where the day begins
    before the programme's, it is near its end when members are looked at."""
    days = [LocalDay(page.present.today + ahead) for ahead in (0, 1)]
    by_month_day = {text: day for day in days for text in _month_days(clock.date_of(day))}
    rows = await queries.born_on(page.after_id, page.last_id, by_month_day)
    found: list[Occasion] = []
    for member_id, born in rows:
        day = by_month_day[born[5:]]
        found.append(
            Occasion(
                member_id=member_id,
                topic=f"{page.message.key}:{clock.date_of(day).year}",
                message=page.message,
                variables=lambda _locale: {},
                day=day,
            )
        )
    return found


def _month_days(day: date) -> Iterator[str]:
    """The birthdays that are celebrated on the day: on 28 February of a common year that of who
    was born on the 29th too."""
    yield day.isoformat()[5:]
    is_leap = day.year % 4 == 0 and (day.year % 100 != 0 or day.year % 400 == 0)
    if (day.month, day.day) == (2, 28) and not is_leap:
        yield _LEAP_DAY
