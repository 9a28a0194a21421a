"""What each layer around GraphQL reads and adds, on bare ASGI messages."""

from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from server.edge import headers
from server.edge.cross_origin import CrossOrigin
from server.edge.origins import Origins
from server.edge.security_headers import SECURITY_HEADERS, SecurityHeaders
from server.edge.straight import Straight

Pairs = list[tuple[bytes, bytes]]


def scope_of(*sent: tuple[bytes, bytes], **named: Any) -> dict[str, Any]:
    """A request with these headers."""
    of_all = {"type": "http", "method": "POST", "path": "/graphql", "scheme": "http"}
    return {**of_all, "headers": list(sent), **named}


async def receive() -> Message:
    """Nothing is sent."""
    raise AssertionError("nobody reads")


class Answering:
    """An app that answers with these headers."""

    def __init__(self, *sent: tuple[bytes, bytes]) -> None:
        self.sent = sent
        self.called = 0

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        self.called += 1
        await send({"type": "http.response.start", "status": 200, "headers": list(self.sent)})


async def headers_of(app: Any, scope: dict[str, Any]) -> Pairs:
    """The headers of the answer."""
    told: Pairs = []

    async def send(message: Message) -> None:
        told.extend(message["headers"])

    await app(scope, receive, send)
    return told


def test_of_a_repeated_header_the_first_counts_and_all_are_counted() -> None:
    scope = scope_of((b"accept", b"a"), (b"host", b"\xe9"), (b"accept", b"b"))
    assert headers.texts(scope) == {"accept": "a", "host": "\xe9"}
    assert [headers.count(scope, name) for name in ("accept", "host", "origin")] == [2, 1, 0]


@pytest.mark.parametrize(
    ("sent", "vary"),
    [
        ((), [b"Origin"]),
        (((b"vary", b"Accept"),), [b"Accept, Origin"]),
        (((b"vary", b"Accept"), (b"vary", b"Cookie")), [b"Accept, Cookie, Origin"]),
    ],
)
async def test_an_answer_varies_by_origin(sent: tuple[Any, ...], vary: list[bytes]) -> None:
    app = CrossOrigin(Answering(*sent), origins=Origins(frozenset()), path="/graphql")
    for _ in range(2):
        told = await headers_of(app, scope_of())
        assert [text for name, text in told if name == b"vary"] == vary


async def test_only_the_headers_that_an_answer_lacks_are_added() -> None:
    own = (b"X-Frame-Options", b"SAMEORIGIN")
    app = SecurityHeaders(Answering(own), is_https=False)
    lacking = [pair for pair in SECURITY_HEADERS if pair[0] != b"x-frame-options"]
    for _ in range(2):
        assert await headers_of(app, scope_of()) == [own, *lacking]


@pytest.mark.parametrize(
    ("named", "is_straight"),
    [
        ({}, True),
        ({"method": "GET"}, False),
        ({"path": "/graphql/"}, False),
        ({"type": "websocket"}, False),
        ({"root_path": "/api"}, False),
    ],
)
async def test_what_is_posted_goes_straight_to_its_endpoint(
    named: dict[str, Any], is_straight: bool
) -> None:
    routes, endpoint = Answering(), Answering()
    await headers_of(Straight(routes, path="/graphql", endpoint=endpoint), scope_of(**named))
    assert (endpoint.called, routes.called) == (int(is_straight), int(not is_straight))
