"""Membership plans in the schema: what is shown, asked for and answered."""

from typing import Annotated

import strawberry

from server.cards.graphql import CardUnusable, MemberReference
from server.clock import NEVER, Instant
from server.edge import nodes
from server.edge.context import Info
from server.edge.enums import described
from server.edge.fields import computed
from server.edge.mutation import KEY_DESCRIPTION
from server.edge.nodes import Node
from server.edge.pages import PageInfo
from server.edge.permissions import (
    MEMBER,
    MEMBER_DATA,
    access,
    shown_to,
)
from server.edge.problems import (
    AlreadyDecided,
    IdempotencyConflict,
    InvalidInput,
    NotAllowed,
    NotFound,
)
from server.edge.scalars import Money
from server.plans import service
from server.plans.documents import Interval, Plan
from server.plans.service import EventKind, EventView, PlanStatus, PlanView, ReviewReason
from server.plans.wording import text_of
from server.principal import PrincipalKind, StaffRole

READERS = access(roles=frozenset({StaffRole.MANAGER, StaffRole.AUDITOR, StaffRole.SUPPORT}))
"""Who sees everybody's plans, and what was paid for them."""
OPERATORS = access(roles=frozenset({StaffRole.SUPPORT, StaffRole.MANAGER}))
CANCELLERS = MEMBER | OPERATORS

described(
    PlanStatus,
    description="How a member's plan stands.",
    PENDING="It waits for its first payment, or for the plan before it to end; no benefits yet.",
    TRIALING="It is being tried, free of charge.",
    ACTIVE="It runs.",
    PAST_DUE="A payment is missing; the benefits go on for the plan's days of grace.",
    CANCELLED="It was cancelled, and runs until what is paid for ends.",
    ENDED="It has ended.",
)
described(
    EventKind,
    name="PlanEventKind",
    description="What happened to a member's plan.",
    PAYMENT_SUCCEEDED="The provider told of a payment.",
    PAYMENT_FAILED="The provider told of a payment that failed.",
    PAYMENT_REFUNDED="The provider told of a refund.",
    PROVIDER_CANCELLED="It was cancelled at the provider.",
    CANCELLED="It was cancelled here.",
    CHANGED="Another plan was chosen, which follows it.",
    RESUMED="It was cancelled, and goes on after all.",
    ENDED="It was ended, by the staff or for another plan.",
)
described(
    ReviewReason,
    name="PlanReviewReason",
    description="Why something that the provider told was not counted: the staff look at it.",
    AMOUNT="Another amount or currency than was asked for.",
    AFTER_END="It was paid for what had ended or was cancelled.",
    IN_ADVANCE="More than the next period was paid for.",
    REFUND_AMOUNT="Another amount was refunded than was paid.",
    UNKNOWN_PAYMENT="What was refunded was never told of as paid.",
)


# ---------------------------------------------------------------- what members have


@shown_to(MEMBER_DATA)
@strawberry.type(description="Something that happened to a member's plan.")
class PlanEvent:
    """An event."""

    kind: EventKind = strawberry.field(description="What happened.")
    occurred_at: Instant = strawberry.field(description="When it happened.")
    recorded_at: Instant = strawberry.field(description="When this server learnt of it.")
    amount: Money | None = strawberry.field(
        description="How much was paid or refunded, in the plan's currency; null for what is no "
        "payment, or is in another currency."
    )
    payment_id: str | None = strawberry.field(
        description="The payment's id at the provider; null for what is no payment."
    )
    note: str | None = strawberry.field(
        description="Why the staff ended it, for the staff; null otherwise."
    )
    review: ReviewReason | None = strawberry.field(
        description="Why it was not counted and is to be looked at, for the staff; null if it was "
        "counted."
    )


def shown_event(event: EventView, plan: PlanView, *, is_for_staff: bool) -> PlanEvent:
    """An event as the schema shows it."""
    amount = None
    if event.amount_minor is not None and event.currency == plan.currency:
        amount = Money.of(event.amount_minor, plan.currency, plan.digits)
    return PlanEvent(
        kind=event.kind,
        occurred_at=event.occurred_at,
        recorded_at=event.recorded_at,
        amount=amount,
        payment_id=event.payment_id,
        note=event.note if is_for_staff else None,
        review=event.review if is_for_staff else None,
    )


async def _documents(versions: list[tuple[str, int]]) -> list[Plan]:
    return await service.documents_of(versions)


async def _events(ids: list[int]) -> list[list[EventView]]:
    found = await service.events(ids)
    return [found[number] for number in ids]


@shown_to(MEMBER_DATA)
@strawberry.type(description="A membership plan that a member has, or had.")
class PlanSubscription(Node):
    """A member's plan."""

    member_id: strawberry.ID = strawberry.field(description="The member's id in this API.")
    plan_key: str = strawberry.field(description="Which plan.")
    price: Money = strawberry.field(description="What they pay for an interval.")
    interval: Interval = strawberry.field(description="How long one payment is good for.")
    subscribed_at: Instant = strawberry.field(description="When it was asked for or granted.")
    is_granted: bool = strawberry.field(description="Whether the staff gave it free of charge.")
    trial_ends_at: Instant | None = strawberry.field(
        description="When the trial ends or ended; null without one."
    )
    covered_until: Instant | None = strawberry.field(
        description="Until when it is paid for, or tried; null before the first payment and for "
        "what costs nothing."
    )
    cancelled_at: Instant | None = strawberry.field(
        description="When it was cancelled; null if it is not."
    )
    ends_at: Instant | None = strawberry.field(
        description="From when on nothing is left of it if nothing more is paid, the days of grace "
        "included; null for never."
    )
    view: strawberry.Private[PlanView]

    @computed(description="How it stands now.")
    def status(self, info: Info) -> PlanStatus:
        """The status."""
        return self.view.status(info.context.at)

    @computed(description="The plan's title when it was subscribed to, in one's own language.")
    async def title(self, info: Info) -> str:
        """The title."""
        wanted = (self.view.plan_key, self.view.plan_version)
        document = await info.context.loader(_documents).load(wanted)
        return text_of(document, info.context.language)[1].title

    @computed(description="Why it was granted, for the staff; null for others, or if it was not.")
    def grant_reason(self, info: Info) -> str | None:
        """The reason."""
        return self.view.reason if READERS.allows(info.context.principal) else None

    @computed(
        description="Whether something that the provider told is to be looked at, for the staff; "
        "null for others."
    )
    def needs_review(self, info: Info) -> bool | None:
        """Whether to look."""
        return self.view.review_count > 0 if READERS.allows(info.context.principal) else None

    @computed(
        description="What happened to it, by when it happened; for the member and the staff who "
        "see to plans (SUPPORT, MANAGER, AUDITOR), nothing for others."
    )
    async def events(self, info: Info) -> list[PlanEvent]:
        """The events."""
        principal = info.context.principal
        is_staff = READERS.allows(principal)
        is_own = principal.kind is PrincipalKind.MEMBER
        if not is_staff and not (is_own and principal.member_id == self.view.member_id):
            return []
        found = await info.context.loader(_events).load(self.view.id)
        return [shown_event(event, self.view, is_for_staff=is_staff) for event in found]


def shown_subscription(view: PlanView) -> PlanSubscription:
    """A member's plan as the schema shows it."""
    return PlanSubscription(
        id=nodes.global_id("PlanSubscription", view.id),
        member_id=nodes.global_id("Member", view.member_id),
        plan_key=view.plan_key,
        price=Money.of(view.price_minor, view.currency, view.digits),
        interval=view.interval,
        subscribed_at=view.created_at,
        is_granted=view.source == "granted",
        trial_ends_at=view.first_period_at if view.is_trial else None,
        covered_until=view.covered_until,
        cancelled_at=view.cancelled_at,
        ends_at=None if view.ends_at == NEVER else view.ends_at,
        view=view,
    )


@shown_to(READERS)
@strawberry.type(description="A member's plan with its place in the list.")
class PlanSubscriptionEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="Its place, for `after`.")
    node: PlanSubscription = strawberry.field(description="The member's plan.")


@shown_to(READERS)
@strawberry.type(description="A page of members' plans, the newest first.")
class PlanSubscriptionConnection:
    """Relay's connection."""

    edges: list[PlanSubscriptionEdge] = strawberry.field(description="With their places.")
    nodes: list[PlanSubscription] = strawberry.field(description="The members' plans alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


# ---------------------------------------------------------------- inputs and results

_PLAN_KEY = "Which plan: its `key`."
_SUBSCRIPTION = "Which member's plan: its `id`."
_REASON = "Why: 1 to 200 printable characters."


@strawberry.input(description="Which plan to have.")
class SubscribePlanInput:
    """Input of subscribePlan."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    plan_key: str = strawberry.field(description=_PLAN_KEY)


@strawberry.input(description="Which plan to cancel.")
class CancelPlanInput:
    """Input of cancelPlan."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    plan_subscription_id: strawberry.ID = strawberry.field(description=_SUBSCRIPTION)


@strawberry.input(description="Which cancelled plan is to go on.")
class ResumePlanInput:
    """Input of resumePlan."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    plan_subscription_id: strawberry.ID = strawberry.field(description=_SUBSCRIPTION)


@strawberry.input(description="Which plan is to be followed by which.")
class ChangePlanInput:
    """Input of changePlan."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    plan_subscription_id: strawberry.ID = strawberry.field(description=_SUBSCRIPTION)
    plan_key: str = strawberry.field(description="The plan that follows: its `key`.")


@strawberry.input(description="Which plan to give to whom.")
class GrantPlanInput:
    """Input of grantPlan."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    member: MemberReference = strawberry.field(description="Who gets it.")
    plan_key: str = strawberry.field(description=_PLAN_KEY)
    reason: str = strawberry.field(description=_REASON)
    expires_at: Instant | None = strawberry.field(
        default=None, description="Until when; until it is ended, if left out."
    )


@strawberry.input(description="Which plan to end, and why.")
class EndPlanInput:
    """Input of endPlan."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    plan_subscription_id: strawberry.ID = strawberry.field(description=_SUBSCRIPTION)
    reason: str = strawberry.field(description=_REASON)


@shown_to(CANCELLERS)
@strawberry.type(description="The request was done; repeating it changes nothing more.")
class PlanChanged:
    """Success of the mutations of plans."""

    plan_subscription: PlanSubscription = strawberry.field(
        description="The member's plan as this request left it."
    )
    checkout_url: str | None = strawberry.field(
        description="Where the member enters how to pay; null if nothing is to be entered."
    )


SubscribePlanResult = Annotated[
    PlanChanged | InvalidInput | NotFound | AlreadyDecided | NotAllowed | IdempotencyConflict,
    strawberry.union("SubscribePlanResult", description="The plan, or why there is none."),
]
_CHANGED = "The plan, or why it stays as it is."
CancelPlanResult = Annotated[
    PlanChanged | InvalidInput | NotFound | AlreadyDecided | IdempotencyConflict,
    strawberry.union("CancelPlanResult", description=_CHANGED),
]
ResumePlanResult = Annotated[
    PlanChanged | InvalidInput | NotFound | AlreadyDecided | IdempotencyConflict,
    strawberry.union("ResumePlanResult", description=_CHANGED),
]
ChangePlanResult = Annotated[
    PlanChanged | InvalidInput | NotFound | AlreadyDecided | NotAllowed | IdempotencyConflict,
    strawberry.union("ChangePlanResult", description=_CHANGED),
]
GrantPlanResult = Annotated[
    PlanChanged | InvalidInput | NotFound | CardUnusable | AlreadyDecided | IdempotencyConflict,
    strawberry.union("GrantPlanResult", description="The plan, or why there is none."),
]
EndPlanResult = Annotated[
    PlanChanged | InvalidInput | NotFound | AlreadyDecided | IdempotencyConflict,
    strawberry.union("EndPlanResult", description=_CHANGED),
]
