"""The policy of messages that counts at an instant."""

from functools import lru_cache

from server.clock import Instant
from server.definitions import service as definitions
from server.notifications.documents import POLICY_KEY, MessagePolicy
from server.notifications.documents import Cap as WrittenCap
from server.notifications.documents import QuietHours as WrittenHours
from server.notifications.kinds import POLICY
from server.notifications.shapes import Cap, Category, Hours, Policy
from server.programme import service as programme

DEFAULT = MessagePolicy(
    quiet_hours=WrittenHours(starts="21:00", until="08:00"),
    caps=(
        WrittenCap(messages=2, days=7, category="offers"),
        WrittenCap(messages=2, days=1),
        WrittenCap(messages=5, days=7),
    ),
)
"""What counts as long as the programme has published no policy."""


async def document_at(instant: Instant) -> MessagePolicy:
    """The policy's document that counts at the instant; one short statement."""
    found = (await definitions.shelves()).of(POLICY.name).at(POLICY_KEY, instant)
    return DEFAULT if found is None else found.document


async def policy_at(now: Instant) -> Policy:
    """The policy that counts at the instant; one short statement."""
    return policy_of(await document_at(now))


async def programme_name_at(now: Instant) -> str:
    """What messages call the programme."""
    name = (await document_at(now)).programme_name
    return name or (await programme.rulebook()).at(now).programme.programme.id


@lru_cache(maxsize=16)
def policy_of(document: MessagePolicy) -> Policy:
    """The policy that a document describes."""
    hours = document.quiet_hours
    return Policy(
        quiet=None
        if hours is None
        else Hours(from_minute=_minute(hours.starts), until_minute=_minute(hours.until)),
        caps=tuple(
            Cap(None if one.category is None else Category(one.category), one.messages, one.days)
            for one in document.caps
        ),
    )


def _minute(time_of_day: str) -> int:
    hour, minute = time_of_day.split(":")
    return int(hour) * 60 + int(minute)
