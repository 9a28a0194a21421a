"""Standing in line for a flash drop, through the schema."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, cast

import strawberry

from server import clock
from server.catalogue import service
from server.catalogue.drop_shapes import (
    JoinDropInput,
    JoinDropResult,
    LeaveDropInput,
    LeaveDropResult,
    TakeDropPlaceInput,
    TakeDropPlaceResult,
    shown_change,
)
from server.catalogue.order_shapes import shown_ordered
from server.catalogue.service import Ordered, PlaceView, Wish
from server.edge.context import Info
from server.edge.mutation import write_once
from server.edge.permissions import MEMBER, mutation
from server.errors import DomainError


async def _moved(info: Info, input: Any, verb: Callable[[int], Awaitable[PlaceView]]) -> Any:
    async def work() -> PlaceView:
        try:
            return await verb(info.context.principal.member_id or 0)
        except DomainError as error:
            raise error.below("input") from None

    return await write_once(info, input, work=work, result=PlaceView, present=shown_change)


@strawberry.type
class DropMutations:
    """The mutations of drops, for the schema's root."""

    @mutation(
        MEMBER,
        description="Join the line of a flash drop, at its end: the server's order decides. Each "
        "member has one place; joining again answers that place. NotYetOpen before the line is "
        "open for the member.",
    )
    async def join_drop(
        self,
        info: Info,
        input: Annotated[JoinDropInput, strawberry.argument(description="Which line to join.")],
    ) -> JoinDropResult:
        """Join a line."""
        answer = await _moved(
            info, input, lambda member: service.join(input.drop_key, member, now=clock.now())
        )
        return cast(JoinDropResult, answer)

    @mutation(
        MEMBER,
        description="Leave the line of a flash drop for good: everybody behind moves up, and a "
        "unit that was offered passes on.",
    )
    async def leave_drop(
        self,
        info: Info,
        input: Annotated[LeaveDropInput, strawberry.argument(description="Which line to leave.")],
    ) -> LeaveDropResult:
        """Leave a line."""
        answer = await _moved(
            info, input, lambda member: service.leave(input.drop_key, member, now=clock.now())
        )
        return cast(LeaveDropResult, answer)

    @mutation(
        MEMBER,
        description="Order the unit that is offered to the member. NotAllowed while it is not "
        "their turn; AlreadyDecided once their turn has passed.",
    )
    async def take_drop_place(
        self,
        info: Info,
        input: Annotated[
            TakeDropPlaceInput, strawberry.argument(description="Which drop's unit to order.")
        ],
    ) -> TakeDropPlaceResult:
        """Order what is offered."""
        principal = info.context.principal

        async def work() -> Ordered:
            now = clock.now()
            try:
                drop = await service.live_drop(input.drop_key, now)
                wish = Wish(
                    principal.member_id or 0,
                    drop.document.reward,
                    1,
                    by=principal.name,
                    from_household=input.from_household,
                    drop_key=drop.key,
                )
                return await service.place_order(wish, now=now)
            except DomainError as error:
                raise error.below("input") from None

        answer = await write_once(info, input, work=work, result=Ordered, present=shown_ordered)
        return cast(TakeDropPlaceResult, answer)
