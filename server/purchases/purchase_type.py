"""A recorded purchase in the schema: its lines, what it brought, and what was returned of it."""

from collections.abc import Sequence
from typing import Annotated

import strawberry

from server import messages
from server.clock import Instant
from server.edge import nodes, pages
from server.edge.context import Info
from server.edge.fields import computed
from server.edge.nodes import Node
from server.edge.pages import PageInfo
from server.edge.permissions import ALL_STAFF, MEMBER_DATA, PURCHASE_DATA, access, query, shown_to
from server.edge.scalars import BigInt, Money
from server.members import service as members
from server.principal import Principal, PrincipalKind, Scope
from server.programme import service as programme
from server.purchases import explaining, service
from server.purchases.explanation_types import PurchaseExplanation, shown_explanation
from server.purchases.graphql import (
    CashbackAccrued,
    EarnedPoints,
    OfferReward,
    shown_cashback,
    shown_earned,
    shown_offers,
)
from server.purchases.return_type import ReturnedPurchase, shown_return
from server.purchases.service import (
    LineState,
    PurchaseReference,
    PurchaseReturnView,
    StoredPurchase,
)

_READERS = access(Scope.PURCHASES_WRITE, roles=ALL_STAFF)


@shown_to(PURCHASE_DATA)
@strawberry.type(description="One line of a purchase, and what of it was returned.")
class PurchaseLine:
    """A line."""

    number: int = strawberry.field(description="Its place in the basket, from 0.")
    product_id: str = strawberry.field(description="The shop's id of the product.")
    department: str = strawberry.field(description="The product's department.")
    product_category: str = strawberry.field(description="The product's category.")
    product_type: str = strawberry.field(description="The product's type.")
    quantity: BigInt = strawberry.field(description="Units bought.")
    sales: Money = strawberry.field(description="What the shop charged for the whole line.")
    coupon: Money = strawberry.field(description="What a manufacturer's coupon took off it.")
    net: Money = strawberry.field(description="Sales less coupon.")
    paid: Money = strawberry.field(
        description="Its share of what points, cashback and vouchers took off the basket."
    )
    returned_quantity: BigInt = strawberry.field(description="Units returned so far.")
    returned: Money = strawberry.field(description="Of its net, what was returned so far.")


@shown_to(PURCHASE_DATA)
@strawberry.type(description="A return of goods of a purchase.")
class PurchaseReturn:
    """A return."""

    occurred_at: Instant = strawberry.field(description="When the goods came back.")
    recorded_at: Instant = strawberry.field(description="When the server was told.")
    answer: ReturnedPurchase = strawberry.field(
        description="What it undid, as it was answered then."
    )


@shown_to(PURCHASE_DATA)
@strawberry.type(description="A recorded purchase, as it stands.")
class Purchase(Node):
    """A purchase."""

    external_id: str = strawberry.field(description="The till's id of the purchase.")
    partner: str = strawberry.field(description="Whose till recorded it.")
    store_id: str = strawberry.field(description="The shop's id of the store.")
    member_id: strawberry.ID = strawberry.field(description="The buyer's id in this API.")
    occurred_at: Instant = strawberry.field(description="When it was made.")
    recorded_at: Instant = strawberry.field(description="When the server was told.")
    programme_version: int = strawberry.field(
        description="The version of the programme whose rules were applied."
    )
    net: Money = strawberry.field(description="Sales less coupons of all lines, as bought.")
    eligible: Money = strawberry.field(
        description="Sales less coupons of the lines that count, at least 0, as bought; without "
        "what value paid for, unless the programme lets that earn too."
    )
    paid: Money = strawberry.field(
        description="What points, cashback and vouchers took off the basket."
    )
    returned: Money = strawberry.field(description="Of the net, what was returned so far.")
    returned_eligible: Money = strawberry.field(
        description="Of the eligible spend, what was returned so far."
    )
    points: int = strawberry.field(description="All points that it brought at first.")
    earned: list[EarnedPoints] = strawberry.field(description="Those points by rule.")
    cashback: CashbackAccrued = strawberry.field(description="The cashback it brought at first.")
    offers: list[OfferReward] = strawberry.field(
        description="What offers did for it at first, if it is a basket that was quoted; by key."
    )
    tier_before: str = strawberry.field(description="The tier that applied to it.")
    number: strawberry.Private[int]
    currency: strawberry.Private[str]
    digits: strawberry.Private[int]

    @computed(description="Its lines, in the order in which the till sent them.")
    async def lines(self, info: Info) -> list[PurchaseLine]:
        """The lines."""
        states = await info.context.loader(_lines).load(self.number)
        return [
            _shown_line(number, state, self.currency, self.digits)
            for number, state in enumerate(states)
        ]

    @computed(description="What was returned of it, the first recorded first.")
    async def returns(self, info: Info) -> list[PurchaseReturn]:
        """The returns."""
        return [
            PurchaseReturn(
                occurred_at=each.occurred_at,
                recorded_at=each.recorded_at,
                answer=shown_return(each.outcome),
            )
            for each in await info.context.loader(_returns).load(self.number)
        ]

    @computed(
        description="Line by line, what earned what and, where nothing, why not; in words of the "
        "caller's language, or of the member's where the caller states none."
    )
    async def explain(self, info: Info) -> PurchaseExplanation:
        """The purchase, explained."""
        found, locale = await info.context.loader(_explanations).load(self.number)
        language = info.context.asked_language or messages.language_of_locale(locale)
        return shown_explanation(found, language)


async def _explanations(
    purchase_ids: list[int],
) -> Sequence[tuple[explaining.PurchaseExplanation, str]]:
    stored = await service.purchases_by_id(purchase_ids)
    wanted = [stored[purchase_id] for purchase_id in purchase_ids]
    found = await explaining.explain(wanted, await programme.rulebook())
    profiles = await members.profiles({each.member_id for each in wanted})
    return [
        (each, profiles[purchase.member_id].locale)
        for each, purchase in zip(found, wanted, strict=True)
    ]


@shown_to(MEMBER_DATA)
@strawberry.type(description="A purchase with its place in the list.")
class PurchaseEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The purchase's place, for `after`.")
    node: Purchase = strawberry.field(description="The purchase.")


@shown_to(MEMBER_DATA)
@strawberry.type(description="A page of a member's purchases, the newest recorded first.")
class PurchaseConnection:
    """Relay's connection."""

    edges: list[PurchaseEdge] = strawberry.field(description="The purchases with their places.")
    nodes: list[Purchase] = strawberry.field(description="The purchases alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


async def _lines(purchase_ids: list[int]) -> Sequence[list[LineState]]:
    found = await service.lines_of(purchase_ids)
    return [found.get(purchase_id, []) for purchase_id in purchase_ids]


async def _returns(purchase_ids: list[int]) -> Sequence[list[PurchaseReturnView]]:
    found = await service.returns_of(purchase_ids)
    return [found.get(purchase_id, []) for purchase_id in purchase_ids]


async def _purchases(purchase_ids: list[int]) -> Sequence[StoredPurchase | None]:
    found = await service.purchases_by_id(purchase_ids)
    return [found.get(purchase_id) for purchase_id in purchase_ids]


def _shown_line(number: int, state: LineState, currency: str, digits: int) -> PurchaseLine:
    def money(amount_minor: int) -> Money:
        return Money.of(amount_minor, currency, digits)

    line = state.line
    return PurchaseLine(
        number=number,
        product_id=line.product_id,
        department=line.department or "",
        product_category=line.product_category or "",
        product_type=line.product_type or "",
        quantity=BigInt(line.quantity),
        sales=money(line.sales_minor),
        coupon=money(line.coupon_minor),
        net=money(state.net_minor),
        paid=money(state.paid_minor),
        returned_quantity=BigInt(state.returned_quantity),
        returned=money(state.returned_minor),
    )


def shown_purchase(purchase: StoredPurchase) -> Purchase:
    """A purchase as the schema shows it."""
    outcome = purchase.outcome

    def money(amount_minor: int) -> Money:
        return Money.of(amount_minor, purchase.currency, outcome.digits)

    return Purchase(
        id=nodes.global_id("Purchase", purchase.id),
        external_id=purchase.external_id,
        partner=purchase.partner,
        store_id=purchase.store_id,
        member_id=nodes.global_id("Member", purchase.member_id),
        occurred_at=purchase.occurred_at,
        recorded_at=purchase.recorded_at,
        programme_version=purchase.programme_version,
        net=money(purchase.net_minor),
        eligible=money(purchase.eligible_minor),
        paid=money(purchase.paid_minor),
        returned=money(purchase.returned_net_minor),
        returned_eligible=money(purchase.returned_eligible_minor),
        points=outcome.points,
        earned=shown_earned(outcome),
        cashback=shown_cashback(outcome),
        offers=shown_offers(outcome),
        tier_before=outcome.tier_before,
        number=purchase.id,
        currency=purchase.currency,
        digits=outcome.digits,
    )


def _may_see(principal: Principal, purchase: StoredPurchase) -> bool:
    if principal.kind is PrincipalKind.MEMBER:
        return principal.member_id == purchase.member_id
    if not _READERS.allows(principal):
        return False
    return principal.kind is PrincipalKind.STAFF or principal.partner == purchase.partner


@nodes.fetches("Purchase")
async def _purchase(info: Info, purchase_id: int) -> Purchase | None:
    purchase = await info.context.loader(_purchases).load(purchase_id)
    if purchase is None or not _may_see(info.context.principal, purchase):
        return None
    return shown_purchase(purchase)


async def _pages(
    member_ids: list[int], limit: int, before: int, partner: str | None
) -> list[list[StoredPurchase]]:
    found = await service.purchases_of(member_ids, partner=partner, before=before, limit=limit)
    return [found[member_id] for member_id in member_ids]


async def purchases_of_member(
    info: Info, member_id: int, *, first: int, after: str | None
) -> PurchaseConnection:
    """A page of those of the member's purchases that the caller may see; one statement for all
    members asked for."""
    limit, before = pages.page(first, after)
    principal = info.context.principal
    partner = seen_by(principal) if principal.kind is PrincipalKind.KEY else None
    loader = info.context.loader(_pages, limit + 1, pages.before(before), partner)
    found = await loader.load(member_id)
    return pages.connected(
        PurchaseConnection,
        PurchaseEdge,
        [(purchase.id, shown_purchase(purchase)) for purchase in found[:limit]],
        has_next=len(found) > limit,
        after=after,
    )


@strawberry.input(
    one_of=True, description="What the caller has of a purchase: exactly one of these."
)
class PurchaseReferenceInput:
    """A reference to a purchase."""

    id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The id that this API gave to the purchase."
    )
    external_id: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The id that the caller's till gave to it. Staff have none.",
    )


def purchase_reference(given: PurchaseReferenceInput) -> PurchaseReference:
    """The reference for the services."""
    if isinstance(given.id, str):  # also an empty one, which is nothing's
        return PurchaseReference(id=nodes.number_of(given.id, "Purchase"))
    return PurchaseReference(external_id=given.external_id or "")


def seen_by(principal: Principal) -> str | None:
    """Whose purchases the caller sees: a till those of its partner, staff (None) all."""
    return None if principal.kind is PrincipalKind.STAFF else principal.partner or ""


@strawberry.type
class PurchaseQueries:
    """The root fields that read purchases."""

    @query(
        _READERS,
        description="One purchase: tills find those of their partner, by id or by their own id, "
        "staff all, by id; null if none is found.",
    )
    async def purchase(
        self,
        info: Info,
        by: Annotated[PurchaseReferenceInput, strawberry.argument(description="Which is meant.")],
    ) -> Purchase | None:
        """A purchase by reference."""
        partner = seen_by(info.context.principal)
        found = await service.find(purchase_reference(by), partner=partner)
        return None if found is None else shown_purchase(found)
