"""Batched look-ups: asked for at once, read at once; what is known is given at once."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from server.edge.loading import MAXIMUM_BATCH, Loader, shown


class Source:
    """Doubles numbers; -1 is refused, -2 fails everything."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def load(self, keys: list[int]) -> list[Any]:
        self.batches.append(keys)
        await asyncio.sleep(0)
        if -2 in keys:
            raise LookupError("all")
        return [LookupError("one") if key == -1 else 2 * key for key in keys]


async def test_what_is_asked_for_at_once_is_read_at_once_and_once() -> None:
    source = Source()
    loader: Loader[int, int] = Loader(source.load)
    assert await asyncio.gather(*map(loader.load, (1, 2, 1))) == [2, 4, 2]
    assert await loader.load(2) == 4
    assert await loader.load(3) == 6
    assert source.batches == [[1, 2], [3]]


async def test_a_batch_has_a_greatest_size() -> None:
    source = Source()
    loader: Loader[int, int] = Loader(source.load)
    size = 2 * MAXIMUM_BATCH + 1
    assert await asyncio.gather(*map(loader.load, range(size))) == [2 * n for n in range(size)]
    assert sorted(map(len, source.batches)) == [1, MAXIMUM_BATCH, MAXIMUM_BATCH]


async def test_what_is_known_is_given_without_awaiting() -> None:
    source = Source()
    loader: Loader[int, int] = Loader(source.load)
    loader.prime(1, 7)
    assert loader.get(1) == 7
    assert shown(loader.get(1), lambda value: value + 1) == 8
    later = shown(loader.get(2), lambda value: shown(loader.get(3), lambda other: value + other))
    assert isinstance(later, Awaitable)
    assert await later == 10
    assert source.batches == [[2], [3]]


async def test_one_failure_is_of_one_key_and_the_batchs_of_all() -> None:
    loader: Loader[int, int] = Loader(Source().load)
    told = await asyncio.gather(loader.load(1), loader.load(-1), return_exceptions=True)
    assert told[0] == 2
    assert str(told[1]) == "one"
    with pytest.raises(LookupError, match="all"):
        await asyncio.gather(loader.load(5), loader.load(-2))


async def test_whoever_gives_up_spoils_it_for_nobody() -> None:
    source = Source()
    loader: Loader[int, int] = Loader(source.load)
    waiting = asyncio.create_task(loader.load(1))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await loader.load(1) == 2
