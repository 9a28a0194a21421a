"""What staff send about webhooks that go out, and what they are answered."""

from typing import Annotated

import strawberry

from server.clock import Instant
from server.edge.mutation import KEY_DESCRIPTION
from server.edge.permissions import shown_to
from server.edge.problems import (
    IdempotencyConflict,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
)
from server.webhooks.payloads import EventType
from server.webhooks.webhook_types import WEBHOOK_MANAGERS, Webhook, WebhookDelivery

_URL = (
    "Where events are posted: up to 500 characters, https:// (for development http:// as well), "
    "without user and fragment. Addresses that are not public are refused."
)
_KINDS = "What it is told of; everything, if empty. PING is sent by request only."
_PARTNER = (
    "The partner whose events alone it is told of: 1 to 64 printable characters; null for all."
)
_NAME = "Whose it is, for the operator's own lists: 1 to 120 printable characters."
_SHOWN_ONCE = (
    "What its messages are signed with, as the Standard Webhooks specification has it: `whsec_` "
    "and base64. Keep it now: only a repetition of this request, with its idempotency key, shows "
    "it again."
)


# ---------------------------------------------------------------- inputs


@strawberry.input(description="An address to tell of events.")
class CreateWebhookInput:
    """A new subscription."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    name: str = strawberry.field(description=_NAME)
    url: str = strawberry.field(description=_URL)
    kinds: list[EventType] = strawberry.field(default_factory=list, description=_KINDS)
    partner: str | None = strawberry.field(default=None, description=_PARTNER)


@strawberry.input(description="What is to be changed of a webhook; the rest stays as it is.")
class UpdateWebhookInput:
    """A change."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    webhook_id: strawberry.ID = strawberry.field(description="Which webhook.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description=_NAME)
    url: str | None = strawberry.field(
        default=strawberry.UNSET, description=f"{_URL} What waits already goes there as well."
    )
    kinds: list[EventType] | None = strawberry.field(default=strawberry.UNSET, description=_KINDS)
    partner: str | None = strawberry.field(default=strawberry.UNSET, description=_PARTNER)


@strawberry.input
class _OfWebhook:
    """What the inputs below have in common; the schema shows those alone."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    webhook_id: strawberry.ID = strawberry.field(description="Which webhook.")


@strawberry.input(description="A webhook to delete.")
class DeleteWebhookInput(_OfWebhook):
    """Input of deleteWebhook."""


@strawberry.input(description="A webhook to pause.")
class PauseWebhookInput(_OfWebhook):
    """Input of pauseWebhook."""


@strawberry.input(description="A webhook to resume.")
class ResumeWebhookInput(_OfWebhook):
    """Input of resumeWebhook."""


@strawberry.input(description="A webhook to test.")
class TestWebhookInput(_OfWebhook):
    """Input of testWebhook."""


@strawberry.input(description="A webhook to sign with a new secret.")
class RotateWebhookSecretInput(_OfWebhook):
    """Input of rotateWebhookSecret."""

    overlap_hours: int = strawberry.field(
        default=24,
        description="For how many hours more the former secret signs beside the new one: 0 to 720.",
    )


@strawberry.input(description="A dead letter to attempt anew.")
class ReplayWebhookDeliveryInput:
    """Input of replayWebhookDelivery."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    webhook_delivery_id: strawberry.ID = strawberry.field(description="Which delivery.")


@strawberry.input(description="A webhook's dead letters to attempt anew.")
class ReplayWebhookDeliveriesInput(_OfWebhook):
    """Input of replayWebhookDeliveries."""

    since: Instant = strawberry.field(
        description="Those of events that were queued at this instant or later."
    )


# ---------------------------------------------------------------- results


@shown_to(WEBHOOK_MANAGERS)
@strawberry.type(description="A webhook was made. It is told of what happens from now on.")
class WebhookCreated:
    """A new subscription with its secret."""

    webhook: Webhook = strawberry.field(description="The webhook.")
    secret: str = strawberry.field(description=_SHOWN_ONCE)


@shown_to(WEBHOOK_MANAGERS)
@strawberry.type(description="The request was done; repeating it changes nothing more.")
class WebhookChanged:
    """Success of the mutations that change a subscription."""

    webhook: Webhook = strawberry.field(description="The webhook afterwards.")


@shown_to(WEBHOOK_MANAGERS)
@strawberry.type(description="A webhook signs with a new secret.")
class WebhookSecretRotated:
    """A new secret."""

    webhook: Webhook = strawberry.field(description="The webhook.")
    secret: str = strawberry.field(description=_SHOWN_ONCE)
    former_until: Instant = strawberry.field(
        description="Until when messages have a signature by the former secret as well."
    )


@shown_to(WEBHOOK_MANAGERS)
@strawberry.type(description="An event waits to be delivered.")
class WebhookDeliveryQueued:
    """Success of testing and replaying."""

    delivery: WebhookDelivery = strawberry.field(description="The delivery, as it waits.")


@shown_to(WEBHOOK_MANAGERS)
@strawberry.type(description="Dead letters wait to be delivered again.")
class WebhookDeliveriesReplayed:
    """Success of replaying many."""

    count: int = strawberry.field(description="How many: the oldest, 1,000 at most.")
    has_more: bool = strawberry.field(
        description="Whether more of them are left: repeat the request with a new idempotency key."
    )


CreateWebhookResult = Annotated[
    WebhookCreated | InvalidInput | LimitReached | IdempotencyConflict,
    strawberry.union("CreateWebhookResult", description="The webhook, or why there is none."),
]
UpdateWebhookResult = Annotated[
    WebhookChanged | InvalidInput | NotFound | IdempotencyConflict,
    strawberry.union("UpdateWebhookResult", description="The webhook, or why it stays as it is."),
]
DeleteWebhookResult = Annotated[
    WebhookChanged | InvalidInput | NotFound | IdempotencyConflict,
    strawberry.union("DeleteWebhookResult", description="The deleted webhook, or why it is not."),
]
PauseWebhookResult = Annotated[
    WebhookChanged | InvalidInput | NotFound | NotAllowed | IdempotencyConflict,
    strawberry.union("PauseWebhookResult", description="The paused webhook, or why it is not."),
]
ResumeWebhookResult = Annotated[
    WebhookChanged | InvalidInput | NotFound | IdempotencyConflict,
    strawberry.union("ResumeWebhookResult", description="The active webhook, or why it is not."),
]
RotateWebhookSecretResult = Annotated[
    WebhookSecretRotated | InvalidInput | NotFound | IdempotencyConflict,
    strawberry.union(
        "RotateWebhookSecretResult", description="The new secret, or why there is none."
    ),
]
TestWebhookResult = Annotated[
    WebhookDeliveryQueued | InvalidInput | NotFound | NotAllowed | IdempotencyConflict,
    strawberry.union("TestWebhookResult", description="The test, or why there is none."),
]
ReplayWebhookDeliveryResult = Annotated[
    WebhookDeliveryQueued | InvalidInput | NotFound | NotAllowed | IdempotencyConflict,
    strawberry.union(
        "ReplayWebhookDeliveryResult", description="The delivery, or why it is not replayed."
    ),
]
ReplayWebhookDeliveriesResult = Annotated[
    WebhookDeliveriesReplayed | InvalidInput | NotFound | NotAllowed | IdempotencyConflict,
    strawberry.union(
        "ReplayWebhookDeliveriesResult", description="How many are replayed, or why none are."
    ),
]
