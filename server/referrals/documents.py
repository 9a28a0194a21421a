"""What a shop writes down of a referral programme: rewards, conditions, caps and doubts."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

MAXIMUM_POINTS = 2**31 - 1
MAXIMUM_MINOR = 2**31 - 1
MAXIMUM_FRIENDS = 1_000_000
MAXIMUM_DAYS = 366

_Friends = Annotated[int, Meta(ge=1, le=MAXIMUM_FRIENDS)]


class Reaction(StrEnum):
    """What a doubt leads to."""

    ALLOW = "allow"  # nothing: it counts as any other
    REVIEW = "review"  # it waits until staff decide
    BLOCK = "block"  # nothing is given, unless staff decide otherwise


class Reward(Struct, frozen=True, omit_defaults=True):
    """What one of the two gets."""

    points: Annotated[int, Meta(ge=0, le=MAXIMUM_POINTS, description="Points.")] = 0
    cashback_minor: Annotated[
        int, Meta(ge=0, le=MAXIMUM_MINOR, description="Cashback, in minor units.")
    ] = 0


class Milestone(Struct, frozen=True, omit_defaults=True):
    """Points for having brought so many friends."""

    friends: Annotated[int, Meta(ge=1, le=MAXIMUM_FRIENDS, description="How many friends.")]
    points: Annotated[
        int, Meta(ge=1, le=MAXIMUM_POINTS, description="Points, beside those for each friend.")
    ]


class Caps(Struct, frozen=True, omit_defaults=True):
    """For how many friends an inviter is rewarded; the friends are rewarded all the same."""

    per_month: Annotated[
        _Friends | None, Meta(description="Friends whose purchase is of one local month.")
    ] = None
    per_year: Annotated[
        _Friends | None, Meta(description="Friends whose purchase is of one local year.")
    ] = None
    total: Annotated[_Friends | None, Meta(description="Friends altogether.")] = None


class Velocity(Struct, frozen=True, omit_defaults=True):
    """From how many friends in how short a time on somebody looks."""

    friends: Annotated[
        int,
        Meta(ge=1, le=MAXIMUM_FRIENDS, description="So many friends pass; the next are held."),
    ]
    per_days: Annotated[
        int, Meta(ge=1, le=MAXIMUM_DAYS, description="Within so many times 24 hours.")
    ]


class Review(Struct, frozen=True, omit_defaults=True):
    """What is done about doubts."""

    same_person: Annotated[
        Reaction, Meta(description="Both have one mailbox: dots and what follows + aside.")
    ] = Reaction.BLOCK
    same_device: Annotated[
        Reaction,
        Meta(
            description="The friend shares a device with the inviter or another of their friends."
        ),
    ] = Reaction.REVIEW
    same_payment: Annotated[Reaction, Meta(description="The same with a means of payment.")] = (
        Reaction.REVIEW
    )
    same_address: Annotated[Reaction, Meta(description="The same with an address.")] = (
        Reaction.REVIEW
    )
    same_household: Annotated[
        Reaction, Meta(description="Both are in one household of the programme.")
    ] = Reaction.ALLOW
    ring: Annotated[
        Reaction, Meta(description="The friend has brought the inviter, or who brought them.")
    ] = Reaction.BLOCK
    velocity: Annotated[
        Velocity | None, Meta(description="When so many friends at once are held for review.")
    ] = None


class ReferralProgramme(Struct, frozen=True, omit_defaults=True):
    """What inviter and friend get, for what, and when not."""

    inviter: Annotated[Reward, Meta(description="What who brought the friend gets.")] = Reward()
    friend: Annotated[Reward, Meta(description="What the friend gets.")] = Reward()
    minimum_purchase_minor: Annotated[
        int,
        Meta(
            ge=0,
            le=MAXIMUM_MINOR,
            description="The eligible spend of the friend's first purchase that counts, in minor "
            "units, at least.",
        ),
    ] = 0
    within_days: Annotated[
        int,
        Meta(
            ge=0,
            le=MAXIMUM_DAYS,
            description="Up to so many local days after enrolment the purchase may be made.",
        ),
    ] = 30
    accept_within_days: Annotated[
        int,
        Meta(
            ge=0,
            le=MAXIMUM_DAYS,
            description="Up to so many local days after enrolment a member may still say who "
            "brought them, as long as they have bought nothing.",
        ),
    ] = 7
    return_period_days: Annotated[
        int,
        Meta(
            ge=0,
            le=MAXIMUM_DAYS,
            description="The rewards can be used from the start of the local day that is so many "
            "after that of the purchase; 0 is at once.",
        ),
    ] = 14
    milestones: Annotated[
        tuple[Milestone, ...], Meta(max_length=20, description="More for many friends.")
    ] = ()
    caps: Annotated[Caps, Meta(description="Up to where inviters are rewarded.")] = Caps()
    review: Annotated[Review, Meta(description="What is done about doubts.")] = Review()
