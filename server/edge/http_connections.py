"""HTTP/1.1 connections within bounds: whoever is slow, sends too much or comes too many is told so
where that is still possible, and goes."""

import asyncio
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from server.edge.connections import CountedTransport, Guard, Reader
from server.edge.http_errors import MEDIA_TYPE, body_of, language_of
from server.edge.refusing import RequestRefused
from server.edge.security_headers import SECURITY_HEADERS


class _Phase(Enum):
    """What the connection waits for."""

    HEAD = auto()  # a request's first line and headers
    BODY = auto()
    IDLE = auto()  # another request, or none
    END = auto()  # the client's end of the connection: it has been told that this is ours
    NOTHING = auto()  # of the client's: the server is at work


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's protocol, with the bounds of `guard`; see `within`."""

    guard: ClassVar[Guard]

    @classmethod
    def within(cls, guard: Guard) -> type["BoundedHttp"]:
        """The protocol whose connections the guard looks after."""
        return type(cls.__name__, (cls,), {"guard": guard})

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._phase = _Phase.HEAD
        self._since = self.loop.time()
        self._head_bytes = 0  # of the head that is being read, by all that came
        self._field_bytes = 0  # the same, by what was found in it
        self._url_bytes = 0  # of the request's target alone
        self._body_bytes = 0
        self._is_surplus = False
        self._refused: RequestRefused | None = None
        self._declined: bytes | None = None  # the head of a request for an upgrade, without that

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, unless there are far too many."""
        counted = CountedTransport.around(transport)
        super().connection_made(counted)
        self._reader = Reader(counted, self.guard.bounds)
        self._is_surplus = not self.guard.admit(self, transport)
        if self.guard.is_overrun:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.guard.release(self)
        self._phase = _Phase.NOTHING
        super().connection_lost(exc)

    # ------------------------------------------------------------ time

    def look(self, now: float) -> None:
        """Drop a client that has had its time, or does not read."""
        if self._reader.is_stalled(now):
            self.transport.abort()
        elif self._phase is _Phase.NOTHING or self.transport.is_closing():
            return
        elif self.flow.read_paused and self._phase is not _Phase.END:
            self._since = now  # it is our turn, not the client's
        elif now - self._since >= self._allowed_seconds:
            self._be_late()

    @property
    def _allowed_seconds(self) -> float:
        bounds = self.guard.bounds
        if self._phase is _Phase.HEAD:
            return bounds.surplus_seconds if self._is_surplus else bounds.head_seconds
        if self._phase is _Phase.IDLE:
            return bounds.idle_seconds
        if self._phase is _Phase.END:
            return bounds.end_seconds
        if self._is_at_rest:
            return bounds.discarding_seconds
        return bounds.body_seconds + self._body_bytes / bounds.body_bytes_per_second

    @property
    def _is_at_rest(self) -> bool:
        """Whether no request is being answered."""
        running = self._newest
        return running is None or running.response_complete

    @property
    def _newest(self) -> RequestResponseCycle | None:
        """The request whose head was read last; uvicorn's types leave the None out."""
        return self.cycle

    def _be_late(self) -> None:
        if self._phase is _Phase.END:
            self.transport.abort()
            return
        has_begun = self._phase is _Phase.BODY or self._head_bytes > 0
        if has_begun and not self._is_answering:
            self._answer_and_close(RequestRefused("REQUEST_TIMEOUT", "http.late", status=408))
        else:
            self.transport.close()

    @property
    def _is_answering(self) -> bool:
        """Whether what is written now would stand in the middle of an answer, or after one that
        this request has had."""
        if self.pipeline:
            return True
        running = self._newest
        if running is None:
            return False
        if self._phase is _Phase.BODY:
            return running.response_started
        return not running.response_complete

    # ------------------------------------------------------------ reading

    def data_received(self, data: bytes) -> None:
        """Read on, within the bounds."""
        if self._phase is _Phase.END or self.transport.is_closing():
            return
        if self._phase is _Phase.IDLE:
            # Counted from here, not from the request's first letter: empty lines may precede it.
            self._expect_head()
        was_head = self._phase is _Phase.HEAD
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self.send_400_response("")
            return
        if was_head and self._phase is _Phase.HEAD:
            self._head_bytes += len(data)
            if self._head_bytes > self.guard.bounds.head_bytes:
                self._refused = self._too_large()
                self.send_400_response("")

    def _expect_head(self) -> None:
        self._phase = _Phase.HEAD
        self._since = self.loop.time()
        self._head_bytes = self._field_bytes = self._url_bytes = 0

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._declined is None:
                self.handle_websocket_upgrade()
                return
            # The parser takes the rest for the other protocol, though it is this request's body.
            head, self._declined = self._declined, None
            self.parser = httptools.HttpRequestParser(self)
            self._field_bytes = 0
            self._feed(head + data[upgrade.args[0] :])

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over."""
        self._phase = _Phase.NOTHING
        self.guard.release(self)
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        if self._phase is not _Phase.HEAD:  # right behind another one
            self._expect_head()

    def _too_large(self) -> RequestRefused:
        """What is too large: the target, if it is most of the head."""
        if self._url_bytes > self.guard.bounds.head_bytes // 2:
            return RequestRefused("URI_TOO_LONG", "http.uri", status=414)
        return RequestRefused("HEADERS_TOO_LARGE", "http.headers", status=431)

    def on_url(self, url: bytes) -> None:
        """A piece of the request's target."""
        self._url_bytes += len(url)
        self._count_field(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._count_field(len(name) + len(value) + 4)
        if len(self.headers) >= self.guard.bounds.header_count:
            self._refuse(self._too_large())
        super().on_header(name, value)

    def _count_field(self, size: int) -> None:
        self._field_bytes += size
        if self._field_bytes > self.guard.bounds.head_bytes:
            self._refuse(self._too_large())

    def on_headers_complete(self) -> None:
        """The head is there."""
        if self._is_surplus:
            headers = {"Retry-After": "5"}
            self._refuse(
                RequestRefused("OVERLOADED", "http.overloaded", status=503, headers=headers)
            )
        if len(self.pipeline) >= self.guard.bounds.pipelined_requests:
            self.transport.abort()
            self._refuse(_malformed())
        if self.parser.should_upgrade() and not self._should_upgrade():
            self._declined = self._head_without_upgrade()
            return
        super().on_headers_complete()
        self._phase = _Phase.BODY
        self._since = self.loop.time()
        self._body_bytes = 0

    def _head_without_upgrade(self) -> bytes:
        """What a client would have sent that has never heard of the other protocol."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(_malformed())
        version = self.parser.get_http_version().encode()
        fields = [
            b"%b: %b\r\n" % field
            for field in self.headers
            if field[0] not in (b"upgrade", b"connection", b"http2-settings")
        ]
        return b"".join((method, b" ", self.url, b" HTTP/", version, b"\r\n", *fields, b"\r\n"))

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there."""
        if self._declined is not None:
            return
        self._phase = _Phase.IDLE if self._is_at_rest else _Phase.NOTHING
        self._since = self.loop.time()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is written; what is still to come of the request is thrown away."""
        super().on_response_complete()
        self._unset_keepalive_if_required()  # `look` does it
        if self._phase is _Phase.END or not self._is_at_rest:
            return
        if self._phase is _Phase.NOTHING:
            self._phase = _Phase.IDLE
        self._since = self.loop.time()

    # ------------------------------------------------------------ refusing

    def _refuse(self, refused: RequestRefused) -> None:
        """End the parser's work from within one of its calls."""
        self._refused = refused
        raise _Broken

    def send_400_response(self, msg: str) -> None:
        """Tell why the request can't be read any further, and close."""
        if self._is_answering:
            self.transport.abort()
        else:
            self._answer_and_close(self._refused or _malformed())

    def _answer_and_close(self, refused: RequestRefused) -> None:
        if not self._is_at_rest:
            # Whoever waits for the rest of the body learns that the client is gone.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.transport.is_closing():
            return
        headers = getattr(self, "headers", None) or []
        language = language_of({"headers": headers})
        body = body_of(refused, language)
        status = HTTPStatus(refused.status)
        lines = [
            f"HTTP/1.1 {status.value} {status.phrase}",
            f"content-type: {MEDIA_TYPE}",
            f"content-language: {language}",
            f"content-length: {len(body)}",
            "cache-control: no-store",
            "connection: close",
            *(f"{name}: {value}" for name, value in refused.headers.items()),
            *(f"{name.decode()}: {value.decode()}" for name, value in SECURITY_HEADERS),
        ]
        self.transport.write("\r\n".join((*lines, "", "")).encode("latin-1") + body)
        # Closed at once, with something of the client's unread, the system would take the answer
        # back; so its end is awaited for a moment, and what still comes is thrown away.
        self.transport.write_eof()
        self.flow.resume_reading()
        self._phase, self._since = _Phase.END, self.loop.time()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: whoever likes could fill the log with it."""


class _Broken(Exception):
    """Leaves the parser."""


def _malformed() -> RequestRefused:
    return RequestRefused("BAD_REQUEST", "http.malformed", status=400)
