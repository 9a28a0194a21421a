"""Whose word on a client's address is believed: nobody's, but that of the listed proxies."""

import json

import pytest
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from server.edge.client_address import limited_address
from server.edge.connections import Bounds
from tests.serving.sockets import served


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse([limited_address(scope), scope["scheme"]])(scope, receive, send)


@pytest.mark.parametrize(
    ("trusted", "forwarded", "seen"),
    [
        ((), "192.0.2.7", ["127.0.0.1", "http"]),
        (("10.0.0.0/8",), "192.0.2.7", ["127.0.0.1", "http"]),
        (("127.0.0.1",), "192.0.2.7", ["192.0.2.7", "https"]),
        (("127.0.0.0/8",), "198.51.100.1, 192.0.2.7", ["192.0.2.7", "https"]),
        (("127.0.0.1", "10.0.0.0/8"), "192.0.2.7, 10.1.1.1", ["192.0.2.7", "https"]),
        (("127.0.0.1",), "2001:db8::1", ["2001:db8::/64", "https"]),
        (("127.0.0.1",), "nobody", ["unknown", "https"]),
    ],
)
async def test_an_address_that_is_told(
    trusted: tuple[str, ...], forwarded: str, seen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # uvicorn's own setting counts for nothing
    headers = f"X-Forwarded-For: {forwarded}\r\nX-Forwarded-Proto: https\r\n"
    async with served(app, Bounds(), trusted_proxies=trusted) as server:
        assert json.loads((await server.get(headers=headers)).body) == seen
