"""What lapses is booked and told once, for the instant when it did, and no balance waits for it."""

import pytest

from server.clock import Instant
from server.ledger import jobs
from server.ledger import service as ledger
from server.money import POINTS
from server.storage import outbox, sql
from server.storage.database import Address
from tests.ledger.books import DAY, START, check_books, grant, granted, new_members

HOUR = DAY // 24


def after(days: int) -> Instant:
    return Instant(START + days * DAY)


async def expired() -> list[tuple[int | None, int, Instant]]:
    return [
        (event.member_id, event.facts["points"], event.occurred_at)
        for event in await outbox.oldest(100)
        if event.kind == "points.expired"
    ]


async def test_what_lapsed_is_booked_and_told_once_at_its_instant(
    database: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MEMBERS_AT_ONCE", 2)
    ann, bob, cid, dan, eve = await new_members(5)
    for member in (ann, bob, dan, eve):
        await grant(member, granted(100, at=START, expires_at=after(10)), now=START)
    await grant(ann, granted(30, at=START, expires_at=after(10)), now=START)
    await grant(ann, granted(7, at=START, expires_at=after(20)), now=START)
    await grant(cid, granted(100, at=START, expires_at=after(40)), now=START)
    assert await jobs.book_lapsed(after(9)) == 0
    assert await expired() == []

    now = Instant(after(20) + HOUR)
    before = await ledger.balances([ann, bob, cid, dan, eve], now)
    assert await jobs.book_lapsed(now) == 4
    assert sorted(await expired()) == sorted(
        [
            (ann, 130, after(10)),
            (ann, 7, after(20)),
            (bob, 100, after(10)),
            (dan, 100, after(10)),
            (eve, 100, after(10)),
        ]
    )
    assert await ledger.balances([ann, bob, cid, dan, eve], now) == before
    assert (before[ann, POINTS].available, before[ann, POINTS].expired_total) == (0, 137)
    await check_books()

    assert await jobs.book_lapsed(Instant(now + HOUR)) == 0
    assert len(await expired()) == 5


async def test_nothing_else_that_is_done_tells_of_it_again(database: Address) -> None:
    [ann] = await new_members(1)
    await grant(ann, granted(100, at=START, expires_at=after(10)), now=START)
    async with sql.transaction(), ledger.journal([ann], [POINTS], recorded_at=after(11)):
        pass
    assert await expired() == [(ann, 100, after(10))]
    assert await jobs.book_lapsed(after(12)) == 0
    assert await expired() == [(ann, 100, after(10))]
