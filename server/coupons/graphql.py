"""Coupons in the schema: redeeming and checking codes, and generating them."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated, Any, cast

import strawberry

from server import clock
from server.cards import service as cards
from server.cards.graphql import MemberReference, member_reference
from server.coupons import checking, codes, errors, redeeming, rules, shapes, stock
from server.coupons.limits import COUPON_CODES, MEMBERS_COUPON_CODES
from server.coupons.redeeming import CouponRedeemed, RedeemedCoupons, RedemptionEnded, Wish
from server.coupons.rules import Usable
from server.coupons.shapes import (
    CancelCouponRedemptionInput,
    CancelCouponRedemptionResult,
    CheckCouponResult,
    CouponBatchConnection,
    CouponBatchEdge,
    CouponsGenerated,
    CouponsRedeemed,
    CouponUseInput,
    GenerateCouponsInput,
    GenerateCouponsResult,
    RedeemCouponInput,
    RedeemCouponResult,
    RedeemCouponsInput,
    RedeemCouponsResult,
)
from server.coupons.stock import BatchView
from server.edge import attempts, nodes, pages
from server.edge.attempts import AttemptRule, TooManyAttempts
from server.edge.batches import answer_each, shown_each
from server.edge.context import Info
from server.edge.idempotency import NothingWritten
from server.edge.mutation import write_once
from server.edge.permissions import mutation, query
from server.edge.problems import NotFound, problem_of
from server.errors import DomainError, phrase
from server.errors import InvalidInput as InvalidInputError
from server.principal import PrincipalKind
from server.refusals import Refusal

UNKNOWN = "coupon.unknown"


def _wish(given: CouponUseInput | RedeemCouponInput) -> Wish:
    reference = member_reference(given.member)
    assert reference is not None, "the schema requires it"
    occurred_at = clock.now() if given.occurred_at is None else given.occurred_at
    return Wish(reference, given.code, occurred_at)


def _guessing(info: Info) -> tuple[AttemptRule, str]:
    principal = info.context.principal
    is_member = principal.kind is PrincipalKind.MEMBER
    return (MEMBERS_COUPON_CODES if is_member else COUPON_CODES), principal.name


def _is_wrong(answer: Any) -> bool:
    """Whether it says that the code is none that the member could use."""
    return isinstance(answer, NotFound) and answer.path[-1:] == ["code"]


async def _note_guesses(info: Info, answers: Iterable[Any]) -> None:
    """Count the wrong codes of a batch, whose answer is told in any case: of the next one, none is
    if there were too many."""
    rule, whom = _guessing(info)
    with suppress(TooManyAttempts):
        for answer in answers:
            if isinstance(answer, Refusal) and answer.error().reason == UNKNOWN:
                await attempts.take(rule, whom)


@strawberry.type
class CouponMutations:
    """The mutations of coupons, for the schema's root."""

    @mutation(
        shapes.TILLS,
        description="Record that a member has used a coupon whose discount the till has taken off "
        "already; other coupons are used with a basket. A code that does not exist, one that is "
        "for others and one that somebody else has used are all NotFound; wrong codes are limited.",
    )
    async def redeem_coupon(
        self,
        info: Info,
        input: Annotated[RedeemCouponInput, strawberry.argument(description="Who used what.")],
    ) -> RedeemCouponResult:
        """Redeem one coupon."""

        async def work() -> CouponRedeemed:
            try:
                return await redeeming.redeem(_wish(input), now=clock.now())
            except DomainError as error:
                raise error.below("input") from None

        answer = await attempts.counting_failures(
            *_guessing(info),
            lambda: write_once(
                info, input, work=work, result=CouponRedeemed, present=shapes.shown_redemption
            ),
            is_failure=_is_wrong,
        )
        return cast(RedeemCouponResult, answer)

    @mutation(
        shapes.TILLS,
        description="Record uses of coupons as `redeemCoupon` does, in one commit. One that is "
        "refused spoils no other.",
    )
    async def redeem_coupons(
        self,
        info: Info,
        input: Annotated[RedeemCouponsInput, strawberry.argument(description="Who used what.")],
    ) -> RedeemCouponsResult:
        """Redeem several coupons."""
        await attempts.check(*_guessing(info))

        async def work() -> RedeemedCoupons:
            try:
                redeeming.check_count(len(input.redemptions))
            except DomainError as error:
                raise error.below("input") from None
            answers = await answer_each(
                input.redemptions,
                field="redemptions",
                wish_of=_wish,
                do=lambda wishes: redeeming.redeem_many(wishes, now=clock.now()),
            )
            batch = RedeemedCoupons(tuple(answers))
            if not any(isinstance(answer, CouponRedeemed) for answer in answers):
                raise NothingWritten(batch)
            return batch

        async def present(batch: RedeemedCoupons) -> CouponsRedeemed:
            await _note_guesses(info, batch.answers)
            language = info.context.language
            return CouponsRedeemed(
                answers=shown_each(batch.answers, language, show=shapes.shown_redemption)
            )

        answer = await write_once(info, input, work=work, result=RedeemedCoupons, present=present)
        return cast(RedeemCouponsResult, answer)

    @mutation(
        shapes.TILLS,
        description="Cancel a redemption that was recorded without a basket: it counts for no "
        "limit any more, and a single-use code is good again.",
    )
    async def cancel_coupon_redemption(
        self,
        info: Info,
        input: Annotated[
            CancelCouponRedemptionInput, strawberry.argument(description="Which redemption.")
        ],
    ) -> CancelCouponRedemptionResult:
        """Cancel a redemption."""

        async def work() -> RedemptionEnded:
            try:
                number = nodes.number_of(input.redemption_id, "CouponRedemption")
                return await redeeming.cancel(number, now=clock.now())
            except DomainError as error:
                raise error.below("input") from None

        answer = await write_once(
            info, input, work=work, result=RedemptionEnded, present=shapes.shown_end
        )
        return cast(CancelCouponRedemptionResult, answer)

    @mutation(
        shapes.WRITERS,
        description="Generate single-use codes, up to 10,000 at a time. Only keyed hashes of them "
        "are kept.",
    )
    async def generate_coupons(
        self,
        info: Info,
        input: Annotated[
            GenerateCouponsInput, strawberry.argument(description="How many, of which coupon.")
        ],
    ) -> GenerateCouponsResult:
        """Generate codes."""

        async def work() -> BatchView:
            now = clock.now()
            if not 1 <= input.number <= rules.MAXIMUM_GENERATED:
                raise errors.wrong_count(
                    input.number, rules.MAXIMUM_GENERATED, ("input", "number"), "number"
                )
            try:
                await stock.single_use_terms(input.coupon_key, now)
            except DomainError as error:
                raise error.below("input") from None
            made, _codes = await stock.derived_batch(
                input.coupon_key, input.number, by=info.context.principal.name, now=now
            )
            return made

        async def present(batch: BatchView) -> CouponsGenerated:
            made = await stock.codes_of(batch.id, batch.size)
            return CouponsGenerated(
                batch=shapes.shown_batch(batch), codes=[codes.shown(one) for one in made]
            )

        answer = await write_once(info, input, work=work, result=BatchView, present=present)
        return cast(GenerateCouponsResult, answer)


@strawberry.type
class CouponQueries:
    """The root fields that read coupons."""

    @query(
        shapes.CHECKERS,
        description="What a code is for a member, before they shop: whether they may use it now, "
        "as far as code, dates, limits and the offer's segments go. Wrong codes are limited.",
    )
    async def check_coupon(
        self,
        info: Info,
        code: Annotated[
            str,
            strawberry.argument(
                description="The code as typed or scanned: case, spaces and dashes do not matter."
            ),
        ],
        member: Annotated[
            MemberReference | None,
            strawberry.argument(
                description="For whom; the signed-in member, if left out. Members may name no one."
            ),
        ] = None,
    ) -> CheckCouponResult:
        """Check a code."""

        async def attempt() -> Any:
            try:
                member_id = await _checked_member(info, member)
                usable: Usable = await checking.check(code, member_id, now=clock.now())
            except DomainError as error:
                return problem_of(error, info.context.language)
            return shapes.shown_usable(usable)

        answer = await attempts.counting_failures(*_guessing(info), attempt, is_failure=_is_wrong)
        return cast(CheckCouponResult, answer)

    @query(
        shapes.READERS,
        description="The batches of single-use codes, the newest first; never the codes.",
    )
    async def coupon_batches(
        self,
        info: Info,
        coupon_key: Annotated[
            str | None,
            strawberry.argument(description="Only those of this coupon; all if left out."),
        ] = None,
        first: Annotated[int, strawberry.argument(description="How many at most: 1 to 100.")] = 20,
        after: Annotated[
            str | None,
            strawberry.argument(
                description="The `endCursor` of the page before; null for the first page."
            ),
        ] = None,
    ) -> CouponBatchConnection:
        """A page of batches; one statement."""
        limit, before = pages.page(first, after)
        found = await stock.batches(coupon_key, before=pages.before(before), limit=limit + 1)
        return pages.connected(
            CouponBatchConnection,
            CouponBatchEdge,
            [(batch.id, shapes.shown_batch(batch)) for batch in found[:limit]],
            has_next=len(found) > limit,
            after=after,
        )


async def _checked_member(info: Info, given: MemberReference | None) -> int:
    """For whom the caller asks."""
    principal = info.context.principal
    reference = member_reference(given)
    if principal.kind is PrincipalKind.MEMBER and principal.member_id is not None:
        if reference is not None:
            accepted = phrase("accepted.nothing_for_member")
            raise InvalidInputError("redemption.member", path=("member",), accepted=accepted)
        return principal.member_id
    if reference is None:
        accepted = phrase("accepted.member")
        raise InvalidInputError("input.required", path=("member",), accepted=accepted)
    return await cards.member_of(reference, path=("member",))
