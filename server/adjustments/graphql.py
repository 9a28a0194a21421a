"""Adjustments in the schema: what staff give or take by hand."""

from enum import Enum
from typing import Annotated, cast

import strawberry

from server import clock
from server.adjustments import service
from server.adjustments.rules import AdjustmentStatus
from server.adjustments.service import Adjusted, AdjustmentView, Wish
from server.cards.graphql import CardUnusable, MemberReference, member_reference
from server.clock import Instant
from server.edge import nodes, pages
from server.edge.context import Info
from server.edge.enums import described
from server.edge.fields import computed
from server.edge.mutation import KEY_DESCRIPTION, write_once
from server.edge.pages import PageInfo
from server.edge.permissions import OPERATORS, access, mutation, query, shown_to
from server.edge.problems import (
    AlreadyDecided,
    IdempotencyConflict,
    InsufficientCashback,
    InsufficientPoints,
    InvalidInput,
    NotAllowed,
    NotFound,
)
from server.edge.scalars import BigInt, Money
from server.errors import DomainError, phrase
from server.errors import InvalidInput as InvalidInputError
from server.money import POINTS
from server.principal import StaffRole
from server.programme.graphql import programme_now

_READERS = access(roles=frozenset({StaffRole.SUPPORT, StaffRole.MANAGER, StaffRole.AUDITOR}))
_ADJUSTERS = access(roles=OPERATORS)
_DECIDERS = access(roles=frozenset({StaffRole.MANAGER}))

described(
    AdjustmentStatus,
    description="What has become of an adjustment.",
    PENDING="It waits for a second person; nothing was given or taken.",
    APPLIED="The value was given or taken.",
    REJECTED="A second person refused it; nothing was given or taken.",
)


@strawberry.enum(description="What staff give or take.")
class AdjustedAsset(Enum):
    """An asset of members."""

    POINTS = strawberry.enum_value("points", description="Points.")
    CASHBACK = strawberry.enum_value(
        "cashback", description="Cashback, in minor units of the programme's currency."
    )


# ---------------------------------------------------------------- types


@shown_to(_READERS)
@strawberry.type(description="Value that staff gave or took by hand, with a stated reason.")
class Adjustment:
    """An adjustment."""

    id: strawberry.ID = strawberry.field(description="Its id, to decide it.")
    member_id: strawberry.ID = strawberry.field(description="Whose balance it changes.")
    asset: AdjustedAsset = strawberry.field(description="What is given or taken.")
    points: int | None = strawberry.field(
        description="The points, negative if taken; null for cashback."
    )
    amount: Money | None = strawberry.field(
        description="The cashback, negative if taken; null for points."
    )
    reason: str = strawberry.field(description="Why, in the words of who asked for it.")
    status: AdjustmentStatus = strawberry.field(description="What has become of it.")
    requested_at: Instant = strawberry.field(description="When it was asked for.")
    requested_by: strawberry.ID = strawberry.field(description="Whose account asked for it.")
    decided_at: Instant | None = strawberry.field(
        description="When it was applied or rejected; null while it is pending."
    )
    decided_by: strawberry.ID | None = strawberry.field(
        description="The second person's account; null for what needed none, or is pending."
    )
    note: str | None = strawberry.field(description="Why it was rejected; null otherwise.")
    requester: strawberry.Private[int]

    @computed(description="Whether the caller asked for it: then somebody else has to decide it.")
    def is_own(self, info: Info) -> bool:
        """Whether it is the caller's."""
        return info.context.principal.id == self.requester


@shown_to(_READERS)
@strawberry.type(description="An adjustment with its place in the list.")
class AdjustmentEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The adjustment's place, for `after`.")
    node: Adjustment = strawberry.field(description="The adjustment.")


@shown_to(_READERS)
@strawberry.type(description="A page of adjustments, the newest first.")
class AdjustmentConnection:
    """Relay's connection."""

    edges: list[AdjustmentEdge] = strawberry.field(description="The adjustments, with places.")
    nodes: list[Adjustment] = strawberry.field(description="The adjustments alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


def _account(number: int) -> strawberry.ID:
    return nodes.global_id("Account", number)


def _shown(view: AdjustmentView, digits: int) -> Adjustment:
    is_points = view.asset == POINTS
    return Adjustment(
        id=nodes.global_id("Adjustment", view.id),
        member_id=nodes.global_id("Member", view.member_id),
        asset=AdjustedAsset.POINTS if is_points else AdjustedAsset.CASHBACK,
        points=view.amount if is_points else None,
        amount=None if is_points else Money.of(view.amount, view.asset, digits),
        reason=view.reason,
        status=view.status,
        requested_at=view.requested_at,
        requested_by=_account(view.requested_by),
        decided_at=view.decided_at,
        decided_by=None if view.decided_by is None else _account(view.decided_by),
        note=view.note,
        requester=view.requested_by,
    )


@strawberry.type
class AdjustmentQueries:
    """The root fields that read adjustments."""

    @query(
        _READERS,
        description="What staff have given and taken by hand, the newest first.",
    )
    async def adjustments(
        self,
        info: Info,
        status: Annotated[
            AdjustmentStatus | None,
            strawberry.argument(description="Only those that stand so; all if left out."),
        ] = None,
        first: Annotated[int, strawberry.argument(description="How many at most: 1 to 100.")] = 20,
        after: Annotated[
            str | None,
            strawberry.argument(
                description="The `endCursor` of the page before; null for the first page."
            ),
        ] = None,
    ) -> AdjustmentConnection:
        """A page of adjustments; one statement."""
        limit, before = pages.page(first, after)
        found = await service.page(status, before=before, limit=limit + 1)
        digits = (await programme_now(info)).programme.programme.minor_unit_digits
        return pages.connected(
            AdjustmentConnection,
            AdjustmentEdge,
            [(view.id, _shown(view, digits)) for view in found[:limit]],
            has_next=len(found) > limit,
            after=after,
        )


# ---------------------------------------------------------------- mutations


@strawberry.input(description="What to give to a member, or to take.")
class AdjustBalanceInput:
    """Input of adjustBalance."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    member: MemberReference = strawberry.field(description="Whose balance.")
    asset: AdjustedAsset = strawberry.field(description="What to give or take.")
    reason: str = strawberry.field(
        description="Why, for colleagues and for the member's explanation: 3 to 500 characters."
    )
    points: int | None = strawberry.field(
        default=None, description="For POINTS: how many to give, or to take if negative; not 0."
    )
    amount_minor: BigInt | None = strawberry.field(
        default=None,
        description="For CASHBACK: the minor units to give, or to take if negative; not 0.",
    )


@strawberry.input(description="Which adjustment to apply.")
class ApproveAdjustmentInput:
    """Input of approveAdjustment."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    adjustment_id: strawberry.ID = strawberry.field(description="The adjustment's id.")


@strawberry.input(description="Which adjustment to refuse.")
class RejectAdjustmentInput:
    """Input of rejectAdjustment."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    adjustment_id: strawberry.ID = strawberry.field(description="The adjustment's id.")
    note: str = strawberry.field(description="Why, for colleagues: 3 to 500 characters.")


@shown_to(_ADJUSTERS)
@strawberry.type(description="The adjustment was applied, or waits for a second person.")
class BalanceAdjusted:
    """Success of adjustBalance."""

    adjustment: Adjustment = strawberry.field(
        description="The adjustment; PENDING if it needs a second person."
    )


@shown_to(_DECIDERS)
@strawberry.type(description="A second person has decided an adjustment.")
class AdjustmentDecided:
    """Success of approveAdjustment and rejectAdjustment."""

    adjustment: Adjustment = strawberry.field(description="The adjustment, decided.")


AdjustBalanceResult = Annotated[
    BalanceAdjusted
    | InvalidInput
    | NotFound
    | CardUnusable
    | InsufficientPoints
    | InsufficientCashback
    | IdempotencyConflict,
    strawberry.union("AdjustBalanceResult", description="The adjustment, or why there is none."),
]
ApproveAdjustmentResult = Annotated[
    AdjustmentDecided
    | InvalidInput
    | NotFound
    | NotAllowed
    | AlreadyDecided
    | InsufficientPoints
    | InsufficientCashback
    | IdempotencyConflict,
    strawberry.union(
        "ApproveAdjustmentResult", description="The applied adjustment, or why it is not."
    ),
]
RejectAdjustmentResult = Annotated[
    AdjustmentDecided | InvalidInput | NotFound | NotAllowed | AlreadyDecided | IdempotencyConflict,
    strawberry.union(
        "RejectAdjustmentResult", description="The rejected adjustment, or why it is not."
    ),
]


def _wish(input: AdjustBalanceInput) -> Wish:
    is_points = input.asset is AdjustedAsset.POINTS
    given, other = (
        (input.points, input.amount_minor) if is_points else (input.amount_minor, input.points)
    )
    if given is None or other is not None:
        raise InvalidInputError(
            "adjustment.one_amount",
            path=("input", "points" if is_points else "amountMinor"),
            value=given,
            accepted=phrase("accepted.points_or_amount"),
        )
    reference = member_reference(input.member)
    assert reference is not None, "the schema requires it"
    return Wish(reference, is_points, int(given), input.reason)


def _number(opaque: str) -> int:
    return nodes.number_of(opaque, "Adjustment")


@strawberry.type
class AdjustmentMutations:
    """The mutations of adjustments, for the schema's root."""

    @mutation(
        _ADJUSTERS,
        description="Give value to a member, or take some that is available. Up to the "
        "programme's limit, which counts what the caller has given and taken alone for this member "
        "on this day, it happens at once; above, it waits for `approveAdjustment` by somebody "
        "else. Points expire as all points do, cashback never.",
    )
    async def adjust_balance(
        self,
        info: Info,
        input: Annotated[
            AdjustBalanceInput, strawberry.argument(description="What to give or to take.")
        ],
    ) -> AdjustBalanceResult:
        """Give or take value."""

        async def work() -> Adjusted:
            wish = _wish(input)
            try:
                return await service.adjust(wish, by=info.context.principal.id, now=clock.now())
            except DomainError as error:
                raise error.below("input") from None

        answer = await write_once(
            info,
            input,
            work=work,
            result=Adjusted,
            present=lambda done: BalanceAdjusted(adjustment=_shown(done.adjustment, done.digits)),
        )
        return cast(AdjustBalanceResult, answer)

    @mutation(
        _DECIDERS,
        description="Apply an adjustment that somebody else asked for. If too little is available "
        "to take, it stays pending.",
    )
    async def approve_adjustment(
        self,
        info: Info,
        input: Annotated[
            ApproveAdjustmentInput, strawberry.argument(description="Which one to apply.")
        ],
    ) -> ApproveAdjustmentResult:
        """Apply an adjustment."""

        async def work() -> Adjusted:
            number = _number(input.adjustment_id)
            try:
                by = info.context.principal.id
                return await service.approve(number, by=by, now=clock.now())
            except DomainError as error:
                raise error.below("input") from None

        answer = await write_once(info, input, work=work, result=Adjusted, present=_decided)
        return cast(ApproveAdjustmentResult, answer)

    @mutation(
        _DECIDERS,
        description="Refuse an adjustment that somebody else asked for.",
    )
    async def reject_adjustment(
        self,
        info: Info,
        input: Annotated[
            RejectAdjustmentInput, strawberry.argument(description="Which one to refuse.")
        ],
    ) -> RejectAdjustmentResult:
        """Refuse an adjustment."""

        async def work() -> Adjusted:
            number = _number(input.adjustment_id)
            try:
                by = info.context.principal.id
                return await service.reject(number, input.note, by=by, now=clock.now())
            except DomainError as error:
                raise error.below("input") from None

        answer = await write_once(info, input, work=work, result=Adjusted, present=_decided)
        return cast(RejectAdjustmentResult, answer)


def _decided(done: Adjusted) -> AdjustmentDecided:
    return AdjustmentDecided(adjustment=_shown(done.adjustment, done.digits))
