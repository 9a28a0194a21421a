"""Reminders of value: points that expire, cashback that can be spent, rewards within reach."""

from collections.abc import Sequence

from server import clock
from server.campaigns import reminder_queries as queries
from server.campaigns.reminding import Page, finds
from server.campaigns.telling import Occasion
from server.catalogue import service as catalogue
from server.catalogue.browsing import Shown
from server.catalogue.rules import is_in_audience, stock_left, text_of
from server.clock import LocalDay
from server.ledger import service as ledger
from server.money import POINTS
from server.notifications.triggers import Money, Value


@finds("points_expiring")
async def points_expiring(page: Page) -> Sequence[Occasion]:
    """The points that lapse on the days that lie so many days ahead: all that do on such a day of
    the programme, of what is there now."""
    present, days = page.present, page.trigger.days
    zone_name = present.published.programme.programme.timezone
    after_last = clock.start_of_day(LocalDay(present.today + max(days) + 1), zone_name)
    concerned = await queries.lapsing(page.after_id, page.last_id, POINTS, before=after_last)
    holdings = await ledger.holdings(concerned, page.now) if concerned else {}
    found: list[Occasion] = []
    for member_id in concerned:
        lapses: dict[LocalDay, int] = {}
        for one in holdings[member_id, POINTS].expiring:
            day = clock.local_day(one.expires_at, zone_name)
            lapses[day] = lapses.get(day, 0) + one.amount
        for ahead in days:
            day = LocalDay(present.today + ahead)
            if lapses.get(day, 0) >= page.trigger.minimum_points and day in lapses:
                found.append(_expiring(page, member_id, lapses[day], day, ahead, zone_name))
    return found


def _expiring(
    page: Page, member_id: int, points: int, day: LocalDay, ahead: int, zone_name: str
) -> Occasion:
    expires_on = clock.date_of(day)
    values: dict[str, Value] = {"points": points, "expires_on": expires_on, "days": ahead}
    return Occasion(
        member_id=member_id,
        topic=f"{page.message.key}:{expires_on}:{ahead}",
        message=page.message,
        variables=lambda _locale: values,
        day=page.present.today,
        until=clock.start_of_day(day, zone_name),
    )


@finds("cashback_available")
async def cashback_available(page: Page) -> Sequence[Occasion]:
    """What can be spent, where some of it was pending and can be spent since today or yesterday:
    who was not looked at yesterday is today."""
    present = page.present
    zone_name = present.published.programme.programme.timezone
    since = clock.start_of_day(LocalDay(present.today - 1), zone_name)
    matured = await queries.matured(
        page.after_id, page.last_id, present.currency, since=since, until=page.now
    )
    balances = await ledger.balances(matured, page.now) if matured else {}
    found: list[Occasion] = []
    for member_id, at in matured.items():
        available = balances[member_id, present.currency].available
        if available >= page.trigger.minimum_minor:
            values = {"amount": Money(available, present.currency, present.digits)}
            found.append(
                Occasion(
                    member_id=member_id,
                    topic=f"{page.message.key}:{clock.date_of(clock.local_day(at, zone_name))}",
                    message=page.message,
                    variables=lambda _locale, values=values: values,  # type: ignore[misc]
                    day=present.today,
                )
            )
    return found


@finds("reward_reachable")
async def reward_reachable(page: Page) -> Sequence[Occasion]:
    """Of the rewards that a member can order now and has the points for, the dearest; of each
    reward a member is told once."""
    sold = await catalogue.sold_units()
    shown = [
        one
        for one in await catalogue.catalogue(page.now)
        if not one.document.by_drop_only and stock_left(one.document, sold.get(one.key, 0)) != 0
    ]
    if not shown:
        return []
    least = min(one.document.price.points for one in shown)
    rich = await queries.rich(page.after_id, page.last_id, POINTS, minimum=least)
    if not rich:
        return []
    balances = await ledger.balances(rich, page.now)
    audiences = [one.document.audience for one in shown]
    standings = await catalogue.standing_of(rich, audiences, page.now)
    found: list[Occasion] = []
    for member_id in rich:
        available, standing = balances[member_id, POINTS].available, standings[member_id]
        reachable = [one for one in shown if _can_order(one, available, standing)]
        if reachable:
            found.append(_reachable(page, member_id, reachable[-1]))
    return found


def _can_order(shown: Shown, available: int, standing: catalogue.MemberStanding) -> bool:
    document = shown.document
    return document.price.points <= available and is_in_audience(
        document.audience, tier=standing.tier, segments=standing.segments
    )


def _reachable(page: Page, member_id: int, shown: Shown) -> Occasion:
    def variables(locale: str) -> dict[str, Value]:
        title = text_of(shown.document, locale)[1].title
        return {"reward": title, "points": shown.document.price.points}

    return Occasion(
        member_id=member_id,
        topic=f"{page.message.key}:{shown.key}",
        message=page.message,
        variables=variables,
        day=page.present.today,
        until=shown.ends_at,
    )
