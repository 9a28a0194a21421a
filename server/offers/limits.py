"""The limits of offers: what of them is used, and which of them a basket would exceed. Pure."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from server.offers.documents import Activation, Limits, Offer


class Limit(StrEnum):
    """What was exceeded."""

    PER_MEMBER = "per_member"  # uses of one member
    PER_MEMBER_PER_DAY = "per_member_per_day"  # uses of one member on a local day
    PER_DAY = "per_day"  # uses of all members on a local day
    TOTAL = "total"  # uses of all members
    BUDGET_MINOR = "budget_minor"  # what it may cost, in minor units
    BUDGET_POINTS = "budget_points"  # what it may give, in points


class OfferExhausted(Struct, frozen=True):
    """That an offer can't be held or used: of the limit too little is left, in its own unit."""

    offer: str
    version: int
    limit: Limit
    allowed: int
    left: int  # at least 0
    wanted: int


class Used(Struct, frozen=True):
    """What of an offer's limits is used or held."""

    by_member: int = 0
    by_member_today: int = 0
    today: int = 0
    total: int = 0
    budget_minor: int = 0
    budget_points: int = 0


class Want(Struct, frozen=True):
    """One use of an offer that is to be held or to become used, and what it takes of the budgets;
    `limits` are those that count for it."""

    offer: str
    version: int
    limits: Limits
    budget_minor: int = 0
    budget_points: int = 0


def is_of_member(limits: Limits) -> bool:
    """Whether what one member uses is limited."""
    return limits.per_member is not None or limits.per_member_per_day is not None


def is_common(limits: Limits) -> bool:
    """Whether what all members use together is limited."""
    return (
        limits.per_day is not None
        or limits.total is not None
        or limits.budget_minor is not None
        or limits.budget_points is not None
    )


def needs_member(offer: Offer) -> bool:
    """Whether it takes what the member did to tell if the offer applies."""
    return offer.activation is Activation.CLIP or is_of_member(offer.limits)


def exhausted(want: Want, used: Used) -> OfferExhausted | None:
    """The first limit that the use would exceed on top of what is used, or None."""
    limits = want.limits
    for limit, allowed, taken, wanted in (
        (Limit.PER_MEMBER, limits.per_member, used.by_member, 1),
        (Limit.PER_MEMBER_PER_DAY, limits.per_member_per_day, used.by_member_today, 1),
        (Limit.PER_DAY, limits.per_day, used.today, 1),
        (Limit.TOTAL, limits.total, used.total, 1),
        (Limit.BUDGET_MINOR, limits.budget_minor, used.budget_minor, want.budget_minor),
        (Limit.BUDGET_POINTS, limits.budget_points, used.budget_points, want.budget_points),
    ):
        if allowed is not None and taken + wanted > allowed:
            left = max(0, allowed - taken)
            return OfferExhausted(want.offer, want.version, limit, allowed, left, wanted)
    return None


def all_exhausted(wants: Iterable[Want], used: Mapping[str, Used]) -> tuple[OfferExhausted, ...]:
    """What of the uses can't be: one for each offer, in the order of the offers' keys."""
    found = (exhausted(want, used.get(want.offer, Used())) for want in wants)
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.offer))


def uses_left(limits: Limits, used: Used) -> int | None:
    """How often one member can use the offer still, at most, as far as uses are limited; None for
    no limit. A budget that is used up leaves none."""
    left = [
        allowed - taken
        for allowed, taken in (
            (limits.per_member, used.by_member),
            (limits.per_member_per_day, used.by_member_today),
            (limits.per_day, used.today),
            (limits.total, used.total),
        )
        if allowed is not None
    ]
    budgets = ((limits.budget_minor, used.budget_minor), (limits.budget_points, used.budget_points))
    if any(allowed is not None and taken >= allowed for allowed, taken in budgets):
        left.append(0)
    return max(0, min(left)) if left else None
