"""Telling the operator's staff that a webhook was disabled."""

from email.message import EmailMessage

from server import messages
from server.clock import Instant
from server.integrations import email
from server.integrations.email import Post
from server.integrations.letters import letter
from server.integrations.mail_addresses import mail_address
from server.principal import StaffRole
from server.storage import sql
from server.webhooks import service
from server.webhooks.rules import DisabledReason

_LANGUAGE = messages.FALLBACK_LANGUAGE  # no language is known of staff


async def tell_staff(subscription_id: int, reason: DisabledReason, now: Instant) -> None:
    """Write to all managers, if this server can send letters."""
    post = email.post()
    found = await service.find(subscription_id)
    if post is None or found is None:
        return
    rows = await sql.fetch(
        "SELECT email FROM accounts WHERE staff_role = $1 AND email IS NOT NULL ORDER BY id",
        StaffRole.MANAGER.value,
    )
    for (address,) in rows:
        post.add(_letter(post, address, found.name, reason, now))


def _letter(post: Post, address: str, name: str, reason: DisabledReason, now: Instant) -> email.Job:
    async def written() -> EmailMessage | None:
        return letter(
            sender=post.sender,
            to=mail_address(address),
            subject=messages.text("webhook.disabled_subject", _LANGUAGE),
            lines=[
                messages.text(f"webhook.disabled_{reason.value}", _LANGUAGE, name=name),
                messages.text("webhook.disabled_advice", _LANGUAGE),
            ],
            language=_LANGUAGE,
            at=now,
        )

    return written
