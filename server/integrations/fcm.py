"""Firebase Cloud Messaging: push messages for Android, Apple's devices and browsers.

firebase-admin says what goes over the wire and what comes back; how it goes there is
`fcm_transport`'s. The library is loaded with the first message, in a thread: a server that only
starts needs none of it.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from server.integrations.push import (
    MAXIMUM_BATCH,
    InvalidMessage,
    Outcome,
    OutcomeKind,
    PushMessage,
)

if TYPE_CHECKING:
    from server.integrations.fcm_service import Service

__all__ = ["FCM_URL", "BadCredentials", "FirebasePusher"]

FCM_URL: Final = "https://fcm.googleapis.com"
TIMEOUT_SECONDS: Final = 10
CONNECTIONS: Final = 200
_MESSAGES_IN_A_ROW: Final = 32
"""So many are encoded before others have the event loop again."""


class BadCredentials(Exception):
    """The file is no service account's key. It says what is wrong, not what is in the file."""


class FirebasePusher:
    """Sends by the project of a service account, in one event loop."""

    is_set = True

    def __init__(
        self,
        credentials: Path,
        *,
        url: str = FCM_URL,
        token_url: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        connections: int = CONNECTIONS,
    ) -> None:
        """The key is read at once: raises BadCredentials. Nothing is asked for yet.

        `token_url` is where access tokens come from, if not where the file says.
        """
        self._account = _account(credentials)
        if token_url is not None:
            self._account["token_uri"] = token_url
        self._url = f"{url.rstrip('/')}/v1/projects/{self.project}/messages:send"
        self._timeout_seconds = timeout_seconds
        self._connections = connections
        self._loading: asyncio.Task[Service] | None = None

    @property
    def project(self) -> str:
        """The Firebase project that the account is of."""
        project: str = self._account["project_id"]
        return project

    async def send(self, messages: Sequence[PushMessage]) -> list[Outcome]:
        """What became of each; see `push.Pusher`."""
        if len(messages) > MAXIMUM_BATCH:
            raise ValueError(f"more than {MAXIMUM_BATCH} messages at once")
        service = await self._service()
        if not messages:
            await service.prepare()
        outcomes: dict[int, Outcome] = {}
        bodies: dict[int, bytes] = {}
        for place, message in enumerate(messages):
            try:
                bodies[place] = service.body(message)
            except InvalidMessage as error:
                outcomes[place] = Outcome(kind=OutcomeKind.INVALID_ARGUMENT, reason=str(error))
            if place % _MESSAGES_IN_A_ROW == _MESSAGES_IN_A_ROW - 1:
                await asyncio.sleep(0)
        sent = await service.send(list(bodies.values()))
        outcomes.update(zip(bodies, sent, strict=True))
        return [outcomes[place] for place in range(len(messages))]

    async def close(self) -> None:
        """Let go of all connections: messages on their way are in doubt. The next starts anew."""
        loading, self._loading = self._loading, None
        if loading is not None:
            await asyncio.wait({loading})
            if loading.exception() is None:
                await loading.result().close()

    async def _service(self) -> "Service":
        if self._loading is None or (self._loading.done() and self._loading.exception()):
            self._loading = asyncio.create_task(self._loaded())
        return await asyncio.shield(self._loading)

    async def _loaded(self) -> "Service":
        make = await asyncio.to_thread(_library, self._account, self._url)
        return make(connections=self._connections, timeout_seconds=self._timeout_seconds)


def _library(account: dict[str, Any], url: str) -> "Callable[..., Service]":
    """What makes the service in the event loop. In a thread: the rest takes most of a second."""
    from server.integrations import fcm_service  # noqa: PLC0415 - slow to load

    return fcm_service.loaded(account, url)


def _account(path: Path) -> dict[str, Any]:
    """What the file says. Raises BadCredentials."""
    from cryptography.hazmat.primitives.asymmetric.rsa import (  # noqa: PLC0415 - seldom needed
        RSAPrivateKey,
    )
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - seldom needed
        load_pem_private_key,
    )

    try:
        account = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise BadCredentials(f"can't be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadCredentials("is not JSON") from None
    if not isinstance(account, dict) or account.get("type") != "service_account":
        raise BadCredentials('is not the key of a service account ("type": "service_account")')
    for name in ("project_id", "client_email", "private_key", "token_uri"):
        if not isinstance(account.get(name), str) or not account[name]:
            raise BadCredentials(f"names no {name}")
    try:
        key = load_pem_private_key(account["private_key"].encode(), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise BadCredentials("holds no RSA key that can be read")
    return account
