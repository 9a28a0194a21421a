"""Whether the server can do its work now, for those who send it requests."""

import asyncio
from enum import Enum

import structlog

from server.storage import migrate, sql
from server.storage.database import APP

PATIENCE_SECONDS = 2.0
REMEMBERED_SECONDS = 1.0
_log = structlog.get_logger("readiness")


class State(Enum):
    """What the server can do; the value is what a probe is told."""

    READY = "ok"
    STOPPING = "the server is stopping"
    WITHOUT_DATABASE = "the database does not answer"
    WITHOUT_MIGRATIONS = "the database lacks migrations"


class Readiness:
    """Finds out, at most once a second and once at a time, however many ask."""

    def __init__(self) -> None:
        self._is_stopping = False
        self._asking: asyncio.Task[State] | None = None
        self._known: tuple[float, State] | None = None  # until when, by the loop's clock
        self._migrations: frozenset[str] | None = None

    def stop(self) -> None:
        """From now on it is not ready any more: what comes next is for another server."""
        self._is_stopping = True

    async def state(self) -> State:
        """What the server can do now; it is told within two seconds."""
        if self._is_stopping:
            return State.STOPPING
        loop = asyncio.get_running_loop()
        if self._known is not None and loop.time() < self._known[0]:
            return self._known[1]
        asking = self._asking
        if asking is None or asking.get_loop() is not loop:
            asking = self._asking = asyncio.create_task(self._ask(), name="readiness")
        # Not given up: a database that hangs is asked by one task, not by one for each probe.
        done, _ = await asyncio.wait({asking}, timeout=PATIENCE_SECONDS)
        return asking.result() if done else State.WITHOUT_DATABASE

    async def _ask(self) -> State:
        try:
            found = await self._found()
        except Exception as error:
            if not sql.is_unavailable(error):
                _log.warning("readiness could not be told", exc_info=error)
            found = State.WITHOUT_DATABASE
        self._known = (asyncio.get_running_loop().time() + REMEMBERED_SECONDS, found)
        self._asking = None
        return found

    async def _found(self) -> State:
        if self._migrations is None:
            self._migrations = frozenset(step.name for step in migrate.steps())
        rows = await sql.fetch(f"SELECT name FROM {migrate.RECORDS} WHERE app = $1", APP)  # noqa: S608 - a constant
        lacking = self._migrations - {row[0] for row in rows}
        return State.WITHOUT_MIGRATIONS if lacking else State.READY
