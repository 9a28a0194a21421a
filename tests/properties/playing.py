"""Plays purchases through the services, day by day as a replay does, and shows members as rows."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any

from server import clock
from server.cards.service import MemberReference
from server.cashback import service as cashback
from server.challenges import service as challenges
from server.clock import Instant, LocalDay
from server.ledger import service as ledger
from server.ledger.service import Balance
from server.members import service as members
from server.money import POINTS
from server.programme import service as programme
from server.purchases import service as purchases
from server.purchases.service import Draft, Line, RecordedPurchase, Submission
from server.rewards import service as rewards
from server.rewards.service import Redemption
from server.storage import sql
from server.tiers import service as tiers
from tests.reference.basket_amounts import Basket, Programme
from tests.reference.member_reference import WEEKDAYS

PARTNER = "shop"
Batch = Sequence[Basket]


class _Undo(Exception):
    """Ends `undone`."""


@asynccontextmanager
async def undone() -> AsyncIterator[None]:
    """A transaction of which nothing stays: every example starts with the same database.

    Transactions inside it are savepoints. It is far cheaper than a new database each time.
    """
    try:
        async with sql.transaction():
            yield
            raise _Undo
    except _Undo:
        pass


# ---------------------------------------------------------------- the calendar of a programme


def zone_of(document: Programme) -> str:
    """The programme's time zone."""
    return str(document["programme"]["timezone"])


def days_of(document: Programme) -> Iterator[LocalDay]:
    """The local days of the replay."""
    first, last = (
        clock.day_of(date.fromisoformat(document["programme"][key]))
        for key in ("first_local_date", "last_local_date")
    )
    return (LocalDay(day) for day in range(first, last + 1))


def end_of(document: Programme) -> Instant:
    """The last instant of the replay."""
    *_, last = days_of(document)
    return Instant(clock.start_of_day(LocalDay(last + 1), zone_of(document)) - 1)


def instant(basket: Basket) -> Instant:
    """When the basket was bought."""
    return clock.instant_of(datetime.fromisoformat(basket["timestamp"]))


def day_of(document: Programme, basket: Basket) -> LocalDay:
    """The local day of the basket."""
    return clock.local_day(instant(basket), zone_of(document))


def has_redemptions(document: Programme, day: LocalDay) -> bool:
    """Whether the policy redeems points at the start of the day."""
    weekday = WEEKDAYS.index(document["redemption_policy"]["weekday"])
    return clock.date_of(day).weekday() == weekday


# ---------------------------------------------------------------- doing


async def publish(document: Programme) -> None:
    """Makes the document the programme."""
    async with sql.transaction():
        await programme.publish(json.dumps(document), published_by="test")


def submission(document: Programme, basket: Basket) -> Submission:
    """The basket as a till sends it."""
    draft = Draft(
        external_id=basket["basket_id"],
        member=MemberReference(external_id=basket["household_id"]),
        occurred_at=instant(basket),
        store_id=basket["store_id"],
        currency=document["programme"]["currency"],
        lines=tuple(Line(**line) for line in basket["lines"]),
    )
    return Submission(draft, enrol_if_unknown=True)


async def record(
    document: Programme, batch: Batch, *, now: Instant | None = None
) -> list[RecordedPurchase]:
    """Records the baskets at once, by default at the instant of the last; none may be refused."""
    at = instant(batch[-1]) if now is None else now
    submissions = [submission(document, basket) for basket in batch]
    with clock.moved_to(at):
        async with sql.transaction():
            answers = await purchases.record_many(submissions, partner=PARTNER, now=at)
    recorded: list[RecordedPurchase] = []
    for answer in answers:
        if not isinstance(answer, RecordedPurchase):
            raise answer
        recorded.append(answer)
    return recorded


async def redeem(document: Programme, households: Iterable[str], day: LocalDay) -> None:
    """What the redemption policy does at the start of the day."""
    policy = document["redemption_policy"]
    at = clock.start_of_day(day, zone_of(document))
    ids = sorted((await members.members_by_external_id(households)).values())
    for _ in range(policy["max_redemptions_per_run"]):
        balances = await ledger.balances(ids, at) if ids else {}
        wishes = [
            Redemption(MemberReference(id=member_id), policy["redeem_points"])
            for member_id in ids
            if balances[member_id, POINTS].available >= policy["threshold_points"]
        ]
        if wishes:
            async with sql.transaction():
                answers = await rewards.redeem_many(wishes, now=at)
            refusals = [answer for answer in answers if isinstance(answer, Exception)]
            assert refusals == []


# ---------------------------------------------------------------- looking


async def member_rows(document: Programme, households: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The members' rows of the replay's output at its end, by household."""
    end, currency = end_of(document), document["programme"]["currency"]
    today = clock.local_day(end, zone_of(document))
    published = (await programme.rulebook()).at(end)
    member_ids = await members.members_by_external_id(households)
    ids = list(member_ids.values())
    if not ids:
        return {}
    balances = await ledger.balances(ids, end)
    holdings = await ledger.holdings(ids, end)
    assert {key: holding.balance for key, holding in holdings.items()} == balances
    views = await tiers.views(ids, published, end)
    accrued = await cashback.totals(ids, today)
    vouchers = await rewards.voucher_counts(ids)
    standings = await challenges.standings(ids, published.programme, today)
    rows: dict[str, dict[str, Any]] = {}
    for household, member_id in member_ids.items():
        points = balances[member_id, POINTS]
        money = balances.get((member_id, currency), Balance())
        months = accrued.get(member_id, cashback.Totals())
        assert months.accrued_minor == money.granted_total
        weekly, departments, month_spend = standings[member_id]
        rows[household] = {
            "household_id": household,
            "points_earned": points.granted_total,
            "points_redeemed": points.redeemed_total,
            "points_expired": points.expired_total,
            "points_available": points.available,
            "points_pending": points.pending,
            "vouchers_issued": vouchers.get(member_id, 0),
            "cashback_earned_minor": months.accrued_minor,
            "cashback_available_minor": money.available,
            "cashback_pending_minor": money.pending,
            "cashback_capped_minor": months.capped_minor,
            "eligible_spend_minor": views[member_id].lifetime_spend_minor,
            "tier": views[member_id].name,
            "tier_changes": views[member_id].change_count,
            "weekly_visits_completed": weekly.completions,
            "streaks_completed": weekly.streak.completions if weekly.streak else 0,
            "departments_completed": departments.completions,
            "month_spend_completed": month_spend.completions,
        }
    return rows
