"""firebase-admin's messaging service over `fcm_transport`. Import it late: it is slow to load."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import firebase_admin
from firebase_admin import credentials, messaging

from server.integrations import fcm_answers, fcm_messages, fcm_transport
from server.integrations.fcm_tokens import TOKEN_SECONDS, AccessTokens, TokenUnavailable
from server.integrations.push import Outcome, PushMessage

__all__ = ["Service", "loaded"]


class _Encoded(messaging.Message):  # type: ignore[misc] # it has no types
    """A message whose body has been made: one that can't be must not spoil the others'."""

    def __init__(self, body: bytes) -> None:
        self.body = body


class _Messaging(messaging._MessagingService):  # type: ignore[misc] # it has no types
    """The library's service; the bodies that it hands to its client are made already."""

    def _message_data(self, message: _Encoded, dry_run: bool) -> bytes:
        return message.body


def loaded(account: dict[str, Any], url: str) -> Callable[..., "Service"]:
    """What makes the service of the account: called in a thread, what it returns in the loop."""
    credential = credentials.Certificate(account)
    app = firebase_admin.App("laurel-push", credential, {"projectId": credential.project_id})
    library = _Messaging(app)
    library._fcm_url = url
    return partial(Service, library, credential.get_credential())


class Service:
    """Messages to bodies, bodies to FCM, answers to outcomes; for one event loop."""

    def __init__(
        self, library: _Messaging, credential: Any, *, connections: int, timeout_seconds: float
    ) -> None:
        """Made in the event loop. Nothing is asked for yet."""
        self._library = library
        self._tokens = AccessTokens(credential, timeout_seconds=min(timeout_seconds, TOKEN_SECONDS))
        self._client = fcm_transport.Client(
            self._tokens, connections=connections, timeout_seconds=timeout_seconds
        )
        library._async_client = self._client

    def body(self, message: PushMessage) -> bytes:
        """What FCM is asked. Raises InvalidMessage."""
        return fcm_messages.body(message)

    async def prepare(self) -> None:
        """Get what the first message would wait for; it learns why there is none."""
        with suppress(TokenUnavailable):
            await self._tokens.token()

    async def send(self, bodies: Sequence[bytes]) -> list[Outcome]:
        """What became of each."""
        if not bodies:
            return []
        # Connections that the other side has closed meanwhile are found out, and not taken: what is
        # written to one is in doubt.
        await asyncio.sleep(0)
        batch = await self._library.send_each_async([_Encoded(one) for one in bodies], False)
        return [fcm_answers.outcome(response) for response in batch.responses]

    async def close(self) -> None:
        """Let go of all connections, and of a token on its way."""
        await self._client.aclose()
        await self._tokens.close()
