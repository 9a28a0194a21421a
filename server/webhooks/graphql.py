"""Webhooks in the schema: what staff see of them."""

from typing import Annotated

import strawberry

from server.edge import nodes, pages
from server.edge.context import Info
from server.edge.permissions import query
from server.webhooks import service
from server.webhooks.rules import Status
from server.webhooks.webhook_types import (
    WEBHOOK_READERS,
    Webhook,
    WebhookConnection,
    WebhookDelivery,
    WebhookDeliveryConnection,
    WebhookDeliveryEdge,
    WebhookEdge,
    WebhookEventDescription,
    shown_delivery,
    shown_event_types,
    shown_webhook,
)

_First = Annotated[int, strawberry.argument(description="How many at most: 1 to 100.")]
_After = Annotated[
    str | None,
    strawberry.argument(description="The `endCursor` of the page before; null for the first page."),
]


@nodes.fetches("Webhook")
async def _webhook(info: Info, subscription_id: int) -> Webhook | None:
    if not WEBHOOK_READERS.allows(info.context.principal):
        return None
    found = await service.find(subscription_id)
    return None if found is None else shown_webhook(found)


@nodes.fetches("WebhookDelivery")
async def _delivery(info: Info, delivery_id: int) -> WebhookDelivery | None:
    if not WEBHOOK_READERS.allows(info.context.principal):
        return None
    found = await service.find_delivery(delivery_id)
    return None if found is None else shown_delivery(found)


@strawberry.type
class WebhookQueries:
    """The root fields that read webhooks."""

    @query(WEBHOOK_READERS, description="The webhooks that are not deleted, the newest first.")
    async def webhooks(self, first: _First = 20, after: _After = None) -> WebhookConnection:
        """A page of subscriptions."""
        limit, before = pages.page(first, after)
        found = await service.subscriptions(before=pages.before(before), limit=limit + 1)
        return pages.connected(
            WebhookConnection,
            WebhookEdge,
            [(one.id, shown_webhook(one)) for one in found[:limit]],
            has_next=len(found) > limit,
            after=after,
        )

    @query(
        WEBHOOK_READERS,
        description="What became of events on their way to webhooks, the newest first. Delivered "
        "and cancelled ones are kept for 30 days, dead letters for 90.",
    )
    async def webhook_deliveries(
        self,
        webhook_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Of this webhook; null for all.")
        ] = None,
        status: Annotated[
            Status | None, strawberry.argument(description="Only these; null for all.")
        ] = None,
        first: _First = 20,
        after: _After = None,
    ) -> WebhookDeliveryConnection:
        """A page of deliveries."""
        limit, before = pages.page(first, after)
        found = await service.deliveries(
            subscription_id=None if webhook_id is None else nodes.number_of(webhook_id, "Webhook"),
            status=status,
            before=pages.before(before),
            limit=limit + 1,
        )
        return pages.connected(
            WebhookDeliveryConnection,
            WebhookDeliveryEdge,
            [(one.id, shown_delivery(one)) for one in found[:limit]],
            has_next=len(found) > limit,
            after=after,
        )

    @query(
        WEBHOOK_READERS,
        description="What webhooks can be told of, each with a message for an example and its JSON "
        "Schema.",
    )
    def webhook_event_types(self) -> list[WebhookEventDescription]:
        """The documentation of messages."""
        return shown_event_types()
