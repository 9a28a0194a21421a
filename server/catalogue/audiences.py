"""How members stand, as far as audiences ask for it: their tiers, and the segments they are in."""

from collections.abc import Collection, Iterable

from msgspec import Struct

from server.catalogue.documents import Audience
from server.clock import Instant
from server.programme import service as programme
from server.segments import service as segments
from server.tiers import service as tiers


class MemberStanding(Struct, frozen=True):
    """A member's tier and segments; of the segments, those that were asked for."""

    tier: str | None = None
    segments: frozenset[str] = frozenset()


async def standing_of(
    member_ids: Collection[int],
    audiences: Iterable[Audience],
    now: Instant,
    *,
    with_tiers: bool = False,
) -> dict[int, MemberStanding]:
    """How each of the members stands to the audiences; what none of them asks for is not read."""
    asked = list(audiences)
    keys = {key for one in asked for key in one.segments}
    names: dict[int, str] = {}
    if with_tiers or any(one.tiers for one in asked):
        published = (await programme.rulebook()).at(now)
        found = await tiers.views(member_ids, published, now)
        names = {member_id: view.name for member_id, view in found.items()}
    among: dict[int, frozenset[str]] = {}
    if keys:
        among = await segments.memberships(member_ids, keys, now)
    return {
        member_id: MemberStanding(names.get(member_id), among.get(member_id, frozenset()))
        for member_id in member_ids
    }
