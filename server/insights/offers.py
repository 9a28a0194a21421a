"""What became of each offer: whom it was for, how often it was used and by how many."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from msgspec import Struct

from server.clock import Instant
from server.coupons import service as coupons
from server.definitions import service as definitions
from server.definitions.service import Shelf
from server.insights import rules
from server.members import service as members
from server.segments import service as segments
from server.storage import sql

SECONDS_PER_SEGMENT = 2.0
"""How long at most members are looked at for the size of a segment that is told by a condition."""
_USES = (
    "SELECT offer, COUNT(*), COUNT(DISTINCT member_id) FROM offer_uses"
    " WHERE status = 'used' AND used_at <= $1 GROUP BY offer"
)


class OfferResult(Struct, frozen=True):
    """An offer's figures; `targeted_members` and what follows from it are None where nobody can
    say for how many members the offer is."""

    offer: str  # its key
    targeted_members: int | None
    redemptions: int
    redeeming_members: int
    coupons_redeemed: int  # different codes
    conversion_rate: Decimal | None


async def offers(at: Instant) -> list[OfferResult]:
    """Every offer that was published to count at the instant or before it, by its key.

    Uses are those up to the instant, less what was returned or cancelled. Four statements, and one
    or two for each segment.
    """
    shelf = (await definitions.shelves()).of("offer")
    redeemed = {row[0]: row for row in await coupons.results(at)}
    used = {row[0]: row for row in await sql.fetch(_USES, at)}
    sizes = await _sizes(shelf, at)
    return [
        _result(key, document, redeemed, used, sizes)
        for key, document in _documents(shelf, at).items()
    ]


def _documents(shelf: Shelf, at: Instant) -> dict[str, Any]:
    """The last document of each offer that has counted, by key."""
    found: dict[str, Any] = {}
    for key in shelf.keys:
        for version in shelf.versions(key):
            if version.effective_at <= at and version.document is not None:
                found[key] = version.document
    return found


async def _sizes(shelf: Shelf, at: Instant) -> dict[str | None, int]:
    """How many members the segments have that offers are for by themselves; under None, how many
    members there are."""
    wanted = {_only_segment(one) for one in _documents(shelf, at).values() if _is_told(one)}
    sizes: dict[str | None, int] = {}
    live = (await definitions.shelves()).of("segment").live(at).by_key
    for key in sorted(one for one in wanted if one is not None and one in live):
        size = await segments.size(key, at, seconds=SECONDS_PER_SEGMENT)
        if size.is_complete:
            sizes[key] = size.members
    if None in wanted:
        sizes[None] = sum((await members.enrolments_by_month(at)).values())
    return sizes


def _only_segment(offer: Any) -> str | None:
    named: Iterable[str] = offer.audience.segments
    return next(iter(named), None)


def _is_told(offer: Any) -> bool:
    """Whether the offer is for everybody, or for one segment and nothing else decides."""
    audience = offer.audience
    is_stated = (getattr(audience, name) not in ((), None) for name in audience.__struct_fields__)
    stated = {
        name for name, stated in zip(audience.__struct_fields__, is_stated, strict=True) if stated
    }
    return not stated or (stated == {"segments"} and len(audience.segments) == 1)


def _result(
    key: str,
    offer: Any,
    redeemed: dict[str, sql.Row],
    used: dict[str, sql.Row],
    sizes: dict[str | None, int],
) -> OfferResult:
    row = (redeemed if offer.needs_coupon else used).get(key, (key, 0, 0, 0))
    codes = redeemed.get(key, (key, 0, 0, 0))[3]
    targeted = sizes.get(_only_segment(offer)) if _is_told(offer) else None
    rate = None if targeted is None else rules.rate(row[2], targeted)
    return OfferResult(key, targeted, row[1], row[2], codes, rate)
