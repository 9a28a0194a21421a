"""Segments for tests: publishing them, and asking who is in them."""

from collections.abc import Collection, Sequence
from typing import Any

from server import clock
from server.clock import Instant
from server.definitions import service as definitions
from server.definitions.service import Version
from server.enrolment import service as enrolment
from server.members.service import NewMember
from server.segments import service as segments
from server.storage import sql
from tests.purchases.baskets import at

STAFF = "staff:1"


def when(text: str | Instant) -> Instant:
    """The instant of an ISO date, at noon UTC unless it says a time."""
    return at(text) if isinstance(text, str) else text


def live(condition: str) -> dict[str, Any]:
    """A live segment's document."""
    return {"name": "Live", "members": {"kind": "live", "condition": condition}}


def frozen(condition: str) -> dict[str, Any]:
    """A frozen segment's document."""
    return {"name": "Frozen", "members": {"kind": "frozen", "condition": condition}}


def listed(*external_ids: str) -> dict[str, Any]:
    """A list's document."""
    return {"name": "Listed", "members": {"kind": "list", "external_ids": list(external_ids)}}


async def publish_segment(
    key: str, document: dict[str, Any], now: str | Instant, *, effective: str | None = None
) -> Version:
    """Write and publish a version."""
    instant = when(now)
    with clock.moved_to(instant):
        async with sql.transaction():
            version, _is_new = await definitions.publish_document(
                "segment",
                key,
                document,
                effective_at=None if effective is None else when(effective),
                by=STAFF,
                now=instant,
            )
    assert version is not None
    return version


async def enrolled(*external_ids: str, on: str = "2025-01-01", **profile: Any) -> dict[str, int]:
    """Members who joined then, by external id."""
    instant = when(on)
    async with sql.transaction():
        ids = [
            await enrolment.enrol(
                NewMember(
                    enrolled_at=instant,
                    enrolled_local_month=202501,
                    external_id=external_id,
                    **profile,
                )
            )
            for external_id in external_ids
        ]
    return dict(zip(external_ids, ids, strict=True))


async def inside(key: str, member_ids: Sequence[int], now: str | Instant) -> list[int]:
    """Those of the members who are in the segment."""
    found = await segments.memberships(member_ids, [key], when(now))
    return [one for one in member_ids if key in found[one]]


async def facts_of(
    member_id: int, now: str | Instant, names: Collection[str] = ()
) -> dict[str, Any]:
    """The member's facts, all if none are named."""
    wanted = names or [fact.name for fact in segments.FACTS]
    return await segments.shopper_facts(member_id, wanted, when(now))
