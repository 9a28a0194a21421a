"""HTTP/1.1 for `Fcm`, keep-alive and pipelined, with the ways of it that go wrong."""

import asyncio
import re
import socket
import struct
from typing import Any

import httptools
import msgspec

from tests.fcm.conduct import CLOSING, MUTE, RESETTING, Conduct, Way, error, http
from tests.fcm.fcm import MAXIMUM_BODY, Fcm, TokenWay

_SEND = re.compile(rb"/v1/projects/([^/]+)/messages:send")
_RESET = struct.pack("ii", 1, 0)


class Protocol(asyncio.Protocol):
    """One connection."""

    def __init__(self, fcm: Fcm, open_connections: set["Protocol"]) -> None:
        self._fcm = fcm
        self._open = open_connections
        self._parser = httptools.HttpRequestParser(self)
        self._transport: Any = None
        self._url = self._authorization = b""
        self._body: list[bytes] = []

    # ------------------------------------------------------------ asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._open.add(self)
        self._fcm.connections += 1
        if not self._fcm.accepts:
            self.reset()

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def reset(self) -> None:
        """Let the other side know nothing but that it is over."""
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    # ------------------------------------------------------------ httptools

    def on_message_begin(self) -> None:
        self._url = self._authorization = b""
        self._body = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"authorization":
            self._authorization = value

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        body = b"".join(self._body)
        if len(body) > MAXIMUM_BODY:
            self._transport.write(http(413, b""))
            return
        match = _SEND.fullmatch(self._url)
        if match is not None:
            self._message(match[1].decode(), body)
        elif self._url == b"/token":
            self._token(body)
        elif self._url == b"/_control":
            self._control(body)
        else:
            self._transport.write(error(404, "NOT_FOUND", "Not found"))

    # ------------------------------------------------------------ what it is about

    def _message(self, project: str, body: bytes) -> None:
        if self._parser.get_method() != b"POST":
            self._transport.write(error(405, "INVALID_ARGUMENT", "Method not allowed"))
            return
        self._answer(*self._fcm.take(project, self._authorization, body))

    def _answer(self, conduct: Conduct, answer: bytes) -> None:
        if conduct.way is Way.SLOW:
            asyncio.get_running_loop().call_later(conduct.seconds, self._late, answer)
        elif conduct.way in RESETTING:
            self.reset()
        elif conduct.way not in MUTE:
            self._transport.write(answer)
        if conduct.way in CLOSING:
            self._transport.close()

    def _late(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)

    def _token(self, body: bytes) -> None:
        answer = self._fcm.token_answer(body)
        if answer:
            self._transport.write(answer)
        elif self._fcm.token_way == TokenWay.RESET:
            self.reset()

    def _control(self, body: bytes) -> None:
        """What another process tells it, and asks of it."""
        told = msgspec.json.decode(body) if body else {}
        if "usual" in told:
            self._fcm.usual = Conduct.of(told["usual"])
        for token, way in told.get("by_token", {}).items():
            self._fcm.by_token[token] = Conduct.of(way)
        self._fcm.script.extend(Conduct.of(way) for way in told.get("script", ()))
        if "chances" in told:
            self._fcm.chances = [(chance, Conduct.of(way)) for chance, way in told["chances"]]
        if "token_way" in told:
            self._fcm.token_way = TokenWay(told["token_way"])
        if "accepts" in told:
            self._fcm.accepts = told["accepts"]
        if told.get("expire_tokens"):
            self._fcm.expire_tokens()
        known = {
            "count": self._fcm.count,
            "unauthorized": self._fcm.unauthorized,
            "token_requests": self._fcm.token_requests,
            "connections": self._fcm.connections,
        }
        self._transport.write(http(200, msgspec.json.encode(known)))
