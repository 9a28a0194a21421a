"""Where a process dies: at the n-th statement that it sends to its database. There, one that lives
may look at what it would leave.

Nothing of the process outlives it but its database, so "right after the n-th statement" is "right
before the next": one more stop after the last statement, when the answer is ready, completes it.

SQLite runs in the process, which dies as a statement starts; each row of `execute_many` and each
trigger is one. A PostgreSQL server is elsewhere: the process dies before it sends, in the middle
of what it sends (of a batch, the server then has some rows), or with all sent and nothing heard.

A query leaves nothing: who dies before it leaves what who dies before the next write does, so that
queries are no stops.
"""

import os
import signal
import sqlite3
from asyncio import selector_events
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from server.storage import sql

_queries: ContextVar[bool] = ContextVar("queries", default=False)
"""Whether this task sends a query just now."""


class Stop(Protocol):
    """What counts the statements of this process, and may end it."""

    stops: list[str]

    def watch(self) -> None:
        """From now on statements count."""

    def last(self) -> None:
        """The answer is ready; what follows no longer counts."""


@dataclass
class _Counter:
    """The stops passed so far, by what stands there; the process dies at number `at`, from 0."""

    at: int | None
    stops: list[str]
    is_watching: bool = False
    look: Callable[[], None] | None = None

    def pass_by(self, what: str) -> None:
        self.stops.append(what)
        if len(self.stops) - 1 == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.look is not None:
            self.is_watching = False  # to look takes statements too
            self.look()
            self.is_watching = True

    def watch(self) -> None:
        self.is_watching = True

    def last(self) -> None:
        self.pass_by("before the answer")
        self.is_watching = False


class _SqliteStop(_Counter):
    """Each statement that SQLite starts, told by its own tracing."""

    def install(self) -> None:
        connect = sqlite3.connect

        def traced(*args: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*args, **options)
            connection.set_trace_callback(self._traced)
            return connection

        sqlite3.connect = traced  # type: ignore[assignment]

    def _traced(self, statement: str) -> None:
        if self.is_watching and not _is_query(statement):
            self.pass_by(f"before {statement}")


class _PostgresStop(_Counter):
    """Each message that runs something: Query ("Q"), or Bind and Execute ("B")."""

    def install(self) -> None:
        write = selector_events._SelectorSocketTransport.write  # type: ignore[attr-defined]
        fetch = sql._fetch

        async def told_apart(statement: str, values: Sequence[Any]) -> Sequence[sql.Row]:
            token = _queries.set(_is_query(statement))
            try:
                return await fetch(statement, values)
            finally:
                _queries.reset(token)

        sql._fetch = told_apart

        def counted(transport: Any, data: bytes) -> None:
            is_stop = self.is_watching and bytes(data[:1]) in (b"Q", b"B")
            if not is_stop or _queries.get():
                write(transport, data)
                return
            self._send(bytes(data), lambda part: write(transport, part))

        selector_events._SelectorSocketTransport.write = counted  # type: ignore[attr-defined]

    def _send(self, data: bytes, write: Any) -> None:
        shown = data[:60]
        self.pass_by(f"before {shown!r}")
        messages = _messages(data)
        rows = sum(message[:1] == b"B" for message in messages)
        if rows > 1 and len(self.stops) == self.at:
            write(b"".join(messages[: len(messages) // 2]))
        if rows > 1:
            self.pass_by(f"amid the {rows} rows of {shown!r}")
        write(data)
        if data[:1] == b"Q" and b"COMMIT" in data:
            self.pass_by(f"with {shown!r} under way")


def _is_query(statement: str) -> bool:
    return statement.lstrip()[:6].upper() == "SELECT"


def _messages(data: bytes) -> list[bytes]:
    """The messages of PostgreSQL's protocol: a letter, a length that counts itself, the rest."""
    messages = []
    while data:
        size = 1 + int.from_bytes(data[1:5], "big")
        messages.append(data[:size])
        data = data[size:]
    return messages


def installed(
    engine: str, *, at: int | None = None, look: Callable[[], None] | None = None
) -> Stop:
    """The counter of this process, once and for all; it dies at stop number `at` if there is one,
    and has a look at each that it passes. To be installed before the database is opened."""
    stop = (_SqliteStop if engine == "sqlite" else _PostgresStop)(at, [], look=look)
    stop.install()
    return stop
