"""Vouchers and redemption in the schema."""

from collections.abc import Awaitable
from enum import Enum
from typing import Annotated, cast

import strawberry

from server import clock
from server.cards.graphql import CardUnusable, MemberReference, member_reference
from server.clock import Instant
from server.edge import attempts, nodes, pages
from server.edge.batches import answer_each, shown_each
from server.edge.context import Context, Info
from server.edge.enums import described
from server.edge.idempotency import NothingWritten
from server.edge.mutation import KEY_DESCRIPTION, write_once
from server.edge.nodes import Node
from server.edge.pages import PageInfo
from server.edge.permissions import (
    ALL_STAFF,
    MEMBER,
    MEMBER_DATA,
    OPERATORS,
    access,
    mutation,
    shown_to,
)
from server.edge.problems import (
    AlreadyDecided,
    IdempotencyConflict,
    InsufficientPoints,
    InvalidInput,
    NotAllowed,
    NotFound,
)
from server.edge.scalars import Money
from server.errors import DomainError, phrase
from server.errors import InvalidInput as InvalidInputError
from server.principal import PrincipalKind, Scope
from server.rewards import service
from server.rewards.limits import VOUCHER_CODES
from server.rewards.service import Redeemed, RedeemedBatch, Redemption, VoucherView
from server.storage import parts

_READERS = access(Scope.MEMBERS_READ, roles=ALL_STAFF)
_TILLS = access(Scope.POINTS_REDEEM, roles=OPERATORS)
_REDEEMERS = MEMBER | _TILLS
"""Also who sees a voucher's code: it is all that one needs to spend it."""
_VOUCHER_DATA = MEMBER_DATA | _TILLS


class VoucherStatus(Enum):
    """What became of a voucher."""

    ISSUED = "issued"
    USED = "used"
    CANCELLED = "cancelled"


described(
    VoucherStatus,
    description="What became of a voucher.",
    ISSUED="It was issued to the member, and something remains of it.",
    USED="All of it was used.",
    CANCELLED="Its redemption was cancelled; its points were given back.",
)


@shown_to(_VOUCHER_DATA)
@strawberry.type(description="A voucher that a member bought with points.")
class Voucher(Node):
    """A voucher."""

    code: str = strawberry.field(
        description="What the member shows or types to use it.", directives=[_REDEEMERS.directive]
    )
    value: Money = strawberry.field(description="What it is worth.")
    remaining: Money = strawberry.field(description="What of it can be used still.")
    points: int = strawberry.field(description="The points that it cost.")
    status: VoucherStatus = strawberry.field(description="What became of it.")
    issued_at: Instant = strawberry.field(description="When it was issued.")
    expires_at: Instant | None = strawberry.field(
        description="From when on it can't be used any more; null if it is good for ever."
    )


@shown_to(MEMBER_DATA)
@strawberry.type(description="A voucher with its place in the list.")
class VoucherEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The voucher's place, for `after`.")
    node: Voucher = strawberry.field(description="The voucher.")


@shown_to(MEMBER_DATA)
@strawberry.type(description="A page of a member's vouchers, the newest first.")
class VoucherConnection:
    """Relay's connection."""

    edges: list[VoucherEdge] = strawberry.field(description="The vouchers with their places.")
    nodes: list[Voucher] = strawberry.field(description="The vouchers alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


def shown_voucher(voucher: VoucherView) -> Voucher:
    """A voucher as the schema shows it."""
    return Voucher(
        id=nodes.global_id("Voucher", voucher.id),
        code=voucher.code,
        value=Money.of(voucher.value_minor, voucher.currency, voucher.digits),
        remaining=Money.of(voucher.remaining_minor, voucher.currency, voucher.digits),
        points=voucher.points,
        status=VoucherStatus(voucher.status),
        issued_at=voucher.issued_at,
        expires_at=voucher.expires_at,
    )


async def _vouchers(member_ids: list[int], limit: int, before: int) -> list[list[VoucherView]]:
    found = await service.vouchers(member_ids, before=before, limit=limit)
    return [found[member_id] for member_id in member_ids]


async def vouchers_of_member(
    info: Info, member_id: int, *, first: int, after: str | None
) -> VoucherConnection:
    """A page of the member's vouchers; one statement for all members asked for."""
    limit, before = pages.page(first, after)
    loader = info.context.loader(_vouchers, limit + 1, pages.before(before))
    found = await loader.load(member_id)
    return pages.connected(
        VoucherConnection,
        VoucherEdge,
        [(voucher.id, shown_voucher(voucher)) for voucher in found[:limit]],
        has_next=len(found) > limit,
        after=after,
    )


async def _counts(member_ids: list[int]) -> list[int]:
    found = await parts.shared(service.VOUCHER_COUNT, member_ids)
    return [service.voucher_count(found[member_id]) for member_id in member_ids]


def prime_voucher_count(context: Context, member_id: int, found: parts.Found) -> None:
    """The request knows how many vouchers the member has had."""
    context.loader(_counts).prime(member_id, service.voucher_count(found))


def voucher_count_of_member(context: Context, member_id: int) -> int | Awaitable[int]:
    """How many vouchers the member has had; one statement for all members asked for."""
    return context.loader(_counts).get(member_id)


@nodes.fetches("Voucher")
async def _voucher(info: Info, voucher_id: int) -> Voucher | None:
    voucher = await service.voucher(voucher_id)
    principal = info.context.principal
    if voucher is None:
        return None
    is_own = principal.kind is PrincipalKind.MEMBER and principal.member_id == voucher.member_id
    return shown_voucher(voucher) if is_own or _READERS.allows(principal) else None


# ---------------------------------------------------------------- redeeming


@shown_to(_REDEEMERS)
@strawberry.type(description="Points were exchanged for a voucher.")
class PointsRedeemed:
    """Success of a redemption."""

    voucher: Voucher = strawberry.field(description="The voucher.")
    points_redeemed: int = strawberry.field(description="The points that it cost.")
    points_available_after: int = strawberry.field(
        description="Points that could be spent directly after this redemption."
    )


def _shown_redemption(redeemed: Redeemed) -> PointsRedeemed:
    return PointsRedeemed(
        voucher=shown_voucher(redeemed.voucher),
        points_redeemed=redeemed.points,
        points_available_after=redeemed.points_available_after,
    )


_POINTS_DESCRIPTION = (
    "How many points to exchange: a multiple of `redemption.stepPoints` in the programme's terms. "
    "The oldest expiry is used first."
)


@strawberry.input(description="Points to exchange for a voucher.")
class RedeemPointsInput:
    """Input of redeemPoints."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    points: int = strawberry.field(description=_POINTS_DESCRIPTION)
    member: MemberReference | None = strawberry.field(
        default=strawberry.UNSET,
        description="Whose points; the signed-in member's, if left out. Members may name no one.",
    )
    from_household: bool = strawberry.field(
        default=False,
        description="Whether to use the points of the member's whole household, together in the "
        "order in which they expire. The member must be its owner or one who may spend. The "
        "voucher is the member's.",
    )


@strawberry.input(description="One member's points to exchange for a voucher.")
class MemberRedemptionInput:
    """One of several redemptions."""

    member: MemberReference = strawberry.field(description="Whose points.")
    points: int = strawberry.field(description=_POINTS_DESCRIPTION)


@strawberry.input(description="Redemptions for several members, in one commit.")
class RedeemPointsForMembersInput:
    """Input of redeemPointsForMembers."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    redemptions: list[MemberRedemptionInput] = strawberry.field(
        description="1 to 500 redemptions; each is answered by itself."
    )


RedeemPointsResult = Annotated[
    PointsRedeemed
    | InvalidInput
    | NotFound
    | CardUnusable
    | NotAllowed
    | InsufficientPoints
    | IdempotencyConflict,
    strawberry.union("RedeemPointsResult", description="The voucher, or why there is none."),
]
RedeemPointsAnswer = Annotated[
    PointsRedeemed | InvalidInput | NotFound | CardUnusable | InsufficientPoints,
    strawberry.union("RedeemPointsAnswer", description="The voucher, or why there is none."),
]


@shown_to(_TILLS)
@strawberry.type(description="What became of each redemption.")
class PointsRedeemedForMembers:
    """Success of a batch of redemptions."""

    answers: list[RedeemPointsAnswer] = strawberry.field(
        description="One for each redemption, in the order given."
    )


RedeemPointsForMembersResult = Annotated[
    PointsRedeemedForMembers | InvalidInput | IdempotencyConflict,
    strawberry.union(
        "RedeemPointsForMembersResult", description="The answers, or why there are none."
    ),
]


@strawberry.input(description="Which redemption to cancel, by exactly one of its voucher's two.")
class CancelRedemptionInput:
    """Input of cancelRedemption."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    voucher_id: strawberry.ID | None = strawberry.field(
        default=None, description="The voucher's id."
    )
    voucher_code: str | None = strawberry.field(
        default=None, description="The voucher's code, in any case, with or without its hyphen."
    )


@shown_to(_TILLS)
@strawberry.type(description="The voucher was cancelled; its points were given back.")
class RedemptionCancelled:
    """Success of cancelRedemption."""

    voucher: Voucher = strawberry.field(description="The voucher.")
    points_restored: int = strawberry.field(description="The points that were given back.")
    points_with_grace: int = strawberry.field(
        description="Of these, how many had lapsed meanwhile and got a new expiry, after the "
        "programme's days of grace."
    )
    points_available_after: int = strawberry.field(
        description="Points that the voucher's member can spend directly afterwards."
    )


CancelRedemptionResult = Annotated[
    RedemptionCancelled
    | InvalidInput
    | NotFound
    | AlreadyDecided
    | NotAllowed
    | IdempotencyConflict,
    strawberry.union(
        "CancelRedemptionResult", description="The cancelled voucher, or why it is not."
    ),
]


def _redemption_of(info: Info, input: RedeemPointsInput) -> Redemption:
    path = ("input", "member")
    given = member_reference(input.member or None)
    principal = info.context.principal
    if principal.kind is PrincipalKind.MEMBER:
        if given is not None:
            raise InvalidInputError(
                "redemption.member",
                path=path,
                value=None,
                accepted=phrase("accepted.nothing_for_member"),
            )
        own = service.MemberReference(id=principal.member_id)
        return Redemption(own, input.points, input.from_household)
    if given is None:
        raise InvalidInputError("input.required", path=path, accepted=phrase("accepted.member"))
    return Redemption(given, input.points, input.from_household)


def _voucher_of(input: CancelRedemptionInput) -> service.VoucherReference:
    if (input.voucher_id is None) == (input.voucher_code is None):
        accepted = phrase("accepted.one_of_two", one="voucherId", other="voucherCode")
        raise InvalidInputError("input.required", path=("voucherId",), accepted=accepted)
    if input.voucher_id is None:
        return service.VoucherReference(code=input.voucher_code)
    return service.VoucherReference(id=nodes.number_of(input.voucher_id, "Voucher"))


def _shown_cancelled(cancelled: service.RedemptionCancelled) -> RedemptionCancelled:
    return RedemptionCancelled(
        voucher=shown_voucher(cancelled.voucher),
        points_restored=cancelled.restored.amount,
        points_with_grace=cancelled.restored.with_grace,
        points_available_after=cancelled.points_available_after,
    )


def _member_redemption_of(given: MemberRedemptionInput) -> Redemption:
    reference = member_reference(given.member)
    assert reference is not None, "the schema requires it"
    return Redemption(reference, given.points)


@strawberry.type
class RewardMutations:
    """The mutations of rewards, for the schema's root."""

    @mutation(
        _REDEEMERS,
        description="Exchange points for a voucher. Points that expire first are used first.",
    )
    async def redeem_points(
        self,
        info: Info,
        input: Annotated[
            RedeemPointsInput, strawberry.argument(description="Which points to exchange.")
        ],
    ) -> RedeemPointsResult:
        """Redeem one member's points."""

        async def work() -> Redeemed:
            redemption = _redemption_of(info, input)
            try:
                return await service.redeem(redemption, now=clock.now())
            except DomainError as error:
                raise error.below("input") from None

        answer = await write_once(
            info, input, work=work, result=Redeemed, present=_shown_redemption
        )
        return cast(RedeemPointsResult, answer)

    @mutation(
        _TILLS,
        description="Exchange points of several members for a voucher each, in one commit. A "
        "redemption that is refused spoils no other.",
    )
    async def redeem_points_for_members(
        self,
        info: Info,
        input: Annotated[
            RedeemPointsForMembersInput,
            strawberry.argument(description="Which points to exchange."),
        ],
    ) -> RedeemPointsForMembersResult:
        """Redeem several members' points."""

        async def work() -> RedeemedBatch:
            try:
                service.check_count(len(input.redemptions))
            except DomainError as error:
                raise error.below("input") from None
            answers = await answer_each(
                input.redemptions,
                field="redemptions",
                wish_of=_member_redemption_of,
                do=lambda redemptions: service.redeem_many(redemptions, now=clock.now()),
            )
            batch = RedeemedBatch(tuple(answers))
            if not any(isinstance(answer, Redeemed) for answer in answers):
                raise NothingWritten(batch)
            return batch

        def present(batch: RedeemedBatch) -> PointsRedeemedForMembers:
            return PointsRedeemedForMembers(
                answers=shown_each(batch.answers, info.context.language, show=_shown_redemption)
            )

        answer = await write_once(info, input, work=work, result=RedeemedBatch, present=present)
        return cast(RedeemPointsForMembersResult, answer)

    @mutation(
        _TILLS,
        description="Cancel a redemption whose voucher was not used at all: the points come back "
        "with their own expiry, or for the programme's days of grace if they have lapsed "
        "meanwhile. Cancel what was paid with the voucher first.",
    )
    async def cancel_redemption(
        self,
        info: Info,
        input: Annotated[
            CancelRedemptionInput, strawberry.argument(description="Which redemption.")
        ],
    ) -> CancelRedemptionResult:
        """Cancel a redemption."""

        async def work() -> service.RedemptionCancelled:
            try:
                return await service.cancel_redemption(_voucher_of(input), now=clock.now())
            except DomainError as error:
                raise error.below("input") from None

        answer = await attempts.counting_failures(
            VOUCHER_CODES,
            None if input.voucher_code is None else info.context.principal.name,
            lambda: write_once(
                info, input, work=work, result=service.RedemptionCancelled, present=_shown_cancelled
            ),
            is_failure=lambda answer: isinstance(answer, NotFound),
        )
        return cast(CancelRedemptionResult, answer)
