"""Reading and changing payouts through the schema."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, cast

import strawberry

from server import clock
from server.cards import service as cards
from server.cards.graphql import member_reference
from server.edge import nodes, pages
from server.edge.context import Info
from server.edge.mutation import write_once
from server.edge.permissions import MEMBER, access, mutation, query
from server.errors import DomainError, InvalidInput, phrase
from server.payouts import service
from server.payouts.service import PayoutStatus, PayoutView
from server.payouts.shapes import (
    READERS,
    ApprovePayoutInput,
    ApprovePayoutResult,
    CancelPayoutInput,
    CancelPayoutResult,
    MarkPayoutFailedInput,
    MarkPayoutFailedResult,
    MarkPayoutPaidInput,
    MarkPayoutPaidResult,
    Payout,
    PayoutChanged,
    PayoutConnection,
    PayoutEdge,
    RejectPayoutInput,
    RejectPayoutResult,
    RequestPayoutInput,
    RequestPayoutResult,
    may_see,
    shown_payout,
)
from server.principal import PrincipalKind, Scope, StaffRole

_OPERATORS = frozenset({StaffRole.SUPPORT, StaffRole.MANAGER})
_DECIDERS = access(roles=frozenset({StaffRole.MANAGER}))
_PAYERS = access(Scope.PAYOUTS_WRITE, roles=frozenset({StaffRole.MANAGER}))


def _connected(found: list[PayoutView], limit: int, after: str | None) -> PayoutConnection:
    return pages.connected(
        PayoutConnection,
        PayoutEdge,
        [(payout.id, shown_payout(payout)) for payout in found[:limit]],
        has_next=len(found) > limit,
        after=after,
    )


async def _pages(member_ids: list[int], limit: int, before: int) -> list[list[PayoutView]]:
    found = await service.payouts_of_members(member_ids, before=before, limit=limit)
    return [found[member_id] for member_id in member_ids]


async def payouts_of_member(
    info: Info, member_id: int, *, first: int, after: str | None
) -> PayoutConnection:
    """A page of the member's payouts; one statement for all members asked for, and one more for
    destinations."""
    limit, before = pages.page(first, after)
    loader = info.context.loader(_pages, limit + 1, pages.before(before))
    return _connected(await loader.load(member_id), limit, after)


async def _payouts(payout_ids: list[int]) -> list[PayoutView | None]:
    found = await service.find_payouts(payout_ids)
    return [found.get(payout_id) for payout_id in payout_ids]


@nodes.fetches("Payout")
async def _payout(info: Info, payout_id: int) -> Payout | None:
    payout = await info.context.loader(_payouts).load(payout_id)
    if payout is None or not may_see(info.context.principal, payout.member_id):
        return None
    return shown_payout(payout)


@strawberry.type
class PayoutQueries:
    """The root fields that read payouts."""

    @query(READERS, description="The payouts of all members, the newest first.")
    async def payouts(
        self,
        status: Annotated[
            PayoutStatus | None,
            strawberry.argument(description="Only those with this status; all, if left out."),
        ] = None,
        first: Annotated[int, strawberry.argument(description="How many at most: 1 to 100.")] = 20,
        after: Annotated[
            str | None,
            strawberry.argument(
                description="The `endCursor` of the page before; null for the first page."
            ),
        ] = None,
    ) -> PayoutConnection:
        """A page of payouts."""
        limit, before = pages.page(first, after)
        found = await service.payouts(status, before=before, limit=limit + 1)
        return _connected(found, limit, after)


# ---------------------------------------------------------------- mutations


async def _member_of(info: Info, input: RequestPayoutInput) -> int:
    path = ("input", "member")
    given = member_reference(input.member or None)
    principal = info.context.principal
    if principal.kind is PrincipalKind.MEMBER and principal.member_id is not None:
        if given is not None:
            raise InvalidInput(
                "payout.member",
                path=path,
                value=None,
                accepted=phrase("accepted.nothing_for_member"),
            )
        return principal.member_id
    if given is None:
        raise InvalidInput("input.required", path=path, accepted=phrase("accepted.member"))
    return await cards.member_of(given, path=path)


async def _change(info: Info, input: Any, verb: Callable[[int], Awaitable[PayoutView]]) -> Any:
    """Let the verb change the payout that the input names."""

    async def work() -> PayoutView:
        payout_id = nodes.number_of(input.payout_id, "Payout")
        try:
            return await verb(payout_id)
        except DomainError as error:
            raise error.below("input") from None

    return await write_once(info, input, work=work, result=PayoutView, present=_shown_change)


def _shown_change(payout: PayoutView) -> PayoutChanged:
    return PayoutChanged(payout=shown_payout(payout))


@strawberry.type
class PayoutMutations:
    """The mutations of payouts, for the schema's root."""

    @mutation(
        access(members=True, roles=_OPERATORS),
        description="Ask for cashback to be paid in money. It is reserved from now on: paid, or "
        "available again once the payout is rejected or cancelled or has failed.",
    )
    async def request_payout(
        self,
        info: Info,
        input: Annotated[
            RequestPayoutInput, strawberry.argument(description="How much, and where to.")
        ],
    ) -> RequestPayoutResult:
        """Request a payout."""
        principal = info.context.principal
        is_staff = principal.kind is PrincipalKind.STAFF

        async def work() -> PayoutView:
            member_id = await _member_of(info, input)
            try:
                return await service.request(
                    member_id,
                    None if input.amount_minor is strawberry.UNSET else input.amount_minor,
                    input.destination,
                    requested_by=principal.id if is_staff else None,
                    now=clock.now(),
                )
            except DomainError as error:
                raise error.below("input") from None

        answer = await write_once(info, input, work=work, result=PayoutView, present=_shown_change)
        return cast(RequestPayoutResult, answer)

    @mutation(
        MEMBER,
        description="Give up one's own payout that is not decided yet. Its cashback is available "
        "again.",
    )
    async def cancel_payout(
        self,
        info: Info,
        input: Annotated[
            CancelPayoutInput, strawberry.argument(description="Which payout to give up.")
        ],
    ) -> CancelPayoutResult:
        """Cancel a payout."""
        member_id = info.context.principal.member_id or 0
        answer = await _change(
            info, input, lambda payout_id: service.cancel(payout_id, member_id, now=clock.now())
        )
        return cast(CancelPayoutResult, answer)

    @mutation(
        _DECIDERS,
        description="Approve a requested payout, so that it is paid. Who asked for it on the "
        "member's behalf needs another manager: NotAllowed.",
    )
    async def approve_payout(
        self,
        info: Info,
        input: Annotated[
            ApprovePayoutInput, strawberry.argument(description="Which payout to approve.")
        ],
    ) -> ApprovePayoutResult:
        """Approve a payout."""
        by = info.context.principal.id
        answer = await _change(
            info, input, lambda payout_id: service.approve(payout_id, by=by, now=clock.now())
        )
        return cast(ApprovePayoutResult, answer)

    @mutation(
        _DECIDERS,
        description="Reject a requested payout. Its cashback is available again. Who asked for it "
        "on the member's behalf needs another manager: NotAllowed.",
    )
    async def reject_payout(
        self,
        info: Info,
        input: Annotated[
            RejectPayoutInput, strawberry.argument(description="Which payout to reject.")
        ],
    ) -> RejectPayoutResult:
        """Reject a payout."""
        by = info.context.principal.id
        answer = await _change(
            info,
            input,
            lambda payout_id: service.reject(payout_id, input.note, by=by, now=clock.now()),
        )
        return cast(RejectPayoutResult, answer)

    @mutation(
        _PAYERS,
        description="Report that the money of an approved payout has gone out. NotAllowed before "
        "it is approved.",
    )
    async def mark_payout_paid(
        self,
        info: Info,
        input: Annotated[
            MarkPayoutPaidInput, strawberry.argument(description="Which payout was paid.")
        ],
    ) -> MarkPayoutPaidResult:
        """Mark a payout as paid."""
        by = info.context.principal.name
        answer = await _change(
            info,
            input,
            lambda payout_id: service.mark_paid(
                payout_id, input.bank_reference, by=by, now=clock.now()
            ),
        )
        return cast(MarkPayoutPaidResult, answer)

    @mutation(
        _PAYERS,
        description="Report that the money of an approved payout did not arrive, or that the bank "
        "has sent that of a paid one back. Its cashback is available again. NotAllowed before it "
        "is approved.",
    )
    async def mark_payout_failed(
        self,
        info: Info,
        input: Annotated[
            MarkPayoutFailedInput, strawberry.argument(description="Which payout has failed.")
        ],
    ) -> MarkPayoutFailedResult:
        """Mark a payout as failed."""
        by = info.context.principal.name
        answer = await _change(
            info,
            input,
            lambda payout_id: service.mark_failed(payout_id, input.note, by=by, now=clock.now()),
        )
        return cast(MarkPayoutFailedResult, answer)
