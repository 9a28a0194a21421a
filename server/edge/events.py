"""An answer as server-sent events: GraphQL over SSE, one connection for each operation.

The protocol: github.com/enisdenjo/graphql-sse, PROTOCOL.md, "distinct connections mode".
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from server.edge.answers import Answer
from server.edge.authority import Authority
from server.edge.context import Context
from server.edge.executing import Operations, Planned
from server.edge.http_errors import refuse
from server.edge.media_types import EVENTS
from server.edge.refusing import RequestRefused
from server.edge.reporting import report
from server.edge.streams import Streams, subscribing

TRANSPORT = "sse"
_COMMENT = b":\n\n"
_COMPLETE = b"event: complete\ndata:\n\n"

STATUSES_OF_THE_CONNECTION = frozenset({401, 405, 406, 415, 429, 500, 503})
"""Refusals that are the connection's own: who asks for a stream is told these by the status too,
and every other one in the stream, as the protocol wants it."""


def is_told_as_event(refused: RequestRefused) -> bool:
    """Whether a refusal of a readable request is told as an event."""
    return refused.status not in STATUSES_OF_THE_CONNECTION


async def one(answer: Answer) -> AsyncGenerator[Answer, None]:
    """A single answer as a stream."""
    yield answer


async def subscribed(
    operations: Operations,
    planned: Planned,
    context: Context,
    authority: Authority,
    streams: Streams,
) -> AsyncGenerator[Answer, None]:
    """The answers of a subscription. Raises RequestRefused."""
    with subscribing(streams, context, TRANSPORT):
        events = operations.events(planned, context, authority.renewed)
        async with aclosing(events) as answers:  # type: ignore[type-var] # a generator
            async for answer in answers:
                yield answer
                streams.metrics.count_event(TRANSPORT)


class EventStream:
    """The response to one operation whose answers are sent as they come.

    It ends when the answers do, when the caller may not go on, or when the client goes away, whose
    slowness holds back the answers; a client that reads nothing is dropped by its connection.
    """

    status_code = 200

    def __init__(
        self,
        answers: AsyncGenerator[Answer, None],
        authority: Authority,
        streams: Streams,
        *,
        headers: Mapping[str, str],
    ) -> None:
        self._answers = answers
        self._authority = authority
        self._streams = streams
        self._headers = {
            **headers,
            "Content-Type": f"{EVENTS}; charset=utf-8",
            "X-Accel-Buffering": "no",  # a proxy that collects a stream delivers it too late
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answers."""
        caller = self._authority.caller
        if not self._streams.open.take(caller):
            await refuse(self._too_many, scope, receive, send)
            return
        try:
            with self._streams.metrics.stream_open(TRANSPORT):
                await self._serve(receive, send)
        finally:
            self._streams.open.leave(caller)

    @property
    def _too_many(self) -> RequestRefused:
        allowed = self._streams.limits.streams_per_caller
        return RequestRefused(
            "TOO_MANY_STREAMS",
            "streams.open",
            status=429,
            headers={"Retry-After": "5"},
            extensions={"allowed": allowed},
            allowed=allowed,
        )

    async def _serve(self, receive: Receive, send: Send) -> None:
        headers = [(name.lower().encode(), text.encode()) for name, text in self._headers.items()]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await _send(send, _COMMENT)  # some clients take the headers only with what follows them
        writing = asyncio.create_task(self._write(send))
        gone = asyncio.create_task(_gone(receive))
        ended = asyncio.create_task(self._authority.ended())
        stopping = asyncio.create_task(self._streams.stopping.wait())
        commenting = asyncio.create_task(self._comment(send))
        first = {writing, gone, ended, stopping}
        try:
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        finally:
            is_written = writing.done()
            for task in (*first, commenting):
                task.cancel()
            await asyncio.wait((*first, commenting))
        if ended.done() and not ended.cancelled() and not is_written:
            errors = ended.result().refused.errors(self._authority.language)
            await _send(send, _next({"errors": errors}) + _COMPLETE)
        await _send(send, b"", is_last=True)

    async def _write(self, send: Send) -> None:
        """Write all answers, and what ends them."""
        last: Mapping[str, Any] | None = None
        try:
            async with aclosing(self._answers) as answers:
                async for answer in answers:
                    await _send(send, _next(answer.body))
        except RequestRefused as refused:
            last = {"errors": refused.errors(self._authority.language)}
        except Exception as error:
            fault = report(error, where="events", language=self._authority.language)
            last = {"errors": [fault.shown]}
        await _send(send, _COMPLETE if last is None else _next(last) + _COMPLETE)

    async def _comment(self, send: Send) -> None:
        while True:
            await asyncio.sleep(self._streams.limits.comment_seconds)
            await _send(send, _COMMENT)


def _next(body: Mapping[str, Any]) -> bytes:
    return b"event: next\ndata: " + msgspec.json.encode(body) + b"\n\n"


async def _send(send: Send, data: bytes, *, is_last: bool = False) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": not is_last})


async def _gone(receive: Receive) -> None:
    """Wait until the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass
