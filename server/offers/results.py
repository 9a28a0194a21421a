"""What offers have done so far: uses, members, amounts, and whom they were for."""

import time
from collections.abc import Collection

from msgspec import Struct

from server import clock
from server.clock import Instant
from server.definitions import service as definitions
from server.offers import queries
from server.offers.engine import Prepared, prepared
from server.offers.preparing import LiveOffer
from server.offers.shoppers import shoppers
from server.programme.present import Present

PAGE_SIZE = 512
"""Members to a statement where all are gone through."""
WHOLE_BPS = 10_000


class Tally(Struct, frozen=True):
    """What was used of an offer: net of what returns gave back. Amounts in minor units."""

    uses: int = 0  # that stand: not those of which the whole purchase came back
    members: int = 0  # who have such a use
    held: int = 0  # for baskets that are open
    discount_minor: int = 0
    shipping_minor: int = 0
    points: int = 0
    cashback_minor: int = 0
    budget_minor: int = 0  # what of the budget is used, without what is held
    budget_points: int = 0
    activations: int = 0  # members who have it activated now


class Targeted(Struct, frozen=True):
    """How many members an offer is for, of those who were looked at."""

    members: int
    looked_at: int
    is_complete: bool  # all were


async def tallies(offers: Collection[str], now: Instant) -> dict[str, Tally]:
    """What was used of each of the offers; two statements for all of them."""
    if not offers:
        return {}
    activations = await queries.activation_counts(offers)
    found = {row[0]: row[1:] for row in await queries.tallies(offers, now)}
    names = Tally.__struct_fields__
    told: dict[str, Tally] = {}
    for offer in offers:
        counts = dict(zip(names, map(int, found.get(offer, ())), strict=False))
        told[offer] = Tally(**counts | {"activations": activations.get(offer, 0)})
    return told


async def targeted(key: str, present: Present, now: Instant, *, seconds: float) -> Targeted:
    """How many members the live offer is for today, whether or not it counts at this hour.

    They are gone through in pages for so many seconds at most; an offer for everyone is counted at
    once.
    """
    ready = prepared(await definitions.shelves(), present.published.programme, now)
    offer = ready.by_key[key]
    if offer.target.is_everyone:
        everyone = await queries.count_members()
        return Targeted(everyone, everyone, True)
    until = time.monotonic() + seconds
    last_id, included, looked_at = 0, 0, 0
    while ids := await queries.member_ids_after(last_id, PAGE_SIZE):
        included += await _included(ids, offer, ready, present, now)
        looked_at += len(ids)
        last_id = ids[-1]
        if len(ids) < PAGE_SIZE:
            break
        if time.monotonic() > until:
            return Targeted(included, looked_at, False)
    return Targeted(included, looked_at, True)


async def _included(
    ids: Collection[int], offer: LiveOffer, ready: Prepared, present: Present, now: Instant
) -> int:
    people = await shoppers(ids, ready, offers=[offer], present=present, now=now)
    zone_name = ready.timetable(offer.key).zone_name
    today = clock.local_day(now, zone_name)
    return sum(
        offer.target.includes(shopper, today, zone_name) for shopper, _profile in people.values()
    )


def conversion_bps(tally: Tally, target: Targeted) -> int | None:
    """Of the members whom the offer is for, how many have used it, in basis points, rounded down;
    None if not all were looked at, or it is for nobody. Those who used it and for whom it is not
    any more count as well, so that it is 10,000 at most."""
    if not target.is_complete or not target.members:
        return None
    return min(WHOLE_BPS, tally.members * WHOLE_BPS // target.members)
