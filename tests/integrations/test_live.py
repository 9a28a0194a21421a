"""Live fan-out within a process: who listens hears, conflated, and nobody else is woken."""

import asyncio
import gc
import tracemalloc
from contextlib import AsyncExitStack

import pytest

from server.integrations.live import Heard, Hub, looking_again
from server.storage import changes, sql
from server.storage.changes import MEMBER, SESSION
from server.storage.database import Address

PATIENCE_SECONDS = 10
MAXIMUM_BYTES = 2_000
"""Of an idle subscriber, its waiting task not counted."""


async def test_who_listens_hears_of_the_commit(database: Address) -> None:
    hub = Hub()
    async with hub.subscribed((MEMBER, 7)) as subscriber, asyncio.timeout(PATIENCE_SECONDS):
        async with sql.transaction():
            changes.note(MEMBER, 7)
            changes.note(MEMBER, 8)
        assert await subscriber.wait() == Heard(frozenset({(MEMBER, 7)}))


async def test_several_announcements_are_one() -> None:
    hub = Hub()
    async with hub.subscribed((MEMBER, 7), (SESSION, 1)) as subscriber:
        for _ in range(1000):
            hub.announce({(MEMBER, 7)})
        hub.announce({(SESSION, 1)})
        assert await subscriber.wait() == Heard(frozenset({(MEMBER, 7), (SESSION, 1)}))
        hub.announce({(MEMBER, 7)})
        assert await subscriber.wait() == Heard(frozenset({(MEMBER, 7)}))


async def test_a_subscriber_of_something_else_is_not_woken() -> None:
    hub = Hub()
    async with hub.subscribed((MEMBER, 7)) as anna, hub.subscribed((MEMBER, 8)) as bob:
        waiting = [asyncio.create_task(one.wait()) for one in (anna, bob)]
        await asyncio.sleep(0)
        hub.announce({(MEMBER, 7)})
        assert await waiting[0] == Heard(frozenset({(MEMBER, 7)}))
        assert not waiting[1].done()
        waiting[1].cancel()


async def test_a_gap_is_told_to_all() -> None:
    hub = Hub()
    async with hub.subscribed((MEMBER, 7)) as anna, hub.subscribed((MEMBER, 8)) as bob:
        hub.announce({(MEMBER, 7)})
        hub.announce_gap()
        assert await anna.wait() == Heard(frozenset({(MEMBER, 7)}), may_lack=True)
        assert await bob.wait() == Heard(may_lack=True)


async def test_waiting_that_is_given_up_loses_nothing() -> None:
    hub = Hub()
    async with hub.subscribed((MEMBER, 7)) as subscriber:
        waiting = asyncio.create_task(subscriber.wait())
        await asyncio.sleep(0)
        hub.announce({(MEMBER, 7)})
        waiting.cancel()  # after the announcement, before it could return
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await subscriber.wait() == Heard(frozenset({(MEMBER, 7)}))


async def test_what_is_listened_to_can_change() -> None:
    hub = Hub()
    async with hub.subscribed((MEMBER, 7), (MEMBER, 8)) as subscriber:
        hub.announce({(MEMBER, 7), (MEMBER, 8)})
        subscriber.listen_to([(MEMBER, 8), (MEMBER, 9)])
        hub.announce({(MEMBER, 7), (MEMBER, 9)})
        assert await subscriber.wait() == Heard(frozenset({(MEMBER, 8), (MEMBER, 9)}))


async def test_what_was_announced_before_a_look_can_be_drained() -> None:
    hub = Hub()
    async with hub.subscribed((MEMBER, 7)) as subscriber:
        hub.announce({(MEMBER, 7)})
        hub.announce_gap()
        subscriber.drain()
        waiting = asyncio.create_task(subscriber.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        hub.announce({(MEMBER, 7)})
        assert await waiting == Heard(frozenset({(MEMBER, 7)}))


async def test_who_has_gone_is_forgotten() -> None:
    hub = Hub()
    async with hub.subscribed((MEMBER, 7)), hub.subscribed((MEMBER, 7)):
        assert hub.subscriber_count == 2
    assert hub.subscriber_count == 0
    assert hub._listening == {}
    assert hub.announce not in changes._receivers


async def test_an_announcement_of_another_thread_arrives() -> None:
    hub = Hub()
    async with hub.subscribed((MEMBER, 7)) as subscriber, asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.to_thread(hub.announce, {(MEMBER, 7)})
        assert await subscriber.wait() == Heard(frozenset({(MEMBER, 7)}))


async def test_all_are_told_to_look_again_from_time_to_time() -> None:
    hub = Hub()
    async with (
        hub.subscribed((MEMBER, 7)) as subscriber,
        asyncio.timeout(PATIENCE_SECONDS),
        looking_again(hub, interval_seconds=0.01),
    ):
        for _ in range(2):
            assert await subscriber.wait() == Heard(may_lack=True)


async def test_an_idle_subscriber_costs_little_memory() -> None:
    hub, count = Hub(), 2_000
    async with AsyncExitStack() as stack:
        gc.collect()
        tracemalloc.start()
        before, _peak = tracemalloc.get_traced_memory()
        for number in range(count):
            await stack.enter_async_context(hub.subscribed((MEMBER, number)))
        after, _peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (after - before) / count < MAXIMUM_BYTES
