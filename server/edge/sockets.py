"""The GraphQL endpoint over WebSockets: graphql-transport-ws, and nothing else.

Every operation is planned, limited and answered as over HTTP. The session is asked for anew before
each operation and each event.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import aclosing, suppress
from typing import Any

from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from server.edge import socket_messages
from server.edge.answers import Answer
from server.edge.authority import Authority, Watch, nothing_to_watch
from server.edge.client_address import limited_address
from server.edge.context import Context
from server.edge.executing import Operations, Planned
from server.edge.http import Authenticate, context_of, identified_by
from server.edge.observing import note_error, observing
from server.edge.refusing import RequestRefused
from server.edge.request_log import log_operation, request_id
from server.edge.socket_connection import AUTHORIZATION, Operation, Socket
from server.edge.socket_messages import SUBPROTOCOL, CloseCode, Closed
from server.edge.streams import SourceRefused, Streams, subscribing
from server.storage import sql

TRANSPORT = "websocket"
_LANGUAGE = "acceptLanguage"


class SocketEndpoint:
    """The GraphQL endpoint for WebSockets.

    `authenticate` is asked with the credentials of `connection_init`, or of the handshake's header
    where those are missing; `watch` announces that a caller's credentials may have ended.
    """

    def __init__(
        self,
        operations: Operations,
        *,
        authenticate: Authenticate,
        streams: Streams | None = None,
        watch: Watch = nothing_to_watch,
    ) -> None:
        self.operations = operations
        self.identify = identified_by(authenticate)
        self.streams = streams or Streams()
        self.watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket to its end."""
        websocket = WebSocket(scope, receive, send)
        visit = _Visit(self, websocket)
        try:
            code = await visit.run()
        except (WebSocketDisconnect, OSError):  # before the handshake was over
            code = None
        finally:
            visit.leave()
        self.streams.metrics.count_socket_end("client" if code is None else str(int(code)))


class _Visit:
    """One socket's client, from the handshake on."""

    def __init__(self, endpoint: SocketEndpoint, websocket: WebSocket) -> None:
        self._endpoint = endpoint
        self._streams = endpoint.streams
        self._websocket = websocket
        self._address = limited_address(websocket.scope)
        self._is_beginning = False
        self._caller: str | None = None  # whose open stream it counts as
        self._at_once = asyncio.Semaphore(self._streams.limits.operations_at_once)

    async def run(self) -> CloseCode | None:
        """Serve; the code that the server closed with, None if it did not."""
        websocket = self._websocket
        # Accepted in any case: browsers hide from pages why a handshake was refused.
        if SUBPROTOCOL not in websocket.scope.get("subprotocols", ()):
            await websocket.accept()
            return await self._close(
                CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, "Subprotocol not acceptable"
            )
        await websocket.accept(SUBPROTOCOL)
        self._is_beginning = self._streams.beginning.take(self._address)
        if not self._is_beginning:
            return await self._close(CloseCode.TRY_AGAIN_LATER, "Too many connections")
        with self._streams.metrics.stream_open(TRANSPORT):
            return await Socket(websocket, self, self._streams.limits).run()

    async def _close(self, code: CloseCode, reason: str) -> CloseCode:
        with suppress(RuntimeError):  # closed already, for frames that are none
            await self._websocket.close(code, reason)
        return code

    def leave(self) -> None:
        """Give back what the socket counted as."""
        if self._is_beginning:
            self._streams.beginning.leave(self._address)
            self._is_beginning = False
        if self._caller is not None:
            self._streams.open.leave(self._caller)
            self._caller = None

    async def authority(self, payload: Mapping[str, Any]) -> Authority:
        """Who has connected. Raises Closed if the credentials are not accepted."""
        headers = self._websocket.headers
        shown = _authorization(payload, headers)
        principal = await self._endpoint.identify(shown)
        if principal is None:
            raise Closed(CloseCode.FORBIDDEN, "Forbidden")
        language = payload.get(_LANGUAGE)
        told = {"accept-language": language} if isinstance(language, str) else headers
        context = context_of(principal, told, address=self._address)
        if not self._streams.open.take(context.caller):
            raise Closed(CloseCode.TRY_AGAIN_LATER, "Too many connections")
        self._caller = context.caller
        self._streams.beginning.leave(self._address)
        self._is_beginning = False
        return Authority(
            context,
            shown,
            identify=self._endpoint.identify,
            watch=self._endpoint.watch,
            recheck_seconds=self._streams.limits.recheck_seconds,
        )

    async def answer(self, operation: Operation, socket: Socket, authority: Authority) -> None:
        """Run an operation and send its results. Raises RequestRefused, or Closed."""
        planned, context, answer = await self._begun(operation, authority)
        if answer is not None:
            await socket.send(socket_messages.next_result(operation.id, answer.body), operation)
            return
        operations = self._endpoint.operations
        with subscribing(self._streams, context, TRANSPORT):
            events = operations.events(planned, context, authority.renewed)
            async with aclosing(events) as answers:  # type: ignore[type-var] # a generator
                async for event in answers:
                    if "data" not in event.body:
                        raise SourceRefused(event.body["errors"])
                    await socket.send(
                        socket_messages.next_result(operation.id, event.body), operation
                    )
                    self._streams.metrics.count_event(TRANSPORT)

    async def _begun(
        self, operation: Operation, authority: Authority
    ) -> tuple[Planned, Context, Answer | None]:
        """The operation's plan, and its answer unless it is a subscription; counted as a request
        over HTTP is."""
        start_ns = time.perf_counter_ns()
        operations = self._endpoint.operations
        context = authority.context
        with observing() as observed:
            try:
                context = await authority.renewed()
                context.request_id = request_id(None)
                planned = await operations.planned(operation.request, context, allows=_allows)
                answer = None
                if planned.kind != "subscription":
                    async with self._at_once:
                        answer = await operations.answer(planned, context)
                observed.is_answered = True
            except Exception as error:
                observed.is_answered = True
                note_error(_code(error))
                raise
            finally:
                taken_ns = time.perf_counter_ns() - start_ns
                self._streams.metrics.count(observed, seconds=taken_ns / 1e9)
                log_operation(observed, context, transport=TRANSPORT, microseconds=taken_ns // 1000)
        return planned, context, answer


def _authorization(payload: Mapping[str, Any], headers: Mapping[str, str]) -> str | None:
    """The credentials in the payload, whatever their name's case, or else in the handshake."""
    for name, value in payload.items():
        if name.lower() == AUTHORIZATION and value is not None:
            # Anything else is none, and not the same as nothing shown.
            return value if isinstance(value, str) else ""
    return headers.get(AUTHORIZATION)


def _allows(kind: str) -> None:
    """A socket carries every kind of operation."""


def _code(error: Exception) -> str:
    if isinstance(error, RequestRefused):
        return error.code
    return "UNAVAILABLE" if sql.is_unavailable(error) else "INTERNAL"
