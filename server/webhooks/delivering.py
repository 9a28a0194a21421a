"""Delivering webhooks: different members' events at the same time, each member's in their order."""

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Final

import structlog

from server.clock import MICROSECONDS_PER_SECOND, Instant, system_now
from server.storage import sql
from server.webhooks import queries
from server.webhooks.claiming import PER_ENDPOINT, Claimed, claim, settle
from server.webhooks.noticing import tell_staff
from server.webhooks.rules import MAXIMUM_SUBSCRIPTIONS
from server.webhooks.sending import Answer, Sender, http_sender
from server.webhooks.signing import secret_bytes, signed_headers

AT_ONCE: Final = PER_ENDPOINT * MAXIMUM_SUBSCRIPTIONS
"""Attempts under way in one run: however many endpoints are slow, there is room for the others."""
LOOK_SECONDS: Final = 1
"""So often a run looks for what has become due, though nobody has answered meanwhile."""
RUN_SECONDS: Final = 20
"""After so long a run ends, and the next one goes on."""
MAXIMUM_SIGNATURES: Final = 5
"""By the newest of the secrets: a header that grows with every rotation is refused at some time."""
FAILURES_TO_STOP: Final = 5
"""An endpoint that fails so often in a row is left alone for the rest of a run."""

_log = structlog.get_logger("webhooks")


async def deliver_due(now: Instant, *, sender: Sender | None = None) -> int:
    """Attempt what is due at the instant, and what follows from it; how many attempts were made.

    Any number of processes may do so at once. `sender` stands in for HTTP.
    """
    first = await claim(now, room=AT_ONCE, without=())
    if not first:
        return 0
    async with AsyncExitStack() as opened:
        if sender is None:
            sender = await opened.enter_async_context(http_sender())
        return await _Run(now, sender).attempt_all(first)


class _Run:
    """One run: attempts under way, and which endpoints fail."""

    def __init__(self, now: Instant, sender: Sender) -> None:
        self._began = (now, time.monotonic())
        self._sender = sender
        self._failures: dict[int, int] = {}  # in a row, by subscription
        self._under_way: dict[asyncio.Task[None], int] = {}  # whose endpoint each asks
        self._last: dict[asyncio.Task[None], int] | None = None  # those when the time was over

    def _now(self) -> Instant:
        """What time it is for who was told `now` at the start."""
        now, began = self._began
        return Instant(now + int((time.monotonic() - began) * MICROSECONDS_PER_SECOND))

    async def attempt_all(self, claimed: list[Claimed]) -> int:
        """Attempt these, and then whatever else is due, until nothing is."""
        done = 0
        try:
            while claimed or self._under_way:
                self._under_way |= await self._begun(claimed)
                if not self._under_way:  # they were deleted meanwhile
                    break
                finished, _ = await asyncio.wait(
                    self._under_way, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                for task in finished:
                    del self._under_way[task]
                    task.result()
                done += len(finished)
                claimed = await self._claim()
        finally:
            for task in self._under_way:  # what they hold is attempted again by whoever comes next
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)
        return done

    async def _claim(self) -> list[Claimed]:
        """What is to be attempted besides. When the time is over, those that are waited for still
        get no more, and nobody else has to wait for them."""
        without = {id_ for id_, count in self._failures.items() if count >= FAILURES_TO_STOP}
        if time.monotonic() >= self._began[1] + RUN_SECONDS:
            if self._last is None:
                self._last = dict(self._under_way)
            if self._last.keys().isdisjoint(self._under_way):
                return []
            without.update(self._last.values())
        room = AT_ONCE - len(self._under_way)
        return await claim(self._now(), room=room, without=without)

    async def _begun(self, claimed: list[Claimed]) -> dict[asyncio.Task[None], int]:
        if not claimed:
            return {}
        ids = {one.subscription_id for one in claimed}
        urls = {row[0]: row[2] for row in await queries.subscriptions_by_id(ids)}
        secrets: dict[int, list[bytes]] = {id_: [] for id_ in ids}
        for secret_id, subscription_id in await queries.secrets_of(ids, self._now()):
            if len(secrets[subscription_id]) < MAXIMUM_SIGNATURES:
                secrets[subscription_id].append(await secret_bytes(secret_id))
        return {
            asyncio.create_task(
                self._attempt(one, urls[one.subscription_id], secrets[one.subscription_id]),
                name=f"webhook {one.id}",
            ): one.subscription_id
            for one in claimed
            if one.subscription_id in urls  # deleted since
        }

    async def _attempt(self, claimed: Claimed, url: str, secrets: list[bytes]) -> None:
        at = system_now()  # receivers compare it with their own clocks
        message_id = f"evt_{claimed.event_id}"
        headers = signed_headers(secrets, message_id, at, claimed.payload)
        answer = await self._sender.send(url, headers, claimed.payload, self._now())
        self._count(claimed.subscription_id, answer)
        now = self._now()
        reason = await sql.retried(lambda: settle(claimed, answer, now=now))
        if reason is not None:
            _log.warning(
                "webhook disabled", subscription=claimed.subscription_id, reason=reason.value
            )
            await tell_staff(claimed.subscription_id, reason, now)

    def _count(self, subscription_id: int, answer: Answer) -> None:
        failures = 0 if answer.is_taken else self._failures.get(subscription_id, 0) + 1
        self._failures[subscription_id] = failures
