"""What the shop writes down of a membership plan: the document of the kind `plan`.

Its bounds and descriptions become the JSON Schema. Money is in minor units of the programme's
currency; a price of 0 is a plan that costs nothing.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

MAXIMUM_MINOR = 2**31 - 1
MAXIMUM_PRICES = 50
MAXIMUM_PRODUCTS = 5_000
MAXIMUM_KEY_LENGTH = 48
"""So that the keys of the offers that are made of a plan are not too long."""

Language = Annotated[str, Meta(min_length=2, max_length=35)]
ProductId = Annotated[str, Meta(min_length=1, max_length=120)]


class Interval(StrEnum):
    """How long one payment is good for."""

    MONTH = "month"
    YEAR = "year"


class Cancellation(StrEnum):
    """When a plan ends that is cancelled."""

    AT_PERIOD_END = "at_period_end"  # with what is paid for, or with the trial
    AT_ONCE = "at_once"


class PlanText(Struct, frozen=True, omit_defaults=True):
    """What people read of a plan in one language."""

    title: Annotated[
        str, Meta(min_length=1, max_length=120, description="The plan in a few words.")
    ]
    description: Annotated[
        Annotated[str, Meta(max_length=1_000)] | None, Meta(description="What it is about.")
    ] = None
    terms: Annotated[
        Annotated[str, Meta(max_length=5_000)] | None, Meta(description="The small print.")
    ] = None


class MemberPrice(Struct, frozen=True, omit_defaults=True):
    """A price of products for those who have the plan."""

    products: Annotated[
        tuple[ProductId, ...],
        Meta(min_length=1, max_length=MAXIMUM_PRODUCTS, description="Product ids."),
    ]
    price_minor: Annotated[int, Meta(ge=0, le=MAXIMUM_MINOR, description="Of one unit.")]


class Guarantee(Struct, frozen=True, omit_defaults=True):
    """A promise to those who have the plan, such as to take goods back for longer."""

    days: Annotated[int, Meta(ge=1, le=3_660, description="For how many days it holds.")]
    texts: Annotated[
        Mapping[Language, Annotated[str, Meta(min_length=1, max_length=1_000)]],
        Meta(min_length=1, max_length=50, description="What is promised, by language tag."),
    ]


class Benefits(Struct, frozen=True, omit_defaults=True):
    """What those who have the plan get."""

    free_shipping: Annotated[bool, Meta(description="Nothing to pay for shipping.")] = False
    points_multiplier_percent: Annotated[
        Annotated[int, Meta(ge=101, le=10_000)] | None,
        Meta(description="The base points of every basket more than once; 200 doubles them."),
    ] = None
    member_prices: Annotated[
        tuple[MemberPrice, ...], Meta(max_length=MAXIMUM_PRICES, description="Prices of products.")
    ] = ()
    guarantee: Annotated[Guarantee | None, Meta(description="A promise.")] = None


class Plan(Struct, frozen=True, omit_defaults=True):
    """A membership that is paid for by the month or the year.

    Who has subscribed keeps the price, the interval and the policies that they subscribed to; the
    benefits are those of the version that counts.
    """

    default_language: Annotated[
        Language, Meta(description="Of those in `texts`; the language of all others.")
    ]
    texts: Annotated[
        Mapping[Language, PlanText],
        Meta(min_length=1, max_length=50, description="By language tag (BCP 47)."),
    ]
    price_minor: Annotated[int, Meta(ge=0, le=MAXIMUM_MINOR, description="Of one interval.")]
    interval: Annotated[Interval, Meta(description="How long one payment is good for.")]
    trial_days: Annotated[
        int, Meta(ge=0, le=366, description="Free days at the beginning, once for each member.")
    ] = 0
    grace_days: Annotated[
        int,
        Meta(ge=0, le=90, description="So long the benefits go on when a payment is missing."),
    ] = 0
    cancellation: Annotated[Cancellation, Meta(description="When a cancelled plan ends.")] = (
        Cancellation.AT_PERIOD_END
    )
    benefits: Annotated[Benefits, Meta(description="What those get who have it.")] = Benefits()
