"""Receipts: what the owner of an account is told by e-mail whatever they chose, for their security.

That an account was opened with their address, and that its password was changed. It's written from
the outbox, so that no crash loses it, and sent as any other message; the texts are the server's
own.
"""

from collections.abc import Sequence

from server import messages
from server.clock import MICROSECONDS_PER_SECOND, Instant
from server.members import service as members
from server.notifications import writing
from server.notifications.shapes import Category, Channel, Draft
from server.storage.outbox import Event

TOLD = {"account.opened": "welcome", "password.changed": "password"}
"""The events, and the middle of the keys of their texts."""
KEPT_TRYING_SECONDS = 24 * 3_600
OWN_VERSION_ID = 0
"""Of texts that are in no definition."""


async def follow(events: Sequence[Event], now: Instant) -> None:
    """Write the receipts that follow from the events. Writes; call it inside a transaction."""
    told = [event for event in events if event.kind in TOLD and event.member_id is not None]
    if not told:
        return
    profiles = await members.profiles(sorted({one.member_id for one in told if one.member_id}))
    drafts = [
        _draft(event, event.member_id, profiles[event.member_id].locale, now)
        for event in told
        if event.member_id in profiles
    ]
    await writing.write(drafts, now)


def _draft(event: Event, member_id: int, locale: str, now: Instant) -> Draft:
    name = TOLD[event.kind]
    language = messages.language_of_locale(locale)
    return Draft(
        member_id=member_id,
        topic=f"receipt.{name}:{event.id}",
        category=Category.SERVICE,
        message=f"receipt.{name}",
        version_id=OWN_VERSION_ID,
        locale=locale,
        title=messages.text(f"mail.{name}_subject", language),
        body="\n\n".join(
            messages.text(f"mail.{name}_{part}", language) for part in ("told", "not_you")
        ),
        channels=(Channel.EMAIL,),
        due_at=now,
        expires_at=Instant(now + KEPT_TRYING_SECONDS * MICROSECONDS_PER_SECOND),
    )
