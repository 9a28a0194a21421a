"""On whose behalf a socket delivers: credentials at the start, renewed, expired and revoked."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import ClientConnection

from server import messages
from server.clock import datetime_of
from server.edge.streams import StreamLimits
from server.principal import Principal, PrincipalKind
from tests.edge.streaming import Client, Served, closing, extended, member, served, until

NUMBERS = "subscription { numbers }"


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    async with served() as running:
        running.stage.tokens["ada"] = member(1)
        running.stage.tokens["bob"] = member(2)
        yield running


async def hello_of(client: Client) -> str:
    await client.subscribe("hello", '{ hello(name: "I am") }')
    result, _complete = await client.results(2)
    text: str = result["payload"]["data"]["hello"]
    return text


async def initialised(connection: ClientConnection, **payload: object) -> Client:
    client = Client(connection)
    await client.send("connection_init", payload=payload)
    assert await client.receive() == {"type": "connection_ack"}
    return client


# ---------------------------------------------------------------- the start


@pytest.mark.parametrize("name", ["authorization", "Authorization", "AUTHORIZATION"])
async def test_the_payload_says_who_connects(server: Served, name: str) -> None:
    async with server.connected(**{name: "Bearer ada"}) as client:
        assert await hello_of(client) == "I am 1 lt"


async def test_the_handshake_may_say_it(server: Served) -> None:
    async with server.socket(headers={"Authorization": "Bearer ada"}) as connection:
        assert await hello_of(await initialised(connection)) == "I am 1 lt"


async def test_the_payload_counts_more_than_the_handshake(server: Served) -> None:
    async with server.socket(headers={"Authorization": "Bearer ada"}) as connection:
        client = await initialised(connection, authorization="Bearer bob")
        assert await hello_of(client) == "I am 2 lt"


async def test_who_shows_nothing_is_nobody(server: Served) -> None:
    async with server.connected(authorization=None) as client:
        assert await hello_of(client) == "I am 0 en"


@pytest.mark.parametrize("shown", ["Bearer nobody", "", "Bearer ", 7, ["Bearer ada"], {}], ids=str)
async def test_credentials_that_are_not_accepted_are_forbidden(
    server: Served, shown: object
) -> None:
    async with server.socket(headers={"Authorization": "Bearer ada"}) as connection:
        await Client(connection).send("connection_init", payload={"authorization": shown})
        assert await closing(connection) == (4403, "Forbidden")
    await until(lambda: server.streams.beginning.taken == 0)


async def test_the_language_is_the_payloads_or_the_handshakes_or_the_members(
    server: Served,
) -> None:
    async with server.socket(headers={"Accept-Language": "cs"}) as connection:
        client = await initialised(connection, authorization="Bearer ada")
        assert await hello_of(client) == "I am 1 cs"
    async with server.socket(headers={"Accept-Language": "cs"}) as connection:
        client = await initialised(connection, acceptLanguage="ru, en;q=0.5")
        assert await hello_of(client) == "I am 0 ru"


@pytest.mark.parametrize(
    ("asked", "language"),
    [({}, "lt"), ({"acceptLanguage": "*"}, "lt"), ({"acceptLanguage": "lv, en;q=0.1"}, "lv")],
    ids=str,
)
async def test_refusals_are_told_in_the_callers_language(
    server: Served, asked: dict[str, str], language: str
) -> None:
    async with server.connected(authorization="Bearer ada", **asked) as client:
        await client.subscribe("1", "subscription { forbidden }")
        answer = await client.receive()
        told = [error["message"] for error in answer["payload"]]
        assert told == [messages.text("request.forbidden", language)]


async def test_a_database_that_does_not_answer_is_no_defect_and_no_refusal(server: Served) -> None:
    server.stage.failure = ConnectionRefusedError("a secret detail")
    async with server.socket() as connection:
        await Client(connection).send("connection_init")
        code, reason = await closing(connection)
    assert (code, reason) in ((1013, "Try again later"), (4500, "Internal server error"))


async def test_a_defect_closes_with_4500_and_tells_nothing(server: Served) -> None:
    server.stage.failure = ValueError("a secret detail")
    async with server.socket() as connection:
        await Client(connection).send("connection_init")
        assert await closing(connection) == (4500, "Internal server error")


# ---------------------------------------------------------------- expiry


async def test_the_acknowledgement_says_when_the_token_expires(server: Served) -> None:
    principal = server.stage.tokens["late"] = member(1, seconds_left=600)
    async with server.connected(authorization="Bearer late") as client:
        assert principal.expires_at is not None
        shown = datetime_of(principal.expires_at).isoformat().replace("+00:00", "Z")
        assert client.acknowledged["payload"] == {"expiresAt": shown}


async def test_delivery_ends_when_the_token_expires(server: Served) -> None:
    server.stage.tokens["short"] = member(1, seconds_left=1)
    async with server.connected(authorization="Bearer short") as client:
        await client.subscribe("a", NUMBERS)
        await client.subscribe("b", NUMBERS)
        await server.stage.wait_for_listeners(2)
        errors = await client.results(2)
        assert {(one["id"], one["type"]) for one in errors} == {("a", "error"), ("b", "error")}
        [error] = errors[0]["payload"]
        assert error["extensions"] == {"code": "UNAUTHENTICATED"}
        assert error["message"].startswith("Prieigos rakto")  # in the member's language
        assert await closing(client.connection) == (4403, "Access token expired")
    await server.stage.wait_for_listeners(0)


async def test_an_idle_socket_ends_when_the_token_expires(server: Served) -> None:
    server.stage.tokens["short"] = member(1, seconds_left=0.3)
    async with server.connected(authorization="Bearer short") as client:
        assert await closing(client.connection) == (4403, "Access token expired")


@pytest.mark.parametrize("name", ["authorization", "Authorization", "AUTHORIZATION"])
async def test_a_newer_token_extends_the_socket(server: Served, name: str) -> None:
    first = server.stage.tokens["first"] = member(1, seconds_left=3)
    second = server.stage.tokens["second"] = extended(first, seconds_left=600)
    async with server.connected(authorization="Bearer first") as client:
        await client.subscribe("a", NUMBERS)
        await server.stage.wait_for_listeners(1)
        await client.send("ping", payload={name: "Bearer second", "n": 1})
        pong = await client.receive()
        assert second.expires_at is not None
        expiry = datetime_of(second.expires_at).isoformat().replace("+00:00", "Z")
        assert pong == {
            "type": "pong",
            "payload": {name: "accepted", "n": 1, "expiresAt": expiry},
        }
        await asyncio.sleep(3.1)  # beyond the first token
        server.stage.emit(7)
        assert (await client.receive())["payload"] == {"data": {"numbers": 7}}


async def test_from_a_newer_token_on_its_own_session_is_watched() -> None:
    async with served(StreamLimits(recheck_seconds=600)) as server:
        server.stage.tokens["ada"] = member(1)
        server.stage.tokens["other device"] = member(1, session=2)
        async with server.connected(authorization="Bearer ada") as client:
            await until(lambda: server.stage.watched == {1})
            await client.send("ping", payload={"authorization": "Bearer other device"})
            assert (await client.receive())["payload"] == {"authorization": "accepted"}
            await until(lambda: server.stage.watched == {2})


@pytest.mark.parametrize("shown", ["Bearer bob", "Bearer nobody", "", None, 7], ids=str)
async def test_a_socket_keeps_its_caller(server: Served, shown: object) -> None:
    async with server.connected(authorization="Bearer ada") as client:
        await client.send("ping", payload={"authorization": shown})
        assert await closing(client.connection) == (4403, "Forbidden")


async def test_nobody_known_does_not_become_somebody(server: Served) -> None:
    async with server.connected() as client:
        await client.send("ping", payload={"authorization": "Bearer ada"})
        assert await closing(client.connection) == (4403, "Forbidden")


# ---------------------------------------------------------------- revocation


async def test_nothing_is_delivered_to_a_session_that_has_ended(server: Served) -> None:
    async with server.connected(authorization="Bearer ada") as client:
        await client.subscribe("a", NUMBERS)
        await server.stage.wait_for_listeners(1)
        del server.stage.tokens["ada"]  # and nobody announces it
        server.stage.emit(1)
        error = await client.receive()
        assert (error["id"], error["type"]) == ("a", "error")
        assert error["payload"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
        assert await closing(client.connection) == (4403, "Session ended")


async def test_the_announced_end_of_a_session_ends_its_idle_sockets(server: Served) -> None:
    async with server.connected(authorization="Bearer ada") as client:
        await client.subscribe("a", NUMBERS)
        await server.stage.wait_for_listeners(1)
        await until(lambda: len(server.stage.hints) == 1)
        server.stage.hint()  # which may be a false alarm
        await client.is_in_order()
        del server.stage.tokens["ada"]
        server.stage.hint()
        assert (await client.receive())["type"] == "error"
        assert await closing(client.connection) == (4403, "Session ended")
    await until(lambda: server.stage.hints == set())


async def test_an_end_that_nobody_announces_is_found_by_asking() -> None:
    async with served(StreamLimits(recheck_seconds=0.05)) as server:
        server.stage.tokens["ada"] = member(1)
        async with server.connected(authorization="Bearer ada") as client:
            await until(lambda: server.stage.asked >= 4)
            server.stage.failure = ConnectionRefusedError()  # which is no end
            await until(lambda: server.stage.asked >= 8)
            server.stage.failure = None
            await client.is_in_order()
            del server.stage.tokens["ada"]
            assert await closing(client.connection) == (4403, "Session ended")


async def test_what_cannot_be_checked_is_not_delivered(server: Served) -> None:
    async with server.connected(authorization="Bearer ada") as client:
        await client.subscribe("a", NUMBERS)
        await server.stage.wait_for_listeners(1)
        server.stage.failure = ValueError("a secret detail")
        server.stage.emit(1)
        error = await client.receive()
        assert (error["id"], error["type"]) == ("a", "error")
        assert error["payload"][0]["extensions"]["code"] == "INTERNAL"
        assert "secret" not in str(error)
        await client.is_in_order()


async def test_a_query_is_not_answered_to_a_session_that_has_ended(server: Served) -> None:
    async with server.connected(authorization="Bearer ada") as client:
        del server.stage.tokens["ada"]
        await client.subscribe("m", "mutation { double(number: 1) }")
        error = await client.receive()
        assert error["type"] == "error"
        assert error["payload"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
        assert await closing(client.connection) == (4403, "Session ended")


async def test_one_question_answers_for_all_events_of_one_moment(server: Served) -> None:
    async with server.connected(authorization="Bearer ada") as client:
        for number in range(100):
            await client.subscribe(f"s{number}", NUMBERS)
        await server.stage.wait_for_listeners(100)
        before = server.stage.asked
        server.stage.emit(1)
        await client.results(100)
        assert 1 <= server.stage.asked - before <= 5


async def test_a_token_that_names_somebody_else_by_now_is_none(server: Served) -> None:
    async with server.connected(authorization="Bearer ada") as client:
        server.stage.tokens["ada"] = Principal(PrincipalKind.STAFF, id=1)
        await client.subscribe("q", "{ hello }")
        assert (await client.receive())["type"] == "error"
        assert await closing(client.connection) == (4403, "Session ended")
