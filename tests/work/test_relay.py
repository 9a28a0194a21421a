"""Each event is followed once, whatever dies."""

import asyncio
from collections.abc import Sequence

import pytest

from server import clock
from server.clock import Instant
from server.storage import outbox, sql
from server.storage.outbox import Event
from server.work import relay

NOW = Instant(1_800_000_000_000_000)


async def put(*numbers: int, member_id: int | None = None) -> None:
    for number in numbers:
        async with sql.transaction():
            outbox.put("test.happened", member_id, {"number": number}, occurred_at=NOW)


async def followed() -> list[int]:
    """The numbers that the follower below has written down, each with how often."""
    rows = await sql.fetch("SELECT id, sent FROM send_rates ORDER BY id")
    assert [sent for _number, sent in rows] == [1] * len(rows)
    return [number for number, _sent in rows]


class Follower:
    """Writes the events down, and dies after that when it is told to."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.deaths = 0
        self.refused: set[int] = set()

    async def __call__(self, events: Sequence[Event], _now: Instant) -> None:
        numbers = [event.facts["number"] for event in events]
        self.seen += numbers
        await sql.execute_many(
            "INSERT INTO send_rates (id, sent) VALUES ($1, 1)", [(one,) for one in numbers]
        )
        if self.refused.intersection(numbers):
            raise LookupError(numbers)
        if self.deaths:
            self.deaths -= 1
            raise asyncio.CancelledError


@pytest.fixture
def follower(monkeypatch: pytest.MonkeyPatch) -> Follower:
    one = Follower()
    monkeypatch.setattr(relay, "_followers", (one,))
    return one


@pytest.mark.usefixtures("database")
async def test_who_dies_in_between_has_followed_nothing_and_the_next_follows_once(
    follower: Follower,
) -> None:
    await put(1, 2, 3)
    follower.deaths = 2
    for _ in range(2):
        with pytest.raises(asyncio.CancelledError):
            await relay.relay(NOW)
        assert await followed() == []
        assert await relay.is_due(NOW)
    assert await relay.relay(NOW) == 3
    assert await relay.relay(NOW) == 0
    assert await followed() == [1, 2, 3]
    assert follower.seen == [1, 2, 3] * 3
    assert not await relay.is_due(NOW)


@pytest.mark.usefixtures("database")
async def test_it_goes_on_batch_by_batch_in_order_but_not_for_ever(
    follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "EVENTS_AT_ONCE", 2)
    monkeypatch.setattr(relay, "BATCHES_AT_MOST", 2)
    await put(1, 2, 3, 4, 5)
    assert await relay.relay(NOW) == 4
    assert follower.seen == [1, 2, 3, 4]
    assert await outbox.waiting() != (0, None)
    assert await relay.relay(NOW) == 1
    assert follower.seen == [1, 2, 3, 4, 5]
    assert await outbox.waiting() == (0, None)


@pytest.mark.usefixtures("database")
async def test_what_cannot_be_followed_holds_up_nobody_but_its_member(follower: Follower) -> None:
    for number, member_id in enumerate([5, 7, 7, 5, None, None], start=1):
        await put(number, member_id=member_id)
    follower.refused = {2, 5}
    for _ in range(2):
        with pytest.raises(LookupError, match="2"):
            await relay.relay(NOW)
        assert await followed() == [1, 4, 6]
    assert (await outbox.waiting())[0] == 3
    follower.refused = set()
    follower.seen.clear()
    assert await relay.relay(NOW) == 3
    assert follower.seen == [2, 3, 5]
    assert await followed() == [1, 2, 3, 4, 5, 6]


@pytest.mark.usefixtures("database")
async def test_its_lag_is_the_age_of_the_oldest_event(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await relay.lag_seconds(NOW) == 0
    await put(1)
    _count, since = await outbox.waiting()
    assert since is not None
    later = Instant(since + 90_500_000)
    monkeypatch.setattr(relay, "system_now", lambda: later)
    assert await relay.lag_seconds(NOW) == 90
    assert clock.system_now() < later


@pytest.mark.usefixtures("database")
async def test_one_process_relays_at_a_time(follower: Follower, engine: str) -> None:
    if engine == "sqlite":
        pytest.skip("one process works there")
    await put(1)
    async with sql.alone(relay._KEY) as is_alone:
        assert is_alone
        assert await relay.relay(NOW) == 0
    assert await relay.relay(NOW) == 1
