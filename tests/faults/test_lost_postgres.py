"""A PostgreSQL that goes away in the middle of a mutation: the caller is told to come back, nothing
is left by half, and once the server is there again the same process goes on."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
from structlog.testing import capture_logs
from tortoise.backends.asyncpg.client import TransactionWrapper

from server.principal import Scope
from server.storage import sql
from server.storage.database import Address, opened
from server.storage.migrate import apply_pending
from tests.api.calling import NOW, Api, Caller, Json, changed, dump
from tests.api.contract import mutation_document
from tests.api.redeeming import ANNA, rich
from tests.api.test_idempotency import CASES
from tests.faults.apps import KEY, app, prepared
from tests.faults.own_postgres import OwnPostgres, own_postgres, terminate_others
from tests.postgres import create_database

SECONDS_TO_RECOVER = 60


@pytest.fixture
def engine() -> str:
    """Only this one is elsewhere."""
    return "postgres"


class Trouble:
    """What befalls the server once, before a statement of the app."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._befalls: Callable[[], None] | None = None
        self._statements_left = 0
        commit = TransactionWrapper.commit

        async def commit_or_not(transaction: TransactionWrapper) -> None:
            if self._statements_left < 0:
                self._strike()
            await commit(transaction)

        monkeypatch.setattr(sql, "_count", self._count)
        monkeypatch.setattr(TransactionWrapper, "commit", commit_or_not)

    def at(self, number: int, befalls: Callable[[], None]) -> None:
        """It happens before the statement of that number, from 0; -1 is the next commit."""
        self._statements_left, self._befalls = number, befalls

    @property
    def is_over(self) -> bool:
        """Whether it has happened."""
        return self._befalls is None

    def _count(self, statement: str) -> None:
        if statement == "COMMIT":  # which has been by now
            return
        if self._statements_left == 0:
            self._strike()
        self._statements_left -= self._statements_left >= 0

    def _strike(self) -> None:
        befalls, self._befalls = self._befalls, None
        if befalls is not None:
            befalls()


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> Trouble:
    """What befalls the server."""
    return Trouble(monkeypatch)


async def sent(api: Api, name: str, input: Json, caller: Caller) -> Json:
    """What is answered, errors included."""
    document = mutation_document(name)
    variables = {"input": {"idempotencyKey": KEY, **input}}
    with capture_logs():
        answer: Json = (await api.send(document, variables, caller, at=NOW)).json()
    answer.pop("extensions", None)  # what is left of the caller's budget
    return answer


def assert_unavailable(told: Json) -> None:
    """The caller is told to come back."""
    assert [error["extensions"]["code"] for error in told["errors"]] == ["UNAVAILABLE"]
    assert told.get("data") is None


async def dumped() -> dict[str, list[str]]:
    """The rows, as soon as the pool has noticed which of its connections were ended."""
    async with asyncio.timeout(SECONDS_TO_RECOVER):
        while True:
            try:
                return await dump()
            except Exception as error:
                if not sql.is_unavailable(error):
                    raise
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("name", CASES)
async def test_a_mutation_whose_connection_is_ended_is_refused_whole(
    database_address: Address, trouble: Trouble, name: str
) -> None:
    async with app(database_address) as api:
        case = await prepared(api, name)
        before = await dump()
        for number in (0, 1, 2, 3, -1):
            trouble.at(number, lambda: terminate_others(database_address.location))
            told = await sent(api, name, case.input, case.caller)
            assert trouble.is_over
            assert_unavailable(told)
            assert await dumped() == before
        told = await sent(api, name, case.input, case.caller)
        assert told["data"]["answer"]["__typename"] == CASES[name][0]
        after = await dump()
        assert changed(before, after)
        assert await sent(api, name, case.input, case.caller) == told
        assert await dump() == after


@pytest.fixture
def own() -> Iterator[OwnPostgres]:
    """A server that only this test uses."""
    with own_postgres() as server:
        yield server


async def _soon(ask: Callable[[], Awaitable[Json]]) -> Json:
    """The first answer that is not "come back"."""
    async with asyncio.timeout(SECONDS_TO_RECOVER):
        while "errors" in (told := await ask()):
            assert_unavailable(told)
            await asyncio.sleep(0.05)
    return told


@pytest.mark.parametrize("number", [3, -1])
@pytest.mark.parametrize("what", ["crashes", "is stopped"])
async def test_what_a_server_acknowledged_before_it_fell_is_there_when_it_is_back(
    own: OwnPostgres, trouble: Trouble, what: str, number: int
) -> None:
    address = Address("postgres", create_database(own.url))
    async with opened(address):
        await apply_pending()
    async with app(address) as api:
        await prepared(api, "signOut")
        till = await api.key(*Scope)
        await rich(api, "anna", 5000)
        await api.mutate("redeemPoints", {**ANNA, "points": 1000}, till)
        before = await dump()

        wish = {**ANNA, "points": 2000}
        trouble.at(number, own.crash if what == "crashes" else own.stop)
        told = await sent(api, "redeemPoints", wish, till)
        assert trouble.is_over
        assert_unavailable(told)
        if what == "is stopped":
            assert_unavailable(await sent(api, "redeemPoints", wish, till))
            own.start()

        again = await _soon(lambda: sent(api, "redeemPoints", wish, till))
        assert again["data"]["answer"]["__typename"] == "PointsRedeemed"
        after = await dump()
        assert set(before["postings"]) < set(after["postings"])
        assert len(after["vouchers"]) == 2
        assert await sent(api, "redeemPoints", wish, till) == again
        assert await dump() == after
