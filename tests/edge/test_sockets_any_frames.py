"""Whatever frames a client sends, in whatever order, its socket ends by the protocol or goes on."""

import asyncio
import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.edge.streaming import Served, served

QUERIES = [
    "{ hello }",
    "subscription { numbers }",
    "subscription { count(to: 3) }",
    "{ fails }",
    "{",
]
IDS = st.sampled_from(["a", "b", "c"])
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
TYPES = st.sampled_from(["connection_init", "ping", "pong", "subscribe", "complete", "next", "x"])
WELL_FORMED = st.one_of(
    st.fixed_dictionaries({"type": st.just("connection_init")}),
    st.fixed_dictionaries({"type": st.sampled_from(["ping", "pong"])}),
    st.fixed_dictionaries({"type": st.just("complete"), "id": IDS}),
    st.fixed_dictionaries(
        {
            "type": st.just("subscribe"),
            "id": IDS,
            "payload": st.fixed_dictionaries({"query": st.sampled_from(QUERIES)}),
        }
    ),
)
STRANGE = st.fixed_dictionaries(
    {}, optional={"type": TYPES | ANY_JSON, "id": IDS | ANY_JSON, "payload": ANY_JSON}
)
FRAMES = st.one_of(
    WELL_FORMED.map(json.dumps),
    WELL_FORMED.map(json.dumps),
    WELL_FORMED.map(json.dumps),
    STRANGE.map(json.dumps),
    ANY_JSON.map(json.dumps),
    st.text(max_size=20).filter(lambda text: text.isprintable()),
    st.binary(max_size=20),
)
BY_THE_PROTOCOL = {1000, 4400, 4401, 4403, 4409, 4429}


async def _say(connection: ClientConnection, frames: list[str | bytes]) -> None:
    try:
        for frame in frames:
            await connection.send(frame)
        # All of it has been read once this is answered.
        await connection.send('{"type":"ping","payload":{"the":"end"}}')
        while json.loads(await connection.recv()).get("payload") != {"the": "end"}:
            pass
    except ConnectionClosed:
        return


async def _ends_well(server: Served, frames: list[str | bytes]) -> None:
    async with server.socket() as connection, asyncio.timeout(20):
        await _say(connection, frames)
    assert connection.close_code in BY_THE_PROTOCOL, connection.close_reason


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(FRAMES, max_size=12), min_size=1, max_size=8))
def test_no_frames_end_a_socket_otherwise_than_by_the_protocol(
    sequences: list[list[str | bytes]],
) -> None:
    async def run() -> None:
        async with served() as server:
            for frames in sequences:
                init: list[str | bytes] = ['{"type":"connection_init"}']
                await _ends_well(server, frames)
                await _ends_well(server, init + frames)
            await server.stage.wait_for_listeners(0)
            assert server.figure("laurel_socket_ends_total", code="4500") == 0

    asyncio.run(run())
