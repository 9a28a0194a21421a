"""What a shop writes down of coupons: whose offer they are for, their codes and their limits."""

from datetime import date
from typing import Annotated

from msgspec import Meta, Struct

MAXIMUM_CODES = 10_000
MAXIMUM_PRODUCTS = 50_000
MAXIMUM_CODE = 48
MAXIMUM_USES = 2**31 - 1

_Products = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...],
    Meta(
        max_length=MAXIMUM_PRODUCTS,
        description="Ids of the products that it is good for, within the offer's own scope; empty: "
        "all of that.",
    ),
]
_Limit = Annotated[int, Meta(ge=1, le=MAXIMUM_USES)]


class SharedCode(Struct, frozen=True, omit_defaults=True):
    """One code that many members may use."""

    code: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAXIMUM_CODE,
            description="The code as it is printed; case, spaces, dashes and other punctuation "
            "do not matter when it is entered.",
        ),
    ]
    products: _Products = ()


class Shared(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="shared"):
    """Codes that everybody of the offer's audience may use, each of them."""

    codes: Annotated[
        tuple[SharedCode, ...],
        Meta(
            min_length=1,
            max_length=MAXIMUM_CODES,
            description="The codes: 1 to 10,000; no other live coupon has one of them.",
        ),
    ]


class SingleUse(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="single_use"):
    """Codes that are generated and work once."""

    products: _Products = ()


class CouponTerms(Struct, frozen=True, omit_defaults=True):
    """Coupons for one offer, with their codes. Limits are besides those of the offer."""

    offer: Annotated[
        str,
        Meta(min_length=1, max_length=64, description="The key of their offer."),
    ]
    codes: Annotated[
        Shared | SingleUse,
        Meta(
            description="`shared`: codes that are written here; `single_use`: codes that are "
            "generated, each of which works once."
        ),
    ]
    total: Annotated[
        _Limit | None,
        Meta(description="How often each code may be redeemed by everybody together."),
    ] = None
    per_member: Annotated[
        _Limit | None, Meta(description="How often a member may redeem each code.")
    ] = None
    per_member_per_day: Annotated[
        _Limit | None,
        Meta(description="How often a member may redeem each code on one local day."),
    ] = None
    different_per_member: Annotated[
        Annotated[int, Meta(ge=0, le=MAXIMUM_USES)] | None,
        Meta(description="How many different codes of these a member may redeem."),
    ] = None
    valid_from: Annotated[
        date | None,
        Meta(description="The first local date; without it, as long as the offer says."),
    ] = None
    valid_to: Annotated[
        date | None,
        Meta(description="The last local date, included; without it, as long as the offer says."),
    ] = None
