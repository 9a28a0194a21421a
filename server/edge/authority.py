"""On whose behalf a stream delivers, asked again before each delivery and whenever it may have
ended: nothing is delivered to a token that has expired or to a session that is revoked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from enum import Enum

import structlog

from server import clock
from server.clock import Instant
from server.edge.context import Context
from server.edge.refusing import RequestRefused
from server.principal import Principal, PrincipalKind

Identify = Callable[[str | None], Awaitable[Principal | None]]
"""From an Authorization header to the caller; None if the credentials are not accepted."""

Watch = Callable[[Principal], AsyncIterator[object]]
"""Something, whenever the caller's credentials may have ended."""

_log = structlog.get_logger("authority")


class Ending(Enum):
    """Why a caller may not go on; the value is what the closing socket says."""

    EXPIRED = "Access token expired"
    REVOKED = "Session ended"

    @property
    def refused(self) -> RequestRefused:
        """The same as the error of an operation."""
        key = "streams.expired" if self is Ending.EXPIRED else "streams.revoked"
        return RequestRefused("UNAUTHENTICATED", key, status=401)


async def nothing_to_watch(_principal: Principal) -> AsyncIterator[object]:
    """Announces nothing: ends are found by asking."""
    nothing: tuple[object, ...] = ()
    for one in nothing:
        yield one


class Authority:
    """One caller's, for as long as a stream is open."""

    def __init__(
        self,
        context: Context,
        authorization: str | None,
        *,
        identify: Identify,
        watch: Watch = nothing_to_watch,
        recheck_seconds: float,
    ) -> None:
        """`context` has the principal whom `authorization` has just identified.

        While nothing is delivered the session is asked for every `recheck_seconds`: `watch` tells
        of its end sooner, but what it tells may get lost.
        """
        self._context = context
        self._principal = context.principal
        self._authorization = authorization
        self._identify = identify
        self._watch = watch
        self._recheck_seconds = recheck_seconds
        self._ending: Ending | None = None
        self._is_suspect = asyncio.Event()  # it may have ended, or lasts for longer now
        self._asking = asyncio.Lock()
        self._asked = 0  # how many have asked
        self._answered = 0  # how many of them a check answered that began after they had asked
        self._failure: tuple[int, Exception] | None = None  # the same, of a check that failed

    @property
    def principal(self) -> Principal:
        """The caller, as of the last check."""
        return self._principal

    @property
    def context(self) -> Context:
        """The context that the caller was identified in."""
        return self._context

    @property
    def caller(self) -> str:
        """Who it is, as limits see it."""
        return self._context.caller

    @property
    def language(self) -> str:
        """The language of what the caller is told."""
        return self._context.language

    @property
    def expires_at(self) -> Instant | None:
        """When the credentials expire; None if they don't."""
        return self._principal.expires_at

    @property
    def expiry(self) -> str | None:
        """The same in RFC 3339, as clients are told."""
        if self.expires_at is None:
            return None
        return clock.datetime_of(self.expires_at).isoformat().replace("+00:00", "Z")

    @property
    def _is_anonymous(self) -> bool:
        return self._principal.kind is PrincipalKind.ANONYMOUS

    async def renewed(self) -> Context:
        """The context of one more delivery; the database has been asked after this was called.

        Those who call at once are answered by one statement. Raises RequestRefused
        (UNAUTHENTICATED) if the caller may not go on.
        """
        if not self._is_anonymous:
            await self._check()
        if self._ending is not None:
            raise self._ending.refused
        return self._context.again(self._principal)

    async def extend(self, authorization: object) -> bool:
        """Go on with newer credentials of the same caller; False if they are not that."""
        if not isinstance(authorization, str) or self._is_anonymous:
            return False
        async with self._asking:
            principal = await self._identify(authorization)
            if self._ending or principal is None or principal.name != self._principal.name:
                return False
            self._authorization, self._principal = authorization, principal
        self._is_suspect.set()
        return True

    async def ended(self) -> Ending:
        """Wait until the caller may not go on."""
        listening: asyncio.Task[None] | None = None
        listens_for: Principal | None = None
        try:
            while self._ending is None:
                session = self._principal.session_id
                if listens_for is None or listens_for.session_id != session:
                    if listening is not None:
                        listening.cancel()
                    listens_for = self._principal
                    listening = asyncio.create_task(self._listen(listens_for))
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._seconds_to_wait):
                        await self._is_suspect.wait()
                self._is_suspect.clear()
                await self._look_again()
            return self._ending
        finally:
            if listening is not None:
                listening.cancel()

    @property
    def _seconds_to_wait(self) -> float | None:
        if self._is_anonymous:
            return None
        if self.expires_at is None:
            return self._recheck_seconds
        left = (self.expires_at - clock.system_now()) / clock.MICROSECONDS_PER_SECOND
        return max(0, min(self._recheck_seconds, left))

    async def _listen(self, principal: Principal) -> None:
        try:
            async for _ in self._watch(principal):
                self._is_suspect.set()
        except Exception:
            _log.exception("ends of sessions are not heard of any more")

    async def _look_again(self) -> None:
        if self._is_anonymous or self._ending is not None:
            return
        # Whatever keeps the database from answering: each delivery asks for itself.
        with suppress(Exception):
            await self._check()

    async def _check(self) -> None:
        self._asked += 1
        number = self._asked
        async with self._asking:
            if self._ending is not None or self._answered >= number:
                return  # meanwhile
            if self._failure is not None and self._failure[0] >= number:
                raise self._failure[1]
            if self._is_past():
                self._end(Ending.EXPIRED)
                return
            answers = self._asked
            try:
                principal = await self._identify(self._authorization)
            except Exception as error:
                self._failure = (answers, error)
                raise
            if principal is not None and principal.name == self._principal.name:
                self._principal = principal
                self._answered = answers
            else:
                self._end(Ending.EXPIRED if self._is_past() else Ending.REVOKED)

    def _is_past(self) -> bool:
        return self.expires_at is not None and self.expires_at <= clock.system_now()

    def _end(self, ending: Ending) -> None:
        self._ending = ending
        self._is_suspect.set()
