"""What the schema shows of what offers give, and on what."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import strawberry

from server.edge.permissions import PURCHASE_DATA, shown_to
from server.edge.scalars import Money
from server.offers import documents
from server.offers.documents import Scope

ShownMoney = Callable[[int], Money]
"""The money that so many minor units are."""


@shown_to(PURCHASE_DATA)
@strawberry.type(description="A share of the matching lines comes off, rounded down once.")
class PercentDiscount:
    """A percentage."""

    rate_basis_points: int = strawberry.field(description="The share: 1000 are 10 %.")
    maximum: Money | None = strawberry.field(description="No more than this; null: no limit.")


@shown_to(PURCHASE_DATA)
@strawberry.type(description="An amount comes off the matching lines, at most what they cost.")
class AmountDiscount:
    """An amount."""

    amount: Money = strawberry.field(description="What comes off.")
    is_per_unit: bool = strawberry.field(
        description="Whether it comes off each matching unit; otherwise once a basket."
    )


@shown_to(PURCHASE_DATA)
@strawberry.type(description="Each matching unit costs this, and never more than before.")
class FixedPriceDiscount:
    """A price."""

    price: Money = strawberry.field(description="The price of one unit.")


@shown_to(PURCHASE_DATA)
@strawberry.type(description="For units that are paid for, others cost less: the cheapest ones.")
class BuyGetDiscount:
    """Buy some, get some."""

    buy: int = strawberry.field(description="Units to be paid for.")
    get: int = strawberry.field(description="Units that cost less.")
    rate_basis_points: int = strawberry.field(description="How much less: 10000 is free.")
    maximum_times: int | None = strawberry.field(
        description="How often in one basket; null: no limit."
    )


@shown_to(PURCHASE_DATA)
@strawberry.type(description="Nothing to pay for shipping.")
class FreeShippingDiscount:
    """Shipping."""

    maximum: Money | None = strawberry.field(description="No more than this; null: no limit.")


@shown_to(PURCHASE_DATA)
@strawberry.type(description="Points on top, once a basket.")
class BonusPointsDiscount:
    """Points."""

    points: int = strawberry.field(description="How many points.")


@shown_to(PURCHASE_DATA)
@strawberry.type(description="The base points of the matching lines more than once.")
class PointsMultiplierDiscount:
    """A multiplier."""

    percent: int = strawberry.field(description="Of the base points, in percent: 200 doubles.")


@shown_to(PURCHASE_DATA)
@strawberry.type(description="A share of the matching lines as cashback on top.")
class CashbackDiscount:
    """Cashback."""

    rate_basis_points: int = strawberry.field(description="The share: 1000 are 10 %.")
    maximum: Money | None = strawberry.field(description="No more than this; null: no limit.")


@shown_to(PURCHASE_DATA)
@strawberry.type(description="Something to take home, once a basket.")
class GiftDiscount:
    """A gift."""

    product_id: str = strawberry.field(description="What it is to the tills.")
    name: str = strawberry.field(description="What it is to people.")
    quantity: int = strawberry.field(description="How many pieces.")


@shown_to(PURCHASE_DATA)
@strawberry.type(description="The till itself takes the discount off; here its use is counted.")
class TillDiscount:
    """What the till does."""

    is_counted: bool = strawberry.field(description="Always true: each use is counted.")


OfferDiscount = Annotated[
    PercentDiscount
    | AmountDiscount
    | FixedPriceDiscount
    | BuyGetDiscount
    | FreeShippingDiscount
    | BonusPointsDiscount
    | PointsMultiplierDiscount
    | CashbackDiscount
    | GiftDiscount
    | TillDiscount,
    strawberry.union("OfferDiscount", description="What an offer gives."),
]


def _most(amount_minor: int | None, money: ShownMoney) -> Money | None:
    return None if amount_minor is None else money(amount_minor)


_SHOWN: Mapping[type, Callable[[Any, ShownMoney], Any]] = {
    documents.Percent: lambda one, money: PercentDiscount(
        rate_basis_points=one.rate_bps, maximum=_most(one.maximum_minor, money)
    ),
    documents.Amount: lambda one, money: AmountDiscount(
        amount=money(one.amount_minor), is_per_unit=one.per == "unit"
    ),
    documents.FixedPrice: lambda one, money: FixedPriceDiscount(price=money(one.price_minor)),
    documents.BuyGet: lambda one, _money: BuyGetDiscount(
        buy=one.buy,
        get=one.get,
        rate_basis_points=one.rate_bps,
        maximum_times=one.maximum_times,
    ),
    documents.FreeShipping: lambda one, money: FreeShippingDiscount(
        maximum=_most(one.maximum_minor, money)
    ),
    documents.BonusPoints: lambda one, _money: BonusPointsDiscount(points=one.points),
    documents.PointsMultiplier: lambda one, _money: PointsMultiplierDiscount(percent=one.percent),
    documents.Cashback: lambda one, money: CashbackDiscount(
        rate_basis_points=one.rate_bps, maximum=_most(one.maximum_minor, money)
    ),
    documents.Gift: lambda one, _money: GiftDiscount(
        product_id=one.product_id, name=one.name, quantity=one.quantity
    ),
    documents.Till: lambda _one, _money: TillDiscount(is_counted=True),
}


def discount_shown(discount: documents.Discount, money: ShownMoney) -> Any:
    """What an offer gives, as the schema shows it."""
    return _SHOWN[type(discount)](discount, money)


@shown_to(PURCHASE_DATA)
@strawberry.type(
    description="Which lines of which baskets an offer is for: those that have one value of each "
    "list that is not empty."
)
class OfferScope:
    """A scope."""

    is_everything: bool = strawberry.field(description="Whether it is for every line.")
    products: list[str] = strawberry.field(description="Product ids.")
    product_types: list[str] = strawberry.field(description="Product types.")
    product_categories: list[str] = strawberry.field(description="Product categories.")
    departments: list[str] = strawberry.field(description="Departments.")
    brands: list[str] = strawberry.field(description="Brands.")
    partners: list[str] = strawberry.field(description="Partners that the basket may be of.")
    stores: list[str] = strawberry.field(description="Stores that the basket may be of.")
    channels: list[str] = strawberry.field(description="Channels, such as store or web.")
    excluded_products: list[str] = strawberry.field(description="Product ids that never match.")
    excluded_departments: list[str] = strawberry.field(description="Departments that never match.")


def scope_shown(scope: Scope) -> OfferScope:
    """A scope, as the schema shows it."""
    return OfferScope(
        is_everything=scope == Scope(),
        **{name: list(getattr(scope, name)) for name in Scope.__struct_fields__},
    )
