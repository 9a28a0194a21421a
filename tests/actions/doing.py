"""Actions and members who complete them, for tests under the demo's rules in UTC."""

from typing import Any

from server import clock
from server.actions import service as actions
from server.actions.service import Answer, Completed, Completion, MemberReference
from server.clock import Instant
from server.definitions import service as definitions
from server.enrolment import service as enrolment
from server.programme import service as programme
from server.storage import sql
from tests.purchases.baskets import at, publish

JOINED = at("2026-01-05")
VISIT: dict[str, Any] = {
    "type": "custom",
    "points": 50,
    "default_language": "en",
    "texts": {"en": "Visit"},
    "caps": {},
}


async def opened(key: str = "visit", **changes: Any) -> None:
    """Publish the programme and an action."""
    await publish()
    await publish_action(key, **changes)


async def publish_action(key: str, **changes: Any) -> None:
    """Publish an action."""
    async with sql.transaction():
        await definitions.publish_document(
            "action", key, VISIT | changes, by="command line", now=JOINED
        )


async def member(external_id: str, /, **profile: str) -> int:
    """Enrol a member."""
    async with sql.transaction():
        published = (await programme.rulebook()).at(JOINED)
        return await enrolment.enrol(
            enrolment.newcomer(JOINED, published, external_id=external_id, **profile)
        )


async def done(
    member_id: int,
    key: str = "visit",
    *answers: Answer,
    subject: str | None = None,
    is_own: bool = False,
    now: Instant = JOINED,
) -> Completed:
    """Complete the action."""
    completion = Completion(
        MemberReference(id=member_id), key, "till", is_own, subject, tuple(answers)
    )

    async def work() -> Completed:
        async with sql.transaction():
            return await actions.complete(completion, now=now)

    with clock.moved_to(now):
        return await sql.retried(work)


async def granted(member_id: int) -> list[tuple[str, int]]:
    """Rule and amount of what actions gave the member."""
    rows = await sql.fetch(
        "SELECT rule, amount FROM lots WHERE member_id = $1 AND reason = 'action'"
        " ORDER BY sequence",
        member_id,
    )
    return [(row[0], row[1]) for row in rows]
