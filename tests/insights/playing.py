"""Plays a purchase file through the services, as a replay does, and shows reports as its rows."""

import json
from collections.abc import Iterable
from datetime import date, datetime
from itertools import groupby
from typing import Any

from server import clock
from server.cards.service import MemberReference
from server.clock import Instant, LocalDay
from server.insights import service as insights
from server.insights.service import Cell, Month
from server.ledger import service as ledger
from server.members import service as members
from server.money import POINTS
from server.programme import service as programme
from server.purchases import service as purchases
from server.purchases.service import Draft, Line, Submission
from server.rewards import service as rewards
from server.rewards.service import Redemption
from server.storage import sql
from tests.reference.member_reference import WEEKDAYS

Json = dict[str, Any]

MOST_AT_ONCE = 100


async def publish(document: Json) -> None:
    """Makes the document the programme."""
    async with sql.transaction():
        await programme.publish(json.dumps(document, default=str), published_by="test")


async def play(document: Json, baskets: Iterable[Json]) -> Instant:
    """Publishes the programme and plays the baskets; the last instant of the replay."""
    await publish(document)
    zone = document["programme"]["timezone"]
    first, last = (
        clock.day_of(date.fromisoformat(str(document["programme"][key])))
        for key in ("first_local_date", "last_local_date")
    )
    by_day = {
        day: list(of_day)
        for day, of_day in groupby(baskets, lambda basket: clock.local_day(instant(basket), zone))
    }
    households: set[str] = set()
    for number in range(first, last + 1):
        day = LocalDay(number)
        await redeem(document, households, day)
        of_day = by_day.get(day, [])
        for start in range(0, len(of_day), MOST_AT_ONCE):
            await record(document, of_day[start : start + MOST_AT_ONCE])
        households |= {basket["household_id"] for basket in of_day}
    return Instant(clock.start_of_day(LocalDay(last + 1), zone) - 1)


def instant(basket: Json) -> Instant:
    """When the basket was bought."""
    return clock.instant_of(datetime.fromisoformat(basket["timestamp"]))


async def record(document: Json, baskets: list[Json], *, now: Instant | None = None) -> None:
    """Records the baskets in one transaction, by default at the instant of the last."""
    at = instant(baskets[-1]) if now is None else now
    submissions = [
        Submission(
            Draft(
                external_id=basket["basket_id"],
                member=MemberReference(external_id=basket["household_id"]),
                occurred_at=instant(basket),
                store_id=basket["store_id"],
                currency=document["programme"]["currency"],
                lines=tuple(Line(**line) for line in basket["lines"]),
            ),
            enrol_if_unknown=True,
        )
        for basket in baskets
    ]
    with clock.moved_to(at):
        async with sql.transaction():
            answers = await purchases.record_many(submissions, partner="test", now=at)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer


async def redeem(document: Json, households: set[str], day: LocalDay) -> None:
    """What the redemption policy does at the start of the day."""
    policy = document["redemption_policy"]
    if not households or clock.date_of(day).weekday() != WEEKDAYS.index(policy["weekday"]):
        return
    at = clock.start_of_day(day, document["programme"]["timezone"])
    ids = sorted((await members.members_by_external_id(households)).values())
    for _ in range(policy["max_redemptions_per_run"]):
        balances = await ledger.balances(ids, at)
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


def month_row(month: Month) -> Json:
    """A month as a row of the reference."""
    row = {name: getattr(month, name) for name in month.__struct_fields__}
    row["month"] = month_name(row.pop("local_month"))
    row["baskets"] = row.pop("purchases")
    for count in row.pop("members_by_tier"):
        row[f"members_{count.tier.lower()}"] = count.members
    return row


def cell_row(cell: Cell) -> Json:
    """A cell of the retention table as a row of the reference."""
    row = {name: getattr(cell, name) for name in cell.__struct_fields__}
    row |= {"cohort": month_name(row["cohort"]), "month": month_name(row.pop("local_month"))}
    return row


def month_name(local_month: int) -> str:
    """2017-01 of 201701."""
    return f"{local_month // 100}-{local_month % 100:02}"


def agree(actual: Json, expected: Json) -> bool:
    """Whether two rows say the same: integers and texts exactly, rates but for the rounding."""
    return actual.keys() == expected.keys() and all(
        abs(float(actual[name]) - value) < 1e-9
        if isinstance(value, float)
        else type(actual[name]) is type(value) and actual[name] == value
        for name, value in expected.items()
    )


async def check_reports(at: Instant, *, months: list[Json], retention: list[Json]) -> None:
    """Asserts that the reports at the instant have just these rows."""
    for shown, expected in (
        ([month_row(month) for month in await insights.months(at)], months),
        ([cell_row(cell) for cell in await insights.retention(at)], retention),
    ):
        assert len(shown) == len(expected)
        for actual, row in zip(shown, expected, strict=True):
            assert agree(actual, row), (actual, row)
