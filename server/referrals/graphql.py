"""Referrals in the schema: a member's own, and what staff look at and decide."""

from collections.abc import Sequence
from typing import Annotated, cast

import msgspec
import strawberry

from server import clock
from server.edge import nodes, pages
from server.edge.context import Info
from server.edge.fields import computed
from server.edge.mutation import write_once
from server.edge.permissions import MEMBER, STAFF, mutation, query, shown_to
from server.edge.scalars import Money
from server.errors import DomainError, InvalidInput, NotFound, phrase
from server.members import service as members
from server.principal import PrincipalKind
from server.referrals import links, service
from server.referrals.rules import ReferralState
from server.referrals.service import (
    Invitation,
    Marks,
    ReferralView,
    SeenReferral,
    SeenState,
    Summary,
)
from server.referrals.shapes import (
    DECIDERS,
    OWN,
    TELLERS,
    AcceptReferralInput,
    AcceptReferralResult,
    DecideReferralInput,
    DecideReferralResult,
    MemberMarksNoted,
    NoteMemberMarksInput,
    NoteMemberMarksResult,
    OwnReferral,
    ReferralAccepted,
    ReferralConnection,
    ReferralDecided,
    ReferralDecision,
    ReferralEdge,
    ReferralMilestone,
    ReferralTerms,
    ReferredFriendConnection,
    ReferredFriendEdge,
)
from server.referrals.showing import (
    Currency,
    currency_now,
    friend_shown,
    own_shown,
    referral_shown,
    terms_shown,
)


@shown_to(OWN)
@strawberry.type(description="How a member brings friends, and what for.")
class MemberReferral:
    """A member as an inviter."""

    code: str | None = strawberry.field(
        description="The code to pass on: two groups of five characters. It is made of the card's "
        "number, without telling it; codes of earlier cards go on working. Null without a card."
    )
    link: str | None = strawberry.field(
        description="The same as a link to the operator's app; null if the server knows none."
    )
    terms: ReferralTerms | None = strawberry.field(
        description="What counts for friends who come now; null if nothing does."
    )
    friends_rewarded: int = strawberry.field(
        description="For how many friends the member was rewarded."
    )
    earned_points: int = strawberry.field(
        description="Points for friends and milestones, pending ones included."
    )
    earned_cashback: Money = strawberry.field(description="Cashback for friends, pending included.")
    milestones: list[ReferralMilestone] = strawberry.field(
        description="More points for many friends, the fewest first."
    )
    own: OwnReferral | None = strawberry.field(
        description="How the member came themselves; null if through nobody."
    )
    number: strawberry.Private[int]

    @computed(description="The friends whom the member brought, the newest first.")
    async def friends(
        self,
        info: Info,
        first: Annotated[int, strawberry.argument(description="How many at most: 1 to 100.")] = 20,
        after: Annotated[
            str | None,
            strawberry.argument(
                description="The `endCursor` of the page before; null for the first page."
            ),
        ] = None,
    ) -> ReferredFriendConnection:
        """A page of friends."""
        limit, before = pages.page(first, after)
        currency = await info.context.loader(_currencies).load(_NOW)
        loader = info.context.loader(_friends, limit + 1, pages.before(before))
        found = await loader.load(self.number)
        return pages.connected(
            ReferredFriendConnection,
            ReferredFriendEdge,
            [(seen.referral.id, friend_shown(seen, currency)) for seen in found[:limit]],
            has_next=len(found) > limit,
            after=after,
        )


# ---------------------------------------------------------------- showing


_NOW = "now"


async def _currencies(asked: list[str]) -> Sequence[Currency]:
    """The currency, once for everybody of whom a request tells."""
    return [await currency_now()] * len(asked)


async def _friends(member_ids: list[int], limit: int, before: int) -> Sequence[list[SeenReferral]]:
    found = await service.friends_of(member_ids, before=before, limit=limit, now=clock.now())
    return [found[member_id] for member_id in member_ids]


async def _codes(member_ids: list[int]) -> Sequence[str | None]:
    return await service.codes_of(member_ids)


async def _summaries(member_ids: list[int]) -> Sequence[Summary]:
    found = await service.summaries(member_ids, now=clock.now())
    return [found[member_id] for member_id in member_ids]


async def referral_of_member(info: Info, member_id: int) -> MemberReferral:
    """How the member brings friends, looked up together with other members'."""
    summary = await info.context.loader(_summaries).load(member_id)
    code = await info.context.loader(_codes).load(member_id)
    currency = await info.context.loader(_currencies).load(_NOW)
    return MemberReferral(
        code=code,
        link=None if code is None else links.link_of(code),
        terms=None if summary.terms is None else terms_shown(summary.terms, currency),
        friends_rewarded=summary.friends,
        earned_points=summary.earned_points,
        earned_cashback=currency.money(summary.earned_cashback_minor),
        milestones=[
            ReferralMilestone(friends=one.friends, points=one.points, is_reached=one.is_reached)
            for one in summary.milestones
        ],
        own=None if summary.own is None else own_shown(summary.own, currency),
        number=member_id,
    )


# ---------------------------------------------------------------- root fields


@strawberry.type
class ReferralQueries:
    """The root fields that read referrals."""

    @query(STAFF, description="Who brought whom, the newest first.")
    async def referrals(
        self,
        info: Info,
        state: Annotated[
            ReferralState | None,
            strawberry.argument(description="Only those of this state; null for all."),
        ] = None,
        first: Annotated[int, strawberry.argument(description="How many at most: 1 to 100.")] = 20,
        after: Annotated[
            str | None,
            strawberry.argument(
                description="The `endCursor` of the page before; null for the first page."
            ),
        ] = None,
    ) -> ReferralConnection:
        """A page of referrals."""
        limit, before = pages.page(first, after)
        currency = await currency_now()
        found = await service.page(state, before=pages.before(before), limit=limit + 1)
        return pages.connected(
            ReferralConnection,
            ReferralEdge,
            [(view.id, referral_shown(view, currency)) for view in found[:limit]],
            has_next=len(found) > limit,
            after=after,
        )


def _marks(input: AcceptReferralInput | NoteMemberMarksInput) -> Marks:
    return Marks(input.device_id, input.payment_fingerprint, input.address_fingerprint)


async def _whose(info: Info, member_id: strawberry.ID | None) -> int:
    """The member meant; members mean nobody but themselves."""
    principal = info.context.principal
    if principal.kind is PrincipalKind.MEMBER:
        if member_id is not None:
            raise InvalidInput(
                "referral.member",
                path=("memberId",),
                accepted=phrase("accepted.nothing_for_member"),
            )
        return principal.member_id or 0
    if member_id is None:
        raise InvalidInput("input.required", path=("memberId",), accepted=phrase("accepted.member"))
    number = nodes.number_of(member_id, "Member")
    number = (await members.survivors([number])).get(number, number)
    if number not in await members.profiles([number]):
        raise NotFound("member.not_found", path=("memberId",))
    return number


class Noted(msgspec.Struct, frozen=True):
    """For whom marks were noted."""

    member_id: int


@strawberry.type
class ReferralMutations:
    """The mutations of referrals, for the schema's root."""

    @mutation(
        MEMBER,
        description="Say through whom the signed-in member came, if they did not when they signed "
        "up: within some days of enrolment and before their first purchase. Whether it counts may "
        "be looked at first: then it is UNDER_REVIEW.",
    )
    async def accept_referral(
        self,
        info: Info,
        input: Annotated[
            AcceptReferralInput, strawberry.argument(description="Through whom they came.")
        ],
    ) -> AcceptReferralResult:
        """Take up a code."""
        friend_id = info.context.principal.member_id or 0

        async def work() -> ReferralView:
            invitation = Invitation(input.referral_code, _marks(input))
            try:
                return await service.accept(friend_id, invitation, now=clock.now())
            except DomainError as error:
                raise error.below("input") from None

        async def present(view: ReferralView) -> ReferralAccepted:
            state = (
                SeenState.WAITING if view.state is ReferralState.WAITING else SeenState.UNDER_REVIEW
            )
            seen = SeenReferral(view, state, None)
            return ReferralAccepted(referral=own_shown(seen, await currency_now()))

        answer = await write_once(
            info,
            input,
            work=work,
            result=ReferralView,
            present=present,
            hashed={"referral_code": input.referral_code},
        )
        return cast(AcceptReferralResult, answer)

    @mutation(
        TELLERS,
        description="Note what a member uses: a device, a means of payment, an address. Referrals "
        "between members who share one are held or blocked, as the programme says: when the friend "
        "comes, and again at the purchase that counts.",
    )
    async def note_member_marks(
        self,
        info: Info,
        input: Annotated[NoteMemberMarksInput, strawberry.argument(description="What they use.")],
    ) -> NoteMemberMarksResult:
        """Note marks."""

        async def work() -> Noted:
            try:
                member_id = await _whose(info, input.member_id)
                await service.note_marks(member_id, _marks(input), now=clock.now())
            except DomainError as error:
                raise error.below("input") from None
            return Noted(member_id)

        answer = await write_once(
            info,
            input,
            work=work,
            result=Noted,
            present=lambda noted: MemberMarksNoted(
                member_id=nodes.global_id("Member", noted.member_id)
            ),
        )
        return cast(NoteMemberMarksResult, answer)

    @mutation(
        DECIDERS,
        description="Approve or reject a referral that is HELD or BLOCKED. What is approved is "
        "rewarded now, if the friend's purchase is there, and else once it is: under the terms "
        "that the friend came with, the caps of the purchase's month, and for use after the same "
        "day.",
    )
    async def decide_referral(
        self,
        info: Info,
        input: Annotated[DecideReferralInput, strawberry.argument(description="What to decide.")],
    ) -> DecideReferralResult:
        """Decide."""

        async def work() -> ReferralView:
            number = nodes.number_of(input.referral_id, "Referral")
            try:
                return await service.decide(
                    number,
                    is_approved=input.decision is ReferralDecision.APPROVE,
                    note=input.reason,
                    by=info.context.principal.id,
                    now=clock.now(),
                )
            except DomainError as error:
                raise error.below("input") from None

        async def present(view: ReferralView) -> ReferralDecided:
            return ReferralDecided(referral=referral_shown(view, await currency_now()))

        answer = await write_once(info, input, work=work, result=ReferralView, present=present)
        return cast(DecideReferralResult, answer)
