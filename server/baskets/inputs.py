"""What callers send of baskets, in the schema."""

from collections.abc import Mapping
from typing import Any, cast

import strawberry
from strawberry import UNSET

from server.baskets.service import Confirmation, SentBasket, SentLine
from server.cards.graphql import MemberReference, member_reference
from server.clock import Instant
from server.edge import nodes
from server.edge.inputs import built_by
from server.edge.mutation import KEY_DESCRIPTION
from server.edge.scalars import BigInt, CurrencyCode


def _line(value: Mapping[str, Any]) -> SentLine:
    return SentLine(
        value["productId"],
        value["department"],
        value["productCategory"],
        value["productType"],
        value["brand"],
        value["quantity"],
        value["salesMinor"],
        value["couponMinor"],
    )


@built_by(_line)
@strawberry.input(description="One line of a basket that is quoted.")
class BasketLineInput:
    """A line."""

    product_id: str = strawberry.field(
        description="The shop's id of the product: 1 to 64 printable characters."
    )
    quantity: BigInt = strawberry.field(
        description="Units, 0 or more; the amounts are for the whole line, whatever the quantity."
    )
    sales_minor: BigInt = strawberry.field(
        description="What the shop charges for the whole line before offers, in minor units of the "
        "currency, 0 or more."
    )
    coupon_minor: BigInt = strawberry.field(
        default=BigInt(0),
        description="What a manufacturer's coupon takes off it at the till, in minor units, 0 or "
        "more. Offers take theirs off the rest.",
    )
    department: str | None = strawberry.field(
        default=None,
        description="The product's department: 1 to 120 printable characters; the programme's "
        "unknown label if left out.",
    )
    product_category: str | None = strawberry.field(
        default=None, description="The product's category, as `department`."
    )
    product_type: str | None = strawberry.field(
        default=None, description="The product's type, as `department`."
    )
    brand: str | None = strawberry.field(
        default=None,
        description="The product's brand, 1 to 120 printable characters; none if left out.",
    )


def _basket(value: Mapping[str, Any]) -> "ShoppingBasketInput":
    member = value.get("member")
    return ShoppingBasketInput(
        member=None if member is None else _member(member),
        store_id=value["storeId"],
        channel=value["channel"],
        occurred_at=value["occurredAt"],
        currency_code=value["currencyCode"],
        lines=cast(list[BasketLineInput], [_line(one) for one in value["lines"]]),
        shipping_minor=value["shippingMinor"],
        coupon_codes=value["couponCodes"],
        partner=value["partner"],
    )


def _member(value: Mapping[str, Any]) -> MemberReference:
    return MemberReference(
        id=value.get("id", UNSET),
        external_id=value.get("externalId", UNSET),
        card_number=value.get("cardNumber", UNSET),
    )


@built_by(_basket)
@strawberry.input(description="What somebody wants to buy, and where.")
class ShoppingBasketInput:
    """A basket."""

    member: MemberReference | None = strawberry.field(
        default=UNSET,
        description="Whose it is: needed of tills, and the signed-in member without it.",
    )
    store_id: str = strawberry.field(
        description="The shop's id of the store: 1 to 64 printable characters."
    )
    channel: str = strawberry.field(
        default="store",
        description="How it is bought, such as `store`, `web` or `app`: 1 to 64 printable "
        "characters, compared with the offers' channels as they are.",
    )
    occurred_at: Instant | None = strawberry.field(
        default=None,
        description="When it is bought, which the offers' schedules are held against; now if left "
        "out, and at most 60 seconds ahead of the server's clock.",
    )
    currency_code: CurrencyCode = strawberry.field(
        description="The currency of the amounts: the programme's."
    )
    lines: list[BasketLineInput] = strawberry.field(description="The lines: 1 to 500.")
    shipping_minor: BigInt = strawberry.field(
        default=BigInt(0),
        description="What its delivery costs, in minor units: 0 to 2147483647. It earns nothing.",
    )
    coupon_codes: list[str] | None = strawberry.field(
        default=None,
        description="Codes of coupons that were shown, up to 20; case and dashes do not matter.",
    )
    partner: str | None = strawberry.field(
        default=None,
        description="In whose shop a signed-in member would buy; the operator's own without it. A "
        "till's key says by itself whose it is.",
    )


@strawberry.input(description="A basket to reserve.")
class ReserveBasketInput:
    """Input of reserveBasket."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    basket: ShoppingBasketInput = strawberry.field(description="The basket.")
    ttl_seconds: int | None = strawberry.field(
        default=None,
        description="For how many seconds: 1 up to the programme's maximum for holds; null for "
        "its usual time.",
    )


@strawberry.input(
    description="A basket to confirm: either `basketId`, or `basket` with `quoteToken`."
)
class ConfirmBasketInput:
    """Input of confirmBasket."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    external_id: str = strawberry.field(
        description="The till's id of the purchase, unique in its partner's shops for ever: 1 to "
        "64 printable characters."
    )
    basket_id: strawberry.ID | None = strawberry.field(
        default=None, description="A basket that was reserved by the same partner."
    )
    basket: ShoppingBasketInput | None = strawberry.field(
        default=None, description="The basket, as it was quoted."
    )
    quote_token: str | None = strawberry.field(
        default=None,
        description="The token of the quote that the buyer has agreed to. Beside `basketId` it is "
        "that of a newer quote, as `QuoteChanged` has it.",
    )
    payment_ids: list[strawberry.ID] | None = strawberry.field(
        default=None,
        description="What points, cashback and vouchers have paid of it, as `recordPurchase` has "
        "it. They may make the programme's own rules give less than was quoted; what offers give "
        "stays.",
    )


@strawberry.input(description="The basket to give up.")
class CancelBasketInput:
    """Input of cancelBasket."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    basket_id: strawberry.ID = strawberry.field(
        description="The basket: one of the same partner, or any for the operator's staff."
    )


def basket_of(given: ShoppingBasketInput) -> SentBasket:
    """The basket as the service takes it."""
    return SentBasket(
        member=member_reference(given.member or None),
        store_id=given.store_id,
        channel=given.channel,
        occurred_at=given.occurred_at,
        currency=given.currency_code.name,
        lines=tuple(cast(list[SentLine], given.lines)),
        shipping_minor=given.shipping_minor,
        coupon_codes=tuple(given.coupon_codes or ()),
        partner=given.partner,
    )


def confirmation_of(given: ConfirmBasketInput) -> Confirmation:
    """The confirmation as the service takes it."""
    return Confirmation(
        external_id=given.external_id,
        basket_id=(None if given.basket_id is None else nodes.number_of(given.basket_id, "Basket")),
        basket=None if given.basket is None else basket_of(given.basket),
        token=given.quote_token,
        payment_ids=tuple(
            nodes.number_of(payment_id, "Payment") for payment_id in given.payment_ids or ()
        ),
    )
