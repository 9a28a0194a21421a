"""Baskets, and what is not as it was quoted, in the schema."""

import strawberry

from server.baskets import service
from server.baskets.quote_types import BasketQuote, shown_quote
from server.baskets.service import BasketStatus, Changed, DifferenceKind
from server.clock import Instant
from server.definitions import service as definitions
from server.edge import nodes
from server.edge.context import Info
from server.edge.enums import described
from server.edge.nodes import Node
from server.edge.permissions import ALL_STAFF, OPERATORS, access, shown_to
from server.edge.problems import Problem
from server.edge.scalars import BigInt
from server.errors import ProblemCode
from server.messages import text
from server.offers.evaluation import WhyNot
from server.principal import Scope
from server.purchases.graphql import RecordedPurchase
from server.purchases.service import EarnedRule

TILLS = access(Scope.PURCHASES_WRITE)
READERS = access(Scope.PURCHASES_WRITE, roles=ALL_STAFF)
CANCELLERS = access(Scope.PURCHASES_WRITE, roles=OPERATORS)

described(
    BasketStatus,
    description="What became of a basket.",
    RESERVED="Its offers and coupons are held for it.",
    EXPIRED="Its time is over: what was held is free again.",
    CONFIRMED="It was recorded as a purchase.",
    CANCELLED="It was given up.",
)
described(
    DifferenceKind,
    name="QuoteDifferenceKind",
    description="What is not as it was quoted.",
    EXPIRED="The quote is too old.",
    MEMBER="It was quoted for another member.",
    PLACE="The partner, the store, the channel or the currency.",
    LINES="How many lines there are.",
    PRODUCT="A line is of another product, or has other labels.",
    QUANTITY="The units of a line.",
    PRICE="The sales of a line, in minor units.",
    COUPON="What a coupon of the till's takes off a line, in minor units.",
    SHIPPING="What the delivery costs, in minor units.",
    OFFER_GONE="An offer applies no longer.",
    OFFER_NEW="An offer applies that did not.",
    OFFER_CHANGED="An offer has another version.",
    OFFER_DISCOUNT="What an offer takes off the lines, in minor units.",
    OFFER_POINTS="The points that an offer gives.",
    OFFER_CASHBACK="The cashback that an offer gives, in minor units.",
    OFFER_SHIPPING="What an offer takes off the delivery, in minor units.",
    OFFER_GIFT="The gift of an offer.",
    DISCOUNT="What all offers take off a line, in minor units.",
    POINTS="The points of one of the programme's rules.",
    CASHBACK="The cashback of the programme's own rule, in minor units.",
    TIER="The tier that applies, or the one after the basket.",
)


@shown_to(READERS)
@strawberry.type(description="A basket that was reserved or confirmed.")
class Basket(Node):
    """A basket."""

    partner: str = strawberry.field(description="Whose till reserved or confirmed it.")
    status: BasketStatus = strawberry.field(description="What became of it.")
    held_until: Instant | None = strawberry.field(
        description="When what is held for it is free again; null for one that was confirmed at "
        "once."
    )
    decided_at: Instant | None = strawberry.field(
        description="When it was confirmed or cancelled; null before."
    )
    purchase_id: strawberry.ID | None = strawberry.field(
        description="The purchase that it became, if it was confirmed."
    )
    quote: BasketQuote = strawberry.field(description="What it was quoted.")


@shown_to(TILLS)
@strawberry.type(description="A basket is reserved.")
class ReservedBasket:
    """Success of reserving."""

    basket: Basket = strawberry.field(description="The basket.")


@shown_to(CANCELLERS)
@strawberry.type(description="A basket is given up.")
class CancelledBasket:
    """Success of cancelling."""

    basket: Basket = strawberry.field(description="The basket.")


@shown_to(TILLS)
@strawberry.type(description="A basket that is a purchase now, exactly as it was quoted.")
class ConfirmedBasket:
    """Success of confirming."""

    basket: Basket = strawberry.field(description="The basket.")
    purchase: RecordedPurchase = strawberry.field(description="The purchase, with what it brought.")


@shown_to(TILLS)
@strawberry.type(
    description="One thing that is not as it was quoted. What does not concern it is null."
)
class QuoteDifference:
    """A difference."""

    kind: DifferenceKind = strawberry.field(description="What it is.")
    line: int | None = strawberry.field(description="The line's place in the basket, from 0.")
    offer: str | None = strawberry.field(description="The offer's key.")
    rule: EarnedRule | None = strawberry.field(description="The rule, for POINTS.")
    reason: WhyNot | None = strawberry.field(
        description="Why the offer applies no longer, for OFFER_GONE, such as BUDGET_EXHAUSTED; "
        "null where it is published no more."
    )
    quoted: BigInt | None = strawberry.field(
        description="What was quoted, in the unit that the kind names; for an offer of which too "
        "little is left, what it would take."
    )
    now: BigInt | None = strawberry.field(
        description="What it is now, in the same unit; for an offer of which too little is left, "
        "what is left."
    )
    quoted_text: str | None = strawberry.field(description="What was quoted, where it is a name.")
    now_text: str | None = strawberry.field(description="What it is now, where it is a name.")
    message: str = strawberry.field(description="The same in words, in the caller's language.")


@shown_to(TILLS)
@strawberry.type(
    description="The basket is not confirmed, and nothing was changed, because it is not as it was "
    "quoted. The key may be used again."
)
class QuoteChanged(Problem):
    """What is different."""

    differences: list[QuoteDifference] = strawberry.field(description="Everything that is.")
    quote: BasketQuote = strawberry.field(
        description="What it costs and brings now; its token confirms it so."
    )


async def shown_basket(info: Info, view: service.BasketView) -> Basket:
    """A basket as the schema shows it."""
    await definitions.shelves()  # what offers are called
    is_purchase = view.purchase_id is not None
    return Basket(
        id=nodes.global_id("Basket", view.id),
        partner=view.partner,
        status=view.status,
        held_until=view.held_until,
        decided_at=view.decided_at,
        purchase_id=nodes.global_id("Purchase", view.purchase_id or 0) if is_purchase else None,
        quote=await shown_quote(info, view.quote),
    )


async def shown_changes(info: Info, changed: Changed) -> QuoteChanged:
    """What is not as it was quoted, as the schema shows it."""
    await definitions.shelves()
    quote = await shown_quote(info, changed.quote)
    return QuoteChanged(
        code=ProblemCode.QUOTE_CHANGED,
        message=text("basket.changed", info.context.language),
        differences=[
            QuoteDifference(
                kind=one.kind,
                line=one.line,
                offer=one.offer,
                rule=one.rule,
                reason=None if one.why_not is None else WhyNot(one.why_not),
                quoted=None if one.quoted is None else BigInt(one.quoted),
                now=None if one.now is None else BigInt(one.now),
                quoted_text=one.quoted_text,
                now_text=one.now_text,
                message=quote.wording.difference(one),
            )
            for one in changed.differences
        ],
        quote=quote,
    )
