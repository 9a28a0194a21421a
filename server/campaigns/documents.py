"""What a shop writes down of a campaign: what is said, to whom, and when."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

OF_MEMBER = "member"
"""Stands for a time zone: each member's own."""
WHOLE_BPS = 10_000
MAXIMUM_VARIANTS = 10
MAXIMUM_EXPIRY_HOURS = 28 * 24  # as long as the providers keep a message
MAXIMUM_GOAL_DAYS = 90

Key = Annotated[str, Meta(min_length=1, max_length=64)]
Within = Annotated[
    int,
    Meta(
        ge=1,
        le=MAXIMUM_GOAL_DAYS,
        description="Days of 24 hours from when the message was due: 1 to 90.",
    ),
]


class Variant(Struct, frozen=True, omit_defaults=True):
    """One of several messages that are compared."""

    name: Annotated[
        str, Meta(min_length=1, max_length=40, description="What results call it, such as `a`.")
    ]
    message: Annotated[Key, Meta(description="The key of the message that these members get.")]
    share_bps: Annotated[
        int,
        Meta(
            ge=1,
            le=WHOLE_BPS,
            description="How many of 10,000 members who are not held out get it; those of all "
            "variants are 10,000 together.",
        ),
    ]


class Everyone(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="everyone"):
    """All members."""


class OfSegment(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="segment"):
    """Who is in a segment when the campaign is planned."""

    segment: Annotated[Key, Meta(description="The key of the segment.")]


class RedeemedOffer(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="offer"):
    """That the member uses an offer."""

    offer: Annotated[Key, Meta(description="The key of the offer.")]
    within_days: Within = 7


class Bought(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="purchase"):
    """That the member buys anything."""

    within_days: Within = 7


Goal = RedeemedOffer | Bought


class Campaign(Struct, frozen=True, omit_defaults=True):
    """One message to many members, once."""

    name: Annotated[
        str, Meta(min_length=1, max_length=120, description="What staff call the campaign.")
    ]
    at: Annotated[
        Annotated[datetime, Meta(tz=False)],
        Meta(
            description="When it is due, by the clock on the wall, such as 2026-12-01T10:00:00. "
            "An hour that summer time skips is the same time after it; of one that is repeated, "
            "it is the first."
        ),
    ]
    message: Annotated[Key | None, Meta(description="The key of the message; or `variants`.")] = (
        None
    )
    variants: Annotated[
        tuple[Variant, ...],
        Meta(max_length=MAXIMUM_VARIANTS, description="Messages to compare, 2 to 10."),
    ] = ()
    audience: Annotated[
        Everyone | OfSegment,
        Meta(
            description="Who gets it, of those who are members when it is planned; who leaves the "
            "segment between planning and sending, which are 27 hours apart at most, gets it."
        ),
    ] = Everyone()
    time_zone: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=64,
            description="Whose clock that is: `member` is each member's own, or an IANA name such "
            "as Europe/Berlin.",
        ),
    ] = OF_MEMBER
    expires_after_hours: Annotated[
        int,
        Meta(
            ge=1,
            le=MAXIMUM_EXPIRY_HOURS,
            description="Nobody gets it later than so many hours after `at`: 1 to 672.",
        ),
    ] = 12
    hold_out_bps: Annotated[
        int,
        Meta(
            ge=0,
            le=9_000,
            description="How many of 10,000 members get nothing, to be compared with; 0 to 9,000.",
        ),
    ] = 0
    goal: Annotated[
        RedeemedOffer | Bought | None,
        Meta(
            description="What the message is to bring about. `offer`: that the member uses an "
            "offer; `purchase`: that they buy anything."
        ),
    ] = None
    off_peak: Annotated[
        bool,
        Meta(
            description="Whether the start is moved off the full and quarter hours, when everybody "
            "sends."
        ),
    ] = True
    budget_minor: Annotated[
        int,
        Meta(
            ge=0,
            le=2**53,
            description="What the campaign costs at most as its writers reckon, in minor units: "
            "above the programme's limit a second person approves it.",
        ),
    ] = 0
    description: Annotated[
        str, Meta(max_length=1000, description="What it is for, for colleagues.")
    ] = ""

    @property
    def said(self) -> tuple[Variant, ...]:
        """What is said, as variants; the only one has no name."""
        if self.message is None:
            return self.variants
        return (Variant("", self.message, WHOLE_BPS),)

    @property
    def within_days(self) -> int:
        """For how long after it is due what members do is counted."""
        return 7 if self.goal is None else self.goal.within_days
