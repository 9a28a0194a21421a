"""Google's access tokens: asked for beside the event loop, kept, and renewed before they expire.

google-auth makes them, from the key of the service account. It would ask again by itself, and wait
for minutes: here it asks once, and whoever sends decides when to try again.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

__all__ = ["AccessTokens", "TokenUnavailable"]

TOKEN_SECONDS: Final = 10
"""How long Google is waited for."""
LOOK_SECONDS: Final = 1
"""For so long one that was found fresh is taken for it: it has minutes to spare."""
_REFUSING: Final = frozenset({400, 401, 403})


class TokenUnavailable(Exception):
    """There is no access token. `is_refused` if Google says so; else it did not answer well.

    The reason is a code: what Google answers may hold the operator's address.
    """

    def __init__(self, reason: str, *, is_refused: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_refused = is_refused


class AccessTokens:
    """The access tokens of one service account, for one event loop."""

    def __init__(self, credential: Any, *, timeout_seconds: float = TOKEN_SECONDS) -> None:
        """Of the account of google-auth's credential. Nothing is asked for yet."""
        self._credential = credential
        self._timeout_seconds = timeout_seconds
        self._renewal: asyncio.Task[None] | None = None
        self._looked_until = 0.0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fcm-token")

    async def token(self) -> str:
        """One that counts; about to expire, it is renewed meanwhile. Raises TokenUnavailable."""
        if time.monotonic() < self._looked_until:
            return self._held()
        from google.auth.credentials import TokenState  # noqa: PLC0415 - slow to load

        state = self._credential.token_state
        if state is TokenState.INVALID:
            await self._renewal_done()
        elif state is TokenState.STALE:
            self._renewing()
        else:
            self._looked_until = time.monotonic() + LOOK_SECONDS
        return self._held()

    async def other_than(self, refused: str) -> str:
        """A token for one that FCM has refused. Raises TokenUnavailable."""
        if self._credential.token == refused:
            await self._renewal_done()
        return self._held()

    async def close(self) -> None:
        """Wait for no token any more."""
        renewal, self._renewal = self._renewal, None
        if renewal is not None:
            renewal.cancel()
            await asyncio.gather(renewal, return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _renewal_done(self) -> None:
        """Raises TokenUnavailable. Who stops waiting does not stop the others'."""
        renewal = self._renewing()
        await asyncio.wait({renewal})
        if renewal.cancelled():
            raise TokenUnavailable("closed")
        renewal.result()

    def _held(self) -> str:
        token: str = self._credential.token
        return token

    def _renewing(self) -> asyncio.Task[None]:
        """The one renewal under way, of which there is never another."""
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renewed())
            # Who asked may have gone, and nobody waits for one ahead of time.
            self._renewal.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._renewal

    async def _renewed(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, self._renew)
        except RuntimeError:
            raise TokenUnavailable("closed") from None

    def _renew(self) -> None:
        """In a thread."""
        import requests  # noqa: PLC0415 - slow to load
        from google.auth import exceptions  # noqa: PLC0415 - slow to load

        try:
            with requests.Session() as session:
                session.trust_env = False  # no .netrc may stand in for the credentials
                self._credential.refresh(self._asked_once(session))
        except exceptions.TransportError as error:
            status = _status(error)
            raise TokenUnavailable(
                f"token {status or 'unreachable'}", is_refused=status in _REFUSING
            ) from None
        except Exception:
            # What it answers to with whatever error its code runs into.
            raise TokenUnavailable("token malformed") from None

    def _asked_once(self, session: Any) -> Any:
        """How google-auth asks: an answer after which it would ask again is a failure at once."""
        from google.auth import exceptions  # noqa: PLC0415 - slow to load
        from google.auth.transport.requests import Request  # noqa: PLC0415 - slow to load

        request = Request(session)

        def asked(url: str, **asking: Any) -> Any:
            asking |= {"timeout": self._timeout_seconds, "allow_redirects": False}
            answer = request(url, **asking)
            if answer.status != 200:
                raise exceptions.TransportError(  # type: ignore[no-untyped-call]
                    str(answer.status)
                )
            return answer

        return asked


def _status(error: Exception) -> int:
    """What was answered, if anything."""
    told = str(error)
    return int(told) if told.isdecimal() and len(told) == 3 else 0
