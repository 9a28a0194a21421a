"""What a code is for a member who asks before they shop."""

from server.clock import Instant
from server.coupons import errors, rules, service
from server.coupons.rules import Usable
from server.definitions import service as definitions
from server.errors import DomainError
from server.members import service as members
from server.segments import service as segments


async def check(text: str, member_id: int, *, now: Instant) -> Usable:
    """The coupon, if the member could use it now as far as code, dates, limits and the offer's
    segments and members go; the rest is seen with a basket.

    Raises NotFound alike for a code that does not exist, one that is for others, and one that
    somebody else has used; NotAllowed on another date, LimitReached, AlreadyDecided.
    """
    found = (await service.look_up([text], member_id, occurred_at=now, now=now))[text]
    if isinstance(found, Usable):
        offer_key = found.offer
    else:
        refused = await service.known_offer(text, now)
        if refused is None:
            raise found
        offer_key = refused
    if not await _is_for(offer_key, member_id, now):
        raise errors.unknown_code()
    if isinstance(found, DomainError):
        raise found
    return found


async def _is_for(offer_key: str, member_id: int, now: Instant) -> bool:
    offer = (await definitions.shelves()).of("offer").at(offer_key, now)
    if offer is None:
        return False
    audience = offer.document.audience
    keys = {*audience.segments, *audience.excluded_segments}
    within = (await segments.memberships([member_id], keys, now))[member_id] if keys else ()
    external_id = None
    if audience.members:
        external_id = (await members.profiles([member_id]))[member_id].external_id
    return rules.is_in_audience(audience, frozenset(within), external_id)
