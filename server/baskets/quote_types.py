"""What a basket is quoted, in the schema."""

from typing import Annotated

import strawberry

from server.baskets import service
from server.baskets.reasons import OfferReason
from server.baskets.shapes import RefusedCoupon as Refused
from server.baskets.wording import Wording
from server.clock import Instant
from server.definitions import service as definitions
from server.edge import nodes
from server.edge.context import Info
from server.edge.fields import computed
from server.edge.permissions import ALL_STAFF, access, shown_to
from server.edge.scalars import BigInt, Money
from server.errors import NotFound
from server.messages import text
from server.offers.documents import Goods
from server.offers.evaluation import Applied, NotApplied
from server.offers.uses import KIND as OFFER
from server.principal import Scope
from server.programme import service as programme
from server.purchases.graphql import CashbackAccrued, EarnedPoints, shown_cashback, shown_earned

QUOTED = access(Scope.PURCHASES_WRITE, members=True, roles=ALL_STAFF)
"""Who sees quotes: tills, members their own, and staff what was reserved or confirmed."""
MAXIMUM_NOT_APPLIED = 100


@shown_to(QUOTED)
@strawberry.type(description="What an offer does for one line.")
class OfferLine:
    """A share."""

    number: int = strawberry.field(description="The line's place in the basket, from 0.")
    discount: Money = strawberry.field(description="What the offer takes off it.")
    points: int = strawberry.field(description="The points that the offer gives for it.")
    cashback: Money = strawberry.field(description="The cashback that the offer gives for it.")


@shown_to(QUOTED)
@strawberry.type(description="Something that comes with a basket for nothing.")
class BasketGift:
    """A gift."""

    product_id: str = strawberry.field(description="The shop's id of the product.")
    quantity: BigInt = strawberry.field(description="How many.")
    name: str = strawberry.field(description="What it is called.")


@shown_to(QUOTED)
@strawberry.type(description="An offer that applies to a basket, and everything that it gives.")
class AppliedOffer:
    """An offer that applies."""

    offer: str = strawberry.field(description="The offer's key.")
    version: int = strawberry.field(description="The version of the offer.")
    title: str = strawberry.field(
        description="What it is called, in the caller's language or the nearest that it has."
    )
    times: int = strawberry.field(
        description="How often it applies, where one buys some to get some; 1 of all others."
    )
    discount: Money = strawberry.field(description="What it takes off the lines: their sum.")
    shipping_discount: Money = strawberry.field(description="What it takes off the delivery.")
    points: int = strawberry.field(description="The points that it gives: the sum of the lines.")
    cashback: Money = strawberry.field(
        description="The cashback that it gives: the sum of the lines."
    )
    gift: BasketGift | None = strawberry.field(description="The gift that it gives, if any.")
    lines: list[OfferLine] = strawberry.field(
        description="What it does for each line that it does anything for, in their order."
    )


@shown_to(QUOTED)
@strawberry.type(
    description="What more is needed of, in the words of the shop's data: of each list that is not "
    "empty one value; all goods if all are empty."
)
class NeededGoods:
    """Goods."""

    departments: list[str] = strawberry.field(description="Departments.")
    product_categories: list[str] = strawberry.field(description="Categories.")
    product_types: list[str] = strawberry.field(description="Types.")
    brands: list[str] = strawberry.field(description="Brands.")
    products: list[str] = strawberry.field(description="Ids of products.")


@shown_to(QUOTED)
@strawberry.type(description="An offer that does not apply to a basket, and what is missing.")
class NotAppliedOffer:
    """An offer that does not apply; what does not concern the reason is null."""

    offer: str = strawberry.field(description="The offer's key.")
    version: int = strawberry.field(description="The version of the offer.")
    title: str = strawberry.field(
        description="What it is called, in the caller's language or the nearest that it has."
    )
    reason: OfferReason = strawberry.field(description="Why it does not apply.")
    message: str = strawberry.field(
        description="The same in words for the member, in the caller's language."
    )
    shortfall: Money | None = strawberry.field(
        description="Exactly how much more has to be bought, for SPEND_TOO_LOW."
    )
    shortfall_quantity: BigInt | None = strawberry.field(
        description="Exactly how many more units have to be bought, for QUANTITY_TOO_LOW."
    )
    shortfall_of: NeededGoods | None = strawberry.field(
        description="Of what more is needed; null if the reason is another."
    )
    available_at: Instant | None = strawberry.field(
        description="From when on it counts, for NOT_STARTED."
    )
    limit: BigInt | None = strawberry.field(
        description="What is reached: uses, or the budget in minor units or points."
    )
    left: BigInt | None = strawberry.field(
        description="What is left of the budget, in minor units or points."
    )
    winner: str | None = strawberry.field(
        description="The key of the offer that applies in its place."
    )


@shown_to(QUOTED)
@strawberry.type(description="One line of a quoted basket, with what all offers do for it.")
class QuotedLine:
    """A line."""

    number: int = strawberry.field(description="Its place in the basket, from 0.")
    product_id: str = strawberry.field(description="The shop's id of the product.")
    quantity: BigInt = strawberry.field(description="Units.")
    before: Money = strawberry.field(description="Sales less the till's coupon, before offers.")
    discount: Money = strawberry.field(description="What all offers take off it.")
    after: Money = strawberry.field(description="What it costs: `before` less `discount`.")
    points: int = strawberry.field(description="The points that offers give for it.")
    cashback: Money = strawberry.field(description="The cashback that offers give for it.")


@shown_to(QUOTED)
@strawberry.type(description="A coupon code that can't be used for the basket.")
class RefusedCoupon:
    """A refused code."""

    place: int = strawberry.field(description="The code's place in `couponCodes`, from 0.")
    message: str = strawberry.field(
        description="Why, in the caller's language. A code that does not exist and one that is for "
        "others are told alike."
    )


@shown_to(QUOTED)
@strawberry.type(
    description="What a basket costs and brings. Nothing is reserved by a quote: until it is "
    "confirmed, prices, offers and what is left of them may change."
)
class BasketQuote:
    """A quote; each field is made when it is asked for."""

    quote: strawberry.Private[service.Quote]
    wording: strawberry.Private[Wording]

    def _money(self, amount_minor: int) -> Money:
        return Money.of(amount_minor, self.wording.currency, self.wording.digits)

    @computed(description="The member's id in this API.")
    def member_id(self) -> strawberry.ID:
        """Whose it is."""
        return nodes.global_id("Member", self.quote.member_id)

    @computed(description="The lines, in their order.")
    def lines(self) -> list[QuotedLine]:
        """The lines."""
        lines = self.quote.basket.lines
        return [
            QuotedLine(
                number=number,
                product_id=line.product_id,
                quantity=BigInt(line.quantity),
                before=self._money(line.net_minor),
                discount=self._money(one.discount_minor),
                after=self._money(line.net_minor - one.discount_minor),
                points=one.points,
                cashback=self._money(one.cashback_minor),
            )
            for number, (line, one) in enumerate(
                zip(lines, self.quote.evaluation.lines, strict=True)
            )
        ]

    @computed(description="The offers that apply, in the order in which they take theirs.")
    def applied(self) -> list[AppliedOffer]:
        """What applies."""
        return [self._applied(one) for one in self.quote.evaluation.applied]

    def _applied(self, one: Applied) -> AppliedOffer:
        gift = one.gift
        return AppliedOffer(
            offer=one.offer,
            version=one.version,
            title=self.wording.title(one.offer, one.version),
            times=one.times,
            discount=self._money(one.discount_minor),
            shipping_discount=self._money(one.shipping_minor),
            points=one.points,
            cashback=self._money(one.cashback_minor),
            gift=None
            if gift is None
            else BasketGift(
                product_id=gift.product_id, quantity=BigInt(gift.quantity), name=gift.name
            ),
            lines=self._offer_lines(one),
        )

    def _offer_lines(self, one: Applied) -> list[OfferLine]:
        money, nothing = self._money, self._money(0)
        if not one.point_shares and not one.cashback_shares:
            return [
                OfferLine(number=number, discount=money(off), points=0, cashback=nothing)
                for number, off in one.line_shares
            ]
        discounts, points = dict(one.line_shares), dict(one.point_shares)
        cashback = dict(one.cashback_shares)
        return [
            OfferLine(
                number=number,
                discount=money(discounts[number]) if number in discounts else nothing,
                points=points.get(number, 0),
                cashback=money(cashback[number]) if number in cashback else nothing,
            )
            for number in sorted(discounts.keys() | points.keys() | cashback.keys())
        ]

    @computed(
        description="The offers that do not apply, those for which least is missing first: the "
        "first 100 of them at most."
    )
    def not_applied(
        self,
        most: Annotated[int, strawberry.argument(description="How many at most: 0 to 100.")] = 20,
    ) -> list[NotAppliedOffer]:
        """What does not apply."""
        shown = self.quote.evaluation.not_applied[: max(0, min(most, MAXIMUM_NOT_APPLIED))]
        return [self._not_applied(one) for one in shown]

    def _not_applied(self, one: NotApplied) -> NotAppliedOffer:
        short = one.shortfall_minor
        return NotAppliedOffer(
            offer=one.offer,
            version=one.version,
            title=self.wording.title(one.offer, one.version),
            reason=one.reason,
            message=self.wording.why_not(one),
            shortfall=None if short is None else self._money(short),
            shortfall_quantity=_big(one.shortfall_quantity),
            shortfall_of=None if one.shortfall_of is None else _goods(one.shortfall_of),
            available_at=one.available_at,
            limit=_big(one.limit),
            left=_big(one.left),
            winner=one.winner,
        )

    @computed(description="What the lines cost before offers, together.")
    def before(self) -> Money:
        """Before offers."""
        return self._money(sum(line.net_minor for line in self.quote.basket.lines))

    @computed(description="What offers take off the lines, together.")
    def discount(self) -> Money:
        """The discount."""
        return self._money(self.quote.evaluation.discount_minor)

    @computed(description="What the lines cost, together: `before` less `discount`.")
    def after(self) -> Money:
        """After offers."""
        return self._money(self.quote.purchase.net_minor)

    @computed(description="What the delivery costs before offers.")
    def shipping(self) -> Money:
        """The delivery."""
        return self._money(self.quote.basket.shipping_minor)

    @computed(description="What offers take off the delivery.")
    def shipping_discount(self) -> Money:
        """Off the delivery."""
        return self._money(self.quote.evaluation.shipping_discount_minor)

    @computed(description="What is to be paid: the lines and the delivery, less what offers take.")
    def total(self) -> Money:
        """All together."""
        shipping = self.quote.basket.shipping_minor - self.quote.evaluation.shipping_discount_minor
        return self._money(self.quote.purchase.net_minor + shipping)

    @computed(
        description="All points that it would bring, if nothing of it is paid with value: the sum "
        "of `earned`."
    )
    def points(self) -> int:
        """Its points."""
        return self.quote.purchase.points

    @computed(description="The points by rule, offers and completed challenges included.")
    def earned(self) -> list[EarnedPoints]:
        """Its points by rule."""
        return shown_earned(self.quote.purchase)

    @computed(description="The cashback that the programme's own rule would bring.")
    def cashback(self) -> CashbackAccrued:
        """Its cashback."""
        return shown_cashback(self.quote.purchase)

    @computed(description="The cashback that offers give beside it.")
    def offers_cashback(self) -> Money:
        """What offers add."""
        return self._money(self.quote.evaluation.cashback_minor)

    @computed(description="The tier that applies to it.")
    def tier_before(self) -> str:
        """The tier before it."""
        return self.quote.purchase.tier_before

    @computed(description="The tier after it.")
    def tier_after(self) -> str:
        """The tier after it."""
        return self.quote.purchase.tier_after

    @computed(description="What comes with it for nothing.")
    def gifts(self) -> list[BasketGift]:
        """Its gifts."""
        return [
            BasketGift(product_id=one.product_id, quantity=BigInt(one.quantity), name=one.name)
            for one in self.quote.evaluation.gifts
        ]

    @computed(description="The coupon codes that can't be used for it.")
    def refused_coupons(self) -> list[RefusedCoupon]:
        """What was refused."""
        return [_refused(one, self.wording.language) for one in self.quote.refused_coupons]

    @computed(
        description="What `confirmBasket` compares with: hand it back as it is. At most 131072 "
        "characters."
    )
    async def quote_token(self) -> str:
        """The token."""
        return await service.token_of(self.quote)

    @computed(description="When it was quoted.")
    def quoted_at(self) -> Instant:
        """Its instant."""
        return self.quote.quoted_at

    @computed(
        description="Until when it can be confirmed, if it still holds; of a reserved basket, "
        "until when it is reserved."
    )
    def expires_at(self) -> Instant:
        """Its end."""
        return self.quote.expires_at


def _big(number: int | None) -> BigInt | None:
    return None if number is None else BigInt(number)


def _goods(of: Goods) -> NeededGoods:
    return NeededGoods(
        departments=list(of.departments),
        product_categories=list(of.product_categories),
        product_types=list(of.product_types),
        brands=list(of.brands),
        products=list(of.products),
    )


def _refused(one: Refused, language: str) -> RefusedCoupon:
    return RefusedCoupon(place=one.place, message=text(one.reason, language, **one.facts))


async def shown_quote(info: Info, quote: service.Quote) -> BasketQuote:
    """A quote as the schema shows it."""
    outcome = quote.purchase
    try:
        published = programme.remembered().numbered(outcome.programme_version)
    except NotFound:  # it was quoted by another process
        published = (await programme.rulebook()).numbered(outcome.programme_version)
    shelf = definitions.remembered().of(OFFER)
    if not all(shelf.has(one.offer, one.version) for one in outcome.offers):
        shelf = (await definitions.shelves()).of(OFFER)
    wording = Wording(
        info.context.language,
        outcome.currency,
        outcome.digits,
        published.programme.programme.timezone,
        shelf,
    )
    return BasketQuote(quote=quote, wording=wording)
