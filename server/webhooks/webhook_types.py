"""What the schema shows of webhooks that go out."""

import strawberry

from server.clock import Instant
from server.edge import nodes
from server.edge.context import Info
from server.edge.enums import described
from server.edge.fields import computed
from server.edge.nodes import Node
from server.edge.pages import PageInfo
from server.edge.permissions import access, shown_to
from server.principal import StaffRole
from server.webhooks import payloads, service
from server.webhooks.payloads import EventType
from server.webhooks.rules import DisabledReason, State, Status
from server.webhooks.service import Counts

WEBHOOK_MANAGERS = access(roles=frozenset({StaffRole.MANAGER}))
WEBHOOK_READERS = access(roles=frozenset({StaffRole.MANAGER, StaffRole.AUDITOR}))

described(
    EventType,
    name="WebhookEventType",
    description="What webhooks tell of. In the message it is written as `points.earned`: "
    "`webhookEventTypes` shows each.",
    **{kind.name: one.description for kind, one in payloads.KINDS.items()},
)
described(
    State,
    name="WebhookState",
    description="Whether a webhook is told of events.",
    ACTIVE="It is told of what happens, at once.",
    PAUSED="What happens is kept for up to 30 days, and told once it is resumed.",
    DISABLED="The server has disabled it, for its endpoint failed. What happens is not kept for it "
    "until it is resumed.",
    DELETED="It is no more.",
)
described(
    DisabledReason,
    name="WebhookDisabledReason",
    description="Why the server has disabled a webhook.",
    GONE="Its endpoint has answered 410 (Gone).",
    FAILING="Its endpoint has taken nothing for 72 hours, and more than one event has failed.",
)
described(
    Status,
    name="WebhookDeliveryStatus",
    description="What became of an event on its way to an endpoint.",
    QUEUED="It waits for its first or its next attempt, or for an earlier event of its member.",
    DELIVERED="The endpoint has taken it: it has answered 2xx.",
    DEAD="It is a dead letter: given up after ten attempts in more than three days, or because its "
    "webhook was disabled or paused for too long. It can be replayed for 90 days.",
    CANCELLED="Its webhook was deleted before.",
)


@shown_to(WEBHOOK_READERS)
@strawberry.type(description="An address of a shop's or partner's system that is told of events.")
class Webhook(Node):
    """A subscription."""

    name: str = strawberry.field(description="Whose it is, for the operator's own lists.")
    url: str = strawberry.field(description="Where events are posted.")
    partner: str | None = strawberry.field(
        description="The partner whose events alone it is told of: those that name it, those about "
        "its purchases, and what else happens to members who have bought there. Null for all."
    )
    kinds: list[EventType] = strawberry.field(
        description="What it is told of, each once; everything, if empty."
    )
    state: State = strawberry.field(description="Whether it is told of events.")
    disabled_reason: DisabledReason | None = strawberry.field(
        description="Why it is DISABLED; null otherwise."
    )
    failing_since: Instant | None = strawberry.field(
        description="Since when every attempt has failed; null if the last one did not."
    )
    created_at: Instant = strawberry.field(description="When it was made.")
    changed_at: Instant = strawberry.field(description="When staff or the server last changed it.")
    number: strawberry.Private[int]

    @computed(description="How many events wait to be taken by it.")
    async def waiting(self, info: Info) -> int:
        """Its queue."""
        return (await info.context.loader(_counts).load(self.number)).waiting

    @computed(description="How many of its events were given up and can be replayed.")
    async def dead_letters(self, info: Info) -> int:
        """Its dead letters."""
        return (await info.context.loader(_counts).load(self.number)).dead


async def _counts(subscription_ids: list[int]) -> list[Counts]:
    found = await service.counts(subscription_ids)
    return [found[subscription_id] for subscription_id in subscription_ids]


def shown_webhook(one: service.Subscription) -> Webhook:
    """A subscription as the schema shows it."""
    return Webhook(
        id=nodes.global_id("Webhook", one.id),
        name=one.name,
        url=one.url,
        partner=one.partner,
        kinds=[EventType(kind) for kind in one.kinds],
        state=one.state,
        disabled_reason=one.disabled_reason,
        failing_since=one.failing_since,
        created_at=one.created_at,
        changed_at=one.changed_at,
        number=one.id,
    )


@shown_to(WEBHOOK_READERS)
@strawberry.type(description="A webhook with its place in the list.")
class WebhookEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The webhook's place, for `after`.")
    node: Webhook = strawberry.field(description="The webhook.")


@shown_to(WEBHOOK_READERS)
@strawberry.type(description="A page of webhooks, the newest first.")
class WebhookConnection:
    """Relay's connection."""

    edges: list[WebhookEdge] = strawberry.field(description="The webhooks with their places.")
    nodes: list[Webhook] = strawberry.field(description="The webhooks alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


@shown_to(WEBHOOK_READERS)
@strawberry.type(description="One event on its way to one webhook, and what became of it.")
class WebhookDelivery(Node):
    """A delivery."""

    webhook_id: strawberry.ID = strawberry.field(description="The webhook's id.")
    message_id: str = strawberry.field(
        description="What stands in the header `webhook-id`, the same at every attempt: a receiver "
        "who has seen it passes over it."
    )
    kind: EventType = strawberry.field(description="What it tells of.")
    member_id: strawberry.ID | None = strawberry.field(
        description="The member's id whom it is about; null if it is about none."
    )
    status: Status = strawberry.field(description="What became of it.")
    attempts: int = strawberry.field(description="How often it was attempted, since its replay.")
    due_at: Instant | None = strawberry.field(
        description="When it is attempted next, unless an earlier event of its member is waited "
        "for; null if it no longer is."
    )
    created_at: Instant = strawberry.field(description="When it was queued first.")
    settled_at: Instant | None = strawberry.field(
        description="When it was delivered, given up or cancelled; null while it waits."
    )
    answer_status: int | None = strawberry.field(
        description="The HTTP status of the last answer; null if there was none."
    )
    error: str | None = strawberry.field(
        description="Why the last attempt failed, in a technical word: `timeout`, `HTTP 500`, "
        "`private address`, `unknown host` and the like; null if it did not."
    )


def shown_delivery(one: service.Delivery) -> WebhookDelivery:
    """A delivery as the schema shows it."""
    return WebhookDelivery(
        id=nodes.global_id("WebhookDelivery", one.id),
        webhook_id=nodes.global_id("Webhook", one.subscription_id),
        message_id=f"evt_{one.event_id}",
        kind=EventType(one.kind),
        member_id=None if one.member_id is None else nodes.global_id("Member", one.member_id),
        status=one.status,
        attempts=one.attempts,
        due_at=one.due_at if one.status is Status.QUEUED else None,
        created_at=one.created_at,
        settled_at=one.settled_at,
        answer_status=one.answer_status,
        error=one.error,
    )


@shown_to(WEBHOOK_READERS)
@strawberry.type(description="A delivery with its place in the list.")
class WebhookDeliveryEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The delivery's place, for `after`.")
    node: WebhookDelivery = strawberry.field(description="The delivery.")


@shown_to(WEBHOOK_READERS)
@strawberry.type(description="A page of deliveries, the newest first.")
class WebhookDeliveryConnection:
    """Relay's connection."""

    edges: list[WebhookDeliveryEdge] = strawberry.field(
        description="The deliveries with their places."
    )
    nodes: list[WebhookDelivery] = strawberry.field(description="The deliveries alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


@shown_to(WEBHOOK_READERS)
@strawberry.type(description="What webhooks say of one type of event.")
class WebhookEventDescription:
    """An event type's documentation."""

    kind: EventType = strawberry.field(description="The type, as this API names it.")
    type: str = strawberry.field(description="The type as the message names it: `points.earned`.")
    version: int = strawberry.field(
        description="The version of the message. Fields may be added to a version; what would "
        "break a reader becomes a new one."
    )
    description: str = strawberry.field(description="What has happened.")
    example: str = strawberry.field(description="A message, as JSON.")
    json_schema: str = strawberry.field(description="The JSON Schema (2020-12) of the message.")


def shown_event_types() -> list[WebhookEventDescription]:
    """All event types."""
    return [
        WebhookEventDescription(
            kind=kind,
            type=kind.value,
            version=payloads.VERSION,
            description=one.description,
            example=payloads.example(kind),
            json_schema=payloads.json_schema(kind),
        )
        for kind, one in payloads.KINDS.items()
    ]
