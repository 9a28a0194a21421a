"""Writes that concurrent requests share: each is answered as if it had come alone."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest

from server import clock
from server.clock import Instant
from server.edge import gathered_writes, idempotency
from server.edge.gathered_writes import GatheredWrites
from server.errors import DomainError, IdempotencyConflict, InvalidInput, NotFound
from server.storage import sql
from server.storage.exchange import Companion, fetch_each
from server.storage.ids import new_id

REFUSED, BROKEN = -1, -2


class Done(msgspec.Struct, frozen=True):
    number: int
    at: int = 0


class Till:
    """Writes numbers, together or alone; negative ones are refused or raise."""

    def __init__(self) -> None:
        self.rounds: list[list[int]] = []
        self.alone: list[int] = []
        self.begun = asyncio.Event()
        self.failure: Exception = RuntimeError("a defect")
        self.writes = GatheredWrites(self.together, Done)

    async def together(
        self, numbers: Sequence[int], companion: Companion[Done | DomainError]
    ) -> list[Done | DomainError | None]:
        self.rounds.append(list(numbers))
        self.begun.set()
        left = companion.left(await fetch_each(companion.asked))
        answers: list[Done | DomainError | None] = [None] * len(numbers)
        for position in left:
            try:
                answers[position] = await self.one(numbers[position])
            except DomainError as refusal:
                answers[position] = refusal
        for statement, rows in companion.written(answers):
            await sql.execute_many(statement, rows)
        return answers

    async def one(self, number: int) -> Done:
        if number == REFUSED:
            raise NotFound("payment.not_found", path=("number",))
        if number == BROKEN:
            raise self.failure
        await sql.execute("INSERT INTO versions (id, version) VALUES ($1, $2)", new_id(), number)
        return Done(number, clock.now() if clock.moved_now() is not None else 0)

    async def sell(
        self, number: int, *, key: str = "", apart: Sequence[str] = (), scope: str = "till"
    ) -> Done:
        async def alone() -> Done:
            self.alone.append(number)
            return await self.one(number)

        return await self.writes.once(
            scope=scope,
            key=key or f"key-{number}",
            content=f"content of {number}",
            item=number,
            apart=apart,
            alone=alone,
        )


async def sold() -> Counter[int]:
    """How often each number was written."""
    return Counter(row[0] for row in await sql.fetch("SELECT version FROM versions"))


async def kept_keys() -> int:
    return len(await sql.fetch("SELECT key FROM idempotency_records"))


@pytest.fixture
def till(database: object) -> Till:
    return Till()


async def test_who_comes_alone_is_done_at_once_by_itself(till: Till) -> None:
    assert await till.sell(1) == Done(1)
    assert await till.sell(2) == Done(2)
    assert till.rounds == [[1], [2]]
    assert till.alone == []
    assert await sold() == {1: 1, 2: 1}


async def test_all_who_come_together_share_a_round_and_no_round_has_more_than_the_maximum(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathered_writes, "MAXIMUM_ROUND", 8)
    answers = await asyncio.gather(*(till.sell(number) for number in range(1, 21)))
    assert answers == [Done(number) for number in range(1, 21)]
    # Rounds on connections of their own may come to their writing in any order.
    assert sorted(len(numbers) for numbers in till.rounds) == [4, 8, 8]
    assert await sold() == dict.fromkeys(range(1, 21), 1)
    assert await kept_keys() == 20


async def test_what_comes_while_a_round_is_under_way_is_done_in_the_next(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathered_writes, "ROUNDS_AT_ONCE", {"sqlite": 1, "postgres": 1})
    first = asyncio.ensure_future(till.sell(1))
    await till.begun.wait()
    others = [asyncio.ensure_future(till.sell(number)) for number in range(2, 6)]
    await asyncio.gather(first, *others)
    assert till.rounds == [[1], [2, 3, 4, 5]]


async def test_a_refusal_spoils_no_other_and_leaves_its_key_unused(till: Till) -> None:
    answers = await asyncio.gather(
        till.sell(1), till.sell(REFUSED, key="again"), till.sell(2), return_exceptions=True
    )
    assert answers[0] == Done(1)
    assert isinstance(answers[1], NotFound)
    assert answers[1].path == ("number",)
    assert answers[2] == Done(2)
    assert await kept_keys() == 2
    assert await till.sell(3, key="again") == Done(3)
    assert till.alone == []


async def test_a_round_of_refusals_writes_nothing(till: Till) -> None:
    answers = await asyncio.gather(
        *(till.sell(REFUSED, key=key) for key in "ab"), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [NotFound, NotFound]
    assert till.rounds == [[REFUSED, REFUSED]]
    assert till.alone == []
    assert await kept_keys() == 0


async def test_a_defect_fails_its_own_request_alone(till: Till) -> None:
    answers = await asyncio.gather(
        till.sell(1), till.sell(BROKEN), till.sell(2), return_exceptions=True
    )
    assert answers[0] == Done(1)
    assert isinstance(answers[1], RuntimeError)
    assert answers[2] == Done(2)
    assert sorted(till.alone) == [BROKEN, 1, 2]
    assert await sold() == {1: 1, 2: 1}
    assert await kept_keys() == 2


async def test_where_the_database_is_away_nobody_tries_again_alone(till: Till) -> None:
    till.failure = sqlite3.OperationalError("disk I/O error")
    till.failure.sqlite_errorcode = sqlite3.SQLITE_IOERR
    answers = await asyncio.gather(
        till.sell(1), till.sell(BROKEN), till.sell(2), return_exceptions=True
    )
    assert list(answers) == [till.failure] * 3
    assert till.alone == []
    assert await sold() == {}


async def test_a_key_that_comes_twice_is_done_once(till: Till) -> None:
    assert await asyncio.gather(*(till.sell(1) for _ in range(5))) == [Done(1)] * 5
    assert await till.sell(1) == Done(1)
    assert await sold() == {1: 1}
    others = await asyncio.gather(till.sell(1, scope="other"), till.sell(2, scope="other"))
    assert list(others) == [Done(1), Done(2)]
    assert await sold() == {1: 2, 2: 1}
    assert till.alone == []


async def test_a_key_that_comes_with_something_else_is_a_conflict(till: Till) -> None:
    answers = await asyncio.gather(
        till.sell(1, key="one"), till.sell(2, key="one"), return_exceptions=True
    )
    assert answers[0] == Done(1)
    assert isinstance(answers[1], IdempotencyConflict)
    with pytest.raises(IdempotencyConflict):
        await till.sell(3, key="one")
    assert await sold() == {1: 1}


async def test_a_key_that_is_none_is_refused_before_anything_is_done(till: Till) -> None:
    with pytest.raises(InvalidInput):
        await till.sell(1, key="\n")
    assert till.rounds == []


async def test_requests_that_must_be_apart_are_done_one_after_the_other(till: Till) -> None:
    await asyncio.gather(*(till.sell(number, apart=["same"]) for number in (1, 2)), till.sell(3))
    assert till.rounds[0] == [1, 3]
    assert till.rounds[1:] == [[2]]


async def test_who_has_gone_before_the_start_is_not_done_and_who_goes_later_disturbs_nobody(
    till: Till,
) -> None:
    gone, stays = (asyncio.ensure_future(till.sell(number)) for number in (1, 2))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == Done(2)
    till.begun.clear()
    later, other = (asyncio.ensure_future(till.sell(number)) for number in (3, 4))
    await till.begun.wait()
    later.cancel()
    assert await other == Done(4)
    assert till.rounds == [[2], [3, 4]]
    assert await sold() == {2: 1, 3: 1, 4: 1}
    assert await till.sell(3) == Done(3)  # the first answer, which nobody had waited for
    assert await sold() == {2: 1, 3: 1, 4: 1}


async def test_each_simulated_instant_has_a_round_of_its_own(till: Till) -> None:
    async def at(instant: int, number: int) -> Done:
        with clock.moved_to(Instant(instant)):
            return await till.sell(number)

    answers = await asyncio.gather(at(100, 1), at(200, 2), at(100, 3), till.sell(4))
    assert list(answers) == [Done(1, 100), Done(2, 200), Done(3, 100), Done(4)]
    assert sorted(till.rounds) == [[1, 3], [2], [4]]


async def test_inside_a_transaction_it_is_done_in_that_one(till: Till) -> None:
    async def undone() -> None:
        async with sql.transaction():
            assert await till.sell(1) == Done(1)
            raise RuntimeError("undone")

    with pytest.raises(RuntimeError, match="undone"):
        await undone()
    assert till.rounds == []
    assert await sold() == {}
    assert await kept_keys() == 0


async def test_a_round_that_loses_a_race_to_another_process_is_done_one_by_one(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    await till.sell(1)
    blind = [("SELECT 1 FROM versions WHERE id = $1", (0,))]
    # As if the other process had committed between the question and the write.
    monkeypatch.setattr(idempotency, "records_asked", lambda _uses: blind)
    answers = await asyncio.gather(till.sell(1), till.sell(2))
    assert list(answers) == [Done(1), Done(2)]
    assert sorted(till.alone) == [2]
    assert await sold() == {1: 1, 2: 1}
