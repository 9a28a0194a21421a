"""Limits on attempts: exact at once, given back evenly, shared by all, and nobody's names kept."""

import asyncio
from collections.abc import Iterator

import pytest
import time_machine

from server.edge import attempts
from server.edge.attempts import AttemptRule, TooManyAttempts
from server.storage import sql
from server.storage.database import Address
from tests.members.people import START, count

RULE = AttemptRule("guess", 10, 900)  # one each 90 seconds
OTHER = AttemptRule("another", 3, 60)
WHOM = "ada@example.com"


@pytest.fixture
def standing(database: Address) -> Iterator[time_machine.Traveller]:
    """The time, standing still until it's moved, and a database."""
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


async def taken(times: int, rule: AttemptRule = RULE, whom: str = WHOM) -> int:
    """How many of so many attempts at once are taken."""
    outcomes = await asyncio.gather(
        *(attempts.take(rule, whom) for _ in range(times)), return_exceptions=True
    )
    assert all(outcome is None or isinstance(outcome, TooManyAttempts) for outcome in outcomes)
    return outcomes.count(None)


async def refused_for(rule: AttemptRule = RULE, whom: str = WHOM) -> int:
    """For how many seconds the next attempt is refused."""
    with pytest.raises(TooManyAttempts) as caught:
        await attempts.take(rule, whom)
    return caught.value.retry_after_seconds


async def test_of_64_at_once_exactly_the_burst_is_taken(standing: time_machine.Traveller) -> None:
    assert await taken(64) == 10
    assert await taken(64) == 0


async def test_each_attempt_comes_back_after_its_share_of_the_period(
    standing: time_machine.Traveller,
) -> None:
    assert await taken(10) == 10
    assert await refused_for() == 90
    standing.shift(89.5)
    assert await refused_for() == 1
    standing.shift(0.5)
    assert await taken(3) == 1
    assert await refused_for() == 90
    standing.shift(270)
    assert await taken(64) == 3
    standing.shift(100_000)
    assert await taken(64) == 10


async def test_a_refused_attempt_does_not_count(standing: time_machine.Traveller) -> None:
    await taken(64)
    before = await rows()
    await taken(64)
    assert await rows() == before


async def rows() -> list[tuple[object, ...]]:
    return [tuple(row) for row in await sql.fetch("SELECT * FROM attempt_limits ORDER BY 1")]


async def test_names_and_rules_have_limits_of_their_own(standing: time_machine.Traveller) -> None:
    assert await taken(64) == 10
    assert await taken(64, whom="grace@example.com") == 10
    assert await taken(64, rule=OTHER) == 3


async def test_what_is_given_back_can_be_taken_again_and_leaves_no_row(
    standing: time_machine.Traveller,
) -> None:
    await attempts.take(RULE, WHOM)
    await attempts.give_back(RULE, WHOM)
    assert await rows() == []
    await taken(10)
    await attempts.give_back(RULE, WHOM)
    assert await taken(64) == 1
    await attempts.give_back(RULE, "nobody")
    assert await count("attempt_limits") == 1


async def test_what_is_forgiven_is_given_back_whole(standing: time_machine.Traveller) -> None:
    await taken(10)
    await attempts.forgive(RULE, WHOM)
    assert await taken(64) == 10


async def test_no_name_is_kept_in_the_table(standing: time_machine.Traveller) -> None:
    await attempts.take(RULE, WHOM)
    await attempts.take(RULE, "ada\ud800@example.com")
    for name_hash, _ in await rows():
        assert len(str(name_hash)) == 64
        assert set(str(name_hash)) <= set("0123456789abcdef")


async def test_an_attempt_counts_whatever_becomes_of_a_transaction(database: Address) -> None:
    async with sql.transaction():
        with pytest.raises(AssertionError):
            await attempts.take(RULE, WHOM)


async def test_rows_that_limit_nothing_any_more_go_a_bounded_number_at_a_time(
    standing: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "FORGOTTEN_AT_ONCE", 4)
    for number in range(6):
        await attempts.take(OTHER, f"{number}@example.com")
    standing.shift(19)
    await attempts.take(OTHER, "fresh@example.com")
    assert await attempts.forget() == 0
    standing.shift(1)
    assert await attempts.forget() == 4
    assert await count("attempt_limits") == 3
    assert await attempts.forget() == 2
    assert await attempts.forget() == 0
    assert await count("attempt_limits") == 1


async def test_attempts_themselves_forget_now_and_then(
    standing: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "FORGOTTEN_EVERY", 5)
    for number in range(23):
        await attempts.take(OTHER, f"{number}@example.com")
        standing.shift(20)
    assert await count("attempt_limits") <= 6


# ---------------------------------------------------------------- attempts with an outcome


async def test_successes_at_once_are_not_refused_however_many(
    standing: time_machine.Traveller,
) -> None:
    under_way, most = 0, 0

    async def succeed() -> None:
        nonlocal under_way, most
        async with attempts.counted((RULE, WHOM)) as attempt:
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            attempt.give_back()
            under_way -= 1

    await asyncio.gather(*(succeed() for _ in range(100)))
    assert most <= RULE.burst
    assert await rows() == []
    assert not attempts._gates


async def test_failures_at_once_are_as_many_as_the_burst(
    standing: time_machine.Traveller,
) -> None:
    tried = 0

    async def fail() -> None:
        nonlocal tried
        async with attempts.counted((RULE, WHOM)):
            tried += 1
            await asyncio.sleep(0)

    outcomes = await asyncio.gather(*(fail() for _ in range(64)), return_exceptions=True)
    assert (tried, outcomes.count(None)) == (10, 10)
    assert {type(one) for one in outcomes} == {type(None), TooManyAttempts}
    assert not attempts._gates


async def test_the_crowd_that_waits_under_one_name_is_bounded(
    standing: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "MAXIMUM_WAITING", 5)
    opened = asyncio.Event()

    async def wait() -> None:
        async with attempts.counted((OTHER, WHOM)) as attempt:
            await opened.wait()
            attempt.give_back()

    waiting = [asyncio.create_task(wait()) for _ in range(9)]
    first, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert [type(task.exception()) for task in first] == [TooManyAttempts]
    opened.set()
    assert len(await asyncio.gather(*(set(waiting) - first))) == 8
    assert not attempts._gates


async def test_who_is_over_one_limit_uses_up_none_that_comes_after(
    standing: time_machine.Traveller,
) -> None:
    await taken(3, rule=OTHER, whom="client")
    with pytest.raises(TooManyAttempts):
        async with attempts.counted((OTHER, "client"), (RULE, WHOM)):
            raise AssertionError
    assert await taken(64) == 10


async def test_a_defect_counts_as_a_failure(standing: time_machine.Traveller) -> None:
    with pytest.raises(ZeroDivisionError):
        async with attempts.counted((OTHER, WHOM)):
            raise ZeroDivisionError
    assert await taken(64, rule=OTHER) == 2


async def test_an_attempt_that_was_stopped_and_told_nothing_does_not_count(
    standing: time_machine.Traveller,
) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0), attempts.counted((OTHER, WHOM)):
            await asyncio.Event().wait()
    task = asyncio.create_task(asyncio.Event().wait())

    async def wait() -> None:
        async with attempts.counted((OTHER, WHOM)):
            began.set()
            await task

    began = asyncio.Event()
    waiting = asyncio.create_task(wait())
    await began.wait()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await rows() == []


async def test_a_limit_of_nobody_is_none(standing: time_machine.Traveller) -> None:
    for _ in range(20):
        async with attempts.counted((OTHER, None)):
            pass
    assert await rows() == []


async def guess(*, succeeds: bool) -> bool:
    async def attempt() -> bool:
        await asyncio.sleep(0)
        return succeeds

    return await attempts.counting_failures(OTHER, WHOM, attempt, is_failure=lambda done: not done)


async def test_only_failures_count_and_only_so_many_are_told(
    standing: time_machine.Traveller,
) -> None:
    for _ in range(10):
        assert await guess(succeeds=True)
    assert await rows() == []
    outcomes = await asyncio.gather(
        *(guess(succeeds=False) for _ in range(64)), return_exceptions=True
    )
    assert outcomes.count(False) == 3
    assert {type(one) for one in outcomes} == {bool, TooManyAttempts}
    with pytest.raises(TooManyAttempts):
        await guess(succeeds=True)
    standing.shift(20)
    assert await guess(succeeds=True)


# ---------------------------------------------------------------- clients


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("", None),
    ],
)
def test_what_stands_for_a_client(address: str, client: str | None) -> None:
    assert attempts.client_of(address) == client
