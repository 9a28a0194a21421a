"""graphql-transport-ws, message by message, against a real server on a real port."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed

from server.edge.streams import StreamLimits
from tests.edge.streaming import Client, Served, closing, served, until

NUMBERS = "subscription { numbers }"


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    async with served() as running:
        yield running


# ---------------------------------------------------------------- the handshake


@pytest.mark.parametrize("offered", [None, ["graphql-ws"], ["mqtt", "graphql-ws"]], ids=str)
async def test_other_subprotocols_are_not_acceptable(
    server: Served, offered: list[str] | None
) -> None:
    async with server.socket(offered) as connection:
        assert connection.subprotocol is None
        assert await closing(connection) == (4406, "Subprotocol not acceptable")


async def test_the_subprotocol_is_chosen_among_several(server: Served) -> None:
    async with server.socket(["graphql-ws", "graphql-transport-ws"]) as connection:
        assert connection.subprotocol == "graphql-transport-ws"


# ---------------------------------------------------------------- initialisation


async def test_the_connection_is_acknowledged(server: Served) -> None:
    async with server.connected() as client:
        assert client.acknowledged == {"type": "connection_ack"}


async def test_who_says_nothing_is_closed_in_time() -> None:
    limits = StreamLimits(init_seconds=0.05)
    async with served(limits) as server, server.socket() as connection:
        assert await closing(connection) == (4408, "Connection initialisation timeout")
    assert StreamLimits().init_seconds == 10


async def test_a_connection_is_initialised_once(server: Served) -> None:
    async with server.connected() as client:
        await client.send("connection_init")
        assert await closing(client.connection) == (4429, "Too many initialisation requests")


async def test_operations_wait_for_the_acknowledgement(server: Served) -> None:
    async with server.socket() as connection:
        await Client(connection).subscribe("1", "{ hello }")
        assert await closing(connection) == (4401, "Unauthorized")


async def test_a_null_payload_is_none(server: Served) -> None:
    async with server.socket() as connection:
        client = Client(connection)
        await client.send("connection_init", payload=None)
        assert await client.receive() == {"type": "connection_ack"}


# ---------------------------------------------------------------- messages


def _subscribe(**payload: object) -> str:
    message = {"type": "subscribe", "id": "1", "payload": {"query": "{ hello }", **payload}}
    return json.dumps(message)


DEEP = "[" * 5_000 + "]" * 5_000
MALFORMED = {
    "no JSON": "hello",
    "empty": "",
    "cut off": '{"type":"ping"',
    "null": "null",
    "list": "[]",
    "number": "4",
    "NaN": '{"type":"ping","payload":{"x":NaN}}',
    "too large a number": '{"type":"ping","payload":{"x":1e999}}',
    "half a surrogate": '{"type":"ping","payload":{"x":"\\ud800"}}',
    "deep": f'{{"type":"ping","payload":{{"x":{DEEP}}}}}',
    "no type": "{}",
    "number as type": '{"type":1}',
    "null as type": '{"type":null}',
    "unknown type": '{"type":"start","id":"1","payload":{"query":"{hello}"}}',
    "the server's type": '{"type":"connection_ack"}',
    "the server's result": '{"type":"next","id":"1","payload":{}}',
    "text as init": '{"type":"connection_init","payload":"x"}',
    "text as ping": '{"type":"ping","payload":"x"}',
    "list as pong": '{"type":"pong","payload":[]}',
    "no id": '{"type":"subscribe","payload":{"query":"{hello}"}}',
    "empty id": '{"type":"subscribe","id":"","payload":{"query":"{hello}"}}',
    "number as id": '{"type":"subscribe","id":1,"payload":{"query":"{hello}"}}',
    "long id": json.dumps({"type": "subscribe", "id": "i" * 129, "payload": {"query": "{hello}"}}),
    "no payload": '{"type":"subscribe","id":"1"}',
    "null payload": '{"type":"subscribe","id":"1","payload":null}',
    "list as payload": '{"type":"subscribe","id":"1","payload":[]}',
    "no query": '{"type":"subscribe","id":"1","payload":{}}',
    "number as query": '{"type":"subscribe","id":"1","payload":{"query":1}}',
    "list as variables": _subscribe(variables=[]),
    "number as name": _subscribe(operationName=1),
    "text as extensions": _subscribe(extensions="x"),
    "complete without id": '{"type":"complete"}',
    "complete of a number": '{"type":"complete","id":1}',
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
async def test_what_is_no_message_ends_the_socket_with_4400(server: Served, text: str) -> None:
    async with server.connected() as client:
        await client.connection.send(text)
        code, reason = await closing(client.connection)
    assert code == 4400
    assert reason
    assert len(reason.encode()) <= 123


async def test_binary_frames_are_malformed(server: Served) -> None:
    async with server.connected() as client:
        await client.connection.send(b'{"type":"ping"}')
        assert await closing(client.connection) == (
            4400,
            "Messages are text frames, not binary ones",
        )


async def test_a_text_frame_is_utf_8(server: Served) -> None:
    async with server.connected() as client:
        await client.connection.send(b'{"type":"ping","\xff":1}', text=True)
        code, _reason = await closing(client.connection)
    assert code == 1007  # as RFC 6455, 8.1 wants it


async def test_a_message_has_a_megabyte_at_most(server: Served) -> None:
    async with server.connected() as client:
        await client.send("ping", payload={"x": "x" * 999_900})
        assert (await client.receive())["type"] == "pong"
        await client.send("ping", payload={"x": "x" * 1_000_001})
        code, _reason = await closing(client.connection)
    assert code == 1009


@pytest.mark.parametrize(
    "payload", [{}, {"a": [1, None, "ž"]}, {"authorized": True, "deep": {"er": {}}}], ids=str
)
async def test_a_ping_is_answered_with_its_payload(
    server: Served, payload: dict[str, object]
) -> None:
    async with server.connected() as client:
        await client.send("ping", payload=payload)
        assert await client.receive() == {"type": "pong", "payload": payload}


async def test_pings_are_answered_before_initialisation(server: Served) -> None:
    async with server.socket() as connection:
        client = Client(connection)
        await client.send("ping")
        assert await client.receive() == {"type": "pong"}
        await client.send("ping", payload=None)
        assert await client.receive() == {"type": "pong"}


async def test_pongs_and_unknown_ids_are_passed_over(server: Served) -> None:
    async with server.connected() as client:
        await client.send("pong")
        await client.send("pong", payload={"x": 1})
        await client.send("complete", id="nobody's")
        await client.is_in_order()


async def test_a_silent_client_is_asked_and_then_dropped() -> None:
    limits = StreamLimits(ping_seconds=0.1, silent_seconds=0.35)
    async with served(limits) as server, server.connected() as client:
        for _ in range(4):
            assert await client.receive() == {"type": "ping"}
            await client.send("pong")
        assert await closing(client.connection) == (4408, "No answer to pings")


async def test_too_many_messages_end_the_socket() -> None:
    limits = StreamLimits(messages=50, messages_per_second=1)
    async with served(limits) as server, server.connected() as client:
        with suppress(ConnectionClosed):
            for _ in range(100):
                await client.send("pong")
        assert await closing(client.connection) == (4429, "Too many messages")


# ---------------------------------------------------------------- operations


async def test_a_query_has_one_result(server: Served) -> None:
    async with server.connected() as client:
        query = "query A($n: String) { hello(name: $n) } query B { hello }"
        await client.subscribe("q", query, operationName="A", variables={"n": "you"})
        result, complete = await client.results(2)
    assert (result["id"], result["type"]) == ("q", "next")
    assert result["payload"]["data"] == {"hello": "you 0 en"}
    assert complete == {"id": "q", "type": "complete"}


async def test_a_mutation_has_one_result(server: Served) -> None:
    async with server.connected() as client:
        await client.subscribe("m", "mutation { double(number: 21) }")
        result, complete = await client.results(2)
    assert result["payload"]["data"] == {"double": 42}
    assert complete == {"id": "m", "type": "complete"}


async def test_a_subscription_has_results_until_it_is_complete(server: Served) -> None:
    async with server.connected() as client:
        await client.subscribe("s", "subscription { count(to: 3) }")
        *results, complete = await client.results(4)
    assert [one["payload"] for one in results] == [{"data": {"count": n}} for n in range(3)]
    assert {(one["id"], one["type"]) for one in results} == {("s", "next")}
    assert complete == {"id": "s", "type": "complete"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ unknown }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { numbers count(to: 1) }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { hello } query B { hello }", "OPERATION_RESOLUTION_FAILURE"),
        ("subscription Q($n: Int!) { count(to: $n) }", "BAD_USER_INPUT"),
        ("subscription { forbidden }", "FORBIDDEN"),
        ("{ a: " + "[" * 2_001 + " }", "TOO_DEEP"),
    ],
    ids=["syntax", "unknown field", "two roots", "unnamed", "variables", "forbidden", "limit"],
)
async def test_what_does_not_run_is_one_error_and_no_completion(
    server: Served, query: str, code: str
) -> None:
    async with server.connected() as client:
        await client.subscribe("e", query)
        error = await client.receive()
        assert (error["id"], error["type"]) == ("e", "error")
        assert error["payload"][0]["extensions"]["code"] == code
        await client.is_in_order()
        await client.subscribe("e", "{ hello }")  # the id is free again
        assert (await client.receive())["type"] == "next"


async def test_errors_of_fields_are_results(server: Served) -> None:
    async with server.connected() as client:
        await client.subscribe("e", "{ fails }")
        result, complete = await client.results(2)
    [error] = result["payload"]["errors"]
    assert result["type"] == "next"
    assert error["extensions"]["code"] == "INTERNAL"
    assert "secret" not in json.dumps(result)
    assert complete["type"] == "complete"


async def test_a_source_that_breaks_ends_its_subscription_alone(server: Served) -> None:
    async with server.connected() as client:
        await client.subscribe("b", "subscription { breaks }")
        result, error = await client.results(2)
        assert result["payload"] == {"data": {"breaks": 1}}
        assert (error["id"], error["type"]) == ("b", "error")
        assert error["payload"][0]["extensions"]["code"] == "INTERNAL"
        assert error["payload"][0]["extensions"]["errorId"]
        assert "secret" not in json.dumps(error)
        await client.is_in_order()


async def test_completing_ends_a_subscription_at_once_and_silently(server: Served) -> None:
    async with server.connected() as client:
        await client.subscribe("s", NUMBERS)
        await server.stage.wait_for_listeners(1)
        server.stage.emit(1)
        assert (await client.receive())["payload"] == {"data": {"numbers": 1}}
        await client.send("complete", id="s")
        await server.stage.wait_for_listeners(0)
        await client.is_in_order()
        assert server.figure("laurel_subscriptions", transport="websocket") == 0


async def test_a_source_that_does_not_heed_its_end_is_not_heard(server: Served) -> None:
    async with server.connected() as client:
        await client.subscribe("s", "subscription { lingers }")
        await server.stage.wait_for_listeners(1)
        server.stage.emit(1)
        await client.is_in_order()
        await client.send("complete", id="s")  # which it takes for its cue
        await client.is_in_order()
        server.stage.emit(None)
        await server.stage.wait_for_listeners(0)
        await client.is_in_order()


async def test_completing_a_query_keeps_its_result(server: Served) -> None:
    async with server.connected() as client:
        await client.subscribe("q", "{ waits }")
        await client.send("complete", id="q")
        await client.is_in_order()
        server.stage.gate.set()
        await client.is_in_order()


async def test_an_id_is_used_once_at_a_time(server: Served) -> None:
    async with server.connected() as client:
        await client.subscribe("one", NUMBERS)
        await client.subscribe("one", "{ hello }")
        assert await closing(client.connection) == (4409, "Subscriber for one already exists")
    await server.stage.wait_for_listeners(0)


@pytest.mark.parametrize("operation_id", ["i" * 128, "ž" * 128, "\N{GRINNING FACE}" * 64])
async def test_an_id_of_128_characters_is_one(server: Served, operation_id: str) -> None:
    async with server.connected() as client:
        await client.subscribe(operation_id, NUMBERS)
        await server.stage.wait_for_listeners(1)
        await client.subscribe(operation_id, NUMBERS)
        code, reason = await closing(client.connection)
    assert code == 4409
    assert reason is not None
    assert reason.startswith(f"Subscriber for {operation_id[0]}")
    assert reason.endswith(" already exists")
    assert len(reason.encode()) <= 123


async def test_an_id_is_free_once_it_is_complete(server: Served) -> None:
    async with server.connected() as client:
        for _ in range(20):
            await client.subscribe("again", "{ hello }")
            assert [one["type"] for one in await client.results(2)] == ["next", "complete"]
        for _ in range(20):
            await client.subscribe("again", NUMBERS)
            await client.send("complete", id="again")
        await client.is_in_order()
    await server.stage.wait_for_listeners(0)


async def test_two_hundred_subscriptions_of_one_socket_all_receive(server: Served) -> None:
    async with server.connected() as client:
        for number in range(200):
            await client.subscribe(f"s{number}", NUMBERS)
        await server.stage.wait_for_listeners(200)
        assert server.figure("laurel_subscriptions", transport="websocket") == 200
        for event in (1, 2):
            server.stage.emit(event)
            results = await client.results(200)
            assert {one["id"] for one in results} == {f"s{number}" for number in range(200)}
            assert {one["payload"]["data"]["numbers"] for one in results} == {event}
        server.stage.emit(None)
        assert {one["type"] for one in await client.results(200)} == {"complete"}
        assert server.figure("laurel_events_total", transport="websocket") == 400


async def test_two_hundred_queries_at_once_are_all_answered(server: Served) -> None:
    async with server.connected() as client:
        for number in range(200):
            await client.subscribe(f"q{number}", "{ waits }")
        server.stage.gate.set()
        results = await client.results(400)
    answered = [one["id"] for one in results if one.get("payload", {}).get("data")]
    assert set(answered) == {f"q{number}" for number in range(200)}


async def test_the_queries_of_one_socket_take_turns() -> None:
    async with served(StreamLimits(operations_at_once=2)) as server, server.connected() as client:
        for number in range(5):
            await client.subscribe(f"q{number}", "{ waits }")
        await until(lambda: server.stage.waiting == 2)
        await client.is_in_order()
        assert server.stage.waiting == 2
        server.stage.gate.set()
        assert len(await client.results(10)) == 10
        assert server.stage.waiting == 5


async def test_beyond_the_cap_one_operation_is_refused_and_the_socket_stays() -> None:
    async with (
        served(StreamLimits(operations_per_socket=3)) as server,
        server.connected() as client,
    ):
        for number in range(3):
            await client.subscribe(f"s{number}", NUMBERS)
        await server.stage.wait_for_listeners(3)
        await client.subscribe("one too many", NUMBERS)
        error = await client.receive()
        assert (error["id"], error["type"]) == ("one too many", "error")
        assert error["payload"][0]["extensions"] == {
            "code": "TOO_MANY_OPERATIONS",
            "requested": 4,
            "allowed": 3,
        }
        await client.send("complete", id="s0")
        await client.subscribe("fits again", NUMBERS)
        await server.stage.wait_for_listeners(3)
    assert StreamLimits().operations_per_socket == 500


async def test_a_caller_has_so_many_subscriptions_over_all_sockets() -> None:
    async with (
        served(StreamLimits(subscriptions_per_caller=2)) as server,
        server.connected() as one,
        server.connected() as other,
    ):
        await one.subscribe("a", NUMBERS)
        await other.subscribe("b", NUMBERS)
        await server.stage.wait_for_listeners(2)
        await other.subscribe("c", NUMBERS)
        error = await other.receive()
        assert error["payload"][0]["extensions"]["code"] == "TOO_MANY_OPERATIONS"


# ---------------------------------------------------------------- connections


async def test_a_caller_has_so_many_sockets_open() -> None:
    async with served(StreamLimits(streams_per_caller=2)) as server:
        async with server.connected(), server.connected(), server.socket() as third:
            await Client(third).send("connection_init")
            assert await closing(third) == (1013, "Too many connections")
        await until(lambda: server.streams.open.taken == 0)
        async with server.connected():
            assert server.streams.open.taken == 1


async def test_an_address_begins_so_many_sockets_at_once() -> None:
    async with served(StreamLimits(beginning_per_address=1)) as server:
        async with server.connected(), server.socket(), server.socket() as third:
            assert await closing(third) == (1013, "Too many connections")
        await until(lambda: server.streams.beginning.taken == 0)


@pytest.mark.parametrize("is_clean", [True, False], ids=["closed", "broken off"])
async def test_when_the_client_goes_everything_of_it_ends(server: Served, is_clean: bool) -> None:
    async with server.connected() as client:
        for number in range(5):
            await client.subscribe(f"s{number}", NUMBERS)
        await client.subscribe("q", "{ waits }")
        await server.stage.wait_for_listeners(5)
        assert server.figure("laurel_streams", transport="websocket") == 1
        if not is_clean:
            client.connection.transport.abort()
    await server.stage.wait_for_listeners(0)
    await until(lambda: server.figure("laurel_socket_ends_total", code="client") == 1)
    assert server.figure("laurel_streams", transport="websocket") == 0
    assert server.figure("laurel_subscriptions", transport="websocket") == 0
    assert server.streams.open.taken == 0


async def test_messages_after_the_close_are_passed_over(server: Served) -> None:
    async with server.connected() as client:
        await client.connection.send("{}")
        with suppress(ConnectionClosed):
            for number in range(100):
                await client.subscribe(f"late {number}", NUMBERS)
        code, _reason = await closing(client.connection)
    assert code == 4400
    assert server.stage.queues == set()


async def test_a_stopping_server_says_that_it_restarts() -> None:
    async with served() as server, server.connected() as client:
        await client.subscribe("s", NUMBERS)
        await server.stage.wait_for_listeners(1)
        server.server.should_exit = True
        code, _reason = await closing(client.connection)
        assert code == 1012
        await server.stage.wait_for_listeners(0)


async def test_the_reason_of_a_close_is_counted(server: Served) -> None:
    async with server.connected() as client:
        await client.connection.send("{}")
        await closing(client.connection)
    await until(lambda: server.figure("laurel_socket_ends_total", code="4400") == 1)
    requests = {"kind": "unknown", "field": "unknown", "outcome": "answered"}
    assert server.figure("laurel_requests_total", **requests) == 0
