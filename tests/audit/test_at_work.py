"""Auditing while others write, and how much of it is in memory."""

import asyncio
import tracemalloc
from collections.abc import Sequence

import pytest

from server import clock
from server.audit import batches, purchases, queries, service
from server.clock import NEVER
from server.money import POINTS
from server.payments import service as payments
from server.payments.service import Basket
from server.storage import sql
from server.storage.database import Address
from tests.audit.life import acted, known_as, lively
from tests.ledger.books import START, grant, granted, new_members, spend
from tests.purchases.baskets import PARTNER, at, draft, recorded

WRITERS = ("1", "2", "3")


async def test_while_writers_write_nothing_is_found(database: Address) -> None:
    await lively()
    writing = [asyncio.create_task(_write(each)) for each in WRITERS]
    audits = 0
    while not all(task.done() for task in writing):
        report = await service.audit_all(members_per_batch=2)
        assert [problem.line for problem in report.problems] == []
        audits += 1
    await asyncio.gather(*writing)
    assert audits > 1
    assert (await service.audit_all()).problem_count == 0


async def _write(household: str) -> None:
    now = at("2026-12-01")
    await recorded(draft(f"w-{household}", "2026-11-25", 3_000, household=household))
    for number in range(12):
        await recorded(draft(f"w-{household}-{number}", now, 3_000, household=household))
        hold = await acted(
            payments.hold(known_as(household), "points", 10, ttl_seconds=60, partner=PARTNER,
                          now=now), now,
        )  # fmt: skip
        basket = Basket(1_000, "USD")
        if number % 2:
            await acted(
                payments.settle(hold.hold.id, basket, points=10, partner=PARTNER, now=now), now
            )
        else:
            await acted(payments.release(hold.hold.id, partner=PARTNER, now=now), now)


async def test_a_batch_is_one_snapshot(database: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written between two statements of a batch is seen by none of them."""
    await lively()
    accounts = queries.accounts

    async def written_meanwhile(member_ids: Sequence[int]) -> list[sql.Row]:
        rows = await accounts(member_ids)
        monkeypatch.setattr(queries, "accounts", accounts)
        await asyncio.create_task(_record_apart())
        return rows

    monkeypatch.setattr(queries, "accounts", written_meanwhile)
    before = await sql.fetch_one("SELECT COUNT(*) FROM postings")
    report = await service.audit_all()
    assert before is not None
    assert [problem.line for problem in report.problems] == []
    assert report.posting_count == before[0]


async def _record_apart() -> None:
    sql._transaction.set(None)  # a task of its own is no part of the snapshot
    await recorded(draft("meanwhile", "2026-12-01", 3_000, household="1"))


async def test_it_reads_page_by_page(database: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    await lively()
    monkeypatch.setattr(batches, "POSTINGS_PER_PAGE", 7)
    monkeypatch.setattr(purchases, "PURCHASES_PER_PAGE", 3)
    monkeypatch.setattr(queries, "IDS_PER_STATEMENT", 4)
    sizes: list[int] = []
    fetch = sql.fetch

    async def measured(statement: str, *values: object) -> Sequence[sql.Row]:
        rows = await fetch(statement, *values)
        if "FROM postings" in statement and "GROUP BY" not in statement:
            sizes.append(len(rows))
        return rows

    monkeypatch.setattr(sql, "fetch", measured)
    report = await service.audit_all()
    assert [problem.line for problem in report.problems] == []
    assert max(sizes) <= 7
    assert sum(sizes) == report.posting_count


async def _peak_bytes() -> int:
    tracemalloc.start()
    try:
        await service.audit_all(members_per_batch=10)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_its_memory_does_not_depend_on_the_number_of_members(
    database: Address, engine: str
) -> None:
    if engine == "postgres":
        pytest.skip("the same batches")

    async def grow(count: int) -> None:
        for member in await new_members(count):
            lots = [granted(10, at=START, expires_at=NEVER, asset=POINTS) for _ in range(20)]
            await grant(member, *lots, now=START)
            await spend(member, 50, now=START)

    with clock.moved_to(START):
        await grow(20)
        await service.audit_all()
        few = await _peak_bytes()
        await grow(100)
        assert await _peak_bytes() < few * 1.3
