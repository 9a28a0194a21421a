"""What the shop writes down of an offer, and of how offers stand together in a basket.

The types are the documents of the kinds `offer` and `stacking`: their bounds and descriptions
become the JSON Schema. Money is in minor units of the programme's currency, rates are in basis
points (10,000 are the whole). A list that is left out or empty asks for nothing.
"""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

MAXIMUM_MINOR = 2**31 - 1
MAXIMUM_POINTS = 2**31 - 1
MAXIMUM_USES = 2**31 - 1
MAXIMUM_VALUES = 5_000
"""How many values a list of a scope may have."""
STACKING_KEY = "basket"
"""The key of the one document of the kind `stacking`."""

Value = Annotated[str, Meta(min_length=1, max_length=120)]
Values = Annotated[tuple[Value, ...], Meta(max_length=MAXIMUM_VALUES)]
Key = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$", max_length=64)]
Keys = Annotated[tuple[Key, ...], Meta(max_length=100)]
Minor = Annotated[int, Meta(ge=1, le=MAXIMUM_MINOR)]
Days = Annotated[int, Meta(ge=0, le=366)]
MonthDay = Annotated[str, Meta(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")]
LocalTime = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)


class Text(Struct, frozen=True, omit_defaults=True):
    """What people read of an offer in one language."""

    title: Annotated[
        str, Meta(min_length=1, max_length=120, description="The offer in a few words.")
    ]
    description: Annotated[
        Annotated[str, Meta(max_length=1_000)] | None, Meta(description="What it is about.")
    ] = None
    terms: Annotated[
        Annotated[str, Meta(max_length=5_000)] | None, Meta(description="The small print.")
    ] = None


class Goods(Struct, frozen=True, omit_defaults=True):
    """Which lines are meant: those that have one value of each list that is stated."""

    products: Annotated[Values, Meta(description="Product ids.")] = ()
    product_types: Annotated[Values, Meta(description="Product types.")] = ()
    product_categories: Annotated[Values, Meta(description="Product categories.")] = ()
    departments: Annotated[Values, Meta(description="Departments.")] = ()
    brands: Annotated[Values, Meta(description="Brands.")] = ()
    excluded_products: Annotated[Values, Meta(description="Product ids that never match.")] = ()
    excluded_departments: Annotated[Values, Meta(description="Departments that never match.")] = ()


class Scope(Goods, frozen=True, omit_defaults=True):
    """Which lines of which baskets are meant; everything, if nothing is stated."""

    partners: Annotated[Values, Meta(description="Partners that the basket may be of.")] = ()
    stores: Annotated[Values, Meta(description="Stores that the basket may be of.")] = ()
    channels: Annotated[Values, Meta(description="Channels, such as store or web.")] = ()


class Percent(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="percent"):
    """A share of the matching lines, rounded down once."""

    rate_bps: Annotated[int, Meta(ge=1, le=10_000, description="1000 are 10 %.")]
    maximum_minor: Annotated[Minor | None, Meta(description="No more than this.")] = None


class Amount(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="amount"):
    """An amount off the matching lines, at most what they cost."""

    amount_minor: Annotated[Minor, Meta(description="What comes off.")]
    per: Annotated[
        Literal["basket", "unit"], Meta(description="Once a basket, or for each matching unit.")
    ] = "basket"


class FixedPrice(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="fixed_price"):
    """Each matching unit costs this, and never more than before."""

    price_minor: Annotated[int, Meta(ge=0, le=MAXIMUM_MINOR, description="Of one unit.")]


class BuyGet(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="buy_get"):
    """For every `buy` units paid for, `get` units cost less: the cheapest ones."""

    buy: Annotated[int, Meta(ge=1, le=1_000, description="Units to be paid for.")]
    get: Annotated[int, Meta(ge=1, le=1_000, description="Units that cost less.")]
    rate_bps: Annotated[int, Meta(ge=1, le=10_000, description="How much less; 10000: free.")] = (
        10_000
    )
    maximum_times: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)] | None, Meta(description="In one basket.")
    ] = None
    get_from: Annotated[
        Goods | None, Meta(description="Where the cheaper units come from; None: the scope.")
    ] = None


class FreeShipping(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="free_shipping"):
    """Nothing to pay for shipping."""

    maximum_minor: Annotated[Minor | None, Meta(description="No more than this.")] = None


class BonusPoints(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="bonus_points"):
    """Points on top, once a basket."""

    points: Annotated[int, Meta(ge=1, le=MAXIMUM_POINTS, description="How many.")]


class PointsMultiplier(
    Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="points_multiplier"
):
    """The base points of the matching lines more than once."""

    percent: Annotated[int, Meta(ge=101, le=10_000, description="200 doubles them.")]


class Cashback(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="cashback"):
    """A share of the matching lines as cashback on top, rounded down once."""

    rate_bps: Annotated[int, Meta(ge=1, le=10_000, description="1000 are 10 %.")]
    maximum_minor: Annotated[Minor | None, Meta(description="No more than this.")] = None


class Gift(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="gift"):
    """Something to take home, once a basket."""

    product_id: Annotated[Value, Meta(description="What it is to the tills.")]
    name: Annotated[Value, Meta(description="What it is to people.")]
    quantity: Annotated[int, Meta(ge=1, le=1_000, description="How many.")] = 1
    value_minor: Annotated[
        int, Meta(ge=0, le=MAXIMUM_MINOR, description="What one costs the shop; for budgets.")
    ] = 0


class Till(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="till"):
    """The till itself has taken it off: nothing more comes off here, but the use is counted."""


Discount = (
    Percent
    | Amount
    | FixedPrice
    | BuyGet
    | FreeShipping
    | BonusPoints
    | PointsMultiplier
    | Cashback
    | Gift
    | Till
)


class Requires(Struct, frozen=True, omit_defaults=True):
    """What the basket must have before the offer gives anything; all that is stated must hold.

    Amounts are as the till states them, less its own coupons, before any offer.
    """

    minimum_spend_minor: Annotated[Minor | None, Meta(description="Spend on the goods.")] = None
    minimum_quantity: Annotated[
        Annotated[int, Meta(ge=1, le=MAXIMUM_USES)] | None, Meta(description="Units of the goods.")
    ] = None
    of: Annotated[Goods | None, Meta(description="The goods; None: the offer's scope.")] = None
    condition: Annotated[
        Annotated[str, Meta(min_length=1, max_length=2_000)] | None,
        Meta(description="CEL over facts of the basket and the member."),
    ] = None


class Anniversary(Struct, frozen=True, omit_defaults=True):
    """The days around the member's birthday. Who was born on 29 February celebrates on 28
    February in common years."""

    days_before: Annotated[Days, Meta(description="0: from the day itself on.")] = 0
    days_after: Annotated[Days, Meta(description="0: until the day itself.")] = 0


class NameDay(Struct, frozen=True, omit_defaults=True):
    """The days around the name day of the member's first name."""

    calendar: Annotated[
        Mapping[Value, Annotated[tuple[MonthDay, ...], Meta(min_length=1, max_length=12)]],
        Meta(min_length=1, max_length=5_000, description="The days MM-DD of each first name."),
    ]
    days_before: Annotated[Days, Meta(description="0: from the day itself on.")] = 0
    days_after: Annotated[Days, Meta(description="0: until the day itself.")] = 0


class Audience(Struct, frozen=True, omit_defaults=True):
    """Who the offer is for; everyone, if nothing is stated. All that is stated must hold."""

    segments: Annotated[Keys, Meta(description="In one of these segments.")] = ()
    excluded_segments: Annotated[Keys, Meta(description="In none of these segments.")] = ()
    members: Annotated[Values, Meta(description="External ids of members.")] = ()
    tiers: Annotated[Values, Meta(description="In one of these tiers.")] = ()
    plans: Annotated[Keys, Meta(description="With one of these membership plans.")] = ()
    new_within_days: Annotated[
        Days | None, Meta(description="Enrolled at most so many local days ago.")
    ] = None
    lapsed_after_days: Annotated[
        Annotated[int, Meta(ge=1, le=3_660)] | None,
        Meta(description="Last visit, or enrolment, at least so many local days ago."),
    ] = None
    birthday: Annotated[Anniversary | None, Meta(description="Around the birthday.")] = None
    name_day: Annotated[NameDay | None, Meta(description="Around the name day.")] = None


class Season(Struct, frozen=True, omit_defaults=True):
    """Days of every year, both included; it may pass new year."""

    from_: Annotated[MonthDay, Meta(description="The first day, MM-DD.")] = msgspec.field(
        name="from"
    )
    to: Annotated[MonthDay, Meta(description="The last day, MM-DD.")]


class Schedule(Struct, frozen=True, omit_defaults=True):
    """When the offer counts; always, if nothing is stated.

    Weekdays and seasons are those of the local day on which the hours begin.
    """

    starts_on: Annotated[date | None, Meta(description="The first local day.")] = None
    ends_on: Annotated[date | None, Meta(description="The last local day, included.")] = None
    starts_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="Or: the first instant.")
    ] = None
    ends_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="Or: the end, not included.")
    ] = None
    time_zone: Annotated[
        Annotated[str, Meta(min_length=1, max_length=64)] | None,
        Meta(description="IANA name; None: the programme's time zone."),
    ] = None
    weekdays: Annotated[tuple[Weekday, ...], Meta(max_length=7, description="On these days.")] = ()
    from_time: Annotated[LocalTime | None, Meta(description="From this local time on.")] = None
    to_time: Annotated[
        LocalTime | None,
        Meta(description="Until just before it; before `from_time`, it is the next day's."),
    ] = None
    seasons: Annotated[
        tuple[Season, ...], Meta(max_length=50, description="In one of these seasons.")
    ] = ()
    early_access: Annotated[
        Mapping[Value, Annotated[int, Meta(ge=1, le=8_784)]],
        Meta(max_length=50, description="Hours before the start, by the tier's name."),
    ] = {}


class Activation(StrEnum):
    """What a member does to have an offer."""

    AUTOMATIC = "automatic"  # nothing
    CLIP = "clip"  # activates it


class Limits(Struct, frozen=True, omit_defaults=True):
    """How often the offer is used, and what it may cost; None is without limit."""

    per_member: Annotated[
        Annotated[int, Meta(ge=1, le=MAXIMUM_USES)] | None, Meta(description="Uses of a member.")
    ] = None
    per_member_per_day: Annotated[
        Annotated[int, Meta(ge=1, le=MAXIMUM_USES)] | None,
        Meta(description="Uses of a member on a local day."),
    ] = None
    per_day: Annotated[
        Annotated[int, Meta(ge=1, le=MAXIMUM_USES)] | None,
        Meta(description="Uses of all members on a local day."),
    ] = None
    total: Annotated[
        Annotated[int, Meta(ge=1, le=MAXIMUM_USES)] | None,
        Meta(description="Uses of all members."),
    ] = None
    budget_minor: Annotated[
        Annotated[int, Meta(ge=1, le=2**53)] | None,
        Meta(description="Discounts, shipping, cashback and gifts together."),
    ] = None
    budget_points: Annotated[
        Annotated[int, Meta(ge=1, le=2**53)] | None, Meta(description="Points together.")
    ] = None


class Stacking(Struct, frozen=True, omit_defaults=True):
    """How the offer stands beside others in a basket."""

    group: Annotated[
        Key | None, Meta(description="Of the offers of one group a basket has one at most.")
    ] = None
    priority: Annotated[
        int, Meta(ge=-1_000_000, le=1_000_000, description="Higher ones take theirs first.")
    ] = 0
    combines: Annotated[bool, Meta(description="False: alone or not at all.")] = True
    maximum_share_bps: Annotated[
        Annotated[int, Meta(ge=1, le=10_000)] | None,
        Meta(description="It takes at most this share of the basket."),
    ] = None


class Funding(Struct, frozen=True, omit_defaults=True):
    """A partner that pays a part of what the offer gives."""

    partner: Annotated[Key, Meta(description="The partner's key.")]
    share_bps: Annotated[int, Meta(ge=1, le=10_000, description="Its part; 10000 are all.")]


class Offer(Struct, frozen=True, omit_defaults=True):
    """What the shop gives on a basket: what, on which lines, to whom, when and how often."""

    default_language: Annotated[
        str, Meta(min_length=2, max_length=35, description="Of those in `texts`; the fallback.")
    ]
    texts: Annotated[
        Mapping[Annotated[str, Meta(min_length=2, max_length=35)], Text],
        Meta(min_length=1, max_length=50, description="By language tag (BCP 47)."),
    ]
    discount: Annotated[Discount, Meta(description="What it gives.")]
    image_url: Annotated[
        Annotated[str, Meta(max_length=500)] | None, Meta(description="A picture, https only.")
    ] = None
    scope: Annotated[Scope, Meta(description="On which lines of which baskets.")] = Scope()
    requires: Annotated[Requires, Meta(description="What the basket must have.")] = Requires()
    audience: Annotated[Audience, Meta(description="For whom.")] = Audience()
    schedule: Annotated[Schedule, Meta(description="When.")] = Schedule()
    activation: Annotated[Activation, Meta(description="What the member does for it.")] = (
        Activation.AUTOMATIC
    )
    needs_coupon: Annotated[bool, Meta(description="Whether a coupon must be shown.")] = False
    limits: Annotated[Limits, Meta(description="How often, and for how much.")] = Limits()
    stacking: Annotated[Stacking, Meta(description="Beside other offers.")] = Stacking()
    funding: Annotated[
        tuple[Funding, ...],
        Meta(max_length=20, description="Who pays for it; the rest is the operator's."),
    ] = ()


class BasketStacking(Struct, frozen=True, omit_defaults=True):
    """What all offers of a basket together may take off its lines; shipping is apart."""

    maximum_share_bps: Annotated[
        Annotated[int, Meta(ge=0, le=10_000)] | None, Meta(description="Of the basket.")
    ] = None
    maximum_discount_minor: Annotated[
        Annotated[int, Meta(ge=0, le=MAXIMUM_MINOR)] | None, Meta(description="In one basket.")
    ] = None
    maximum_offers: Annotated[
        Annotated[int, Meta(ge=0, le=1_000)] | None, Meta(description="That apply to one basket.")
    ] = None
