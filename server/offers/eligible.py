"""Which offers members have: those that are for them and have begun for them, and what of each is
left."""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from server import clock
from server.clock import Instant
from server.definitions import service as definitions
from server.definitions.service import Shelf, Shelves
from server.members.service import Profile
from server.offers.documents import Offer
from server.offers.engine import Prepared, prepared
from server.offers.evaluation import Shopper, Standing
from server.offers.limits import Used, uses_left
from server.offers.preparing import LiveOffer
from server.offers.schedules import BEGINNING, Phase
from server.offers.shoppers import shoppers
from server.offers.standings import standings_of_many
from server.offers.uses import KIND
from server.programme.present import Present


class OfferState(StrEnum):
    """How an offer stands for a member."""

    AVAILABLE = "available"  # it counts now, and can be used
    PAUSED = "paused"  # it has begun, and counts again at another hour, on another day
    USED_UP = "used_up"  # a limit leaves nothing of it for the member


class MemberOffer(Struct, frozen=True):
    """How an offer that is for a member stands for them."""

    number: int  # as `number_of` has it
    key: str
    version: int
    state: OfferState
    starts_at: Instant | None  # for this member; None: always
    ends_at: Instant | None
    opens_at: Instant | None  # when it counts again, if it is paused
    is_activated: bool
    uses_left: int | None  # None: no limit
    locale: str  # the member's


class Had(Struct, frozen=True):
    """An offer that a member has, with what is published of it and what is used."""

    offer: MemberOffer
    document: Offer
    used: Used


def number_of(shelf: Shelf, key: str) -> int:
    """The number of an offer, the same through all its versions; later offers have greater ones."""
    return min(one.id for one in shelf.versions(key))


def key_of(shelves: Shelves, number: int) -> str | None:
    """The key of the offer with that number, or None."""
    found = shelves.by_id.get(number)
    if found is None or found.kind != KIND or number_of(shelves.of(KIND), found.key) != number:
        return None
    return found.key


async def member_offers(
    member_ids: Collection[int],
    present: Present,
    now: Instant,
    *,
    keys: Collection[str] | None = None,
    shelves: Shelves | None = None,
) -> dict[int, list[Had]]:
    """The offers of each member, or those of `keys`, the newest first; unknown members are left
    out. A number of statements that depends on neither."""
    known = await definitions.shelves() if shelves is None else shelves
    ready = prepared(known, present.published.programme, now)
    offers = [
        offer
        for offer in ready.offers
        if (keys is None or offer.key in keys) and _has_begun(ready, offer, now)
    ]
    if not offers or not member_ids:
        return {member_id: [] for member_id in member_ids}
    people = await shoppers(member_ids, ready, offers=offers, present=present, now=now)
    of_member = {
        member_id: [offer for offer in offers if is_for(ready, offer, shopper, now)]
        for member_id, (shopper, _profile) in people.items()
    }
    met = {offer.key for each in of_member.values() for offer in each}
    shelf = known.of(KIND)
    live = shelf.live(now).by_key
    standings = await standings_of_many(
        list(of_member), {key: live[key] for key in sorted(met)}, day=present.today, now=now
    )
    return {
        member_id: _standing_so(
            [(number_of(shelf, offer.key), offer) for offer in each],
            ready,
            people[member_id],
            standings[member_id],
            now,
        )
        for member_id, each in of_member.items()
    }


def _has_begun(ready: Prepared, offer: LiveOffer, now: Instant) -> bool:
    timetable = ready.timetable(offer.key)
    return timetable.earliest <= now < timetable.ends


def is_for(ready: Prepared, offer: LiveOffer, shopper: Shopper, now: Instant) -> bool:
    """Whether the offer is for the member, and has begun for their tier; what is to begin later is
    nobody's yet."""
    timetable = ready.timetable(offer.key)
    if timetable.phase(now, shopper.tier) not in (Phase.OPEN, Phase.PAUSED):
        return False
    today = clock.local_day(now, timetable.zone_name)
    return offer.target.includes(shopper, today, timetable.zone_name)


def _standing_so(
    numbered: Sequence[tuple[int, LiveOffer]],
    ready: Prepared,
    person: tuple[Shopper, Profile],
    standings: Mapping[str, Standing],
    now: Instant,
) -> list[Had]:
    return [
        _shown(number, offer, ready, person, standings[offer.key], now)
        for number, offer in sorted(numbered, key=lambda one: -one[0])
    ]


def _shown(
    number: int,
    offer: LiveOffer,
    ready: Prepared,
    person: tuple[Shopper, Profile],
    standing: Standing,
    now: Instant,
) -> Had:
    (shopper, profile), timetable = person, ready.timetable(offer.key)
    is_open = timetable.phase(now, shopper.tier) is Phase.OPEN
    used = used_of_standing(standing)
    left = uses_left(offer.document.limits, used)
    starts_at = timetable.start_for(shopper.tier)
    state = OfferState.AVAILABLE if is_open else OfferState.PAUSED
    stands = MemberOffer(
        number=number,
        key=offer.key,
        version=offer.version,
        state=OfferState.USED_UP if left == 0 else state,
        starts_at=starts_at if timetable.starts > BEGINNING else None,
        ends_at=None if timetable.ends == clock.NEVER else timetable.ends,
        opens_at=None if is_open else timetable.opens_at(now, shopper.tier),
        is_activated=standing.is_activated,
        uses_left=left,
        locale=profile.locale,
    )
    return Had(stands, offer.document, used)


def used_of_standing(standing: Standing) -> Used:
    """What of the limits is used, as the standing tells."""
    return Used(
        by_member=standing.uses_by_member,
        by_member_today=standing.uses_by_member_today,
        today=standing.uses_today,
        total=standing.uses_total,
        budget_minor=standing.budget_spent_minor,
        budget_points=standing.budget_spent_points,
    )
