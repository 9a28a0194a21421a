"""What the clock triggers of notifications: sending what is due, and ending the claims of the dead.

Push messages and e-mail have jobs of their own: a mail server that is slow delays no push message.
"""

import time
from typing import Final

from server.clock import MICROSECONDS_PER_SECOND, Instant
from server.integrations import push
from server.notifications import claiming, emailing, policy, sending, sending_rates
from server.notifications.shapes import Channel
from server.scheduling import Job
from server.storage import sql
from server.storage.ids import new_id

SENDING_SECONDS: Final = 20
"""For how long one run goes on while there is something due."""


async def _send(now: Instant, channel: Channel) -> int:
    sender_id = new_id()
    began = time.monotonic()
    handled = 0
    elapsed = 0.0
    while elapsed < SENDING_SECONDS:
        at = Instant(now + int(elapsed * MICROSECONDS_PER_SECOND))
        some = await sending.send_due(
            at,
            pusher=push.pusher() if channel is Channel.PUSH else None,
            mailer=emailing.send if channel is Channel.EMAIL else None,
            policy=await policy.policy_at(at),
            sender_id=sender_id,
        )
        if some == 0:
            break
        handled += some
        elapsed = time.monotonic() - began
    return handled


async def send(now: Instant) -> int:
    """Send the push messages that are due; how many deliveries were handled."""
    return await _send(now, Channel.PUSH)


async def send_email(now: Instant) -> int:
    """Send the e-mail that is due; how many deliveries were handled."""
    return await _send(now, Channel.EMAIL)


async def settle_in_doubt(now: Instant) -> int:
    """End the claims of senders that died, and forget the rates of hours ago; how many
    deliveries."""
    count = await claiming.recover(now)
    async with sql.transaction():
        await sending_rates.forget()
    return count


async def _push_lag(now: Instant) -> int:
    return await claiming.lag_seconds(Channel.PUSH, now)


async def _email_lag(now: Instant) -> int:
    return await claiming.lag_seconds(Channel.EMAIL, now)


JOBS: Final = (
    Job("send", "* * * * * *", send, _push_lag, is_shared=True),
    Job("send_email", "* * * * * *", send_email, _email_lag, is_shared=True),
    Job("settle_in_doubt", "*/10 * * * * *", settle_in_doubt),
)
