"""The members as audiences see them: many at once, each for a part of a few statements."""

from collections.abc import Awaitable, Callable, Collection, Mapping

from server.clock import Instant
from server.members import service as members
from server.members.service import Profile
from server.offers import queries
from server.offers.evaluation import Shopper
from server.offers.preparing import LiveOffer, Prepared
from server.programme.present import Present
from server.segments import service as segments
from server.storage import parts
from server.tiers import service as tiers

PlansOf = Callable[[Collection[int], Instant], Awaitable[Mapping[int, frozenset[str]]]]


async def _no_plans(_member_ids: Collection[int], _now: Instant) -> Mapping[int, frozenset[str]]:
    return {}


_plans_of: list[PlansOf] = [_no_plans]


def register_plans(plans_of: PlansOf) -> None:
    """Say who tells which membership plans members have: it stands beside this domain."""
    _plans_of[:] = [plans_of]


async def plans_of(member_ids: Collection[int], now: Instant) -> Mapping[int, frozenset[str]]:
    """Which membership plans each of the members has; those without any may be left out."""
    return await _plans_of[0](member_ids, now)


async def shoppers(
    member_ids: Collection[int],
    prepared: Prepared,
    *,
    offers: Collection[LiveOffer],
    present: Present,
    now: Instant,
) -> dict[int, tuple[Shopper, Profile]]:
    """What the audiences of these offers ask about each of the members, and their profiles; unknown
    members are left out. What no audience asks about is not read."""
    asked = (*members.PROFILE, *tiers.view_part(present))
    found = await parts.shared(asked, member_ids)
    keys = segments_named(offers)
    in_segments = await segments.memberships(member_ids, keys, now) if keys else {}
    audiences = [offer.target.audience for offer in offers]
    visits = {}
    if any(one.lapsed_after_days is not None for one in audiences):
        visits = await queries.last_visits(member_ids, now)
    plans: Mapping[int, frozenset[str]] = {}
    if any(one.plans for one in audiences):
        plans = await _plans_of[0](member_ids, now)
    told: dict[int, tuple[Shopper, Profile]] = {}
    for member_id in member_ids:
        profile = members.profile_of(found[member_id])
        tier = tiers.view_of(found[member_id], present)
        if profile is None:
            continue
        shopper = Shopper(
            member_id=member_id,
            tier="" if tier is None else tier.name,
            segments=in_segments.get(member_id, frozenset()),
            plans=plans.get(member_id, frozenset()),
            external_id=profile.external_id or "",
            name=profile.name or "",
            birthday=profile.birthday,
            enrolled_at=profile.enrolled_at,
            last_visit_at=visits.get(member_id),
            facts={},
        )
        told[member_id] = (shopper, profile)
    return told


def segments_named(offers: Collection[LiveOffer]) -> frozenset[str]:
    """The segments that the audiences of the offers name."""
    return frozenset[str]().union(*(offer.target.segments for offer in offers))
