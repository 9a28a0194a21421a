"""What the shop writes down of a reward, and of a flash drop of one.

The types are the documents of the kinds `reward` and `drop`: their bounds and descriptions become
the JSON Schema. Money is in minor units of the programme's currency.
"""

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

from server.partners.documents import Share

MAXIMUM_POINTS = 2**31 - 1
MAXIMUM_MINOR = 2**31 - 1
MAXIMUM_UNITS = 2**31 - 1
MAXIMUM_DROP_UNITS = 100_000
MAXIMUM_MINUTES = 7 * 24 * 60
MAXIMUM_HOLD_SECONDS = 24 * 60 * 60

KEY_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"
LANGUAGE_PATTERN = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
MOMENT_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2}))?$"
)
"""An instant with its zone, such as 2026-05-08T12:00:00Z, or a day of the programme's calendar."""

Key = Annotated[str, Meta(pattern=KEY_PATTERN, max_length=64)]
Language = Annotated[str, Meta(pattern=LANGUAGE_PATTERN, max_length=35)]
Moment = Annotated[str, Meta(pattern=MOMENT_PATTERN)]
TierName = Annotated[str, Meta(min_length=1, max_length=64)]
Label = Annotated[str, Meta(min_length=1, max_length=64)]


class Fulfilment(StrEnum):
    """How the member comes by what was ordered."""

    INSTANT = "instant"  # it is theirs at once: the order is delivered when it is made
    MANUAL = "manual"  # staff make it ready and deliver it


class RewardText(Struct, frozen=True, omit_defaults=True):
    """What people read of a reward in one language."""

    title: Annotated[
        str, Meta(min_length=1, max_length=120, description="The reward in a few words.")
    ]
    description: Annotated[
        str | None, Meta(description="What it is, at most 2,000 characters.")
    ] = None
    terms: Annotated[str | None, Meta(description="The small print, at most 5,000 characters.")] = (
        None
    )


# ---------------------------------------------------------------- what it is


class Product(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="product"):
    """Goods that the shop hands over or sends."""

    product_id: Annotated[
        str | None, Meta(description="The product's id in the shop, up to 120 characters.")
    ] = None


class Voucher(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="voucher"):
    """A voucher that tills take as payment."""

    value_minor: Annotated[
        int, Meta(ge=1, le=MAXIMUM_MINOR, description="What one unit is worth, in minor units.")
    ]


class Experience(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="experience"):
    """Something to take part in."""


class Donation(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="donation"):
    """Points given to a good cause."""

    to: Annotated[str, Meta(min_length=1, max_length=120, description="Who receives the donation.")]


class FreeShipping(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="free_shipping"):
    """One delivery without its charge, by the order's code."""


class PartnerReward(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="partner"):
    """Something of a partner's, who takes the order's code."""

    partner: Annotated[
        str, Meta(min_length=1, max_length=64, description="The partner who gives it, by key.")
    ]
    cost_minor: Annotated[
        Annotated[int, Meta(ge=0, le=MAXIMUM_MINOR)] | None,
        Meta(
            description="What the partner is owed for one unit, in minor units; null: what its "
            "points are worth in the books."
        ),
    ] = None


What = Product | Voucher | Experience | Donation | FreeShipping | PartnerReward


class Price(Struct, frozen=True, omit_defaults=True):
    """What one unit costs: points, or points and money."""

    points: Annotated[int, Meta(ge=1, le=MAXIMUM_POINTS, description="Points for one unit.")]
    money_minor: Annotated[
        int,
        Meta(
            ge=0,
            le=MAXIMUM_MINOR,
            description="Money to be paid at the counter for one unit, in minor units.",
        ),
    ] = 0


class Audience(Struct, frozen=True, omit_defaults=True):
    """Who may have it: whoever has one of the tiers and is in one of the segments; an empty list
    asks for nothing."""

    tiers: Annotated[tuple[TierName, ...], Meta(max_length=100, description="Tiers by name.")] = ()
    segments: Annotated[tuple[Key, ...], Meta(max_length=100, description="Segments by key.")] = ()


class RewardDocument(Struct, frozen=True, omit_defaults=True):
    """A reward of the catalogue."""

    what: Annotated[What, Meta(description="What it is.")]
    default_language: Annotated[
        Language, Meta(description="The language of those whose own has no text.")
    ]
    texts: Annotated[
        dict[Language, RewardText],
        Meta(min_length=1, max_length=50, description="What people read, by language tag."),
    ]
    price: Annotated[Price, Meta(description="What one unit costs.")]
    categories: Annotated[
        tuple[Label, ...], Meta(max_length=20, description="Where it stands in the catalogue.")
    ] = ()
    image_url: Annotated[
        str | None, Meta(description="A picture: an https URL of at most 2,000 characters.")
    ] = None
    stock: Annotated[
        Annotated[int, Meta(ge=0, le=MAXIMUM_UNITS)] | None,
        Meta(description="How many units there are ever, those ordered included; null: no end."),
    ] = None
    per_member: Annotated[
        Annotated[int, Meta(ge=1, le=MAXIMUM_UNITS)] | None,
        Meta(description="How many units one member may have; null: as many as they like."),
    ] = None
    audience: Annotated[Audience, Meta(description="Who may have it.")] = Audience()
    valid_from: Annotated[
        Moment | None,
        Meta(description="From when on it can be ordered: an instant, or a day from its start."),
    ] = None
    valid_to: Annotated[
        Moment | None,
        Meta(description="Until when it can be ordered: an instant, or the whole of a day."),
    ] = None
    fulfilment: Annotated[
        Fulfilment, Meta(description="instant: theirs at once; manual: the shop hands it over.")
    ] = Fulfilment.MANUAL
    voucher_valid_days: Annotated[
        Annotated[int, Meta(ge=1, le=3_650)] | None,
        Meta(
            description="For how many days of the programme's calendar the order's code is good, "
            "after the day of the order; null: for ever."
        ),
    ] = None
    refund_until: Annotated[
        Moment | None,
        Meta(
            description="Until when an order can be cancelled and its points given back: an "
            "instant, or the whole of a day; null: without end."
        ),
    ] = None
    by_drop_only: Annotated[
        bool, Meta(description="Whether it is to be had in flash drops alone.")
    ] = False
    funding: Annotated[
        tuple[Share, ...],
        Meta(
            max_length=20,
            description="Who pays for what is ordered; the rest is the operator's. Of a voucher "
            "that is its value, of something of a partner's what that partner is owed, of "
            "everything else what its points are worth in the books.",
        ),
    ] = ()


class DropDocument(Struct, frozen=True, omit_defaults=True):
    """A flash drop: units of a reward, offered to those who wait in line in the order in which they
    have come.

    Once somebody stands in line, `hold_seconds` stays what it was; more `units` are offered from
    the instant at which the version with more of them counts, and fewer take none back.
    """

    reward: Annotated[Key, Meta(description="The reward, by key.")]
    opens_at: Annotated[
        Moment, Meta(description="When the line opens: an instant, or the start of a day.")
    ]
    units: Annotated[
        int, Meta(ge=1, le=MAXIMUM_DROP_UNITS, description="How many units are offered.")
    ]
    hold_seconds: Annotated[
        int,
        Meta(
            ge=1,
            le=MAXIMUM_HOLD_SECONDS,
            description="For how long a unit is offered to one member before it passes on.",
        ),
    ]
    closes_at: Annotated[
        Moment | None,
        Meta(
            description="When all ends, turns included: an instant, or the end of a day; null: "
            "when the drop is withdrawn."
        ),
    ] = None
    per_member: Annotated[
        int,
        Meta(
            ge=1,
            le=100,
            description="How many units one member may take, each with a new place in line.",
        ),
    ] = 1
    early_access: Annotated[
        dict[TierName, Annotated[int, Meta(ge=1, le=MAXIMUM_MINUTES)]],
        Meta(max_length=100, description="By tier: how many minutes earlier the line opens."),
    ] = {}


RewardKind = Literal["product", "voucher", "experience", "donation", "free_shipping", "partner"]


def kind_name(what: What) -> RewardKind:
    """The tag of what a reward is."""
    name: RewardKind = _NAMES[type(what)]
    return name


_NAMES: dict[type[Struct], RewardKind] = {
    Product: "product",
    Voucher: "voucher",
    Experience: "experience",
    Donation: "donation",
    FreeShipping: "free_shipping",
    PartnerReward: "partner",
}
