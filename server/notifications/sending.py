"""Sending what is due: claimed, marked, handed to the provider, settled.

A delivery goes from `queued` to `claimed` to `attempting` to its end, each step a conditional
update by the sender whose it is: so two senders never send the same one, and whoever dies leaves
few in doubt, of which no more than a window was never attempted.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from server.clock import MICROSECONDS_PER_SECOND, Instant
from server.edge.nodes import global_id
from server.integrations.push import Outcome, OutcomeKind, Pusher, PushMessage
from server.notifications import claiming, sending_rates, sending_windows
from server.notifications.claiming import MAXIMUM_BATCH
from server.notifications.emailing import Letter
from server.notifications.pushing import pushed
from server.notifications.sending_facts import Known
from server.notifications.sending_rates import Pause, Reservation
from server.notifications.sending_windows import WINDOW, Attempted, Marked, Outgoing
from server.notifications.shapes import Channel, Policy
from server.storage import sql

NOTIFICATION_TYPE: Final = "Notification"
"""Of the global id that goes with a message, so that the app can say that it was opened."""
LONGEST_TTL_SECONDS: Final = 28 * 86_400
WINDOWS_AT_ONCE: Final = 25
"""On the wire, of one sender: none of them waits for the answers to the one before, but all wait
for the answers to the first. So many may be in doubt after it died."""
ANSWERED_WITHIN_SECONDS: Final = 60
"""What takes longer is in doubt: well within the lease."""

SendLetters = Callable[[Sequence[Letter]], Awaitable[list[Outcome]]]
_Attempt = Callable[[Sequence[Outgoing], Instant], Awaitable[list[Outcome]]]

_log = structlog.get_logger("sending")


async def send_due(
    now: Instant,
    *,
    pusher: Pusher | None,
    mailer: SendLetters | None,
    policy: Policy,
    sender_id: int,
    limit: int = MAXIMUM_BATCH,
    messages_per_minute: int | None = None,
) -> int:
    """Send a batch of what is due by push and one of what is due by e-mail, each if there is who
    sends it; how many deliveries were sent, settled or put off. 0: nothing can be done now.

    `sender_id` is nobody else's. The quota is of push messages, that of the process if left out.
    In transactions of its own. Whoever is cancelled finishes the window under way first.
    """
    quota = messages_per_minute or sending_rates.messages_per_minute()
    batches = []
    if pusher is not None:
        batches.append(_Batch(now, Channel.PUSH, sender_id, policy, _pushing(pusher), quota))
    if mailer is not None:
        batches.append(_Batch(now, Channel.EMAIL, sender_id, policy, _mailing(mailer), None))
    sending = asyncio.gather(*(one.send(limit) for one in batches), return_exceptions=True)
    try:
        answers = await asyncio.shield(sending)
    except asyncio.CancelledError:
        for one in batches:
            one.is_stopping = True
        await sending
        raise
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return sum(answer for answer in answers if isinstance(answer, int))


class _Batch:
    """Some deliveries of a channel, from their claim until the last is settled."""

    def __init__(
        self,
        now: Instant,
        channel: Channel,
        sender_id: int,
        policy: Policy,
        attempt: _Attempt,
        quota: int | None,
    ) -> None:
        self._began = (now, time.monotonic())
        self._channel = channel
        self._sender_id = sender_id
        self._policy = policy
        self._attempt = attempt
        self._quota = quota
        self._pause = Pause()
        self._reservation = sending_rates.UNLIMITED
        self._on_the_wire: set[asyncio.Task[list[Attempted]]] = set()
        self._attempted: list[Attempted] = []
        self._left: Sequence[Known] = ()
        self.is_stopping = False

    def _now(self) -> Instant:
        """What time it is for who was told `now` at the start."""
        now, began = self._began
        return Instant(now + int((time.monotonic() - began) * MICROSECONDS_PER_SECOND))

    async def send(self, limit: int) -> int:
        """How many deliveries were handled."""
        claim = await claiming.claim(
            self._now(),
            channel=self._channel,
            sender_id=self._sender_id,
            policy=self._policy,
            quota=self._quota,
            limit=limit,
        )
        self._pause, self._reservation = claim.pause, claim.reservation
        self._left = claim.taken
        try:
            if self._left:
                await self._attempt((), self._now())  # what is got first must not follow a mark
            await self._send_windows()
        finally:
            await self._wait_until(0)
            await self._end()
        return claim.handled

    async def _send_windows(self) -> None:
        """Send what is left, one window after the other, as long as something goes."""
        at_once = 1  # until the provider has answered
        while self._left and not self.is_stopping:
            going = await self._next(self._left[:WINDOW])
            if going is None:
                return
            self._left = self._left[WINDOW:]
            if going:
                self._on_the_wire.add(asyncio.create_task(self._sent(going)))
                await asyncio.sleep(0)  # it goes before the next is marked
                await self._wait_until(at_once - 1)
                at_once = WINDOWS_AT_ONCE

    async def _wait_until(self, count: int) -> None:
        """No more than so many windows are on the wire; what came of the others is noted."""
        while self._on_the_wire:
            enough = len(self._on_the_wire) <= count
            done, self._on_the_wire = await asyncio.wait(
                self._on_the_wire,
                timeout=0 if enough else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for one in done:
                self._attempted += one.result()
            if enough:
                break

    async def _next(self, window: Sequence[Known]) -> Sequence[Outgoing] | None:
        """Those of the window that are to go now, after what was before is settled; None if
        nothing goes any more."""

        async def once() -> tuple[Reservation, Marked | None]:
            async with sql.transaction():
                reservation = await self._reserved(len(window))
                await self._settle()
                if not reservation.covers(len(window)):
                    return reservation, None
                return reservation, await sending_windows.mark(
                    window,
                    channel=self._channel,
                    sender_id=self._sender_id,
                    policy=self._policy,
                    now=self._now(),
                )

        self._reservation, marked = await sql.retried(once)
        self._attempted = []
        if marked is None:
            return None
        self._pause = marked.pause
        self._reservation = self._reservation.without(len(window))
        return marked.outgoing

    async def _reserved(self, count: int) -> Reservation:
        """What covers so many messages; another reservation, if the first one does not or has
        lapsed, which may not either."""
        if self._reservation.covers(count):
            return self._reservation
        assert self._quota is not None, "what has no limit covers any number"
        return await sending_rates.reserved(self._quota, len(self._left))

    async def _sent(self, going: Sequence[Outgoing]) -> list[Attempted]:
        if not going:
            return []
        if not self._reservation.is_live:  # the commit took too long
            return [Attempted(one, None) for one in going]
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_SECONDS):
                outcomes = await self._attempt(going, self._now())
        except Exception:
            _log.exception("messages in doubt", count=len(going))
            outcomes = [Outcome(kind=OutcomeKind.IN_DOUBT) for _ in going]
        return [Attempted(*one) for one in zip(going, outcomes, strict=True)]

    async def _settle(self) -> None:
        if self._attempted:
            await sending_windows.settle(
                self._attempted,
                channel=self._channel,
                sender_id=self._sender_id,
                pause=self._pause,
                now=self._now(),
            )

    async def _end(self) -> None:
        """Settle what was sent last, and give back what was not tried."""
        if not self._attempted and not self._left:
            return

        async def once() -> None:
            async with sql.transaction():
                await self._settle()
                await claiming.release([one.id for one in self._left], self._sender_id)

        await sql.retried(once)


# ---------------------------------------------------------------- what goes over the wire


def _pushing(pusher: Pusher) -> _Attempt:
    async def attempt(going: Sequence[Outgoing], now: Instant) -> list[Outcome]:
        return await pusher.send([push_message(one, now) for one in going])

    return attempt


def push_message(outgoing: Outgoing, now: Instant) -> PushMessage:
    """What the device is sent: no provider keeps it for longer than it is of use."""
    known, content = outgoing.known, outgoing.content
    wire = content.wire
    left_seconds = max(0, known.expires_at - now) // MICROSECONDS_PER_SECOND
    longest = LONGEST_TTL_SECONDS if wire.ttl_seconds is None else wire.ttl_seconds
    return pushed(
        known.reached or "",
        content.title,
        content.body,
        wire,
        notification_id=str(global_id(NOTIFICATION_TYPE, known.notification_id)),
        ttl_seconds=min(longest, left_seconds, LONGEST_TTL_SECONDS),
    )


def _mailing(send: SendLetters) -> _Attempt:
    async def attempt(going: Sequence[Outgoing], _now: Instant) -> list[Outcome]:
        return await send([letter(one) for one in going])

    return attempt


def letter(outgoing: Outgoing) -> Letter:
    """What is sent by e-mail."""
    known, content = outgoing.known, outgoing.content
    return Letter(
        delivery_id=known.id,
        member_id=known.member_id,
        category=known.category,
        locale=content.locale,
        subject=content.wire.email_subject or content.title,
        body=content.wire.email_body or content.body,
        link=content.wire.link,
        call_to_action=content.wire.call_to_action,
    )
