"""Baskets in the schema: quoted, reserved, confirmed and cancelled."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated, Any, cast

import strawberry

from server import clock
from server.baskets import service
from server.baskets.basket_types import (
    CANCELLERS,
    READERS,
    TILLS,
    Basket,
    CancelledBasket,
    ConfirmedBasket,
    QuoteChanged,
    ReservedBasket,
    shown_basket,
    shown_changes,
)
from server.baskets.inputs import (
    CancelBasketInput,
    ConfirmBasketInput,
    ReserveBasketInput,
    ShoppingBasketInput,
    basket_of,
    confirmation_of,
)
from server.baskets.quote_types import BasketQuote, shown_quote
from server.baskets.service import Buyer, Changed, Confirmed
from server.cards.graphql import CardUnusable
from server.coupons.limits import COUPON_CODES, MEMBERS_COUPON_CODES
from server.edge import attempts, nodes
from server.edge.context import Info
from server.edge.idempotency import NothingWritten
from server.edge.mutation import write_once
from server.edge.permissions import access, mutation, query
from server.edge.problems import (
    AlreadyDecided,
    ExternalIdConflict,
    IdempotencyConflict,
    InvalidInput,
    NotAllowed,
    NotFound,
    problem_of,
)
from server.errors import DomainError
from server.principal import PrincipalKind, Scope
from server.purchases.graphql import RecordedPurchase

_QUOTERS = access(Scope.PURCHASES_WRITE, members=True)

QuoteBasketResult = Annotated[
    BasketQuote | InvalidInput | NotFound | CardUnusable,
    strawberry.union(
        "QuoteBasketResult", description="The quote, or why the basket can't be looked at."
    ),
]
ReserveBasketResult = Annotated[
    ReservedBasket | InvalidInput | NotFound | CardUnusable | IdempotencyConflict,
    strawberry.union(
        "ReserveBasketResult", description="The reserved basket, or why it is refused."
    ),
]
ConfirmBasketResult = Annotated[
    ConfirmedBasket
    | QuoteChanged
    | InvalidInput
    | NotFound
    | CardUnusable
    | AlreadyDecided
    | NotAllowed
    | ExternalIdConflict
    | IdempotencyConflict,
    strawberry.union(
        "ConfirmBasketResult",
        description="The purchase, what is not as it was quoted, or why it is refused.",
    ),
]
CancelBasketResult = Annotated[
    CancelledBasket | InvalidInput | NotFound | AlreadyDecided | IdempotencyConflict,
    strawberry.union(
        "CancelBasketResult", description="The cancelled basket, or why it is refused."
    ),
]


def _buyer(info: Info) -> Buyer:
    principal = info.context.principal
    if principal.kind is PrincipalKind.MEMBER:
        return Buyer(principal.member_id, None)
    assert principal.partner is not None, "every key has a partner"
    return Buyer(None, principal.partner)


def _reach(info: Info) -> str | None:
    """Whose baskets the caller sees: a till those of its partner, staff (None) all."""
    principal = info.context.principal
    return None if principal.kind is PrincipalKind.STAFF else principal.partner or ""


@strawberry.type
class BasketQueries:
    """The root fields that look at baskets."""

    @query(
        _QUOTERS,
        description="What a basket costs and brings: which offers apply, which do not and what is "
        "missing, points, cashback and the tier after it. Nothing is written or reserved. Codes "
        "that are no coupon for the member are counted, and too many are the top-level error "
        "TOO_MANY_ATTEMPTS.",
    )
    async def quote_basket(
        self,
        info: Info,
        basket: Annotated[ShoppingBasketInput, strawberry.argument(description="The basket.")],
    ) -> QuoteBasketResult:
        """Quote a basket."""
        buyer = _buyer(info)

        async def quoted() -> Any:
            try:
                quote = await service.quote(
                    basket_of(basket), buyer, now=clock.now(), as_of=info.context.principal.as_of
                )
            except DomainError as error:
                return problem_of(error.below("basket"), info.context.language)
            return await shown_quote(info, quote)

        return cast(QuoteBasketResult, await _counting_codes(info, basket, quoted))

    @query(
        READERS,
        description="A basket that was reserved or confirmed: tills find those of their partner, "
        "staff all; null if none is found.",
    )
    async def basket(
        self,
        info: Info,
        basket_id: Annotated[
            strawberry.ID, strawberry.argument(name="id", description="The basket's id.")
        ],
    ) -> Basket | None:
        """A basket by id."""
        number = nodes.number_of(basket_id, "Basket")
        found = await service.find(number, partner=_reach(info), now=clock.now())
        return None if found is None else await shown_basket(info, found)


async def _counting_codes(
    info: Info, basket: ShoppingBasketInput | None, attempt: Callable[[], Awaitable[Any]]
) -> Any:
    """What the attempt answers; codes that are no coupons count against whoever sends them."""
    if basket is None or not basket.coupon_codes:
        return await attempt()
    principal = info.context.principal
    is_member = principal.kind is PrincipalKind.MEMBER
    rule = MEMBERS_COUPON_CODES if is_member else COUPON_CODES
    answer = await attempts.counting_failures(
        rule, principal.name, attempt, is_failure=lambda answer: _unknown_codes(answer) > 0
    )
    with suppress(attempts.TooManyAttempts):  # this answer is told, and then no other
        for _further in range(_unknown_codes(answer) - 1):
            await attempts.take(rule, principal.name)
    return answer


def _unknown_codes(answer: Any) -> int:
    if isinstance(answer, ConfirmedBasket | ReservedBasket):
        answer = answer.basket
    quote = answer if isinstance(answer, BasketQuote) else getattr(answer, "quote", None)
    if not isinstance(quote, BasketQuote):
        return 0
    return sum(one.is_unknown for one in quote.quote.refused_coupons)


@strawberry.type
class BasketMutations:
    """The mutations of baskets, for the schema's root."""

    @mutation(
        TILLS,
        description="Quote a basket and keep it so for a time: its coupons, and its share of the "
        "limits and budgets of its offers, are held until it is confirmed, cancelled or expires.",
    )
    async def reserve_basket(
        self,
        info: Info,
        input: Annotated[ReserveBasketInput, strawberry.argument(description="Which basket.")],
    ) -> ReserveBasketResult:
        """Reserve a basket."""
        buyer = _buyer(info)

        async def work() -> service.BasketView:
            try:
                return await service.reserve(
                    basket_of(input.basket), buyer, ttl_seconds=input.ttl_seconds, now=clock.now()
                )
            except DomainError as error:
                raise error.below("input") from None

        async def present(view: service.BasketView) -> ReservedBasket:
            return ReservedBasket(basket=await shown_basket(info, view))

        async def once() -> Any:
            return await write_once(
                info, input, work=work, result=service.BasketView, present=present
            )

        return cast(ReserveBasketResult, await _counting_codes(info, input.basket, once))

    @mutation(
        TILLS,
        description="Record a basket as a purchase, exactly as it was quoted: with the discounts "
        "as a part of its lines' coupons, and with the points and the cashback of its offers. If "
        "anything is not as it was quoted, nothing happens, and QuoteChanged says what. A reserved "
        "basket keeps its offers, whatever became of them meanwhile.",
    )
    async def confirm_basket(
        self,
        info: Info,
        input: Annotated[ConfirmBasketInput, strawberry.argument(description="Which basket.")],
    ) -> ConfirmBasketResult:
        """Confirm a basket."""
        buyer, wish = _buyer(info), confirmation_of(input)

        async def work() -> Confirmed:
            try:
                return await service.confirm(wish, buyer, now=clock.now())
            except DomainError as error:
                raise error.below("input") from None
            except service.NotConfirmed as refusal:
                raise NothingWritten(refusal) from None

        async def present(answer: Confirmed | service.NotConfirmed) -> Any:
            if isinstance(answer, Confirmed):
                return ConfirmedBasket(
                    basket=await shown_basket(info, answer.basket),
                    purchase=RecordedPurchase(outcome=answer.purchase),
                )
            quote = answer.quote or await service.quote_anew(wish, buyer, now=clock.now())
            return await shown_changes(info, Changed(answer.differences, quote))

        async def once() -> Any:
            return await write_once(info, input, work=work, result=Confirmed, present=present)

        return cast(ConfirmBasketResult, await _counting_codes(info, input.basket, once))

    @mutation(
        CANCELLERS,
        description="Give up a reserved basket: what was held for it is free at once. For the "
        "partner whose till reserved it, and for staff. A basket is confirmed, cancelled or "
        "expires once: AlreadyDecided with the status CONFIRMED, CANCELLED or EXPIRED.",
    )
    async def cancel_basket(
        self,
        info: Info,
        input: Annotated[CancelBasketInput, strawberry.argument(description="Which basket.")],
    ) -> CancelBasketResult:
        """Cancel a basket."""

        async def work() -> service.BasketView:
            try:
                return await service.cancel(
                    nodes.number_of(input.basket_id, "Basket"),
                    partner=_reach(info),
                    now=clock.now(),
                )
            except DomainError as error:
                raise error.below("input") from None

        async def present(view: service.BasketView) -> CancelledBasket:
            return CancelledBasket(basket=await shown_basket(info, view))

        answer = await write_once(
            info, input, work=work, result=service.BasketView, present=present
        )
        return cast(CancelBasketResult, answer)


@nodes.fetches("Basket")
async def _basket(info: Info, basket_id: int) -> Basket | None:
    if not READERS.allows(info.context.principal):
        return None
    found = await service.find(basket_id, partner=_reach(info), now=clock.now())
    return None if found is None else await shown_basket(info, found)
