"""What recurs goes first, and nothing waits for long."""

import asyncio

from server.edge.courtesy import Courtesy


async def test_what_is_new_waits_until_nothing_that_recurs_runs() -> None:
    courtesy = Courtesy(patience_seconds=60)
    order: list[str] = []

    async def new() -> None:
        await courtesy.give_way()
        order.append("new")

    with courtesy.running():
        with courtesy.running():
            waiting = [asyncio.create_task(new()) for _ in range(3)]
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        order.append("recurring")
    await asyncio.gather(*waiting)
    assert order == ["recurring", "new", "new", "new"]


async def test_where_nothing_runs_nobody_waits() -> None:
    courtesy = Courtesy(patience_seconds=60)
    waiting = asyncio.create_task(courtesy.give_way())
    await asyncio.sleep(0)
    assert waiting.done()


async def test_nobody_waits_for_longer_than_that() -> None:
    courtesy = Courtesy(patience_seconds=0)
    with courtesy.running():
        await asyncio.wait_for(courtesy.give_way(), 30)


async def test_who_goes_away_while_waiting_leaves_nothing_behind() -> None:
    courtesy = Courtesy(patience_seconds=60)
    with courtesy.running():
        waiting = asyncio.create_task(courtesy.give_way())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
    assert waiting.cancelled()
