"""What tills send to pay, as the schema has it, and what the verbs make of it."""

from typing import TypeVar

import strawberry

from server.cards.graphql import MemberReference, member_reference
from server.cards.service import MemberReference as Reference
from server.edge.mutation import KEY_DESCRIPTION
from server.edge.scalars import BigInt, CurrencyCode
from server.errors import InvalidInput, phrase
from server.payments.service import Basket
from server.payments.shown import HoldAsset

_Value = TypeVar("_Value")

_FROM_HOUSEHOLD = (
    "Whether to use the points of the member's whole household, together in the order in which "
    "they expire. The member must be its owner or one who may spend."
)
_POINTS = (
    "How many points to offer; null for as many as the rules allow. They take off "
    "`points * worth / rate`, by `payingWithPoints` in the programme's terms, rounded down to the "
    "minor unit; charged are only as many points as that needs, rounded up to whole points. At "
    "least the programme's minimum, and no more than take off its maximum share of the basket, "
    "which is rounded down to the minor unit."
)
_CASHBACK_MINOR = (
    "How much cashback to use, in minor units of the currency: 1 up to the basket's net. Null for "
    "as much as is available and the basket takes."
)


@strawberry.input(description="What is to be paid for.")
class BasketInput:
    """A basket."""

    net_minor: BigInt = strawberry.field(
        description="Its net sum in minor units of the currency, before this payment: 1 to "
        "2147483647."
    )
    currency_code: CurrencyCode = strawberry.field(
        description="The currency of the sum: the programme's."
    )


@strawberry.input(description="Points to take off a basket.")
class PayWithPointsInput:
    """Input of payWithPoints."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    member: MemberReference = strawberry.field(description="Who pays.")
    basket: BasketInput = strawberry.field(description="What is to be paid for.")
    points: int | None = strawberry.field(default=None, description=_POINTS)
    from_household: bool = strawberry.field(default=False, description=_FROM_HOUSEHOLD)


@strawberry.input(description="Cashback to take off a basket.")
class PayWithCashbackInput:
    """Input of payWithCashback."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    member: MemberReference = strawberry.field(description="Who pays.")
    basket: BasketInput = strawberry.field(description="What is to be paid for.")
    amount_minor: BigInt | None = strawberry.field(default=None, description=_CASHBACK_MINOR)


@strawberry.input(description="A voucher to take off a basket.")
class PayWithVoucherInput:
    """Input of payWithVoucher."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    voucher_code: str = strawberry.field(
        description="The voucher's code, in any case, with or without its hyphen. Whoever presents "
        "it may use it."
    )
    basket: BasketInput = strawberry.field(
        description="What is to be paid for, in the voucher's currency."
    )
    amount_minor: BigInt | None = strawberry.field(
        default=None,
        description="How much of the voucher to use, in minor units: 1 up to what remains of it "
        "and what the basket takes. Null for as much as that.",
    )


@strawberry.input(description="What to reserve for a basket to come.")
class HoldInput:
    """Input of hold."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    member: MemberReference = strawberry.field(description="Whose value.")
    asset: HoldAsset = strawberry.field(description="What to reserve.")
    points: int | None = strawberry.field(
        default=None,
        description="How many points: the programme's minimum for paying up to 2147483647. For "
        "points alone, and needed there.",
    )
    amount_minor: BigInt | None = strawberry.field(
        default=None,
        description="How much cashback, in minor units: 1 to 2147483647. For cashback alone, and "
        "needed there.",
    )
    ttl_seconds: int | None = strawberry.field(
        default=None,
        description="For how many seconds: 1 up to the programme's maximum; null for its usual "
        "time.",
    )
    from_household: bool = strawberry.field(
        default=False, description=f"{_FROM_HOUSEHOLD} For points alone."
    )


@strawberry.input(description="The hold to pay with.")
class SettleInput:
    """Input of settle."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    hold_id: strawberry.ID = strawberry.field(description="The hold: one of the same partner.")
    basket: BasketInput = strawberry.field(description="What is to be paid for.")
    points: int | None = strawberry.field(
        default=None,
        description=f"{_POINTS} For a hold of points alone; at most what it holds.",
    )
    amount_minor: BigInt | None = strawberry.field(
        default=None,
        description=f"{_CASHBACK_MINOR} For a hold of cashback alone; at most what it holds.",
    )


@strawberry.input(description="The hold to give up.")
class ReleaseInput:
    """Input of release."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    hold_id: strawberry.ID = strawberry.field(
        description="The hold: one of the same partner, or any for the operator's staff."
    )


@strawberry.input(description="The payment to cancel.")
class CancelPaymentInput:
    """Input of cancelPayment."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    payment_id: strawberry.ID = strawberry.field(
        description="The payment: one of the same partner, or any for the operator's staff. One "
        "that has paid for a purchase can't be cancelled: return the purchase instead."
    )


def basket_of(given: BasketInput) -> Basket:
    """The basket for the verbs."""
    return Basket(net_minor=given.net_minor, currency=given.currency_code.name)


def reference_of(given: MemberReference) -> Reference:
    """The member for the verbs."""
    reference = member_reference(given)
    assert reference is not None, "the schema requires it"
    return reference


def held_of(given: HoldInput) -> tuple[str, int]:
    """What to hold, "points" or "cashback", and how much of it.

    Raises InvalidInput unless exactly the amount that fits the asset is given.
    """
    if given.asset is HoldAsset.POINTS:
        _refuse("amountMinor", given.amount_minor)
        return "points", _needed("points", given.points)
    _refuse("points", given.points)
    if given.from_household:
        raise InvalidInput(
            "hold.asset",
            path=("fromHousehold",),
            value="true",
            accepted=phrase("accepted.false_for_cashback"),
        )
    return "cashback", _needed("amountMinor", given.amount_minor)


def _refuse(field: str, value: object) -> None:
    if value is not None:
        raise InvalidInput(
            "hold.asset", path=(field,), value=value, accepted=phrase("accepted.nothing")
        )


def _needed(field: str, value: _Value | None) -> _Value:
    if value is None:
        raise InvalidInput("input.required", path=(field,), accepted=phrase("accepted.an_amount"))
    return value
