"""The catalogue in the schema: browsing, ordering, and what becomes of orders."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, cast

import strawberry

from server import clock
from server.cards import service as cards
from server.cards.graphql import member_reference
from server.catalogue import service
from server.catalogue.limits import ORDER_CODES
from server.catalogue.order_shapes import (
    ORDERERS,
    TILLS,
    CancelRewardOrderInput,
    CancelRewardOrderResult,
    FavouriteRewardInput,
    FavouriteRewardResult,
    MarkRewardDeliveredInput,
    MarkRewardDeliveredResult,
    MarkRewardReadyInput,
    MarkRewardReadyResult,
    OrderRewardInput,
    OrderRewardResult,
    PayRewardOrderInput,
    PayRewardOrderResult,
    RewardFavoured,
    RewardOrderChanged,
    UnfavouriteRewardInput,
    UnfavouriteRewardResult,
    shown_order,
    shown_ordered,
)
from server.catalogue.service import Ordered, OrderReference, OrderView, Wish
from server.edge import attempts, nodes
from server.edge.context import Info
from server.edge.mutation import write_once
from server.edge.permissions import MEMBER, mutation
from server.edge.problems import NotFound
from server.errors import DomainError, InvalidInput, phrase
from server.principal import PrincipalKind


async def _member_of(info: Info, input: OrderRewardInput) -> int:
    path = ("input", "member")
    given = member_reference(input.member or None)
    principal = info.context.principal
    if principal.kind is PrincipalKind.MEMBER and principal.member_id is not None:
        if given is not None:
            raise InvalidInput(
                "reward.member",
                path=path,
                value=None,
                accepted=phrase("accepted.nothing_for_member"),
            )
        return principal.member_id
    if given is None:
        raise InvalidInput("input.required", path=path, accepted=phrase("accepted.member"))
    return await cards.member_of(given, path=path)


def _order_of(info: Info, input: Any) -> OrderReference:
    if (input.reward_order_id is None) == (input.order_code is None):
        accepted = phrase("accepted.one_of_two", one="rewardOrderId", other="orderCode")
        raise InvalidInput("input.required", path=("rewardOrderId",), accepted=accepted)
    principal = info.context.principal
    own = principal.member_id if principal.kind is PrincipalKind.MEMBER else None
    if input.reward_order_id is None:
        return OrderReference(code=input.order_code, of_member=own)
    number = nodes.number_of(input.reward_order_id, "RewardOrder")
    return OrderReference(id=number, of_member=own)


async def _change(
    info: Info, input: Any, verb: Callable[[OrderReference], Awaitable[OrderView]]
) -> Any:
    """Let the verb change the order that the input names."""

    async def work() -> OrderView:
        try:
            return await verb(_order_of(info, input))
        except DomainError as error:
            raise error.below("input") from None

    return await attempts.counting_failures(
        ORDER_CODES,
        None if input.order_code is None else info.context.principal.name,
        lambda: write_once(info, input, work=work, result=OrderView, present=_shown_change),
        is_failure=lambda answer: isinstance(answer, NotFound),
    )


def _shown_change(order: OrderView) -> RewardOrderChanged:
    return RewardOrderChanged(order=shown_order(order))


async def _favour(
    info: Info, input: FavouriteRewardInput | UnfavouriteRewardInput, *, likes: bool
) -> Any:
    member_id = info.context.principal.member_id or 0

    async def work() -> service.Favoured:
        try:
            return await service.favour(member_id, input.reward_key, likes=likes, now=clock.now())
        except DomainError as error:
            raise error.below("input") from None

    return await write_once(
        info,
        input,
        work=work,
        result=service.Favoured,
        present=lambda done: RewardFavoured(reward_key=done.key, is_favourite=done.is_favourite),
    )


@strawberry.type
class CatalogueMutations:
    """The mutations of the catalogue, for the schema's root."""

    @mutation(
        ORDERERS,
        description="Order units of a reward for points; those that expire first are used first. "
        "What costs money too is paid at the counter (`payRewardOrder`) before it is handed over.",
    )
    async def order_reward(
        self,
        info: Info,
        input: Annotated[OrderRewardInput, strawberry.argument(description="What to order.")],
    ) -> OrderRewardResult:
        """Order a reward."""

        async def work() -> Ordered:
            member_id = await _member_of(info, input)
            wish = Wish(
                member_id,
                input.reward_key,
                input.quantity,
                by=info.context.principal.name,
                from_household=input.from_household,
            )
            try:
                return await service.place_order(wish, now=clock.now())
            except DomainError as error:
                raise error.below("input") from None

        answer = await write_once(info, input, work=work, result=Ordered, present=shown_ordered)
        return cast(OrderRewardResult, answer)

    @mutation(
        ORDERERS,
        description="Cancel an order: its points come back with their own expiry, or for the "
        "programme's days of grace if they have lapsed meanwhile, and its units go back to the "
        "stock. A member cancels their own orders while these are ISSUED; the shop also what is "
        "READY, and what was theirs at once, a voucher while nothing of it was used.",
    )
    async def cancel_reward_order(
        self,
        info: Info,
        input: Annotated[
            CancelRewardOrderInput, strawberry.argument(description="Which order to cancel.")
        ],
    ) -> CancelRewardOrderResult:
        """Cancel an order."""
        by = info.context.principal.name
        answer = await _change(
            info, input, lambda order: service.cancel(order, by=by, now=clock.now())
        )
        return cast(CancelRewardOrderResult, answer)

    @mutation(TILLS, description="Say that an order can be picked up, or is on its way.")
    async def mark_reward_ready(
        self,
        info: Info,
        input: Annotated[
            MarkRewardReadyInput, strawberry.argument(description="Which order is ready.")
        ],
    ) -> MarkRewardReadyResult:
        """Mark an order as ready."""
        by = info.context.principal.name
        answer = await _change(
            info, input, lambda order: service.mark_ready(order, by=by, now=clock.now())
        )
        return cast(MarkRewardReadyResult, answer)

    @mutation(
        TILLS,
        description="Say that the member has what they ordered. NotAllowed while money is to be "
        "paid for it, or once its code is no longer good.",
    )
    async def mark_reward_delivered(
        self,
        info: Info,
        input: Annotated[
            MarkRewardDeliveredInput,
            strawberry.argument(description="Which order was handed over."),
        ],
    ) -> MarkRewardDeliveredResult:
        """Mark an order as delivered."""
        by = info.context.principal.name
        answer = await _change(
            info, input, lambda order: service.mark_delivered(order, by=by, now=clock.now())
        )
        return cast(MarkRewardDeliveredResult, answer)

    @mutation(
        TILLS,
        description="Say that the money that an order costs besides its points was paid at the "
        "counter. The shop takes it by its own means.",
    )
    async def pay_reward_order(
        self,
        info: Info,
        input: Annotated[
            PayRewardOrderInput, strawberry.argument(description="Which order was paid for.")
        ],
    ) -> PayRewardOrderResult:
        """Mark an order as paid."""
        by = info.context.principal.name
        answer = await _change(
            info, input, lambda order: service.mark_paid(order, by=by, now=clock.now())
        )
        return cast(PayRewardOrderResult, answer)

    @mutation(MEMBER, description="Note that the signed-in member likes a reward.")
    async def favourite_reward(
        self,
        info: Info,
        input: Annotated[
            FavouriteRewardInput, strawberry.argument(description="Which reward they like.")
        ],
    ) -> FavouriteRewardResult:
        """Make a reward a favourite."""
        return cast(FavouriteRewardResult, await _favour(info, input, likes=True))

    @mutation(MEMBER, description="Note that the signed-in member no longer likes a reward.")
    async def unfavourite_reward(
        self,
        info: Info,
        input: Annotated[
            UnfavouriteRewardInput, strawberry.argument(description="Which reward it is.")
        ],
    ) -> UnfavouriteRewardResult:
        """Make a reward no favourite."""
        return cast(UnfavouriteRewardResult, await _favour(info, input, likes=False))
