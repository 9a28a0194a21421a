"""Activating offers: what a member does to have an offer that asks for it."""

from msgspec import Struct, structs

from server.clock import Instant
from server.definitions import service as definitions
from server.errors import NotAllowed, NotFound
from server.offers import queries
from server.offers.documents import Activation
from server.offers.eligible import Had, MemberOffer, OfferState, key_of, member_offers
from server.offers.errors import used_up
from server.programme import service as programme
from server.programme.present import Present, present_of
from server.storage import changes
from server.storage.ids import new_id

_PATH = ("offerId",)


class Activated(Struct, frozen=True):
    """The offer as it stands for the member afterwards."""

    offer: MemberOffer
    is_change: bool  # False if it stood so before
    currency: str
    digits: int


async def activate(member_id: int, number: int, *, now: Instant) -> Activated:
    """Activate the offer with that number for the member; nothing changes if it is active.

    Writes; call it inside a transaction. Raises NotFound for an offer that the member does not see:
    one that is for others, has not begun for them, or is over; NotAllowed for an offer that counts
    without; LimitReached for one of which nothing is left.
    """
    had, present = await _clipped(member_id, number, now)
    if had.offer.is_activated:
        return _activated(had, present, is_activated=True, is_change=False)
    if had.offer.state is OfferState.USED_UP:
        raise used_up(had.document.limits, had.used, path=_PATH)
    is_new = await queries.activate(new_id(), member_id, had.offer.key, now)
    if is_new:
        changes.note(changes.MEMBER, member_id)
    return _activated(had, present, is_activated=True, is_change=is_new)


async def deactivate(member_id: int, number: int, *, now: Instant) -> Activated:
    """Give up the activation; nothing changes if there is none.

    Writes; call it inside a transaction. Raises NotFound as `activate`, and NotAllowed for an offer
    that counts without.
    """
    had, present = await _clipped(member_id, number, now)
    was_active = await queries.deactivate(member_id, had.offer.key)
    if was_active:
        changes.note(changes.MEMBER, member_id)
    return _activated(had, present, is_activated=False, is_change=was_active)


async def _clipped(member_id: int, number: int, now: Instant) -> tuple[Had, Present]:
    """The offer, if the member has it and it asks to be activated."""
    shelves = await definitions.shelves()
    key = key_of(shelves, number)
    present = present_of((await programme.rulebook()).at(now), now)
    found: list[Had] = []
    if key is not None:
        of_members = await member_offers([member_id], present, now, keys=[key], shelves=shelves)
        found = of_members.get(member_id, [])
    if not found:
        raise NotFound("offer.not_found", path=_PATH)
    if found[0].document.activation is not Activation.CLIP:
        raise NotAllowed("offer.automatic", path=_PATH)
    return found[0], present


def _activated(had: Had, present: Present, *, is_activated: bool, is_change: bool) -> Activated:
    offer = structs.replace(had.offer, is_activated=is_activated)
    return Activated(offer, is_change, present.currency, present.digits)
