"""Membership plans in the schema: what there is, who has which, and the requests of members."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, cast

import strawberry

from server import clock
from server.cards import service as cards
from server.cards.graphql import member_reference
from server.clock import Instant
from server.edge import nodes, pages
from server.edge.context import Info
from server.edge.mutation import write_once
from server.edge.permissions import EVERYONE, MEMBER, mutation, query
from server.edge.refusing import RequestRefused
from server.errors import DomainError, InvalidInput, phrase
from server.integrations.billing import RETRY_SECONDS, BillingUnavailable, NoProvider
from server.plans import service
from server.plans.plan_types import MembershipPlan, shown_plan
from server.plans.service import Changed, PlanView
from server.plans.shapes import (
    CANCELLERS,
    OPERATORS,
    READERS,
    CancelPlanInput,
    CancelPlanResult,
    ChangePlanInput,
    ChangePlanResult,
    EndPlanInput,
    EndPlanResult,
    GrantPlanInput,
    GrantPlanResult,
    PlanChanged,
    PlanSubscription,
    PlanSubscriptionConnection,
    PlanSubscriptionEdge,
    ResumePlanInput,
    ResumePlanResult,
    SubscribePlanInput,
    SubscribePlanResult,
    shown_subscription,
)
from server.principal import PrincipalKind
from server.programme import service as programme


async def _current(member_ids: list[int], at: Instant) -> list[PlanView | None]:
    found = await service.current_plans(member_ids, at)
    return [found[member_id] for member_id in member_ids]


async def plan_of_member(info: Info, member_id: int) -> PlanSubscription | None:
    """The member's plan; one statement for all members asked for."""
    found = await info.context.loader(_current, info.context.at).load(member_id)
    return None if found is None else shown_subscription(found)


async def _found(ids: list[int]) -> list[PlanView | None]:
    found = await service.find(ids)
    return [found.get(number) for number in ids]


@nodes.fetches("PlanSubscription")
async def _subscription(info: Info, number: int) -> PlanSubscription | None:
    view = await info.context.loader(_found).load(number)
    principal = info.context.principal
    is_own = view is not None and principal.member_id == view.member_id
    is_own = is_own and principal.kind is PrincipalKind.MEMBER
    if view is None or not (is_own or READERS.allows(principal)):
        return None
    return shown_subscription(view)


@strawberry.type
class PlanQueries:
    """The root fields that read plans."""

    @query(EVERYONE, description="The membership plans that can be had now, by their keys.")
    async def plans(self, info: Info) -> list[MembershipPlan]:
        """The plans."""
        at, language = info.context.at, info.context.language
        found = await service.live_plans(at)
        if not found:
            return []
        then = (await programme.rulebook()).at(at).programme.programme
        return [
            shown_plan(one, language, then.currency, then.minor_unit_digits)
            for one in found.values()
        ]

    @query(READERS, description="The membership plans that members have or had, the newest first.")
    async def plan_subscriptions(
        self,
        needs_review: Annotated[
            bool,
            strawberry.argument(
                description="Whether only those are shown of which the provider told something "
                "that was not counted."
            ),
        ] = False,
        first: Annotated[int, strawberry.argument(description="How many at most: 1 to 100.")] = 20,
        after: Annotated[
            str | None,
            strawberry.argument(
                description="The `endCursor` of the page before; null for the first page."
            ),
        ] = None,
    ) -> PlanSubscriptionConnection:
        """A page of members' plans."""
        limit, before = pages.page(first, after)
        found = await service.page(needs_review=needs_review, before=before, limit=limit + 1)
        return pages.connected(
            PlanSubscriptionConnection,
            PlanSubscriptionEdge,
            [(view.id, shown_subscription(view)) for view in found[:limit]],
            has_next=len(found) > limit,
            after=after,
        )


# ---------------------------------------------------------------- mutations


async def _present(changed: Changed) -> PlanChanged:
    """Ask the provider for what follows, once it is committed. Raises RequestRefused."""
    try:
        await service.ask(changed.asked)
        url = await service.checkout_of(changed.plan, clock.now())
    except (BillingUnavailable, NoProvider):
        raise RequestRefused(
            "UNAVAILABLE",
            "plan.provider_unavailable",
            status=503,
            headers={"Retry-After": str(RETRY_SECONDS)},
            extensions={"retryAfterSeconds": RETRY_SECONDS},
        ) from None
    return PlanChanged(plan_subscription=shown_subscription(changed.plan), checkout_url=url)


async def _write(info: Info, input: Any, verb: Callable[[], Awaitable[Changed]]) -> Any:
    async def work() -> Changed:
        try:
            return await verb()
        except DomainError as error:
            raise error.below("input") from None

    return await write_once(info, input, work=work, result=Changed, present=_present)


def _number(input: Any) -> int:
    return nodes.number_of(input.plan_subscription_id, "PlanSubscription")


def _own(info: Info) -> int | None:
    principal = info.context.principal
    return principal.member_id if principal.kind is PrincipalKind.MEMBER else None


_GOES_ON = (
    "If the provider can't be reached, the request is kept and answered with UNAVAILABLE: repeat it"
    " with its key."
)


@strawberry.type
class PlanMutations:
    """The mutations of plans, for the schema's root."""

    @mutation(
        MEMBER,
        description="Have a membership plan: `checkoutUrl` is where to enter how to pay. With a "
        "trial, which each member has once, it begins at once; without, as soon as it is paid for. "
        "Who is still to pay asks again with a new key for another address. " + _GOES_ON,
    )
    async def subscribe_plan(
        self,
        info: Info,
        input: Annotated[SubscribePlanInput, strawberry.argument(description="Which plan.")],
    ) -> SubscribePlanResult:
        """Subscribe to a plan."""
        member_id = info.context.principal.member_id or 0
        answer = await _write(
            info,
            input,
            lambda: service.subscribe(member_id, input.plan_key, now=clock.now()),
        )
        return cast(SubscribePlanResult, answer)

    @mutation(
        CANCELLERS,
        description="Cancel a plan, one's own or as staff a member's: it ends with what is paid "
        "for or with the trial, or at once if that is its policy. " + _GOES_ON,
    )
    async def cancel_plan(
        self,
        info: Info,
        input: Annotated[CancelPlanInput, strawberry.argument(description="Which plan.")],
    ) -> CancelPlanResult:
        """Cancel a plan."""
        by = info.context.principal.name
        answer = await _write(
            info,
            input,
            lambda: service.cancel(_number(input), of_member=_own(info), by=by, now=clock.now()),
        )
        return cast(CancelPlanResult, answer)

    @mutation(
        MEMBER,
        description="Let one's own cancelled plan, which still runs, go on. Another plan that was "
        "to follow it is given up. " + _GOES_ON,
    )
    async def resume_plan(
        self,
        info: Info,
        input: Annotated[ResumePlanInput, strawberry.argument(description="Which plan.")],
    ) -> ResumePlanResult:
        """Resume a plan."""
        by = info.context.principal.name
        answer = await _write(
            info,
            input,
            lambda: service.resume(_number(input), of_member=_own(info), by=by, now=clock.now()),
        )
        return cast(ResumePlanResult, answer)

    @mutation(
        MEMBER,
        description="Have another plan once what is paid for, or the trial, ends. Nothing is "
        "reckoned by days: the present plan runs to its end, and the other follows it, without a "
        "trial of its own. Answers the plan that follows, and where to enter how to pay for it. "
        + _GOES_ON,
    )
    async def change_plan(
        self,
        info: Info,
        input: Annotated[ChangePlanInput, strawberry.argument(description="Which plan.")],
    ) -> ChangePlanResult:
        """Change a plan."""
        by = info.context.principal.name
        answer = await _write(
            info,
            input,
            lambda: service.change(
                _number(input), input.plan_key, of_member=_own(info), by=by, now=clock.now()
            ),
        )
        return cast(ChangePlanResult, answer)

    @mutation(OPERATORS, description="Give a member a plan free of charge.")
    async def grant_plan(
        self,
        info: Info,
        input: Annotated[GrantPlanInput, strawberry.argument(description="Which plan, to whom.")],
    ) -> GrantPlanResult:
        """Grant a plan."""

        async def verb() -> Changed:
            given = member_reference(input.member)
            if given is None:
                accepted = phrase("accepted.member")
                raise InvalidInput("input.required", path=("member",), accepted=accepted)
            try:
                member_id = await cards.member_of(given, path=())
            except DomainError as error:
                raise error.below("member") from None
            return await service.grant(
                member_id,
                input.plan_key,
                input.reason,
                expires_at=input.expires_at,
                by=info.context.principal.id,
                now=clock.now(),
            )

        return cast(GrantPlanResult, await _write(info, input, verb))

    @mutation(
        OPERATORS, description="End a member's plan at once, whatever is paid for. " + _GOES_ON
    )
    async def end_plan(
        self,
        info: Info,
        input: Annotated[EndPlanInput, strawberry.argument(description="Which plan, and why.")],
    ) -> EndPlanResult:
        """End a plan."""
        by = info.context.principal.name
        answer = await _write(
            info,
            input,
            lambda: service.end(_number(input), input.reason, by=by, now=clock.now()),
        )
        return cast(EndPlanResult, answer)
