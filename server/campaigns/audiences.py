"""Who gets a campaign: everybody, a segment, or those whom an offer is for."""

from collections.abc import Sequence

from msgspec import Struct

from server import clock
from server.campaigns.documents import Everyone, OfSegment
from server.clock import Instant
from server.definitions import service as definitions
from server.members import service as members
from server.members.service import Profile
from server.offers.engine import prepared
from server.offers.shoppers import shoppers
from server.programme import service as programme
from server.programme.present import present_of
from server.segments import service as segments
from server.storage import sql

_PAGE = "SELECT id FROM members WHERE id > $1 AND merged_into IS NULL ORDER BY id LIMIT $2"


class OfOffer(Struct, frozen=True):
    """Those whom a live offer is for, of a segment if the message is only for that."""

    offer: str
    segment: str | None


Audience = Everyone | OfSegment | OfOffer


async def page_of_ids(*, after_id: int, limit: int) -> list[int]:
    """The next members in the order of their ids, duplicates that were merged left out."""
    return [row[0] for row in await sql.fetch(_PAGE, after_id, limit)]


async def included(member_ids: Sequence[int], audience: Audience, now: Instant) -> list[Profile]:
    """Those of the members who are in the audience now, in their order."""
    if isinstance(audience, Everyone):
        chosen = member_ids
    elif isinstance(audience, OfSegment):
        chosen = await _of_segment(member_ids, audience.segment, now)
    else:
        chosen = await _of_offer(member_ids, audience.offer, now)
        if audience.segment is not None:
            chosen = await _of_segment(chosen, audience.segment, now)
    return list((await members.profiles(chosen)).values())


async def _of_segment(member_ids: Sequence[int], key: str, now: Instant) -> Sequence[int]:
    if not member_ids:
        return ()
    found = await segments.memberships(member_ids, [key], now)
    return [one for one in member_ids if key in found[one]]


async def _of_offer(member_ids: Sequence[int], key: str, now: Instant) -> Sequence[int]:
    present = present_of((await programme.rulebook()).at(now), now)
    ready = prepared(await definitions.shelves(), present.published.programme, now)
    offer = ready.by_key.get(key)
    if offer is None or not member_ids:
        return ()
    if offer.target.is_everyone:
        return member_ids
    people = await shoppers(member_ids, ready, offers=[offer], present=present, now=now)
    zone_name = ready.timetable(key).zone_name
    today = clock.local_day(now, zone_name)
    return [
        one
        for one in member_ids
        if one in people and offer.target.includes(people[one][0], today, zone_name)
    ]
