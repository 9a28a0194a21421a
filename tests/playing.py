"""Plays purchases through the services, day by day as a replay does."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from itertools import groupby

from server import clock
from server.cards.service import MemberReference
from server.clock import Instant, LocalDay
from server.ledger import service as ledger
from server.members import service as members
from server.money import POINTS
from server.programme import service as programme
from server.purchases import service as purchases
from server.purchases.service import Draft, Line, RecordedPurchase, Submission
from server.rewards import service as rewards
from server.rewards.service import Redemption
from server.storage import sql
from tests.reference.basket_amounts import Basket, Programme
from tests.reference.member_reference import WEEKDAYS

PARTNER = "shop"
Batch = Sequence[Basket]
MOST_AT_ONCE = 100


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
        clock.day_of(date.fromisoformat(str(document["programme"][key])))
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
        await programme.publish(json.dumps(document, default=str), published_by="test")


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
        for start in range(0, len(wishes), MOST_AT_ONCE):
            with clock.moved_to(at):
                async with sql.transaction():
                    answers = await rewards.redeem_many(
                        wishes[start : start + MOST_AT_ONCE], now=at
                    )
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer


async def play(document: Programme, baskets: Iterable[Basket]) -> Instant:
    """Publishes the programme and plays the baskets as a replay does; its last instant."""
    await publish(document)
    by_day = {
        day: list(of_day)
        for day, of_day in groupby(baskets, lambda basket: day_of(document, basket))
    }
    households: set[str] = set()
    for day in days_of(document):
        if has_redemptions(document, day):
            await redeem(document, households, day)
        of_day = by_day.get(day, [])
        for start in range(0, len(of_day), MOST_AT_ONCE):
            await record(document, of_day[start : start + MOST_AT_ONCE])
        households |= {basket["household_id"] for basket in of_day}
    return end_of(document)
