"""Returning goods, in the schema."""

from typing import Annotated, cast

import strawberry

from server import clock
from server.clock import Instant
from server.edge.context import Info
from server.edge.mutation import KEY_DESCRIPTION, write_once
from server.edge.permissions import access, mutation
from server.edge.problems import (
    ExternalIdConflict,
    IdempotencyConflict,
    InvalidInput,
    NotFound,
)
from server.edge.scalars import BigInt
from server.errors import DomainError
from server.principal import Scope, StaffRole
from server.purchases import service
from server.purchases.purchase_type import (
    PurchaseReferenceInput,
    purchase_reference,
    seen_by,
)
from server.purchases.return_type import ReturnedPurchase, shown_return
from server.purchases.service import LineReturn, ReturnDraft


@strawberry.input(
    description="What comes back of one line: either `quantity` or `amountMinor`. One line may "
    "come back in both ways, in several returns."
)
class ReturnLineInput:
    """A line."""

    number: int = strawberry.field(description="The line's place in the basket, from 0.")
    quantity: BigInt | None = strawberry.field(
        default=None,
        description="Units, 1 or more. They give back their exact share of the line's net for all "
        "units so far, rounded down to the minor unit: all that is left with the last one.",
    )
    amount_minor: BigInt | None = strawberry.field(
        default=None,
        description="So much of the line's net (sales less coupon), in minor units, 1 or more.",
    )


@strawberry.input(description="A return as the till has it.")
class ReturnInput:
    """A return."""

    external_id: str = strawberry.field(
        description="The till's id of the return, unique among its partner's returns for ever: 1 "
        "to 64 printable characters."
    )
    purchase: PurchaseReferenceInput = strawberry.field(description="What had been bought.")
    occurred_at: Instant = strawberry.field(
        description="When the goods came back: at most 60 seconds before the purchase, and at most "
        "60 seconds ahead of the server's clock."
    )
    lines: list[ReturnLineInput] | None = strawberry.field(
        default=None,
        description="What comes back, each line once; everything that is left, if left out.",
    )


@strawberry.input(description="Goods that come back.")
class ReturnPurchaseInput:
    """Input of returnPurchase."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    return_: ReturnInput = strawberry.field(name="return", description="The return.")


ReturnPurchaseResult = Annotated[
    ReturnedPurchase | InvalidInput | NotFound | ExternalIdConflict | IdempotencyConflict,
    strawberry.union(
        "ReturnPurchaseResult", description="What the return undid, or why it is refused."
    ),
]


def _draft(given: ReturnInput) -> ReturnDraft:
    lines = given.lines
    return ReturnDraft(
        external_id=given.external_id,
        purchase=purchase_reference(given.purchase),
        occurred_at=given.occurred_at,
        lines=None
        if lines is None
        else tuple(LineReturn(line.number, line.quantity, line.amount_minor) for line in lines),
    )


@strawberry.type
class ReturnMutations:
    """The mutations of returns, for the schema's root."""

    @mutation(
        access(Scope.PURCHASES_WRITE, roles=frozenset({StaffRole.SUPPORT, StaffRole.MANAGER})),
        description="Return goods of a purchase, in part or in full, at any later time: points, "
        "cashback, tier and challenges that they had brought are undone in the same commit, and "
        "the points, cashback and vouchers that had paid for them are given back. Tills return "
        "what their partner sold; staff anything, by its id.",
    )
    async def return_purchase(
        self,
        info: Info,
        input: Annotated[ReturnPurchaseInput, strawberry.argument(description="What comes back.")],
    ) -> ReturnPurchaseResult:
        """Return goods."""
        partner = seen_by(info.context.principal)

        async def work() -> service.ReturnedPurchase:
            draft = _draft(input.return_)
            try:
                return await service.take_back(draft, partner=partner, now=clock.now())
            except DomainError as error:
                raise error.below("input", "return") from None

        answer = await write_once(
            info, input, work=work, result=service.ReturnedPurchase, present=shown_return
        )
        return cast(ReturnPurchaseResult, answer)
