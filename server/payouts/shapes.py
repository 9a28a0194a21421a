"""The types of payouts in the schema: what is shown, asked for and answered."""

from typing import Annotated

import strawberry

from server.cards.graphql import CardUnusable, MemberReference
from server.clock import Instant
from server.edge import nodes
from server.edge.context import Info
from server.edge.enums import described
from server.edge.fields import computed
from server.edge.mutation import KEY_DESCRIPTION
from server.edge.nodes import Node
from server.edge.pages import PageInfo
from server.edge.permissions import MEMBER_DATA, OPERATORS, access, shown_to
from server.edge.problems import (
    AlreadyDecided,
    IdempotencyConflict,
    InsufficientCashback,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
)
from server.edge.scalars import BigInt, Money
from server.payouts import service
from server.payouts.service import PayoutStatus, PayoutView
from server.principal import Principal, PrincipalKind, Scope, StaffRole

READERS = access(roles=frozenset({StaffRole.MANAGER, StaffRole.AUDITOR, StaffRole.SUPPORT}))
"""Who sees everybody's payouts, and where they go."""
_PAYOUT_DATA = MEMBER_DATA | access(Scope.PAYOUTS_WRITE)
_PAYOUT_WRITERS = access(Scope.PAYOUTS_WRITE, members=True, roles=OPERATORS)

described(
    PayoutStatus,
    description="What has become of a payout.",
    REQUESTED="It waits for the shop's decision; its cashback is reserved.",
    APPROVED="The shop pays it; its cashback is reserved until the money has gone out.",
    REJECTED="The shop has refused it; the cashback is available again.",
    CANCELLED="The member has given it up; the cashback is available again.",
    PAID="The money has gone out.",
    FAILED="The money did not arrive, or came back; the cashback is available again.",
)


def may_see(principal: Principal, member_id: int) -> bool:
    """Whether the caller is the member, or sees everybody's payouts."""
    is_own = principal.kind is PrincipalKind.MEMBER and principal.member_id == member_id
    return is_own or READERS.allows(principal)


# ---------------------------------------------------------------- types


@shown_to(_PAYOUT_DATA)
@strawberry.type(description="Cashback that a member asked to be paid in money.")
class Payout(Node):
    """A payout."""

    member_id: strawberry.ID = strawberry.field(description="The member's id in this API.")
    amount: Money = strawberry.field(description="How much is paid.")
    status: PayoutStatus = strawberry.field(description="What has become of it.")
    requested_at: Instant = strawberry.field(description="When it was asked for.")
    decided_at: Instant | None = strawberry.field(
        description="When it was approved, rejected or cancelled; null before."
    )
    finished_at: Instant | None = strawberry.field(
        description="When the money went out; or, if it failed, when that was known; null before."
    )
    note: str | None = strawberry.field(
        description="Why it was rejected or has failed; null otherwise."
    )
    bank_reference: str | None = strawberry.field(
        description="The bank's reference of the payment; null unless it was paid."
    )
    view: strawberry.Private[PayoutView]

    @computed(
        description="Where the money goes, as it was written in the request. Only the member and "
        "the staff who see to payouts (SUPPORT, MANAGER, AUDITOR) are told; null for others."
    )
    async def destination(self, info: Info) -> str | None:
        """Where to."""
        if not may_see(info.context.principal, self.view.member_id):
            return None
        return await info.context.loader(_destinations).load(self.view.id)


async def _destinations(payout_ids: list[int]) -> list[str | None]:
    found = await service.destinations(payout_ids)
    return [found.get(payout_id) for payout_id in payout_ids]


def shown_payout(payout: PayoutView) -> Payout:
    """A payout as the schema shows it."""
    return Payout(
        id=nodes.global_id("Payout", payout.id),
        member_id=nodes.global_id("Member", payout.member_id),
        amount=Money.of(payout.amount_minor, payout.currency, payout.digits),
        status=payout.status,
        requested_at=payout.requested_at,
        decided_at=payout.decided_at,
        finished_at=payout.finished_at,
        note=payout.note,
        bank_reference=payout.bank_reference,
        view=payout,
    )


@shown_to(MEMBER_DATA)
@strawberry.type(description="A payout with its place in the list.")
class PayoutEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The payout's place, for `after`.")
    node: Payout = strawberry.field(description="The payout.")


@shown_to(MEMBER_DATA)
@strawberry.type(description="A page of payouts, the newest first.")
class PayoutConnection:
    """Relay's connection."""

    edges: list[PayoutEdge] = strawberry.field(description="The payouts with their places.")
    nodes: list[Payout] = strawberry.field(description="The payouts alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


# ---------------------------------------------------------------- inputs and results


@strawberry.input(description="Cashback to be paid in money.")
class RequestPayoutInput:
    """Input of requestPayout."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    amount_minor: BigInt | None = strawberry.field(
        default=strawberry.UNSET,
        description="How much, in minor units of the programme's currency; everything that is "
        "available, if left out. `payouts` in the programme's terms says how little and how much "
        "a day.",
    )
    destination: str = strawberry.field(
        description="Where the money is to go, such as an IBAN: 1 to 200 printable characters."
    )
    member: MemberReference | None = strawberry.field(
        default=strawberry.UNSET,
        description="Whose cashback; the signed-in member's, if left out. Members may name no one.",
    )


_PAYOUT_ID = "Which payout: its `id`."


@strawberry.input(description="Which payout to give up.")
class CancelPayoutInput:
    """Input of cancelPayout."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    payout_id: strawberry.ID = strawberry.field(description=_PAYOUT_ID)


@strawberry.input(description="Which payout to approve.")
class ApprovePayoutInput:
    """Input of approvePayout."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    payout_id: strawberry.ID = strawberry.field(description=_PAYOUT_ID)


@strawberry.input(description="Which payout to reject, and why.")
class RejectPayoutInput:
    """Input of rejectPayout."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    payout_id: strawberry.ID = strawberry.field(description=_PAYOUT_ID)
    note: str = strawberry.field(
        description="Why, in words that the member may read: 1 to 200 printable characters."
    )


@strawberry.input(description="Which payout's money has gone out.")
class MarkPayoutPaidInput:
    """Input of markPayoutPaid."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    payout_id: strawberry.ID = strawberry.field(description=_PAYOUT_ID)
    bank_reference: str = strawberry.field(
        description="The bank's reference of the payment: 1 to 200 printable characters."
    )


@strawberry.input(description="Which payout's money did not arrive, and why.")
class MarkPayoutFailedInput:
    """Input of markPayoutFailed."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    payout_id: strawberry.ID = strawberry.field(description=_PAYOUT_ID)
    note: str = strawberry.field(
        description="Why, in words that the member may read: 1 to 200 printable characters."
    )


@shown_to(_PAYOUT_WRITERS)
@strawberry.type(description="The request was done; repeating it changes nothing more.")
class PayoutChanged:
    """Success of the mutations of payouts."""

    payout: Payout = strawberry.field(description="The payout as this request left it.")


RequestPayoutResult = Annotated[
    PayoutChanged
    | InvalidInput
    | NotFound
    | CardUnusable
    | InsufficientCashback
    | LimitReached
    | IdempotencyConflict,
    strawberry.union("RequestPayoutResult", description="The payout, or why there is none."),
]
CancelPayoutResult = Annotated[
    PayoutChanged | InvalidInput | NotFound | AlreadyDecided | IdempotencyConflict,
    strawberry.union("CancelPayoutResult", description="The payout, or why it stays as it is."),
]
ApprovePayoutResult = Annotated[
    PayoutChanged | InvalidInput | NotFound | AlreadyDecided | NotAllowed | IdempotencyConflict,
    strawberry.union("ApprovePayoutResult", description="The payout, or why it stays as it is."),
]
RejectPayoutResult = Annotated[
    PayoutChanged | InvalidInput | NotFound | AlreadyDecided | NotAllowed | IdempotencyConflict,
    strawberry.union("RejectPayoutResult", description="The payout, or why it stays as it is."),
]
MarkPayoutPaidResult = Annotated[
    PayoutChanged | InvalidInput | NotFound | AlreadyDecided | NotAllowed | IdempotencyConflict,
    strawberry.union("MarkPayoutPaidResult", description="The payout, or why it stays as it is."),
]
MarkPayoutFailedResult = Annotated[
    PayoutChanged | InvalidInput | NotFound | AlreadyDecided | NotAllowed | IdempotencyConflict,
    strawberry.union("MarkPayoutFailedResult", description="The payout, or why it stays as it is."),
]
