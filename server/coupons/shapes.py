"""Coupons as the schema shows them: types and inputs."""

from datetime import date
from enum import Enum
from typing import Annotated

import strawberry

from server import clock
from server.cards.graphql import CardUnusable, MemberReference
from server.clock import Instant, LocalDay
from server.coupons.redeeming import CouponRedeemed as Redeemed
from server.coupons.redeeming import RedemptionEnded
from server.coupons.rules import Usable
from server.coupons.stock import BatchView
from server.edge import nodes
from server.edge.enums import described
from server.edge.mutation import KEY_DESCRIPTION
from server.edge.pages import PageInfo
from server.edge.permissions import OPERATORS, access, shown_to
from server.edge.problems import (
    AlreadyDecided,
    IdempotencyConflict,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
)
from server.principal import Scope, StaffRole

TILLS = access(Scope.PURCHASES_WRITE, roles=OPERATORS)
CHECKERS = access(Scope.PURCHASES_WRITE, members=True, roles=OPERATORS)
WRITERS = access(roles=frozenset({StaffRole.MARKETER, StaffRole.MANAGER}))
READERS = access(
    roles=frozenset({StaffRole.MARKETER, StaffRole.MANAGER, StaffRole.SUPPORT, StaffRole.AUDITOR})
)
_CODE = (
    "The code as typed or scanned: case, spaces and dashes do not matter, at most 200 characters."
)


class BatchStatus(Enum):
    """What has become of a batch."""

    MAKING = "making"
    READY = "ready"
    VOID = "void"


described(
    BatchStatus,
    name="CouponBatchStatus",
    description="What has become of a batch of single-use codes.",
    MAKING="Its codes are being made; none of them counts yet.",
    READY="All of its codes were made, and count.",
    VOID="It was interrupted while it was made: none of its codes ever counts.",
)


@shown_to(TILLS)
@strawberry.type(description="A coupon that a member has used.")
class CouponRedeemed:
    """Success of redeemCoupon."""

    redemption_id: strawberry.ID = strawberry.field(
        description="The redemption's id, to cancel it."
    )
    member_id: strawberry.ID = strawberry.field(description="Whose redemption it is.")
    offer_key: str = strawberry.field(description="The key of the coupon's offer.")
    coupon_key: str = strawberry.field(description="The key of the coupon's definition.")
    occurred_at: Instant = strawberry.field(description="When it was used.")
    local_date: date = strawberry.field(
        description="The date in the programme's time zone on which it counts."
    )


@shown_to(TILLS)
@strawberry.type(description="A redemption that counts no longer; its code may be used again.")
class CouponRedemptionCancelled:
    """Success of cancelCouponRedemption."""

    redemption_id: strawberry.ID = strawberry.field(description="The redemption's id.")
    member_id: strawberry.ID = strawberry.field(description="Whose redemption it was.")
    offer_key: str = strawberry.field(description="The key of the coupon's offer.")


@shown_to(CHECKERS)
@strawberry.type(description="A coupon that the member may use, as far as it goes by itself.")
class UsableCoupon:
    """Success of checkCoupon."""

    offer_key: str = strawberry.field(description="The key of the coupon's offer.")
    is_single_use: bool = strawberry.field(description="Whether the code works only once.")
    products: list[str] = strawberry.field(
        description="The ids of the products that it is good for, at most the first 1,000 in their "
        "order; empty: all that the offer is for."
    )


@shown_to(READERS)
@strawberry.type(description="Single-use codes that were generated together.")
class CouponBatch:
    """A batch."""

    id: strawberry.ID = strawberry.field(description="The batch's id.")
    coupon_key: str = strawberry.field(description="The key of the coupon's definition.")
    size: int = strawberry.field(description="How many codes it has.")
    redeemed: int = strawberry.field(description="How many of them are redeemed now.")
    status: BatchStatus = strawberry.field(description="What has become of it.")
    made_by: str = strawberry.field(description="Who asked for it.")
    made_at: Instant = strawberry.field(description="When that was.")
    finished_at: Instant | None = strawberry.field(
        description="When it was ready, or void; null while it is being made."
    )


@shown_to(READERS)
@strawberry.type(description="A batch with its place in the list.")
class CouponBatchEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The batch's place, for `after`.")
    node: CouponBatch = strawberry.field(description="The batch.")


@shown_to(READERS)
@strawberry.type(description="A page of batches of single-use codes, the newest first.")
class CouponBatchConnection:
    """Relay's connection."""

    edges: list[CouponBatchEdge] = strawberry.field(description="The batches, with places.")
    nodes: list[CouponBatch] = strawberry.field(description="The batches alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


@shown_to(WRITERS)
@strawberry.type(description="New single-use codes. They are told in this answer alone.")
class CouponsGenerated:
    """Success of generateCoupons."""

    batch: CouponBatch = strawberry.field(description="The batch.")
    codes: list[str] = strawberry.field(
        description="The codes, in groups of four characters. Repeating the request with its key "
        "tells them again; nothing else does."
    )


# ---------------------------------------------------------------- inputs


@strawberry.input(description="A coupon that a member has used at a till.")
class CouponUseInput:
    """One of several uses."""

    member: MemberReference = strawberry.field(description="Who used it.")
    code: str = strawberry.field(description=_CODE)
    occurred_at: Instant = strawberry.field(description="When; not in the future.")


@strawberry.input(description="A coupon that a member has used at a till.")
class RedeemCouponInput:
    """Input of redeemCoupon."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    member: MemberReference = strawberry.field(description="Who used it.")
    code: str = strawberry.field(description=_CODE)
    occurred_at: Instant | None = strawberry.field(
        default=None, description="When; not in the future. Now, if left out."
    )


@strawberry.input(description="Coupons that members have used, in one commit.")
class RedeemCouponsInput:
    """Input of redeemCoupons."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    redemptions: list[CouponUseInput] = strawberry.field(
        description="1 to 200 uses; each is answered by itself."
    )


@strawberry.input(description="Which redemption to cancel.")
class CancelCouponRedemptionInput:
    """Input of cancelCouponRedemption."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    redemption_id: strawberry.ID = strawberry.field(description="The redemption's id.")


@strawberry.input(description="How many codes to make, of which coupon.")
class GenerateCouponsInput:
    """Input of generateCoupons."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    coupon_key: str = strawberry.field(
        description="The key of a published coupon whose codes are single-use."
    )
    number: int = strawberry.field(
        description="How many: 1 to 10,000. `python -m server coupons generate` makes more."
    )


# ---------------------------------------------------------------- results

RedeemCouponResult = Annotated[
    CouponRedeemed
    | InvalidInput
    | NotFound
    | CardUnusable
    | NotAllowed
    | LimitReached
    | AlreadyDecided
    | IdempotencyConflict,
    strawberry.union("RedeemCouponResult", description="The redemption, or why there is none."),
]
RedeemCouponAnswer = Annotated[
    CouponRedeemed
    | InvalidInput
    | NotFound
    | CardUnusable
    | NotAllowed
    | LimitReached
    | AlreadyDecided,
    strawberry.union("RedeemCouponAnswer", description="The redemption, or why there is none."),
]


@shown_to(TILLS)
@strawberry.type(description="What became of each use of a coupon.")
class CouponsRedeemed:
    """Success of redeemCoupons."""

    answers: list[RedeemCouponAnswer] = strawberry.field(
        description="One for each use, in the order given."
    )


RedeemCouponsResult = Annotated[
    CouponsRedeemed | InvalidInput | IdempotencyConflict,
    strawberry.union("RedeemCouponsResult", description="The answers, or why there are none."),
]
CancelCouponRedemptionResult = Annotated[
    CouponRedemptionCancelled
    | InvalidInput
    | NotFound
    | NotAllowed
    | AlreadyDecided
    | IdempotencyConflict,
    strawberry.union(
        "CancelCouponRedemptionResult", description="The cancelled redemption, or why it is not."
    ),
]
GenerateCouponsResult = Annotated[
    CouponsGenerated | InvalidInput | NotFound | IdempotencyConflict,
    strawberry.union("GenerateCouponsResult", description="The codes, or why there are none."),
]
CheckCouponResult = Annotated[
    UsableCoupon
    | InvalidInput
    | NotFound
    | CardUnusable
    | NotAllowed
    | LimitReached
    | AlreadyDecided,
    strawberry.union(
        "CheckCouponResult",
        description="The coupon, or why it can't be used. A code that does not exist, one that is "
        "for others and one that somebody else has used are all NotFound.",
    ),
]

# ---------------------------------------------------------------- shown

_PRODUCTS_SHOWN = 1_000


def shown_redemption(done: Redeemed) -> CouponRedeemed:
    """A redemption as the schema shows it."""
    return CouponRedeemed(
        redemption_id=nodes.global_id("CouponRedemption", done.id),
        member_id=nodes.global_id("Member", done.member_id),
        offer_key=done.offer,
        coupon_key=done.coupon,
        occurred_at=done.occurred_at,
        local_date=clock.date_of(LocalDay(done.local_day)),
    )


def shown_end(done: RedemptionEnded) -> CouponRedemptionCancelled:
    """A cancelled redemption as the schema shows it."""
    return CouponRedemptionCancelled(
        redemption_id=nodes.global_id("CouponRedemption", done.id),
        member_id=nodes.global_id("Member", done.member_id),
        offer_key=done.offer,
    )


def shown_usable(usable: Usable) -> UsableCoupon:
    """A coupon as the schema shows it."""
    products = sorted(usable.products or ())[:_PRODUCTS_SHOWN]
    return UsableCoupon(
        offer_key=usable.offer, is_single_use=usable.is_single_use, products=products
    )


def shown_batch(batch: BatchView) -> CouponBatch:
    """A batch as the schema shows it."""
    return CouponBatch(
        id=nodes.global_id("CouponBatch", batch.id),
        coupon_key=batch.coupon,
        size=batch.size,
        redeemed=batch.redeemed,
        status=BatchStatus(batch.status),
        made_by=batch.made_by,
        made_at=batch.made_at,
        finished_at=batch.finished_at,
    )
