"""What tills send to record purchases, in the schema."""

from collections.abc import Mapping
from typing import Any, cast

import strawberry
from strawberry import UNSET

from server.cards.graphql import MemberReference, member_reference
from server.clock import Instant
from server.edge import nodes
from server.edge.inputs import built_by
from server.edge.mutation import KEY_DESCRIPTION
from server.edge.scalars import BigInt, CurrencyCode
from server.purchases.service import Draft, Line, Submission


def _line(value: Mapping[str, Any]) -> Line:
    return Line(
        value["productId"],
        value["department"],
        value["productCategory"],
        value["productType"],
        value["quantity"],
        value["salesMinor"],
        value["couponMinor"],
    )


@built_by(_line)
@strawberry.input(description="One line of a basket.")
class PurchaseLineInput:
    """A line."""

    product_id: str = strawberry.field(
        description="The shop's id of the product: 1 to 64 printable characters."
    )
    quantity: BigInt = strawberry.field(
        description="Units, 0 or more; the amounts are for the whole line, whatever the quantity."
    )
    sales_minor: BigInt = strawberry.field(
        description="What the shop charges for the whole line after its own discounts, in minor "
        "units of the currency, 0 or more."
    )
    coupon_minor: BigInt = strawberry.field(
        default=BigInt(0),
        description="What a manufacturer's coupon takes off it, in minor units, 0 or more.",
    )
    department: str | None = strawberry.field(
        default=None,
        description="The product's department, which bonuses, cashback, exclusions and challenges "
        "look at: 1 to 120 printable characters; the programme's unknown label if left out.",
    )
    product_category: str | None = strawberry.field(
        default=None, description="The product's category, as `department`."
    )
    product_type: str | None = strawberry.field(
        default=None, description="The product's type, as `department`."
    )


def _purchase(value: Mapping[str, Any]) -> "PurchaseInput":
    payment_ids = value["paymentIds"]
    return PurchaseInput(
        external_id=value["externalId"],
        member=_member(value["member"]),
        occurred_at=value["occurredAt"],
        store_id=value["storeId"],
        currency_code=value["currencyCode"],
        lines=cast(list[PurchaseLineInput], [_line(one) for one in value["lines"]]),
        payment_ids=None if payment_ids is None else list(payment_ids),
        enrol_if_unknown=value["enrolIfUnknown"],
    )


def _member(value: Mapping[str, Any]) -> MemberReference:
    return MemberReference(
        id=value.get("id", UNSET),
        external_id=value.get("externalId", UNSET),
        card_number=value.get("cardNumber", UNSET),
    )


@built_by(_purchase)
@strawberry.input(description="A purchase as the till has it.")
class PurchaseInput:
    """A purchase."""

    external_id: str = strawberry.field(
        description="The till's id of the purchase, unique in its partner's shops for ever: 1 to "
        "64 printable characters."
    )
    member: MemberReference = strawberry.field(description="Who bought.")
    occurred_at: Instant = strawberry.field(
        description="When the purchase was made. It decides what counts, however late the purchase "
        "is sent; at most 60 seconds ahead of the server's clock."
    )
    store_id: str = strawberry.field(
        description="The shop's id of the store: 1 to 64 printable characters."
    )
    currency_code: CurrencyCode = strawberry.field(
        description="The currency of the amounts: the programme's."
    )
    lines: list[PurchaseLineInput] = strawberry.field(description="The lines: 1 to 500.")
    payment_ids: list[strawberry.ID] | None = strawberry.field(
        default=None,
        description="What points, cashback and vouchers have paid of it: up to 10 payments, which "
        "together take off no more than the basket's net, and of which points no more than the "
        "programme's maximum share of it. What they paid for earns nothing, unless the programme "
        "says otherwise.",
    )
    enrol_if_unknown: bool = strawberry.field(
        default=False,
        description="Whether to enrol the buyer, at `occurredAt` and just before the purchase, if "
        "`member.externalId` is not known yet.",
    )


def _to_record(value: Mapping[str, Any]) -> "RecordPurchaseInput":
    return RecordPurchaseInput(
        idempotency_key=value["idempotencyKey"], purchase=_purchase(value["purchase"])
    )


@built_by(_to_record)
@strawberry.input(description="A purchase to record.")
class RecordPurchaseInput:
    """Input of recordPurchase."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    purchase: PurchaseInput = strawberry.field(description="The purchase.")


def _all_to_record(value: Mapping[str, Any]) -> "RecordPurchasesInput":
    return RecordPurchasesInput(
        idempotency_key=value["idempotencyKey"],
        purchases=[_purchase(one) for one in value["purchases"]],
    )


@built_by(_all_to_record)
@strawberry.input(description="Purchases to record, in one commit.")
class RecordPurchasesInput:
    """Input of recordPurchases."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    purchases: list[PurchaseInput] = strawberry.field(
        description="1 to 500 purchases, recorded in this order; each is answered by itself."
    )


def submission_of(given: PurchaseInput) -> Submission:
    """The purchase as the service takes it. Raises InvalidInput, with the path below it."""
    reference = member_reference(given.member)
    assert reference is not None, "the schema requires it"
    return Submission(
        Draft(
            external_id=given.external_id,
            member=reference,
            occurred_at=given.occurred_at,
            store_id=given.store_id,
            currency=given.currency_code.name,
            lines=tuple(cast(list[Line], given.lines)),
            payment_ids=tuple(
                nodes.number_of(payment_id, "Payment") for payment_id in given.payment_ids or ()
            ),
        ),
        given.enrol_if_unknown,
    )
