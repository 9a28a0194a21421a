"""Messages with triggers, what members were told, and the outbox followed."""

from copy import deepcopy
from typing import Any

import msgspec

from server import clock
from server.campaigns import following, reminder_jobs
from server.clock import Instant
from server.definitions import service as definitions
from server.storage import outbox, sql
from server.storage.outbox import Event

assert reminder_jobs.JOBS, "importing it registers what finds occasions"
TEXTS: dict[str, tuple[str, str]] = {
    "welcome": ("Welcome, {name}", "{programme} is yours."),
    "points_earned": ("{points} points", "{available} to spend; from {source}."),
    "tier_reached": ("{tier}", "You are {tier} now."),
    "challenge_completed": ("{challenge}", "{points} points."),
    "referral_paid": ("{points} points", "Thanks to {friend}."),
    "reward_ready": ("{reward}", "Ready."),
    "order_delivered": ("{reward}", "Delivered."),
    "offer_published": ("{offer}", "New."),
    "points_expiring": ("{points} points", "Gone on {expires_on}, {days}."),
    "offer_ending": ("{offer}", "Until {ends_on}."),
    "challenge_nearly_done": ("{challenge}", "{left} left, {percent}."),
    "streak_in_danger": ("{challenge}", "{streak} in a row, until {ends_on}."),
    "tier_at_risk": ("{tier}", "{missing} missing, until {ends_on}."),
    "reward_reachable": ("{reward}", "For {points}."),
    "cashback_available": ("{amount}", "To spend."),
    "birthday": ("Happy birthday", "{name}!"),
}
"""What the message of each trigger says, its title and its body."""


def message(trigger: str, **changes: Any) -> dict[str, Any]:
    """The document of a message for the trigger,;
    changes named `trigger_...` are of the trigger itself."""
    title, body = TEXTS[trigger]
    own = {name[8:]: value for name, value in changes.items() if name.startswith("trigger_")}
    rest = {name: value for name, value in changes.items() if not name.startswith("trigger_")}
    return {
        "category": "offers",
        "default_language": "en",
        "texts": {"en": {"title": title, "body": body}},
        "trigger": {"kind": trigger, **own},
        **deepcopy(rest),
    }


async def publish_message(
    trigger: str, key: str | None = None, *, at: Instant, **changes: Any
) -> None:
    """Publish a message for the trigger, under its name if no key is given."""
    plain = message(trigger, **changes)
    await publish_document("message", key or trigger.replace("_", "-"), plain, at=at)


async def publish_document(kind: str, key: str, plain: Any, *, at: Instant) -> None:
    """Publish a document of any kind."""
    async with sql.transaction():
        await definitions.publish_document(kind, key, plain, by=definitions.COMMAND_LINE, now=at)


class Told(msgspec.Struct, frozen=True, order=True):
    """A message to a member."""

    member_id: int
    topic: str
    title: str
    body: str


async def told() -> list[Told]:
    """All messages, by member and topic."""
    rows = await sql.fetch("SELECT member_id, topic, title, body FROM notifications")
    return sorted(Told(*row) for row in rows)


async def due() -> dict[str, tuple[Instant, Instant]]:
    """From when and until when each topic's message is sent."""
    rows = await sql.fetch(
        "SELECT n.topic, n.shown_from, d.expires_at FROM notifications n"
        " JOIN deliveries d ON d.notification_id = n.id"
    )
    return {row[0]: (Instant(row[1]), Instant(row[2])) for row in rows}


async def waiting() -> list[Event]:
    """What is in the outbox."""
    return await outbox.oldest(10_000)


async def facts(kind: str) -> list[dict[str, Any]]:
    """The facts of the events of the kind that are in the outbox."""
    return [dict(event.facts) for event in await waiting() if event.kind == kind]


async def follow_all(now: Instant, *, batch: int = 500) -> None:
    """Follow what is in the outbox, as the relay does."""
    while True:
        async with sql.transaction():
            events = await outbox.oldest(batch)
            with clock.moved_to(now):
                await following.follow(events, now)
            await outbox.remove([event.id for event in events])
        if not events:
            return


async def forget() -> None:
    """Let the outbox be empty."""
    async with sql.transaction():
        await sql.execute("DELETE FROM outbox_events")
