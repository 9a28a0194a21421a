"""Webhooks that go out, in the schema: what staff do with them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, TypeVar, cast

import msgspec
import strawberry

from server import clock
from server.edge import nodes
from server.edge.context import Info
from server.edge.mutation import write_once
from server.edge.permissions import mutation
from server.errors import DomainError, InvalidInput, phrase
from server.storage.ids import new_id
from server.webhooks import guarding, payloads, service, signing
from server.webhooks.payloads import EventType
from server.webhooks.service import Delivery, Replayed, Signed, Subscription, Wish
from server.webhooks.webhook_inputs import (
    CreateWebhookInput,
    CreateWebhookResult,
    DeleteWebhookInput,
    DeleteWebhookResult,
    PauseWebhookInput,
    PauseWebhookResult,
    ReplayWebhookDeliveriesInput,
    ReplayWebhookDeliveriesResult,
    ReplayWebhookDeliveryInput,
    ReplayWebhookDeliveryResult,
    ResumeWebhookInput,
    ResumeWebhookResult,
    RotateWebhookSecretInput,
    RotateWebhookSecretResult,
    TestWebhookInput,
    TestWebhookResult,
    UpdateWebhookInput,
    UpdateWebhookResult,
    WebhookChanged,
    WebhookCreated,
    WebhookDeliveriesReplayed,
    WebhookDeliveryQueued,
    WebhookSecretRotated,
)
from server.webhooks.webhook_types import WEBHOOK_MANAGERS, shown_delivery, shown_webhook

_Result = TypeVar("_Result", bound=msgspec.Struct)
_Value = TypeVar("_Value")


async def _below_input(work: Awaitable[_Result]) -> _Result:
    try:
        return await work
    except DomainError as error:
        raise error.below("input") from None


async def _refusal(url: str | None) -> InvalidInput | None:
    """Why no webhook may go there; asked before the transaction, for the host is looked up."""
    try:
        if url is not None:
            await guarding.check(url)
    except InvalidInput as refused:
        return refused
    return None


def _kinds(given: list[EventType]) -> tuple[str, ...]:
    if EventType.PING in given:
        raise InvalidInput(
            "webhook.ping",
            path=("kinds", given.index(EventType.PING)),
            value=EventType.PING.name,
            accepted=phrase("accepted.other_event"),
        )
    return tuple(kind.value for kind in given)


async def _created(input: CreateWebhookInput, refusal: InvalidInput | None) -> Signed:
    if refusal is not None:
        raise refusal
    wish = Wish(input.name, input.url, input.partner, _kinds(input.kinds))
    return await service.create(wish, now=clock.now())


async def _updated(input: UpdateWebhookInput, refusal: InvalidInput | None) -> Subscription:
    if refusal is not None:
        raise refusal
    found = await service.subscription(_number(input))
    kinds = _given(input.kinds, None)
    wish = Wish(
        _given(input.name, found.name),
        _given(input.url, found.url),
        found.partner if input.partner is strawberry.UNSET else input.partner,
        found.kinds if kinds is None else _kinds(kinds),
    )
    return await service.update(found.id, wish, now=clock.now())


def _given(value: _Value | None, otherwise: _Value) -> _Value:
    """The value, unless there is none."""
    return otherwise if value is None or value is strawberry.UNSET else value


def _number(input: Any) -> int:
    return nodes.number_of(input.webhook_id, "Webhook")


async def _tested(subscription_id: int) -> Delivery:
    now, event_id = clock.now(), new_id()
    payload = payloads.ping(subscription_id, event_id, now)
    return await service.queue_ping(subscription_id, payload, event_id=event_id, now=now)


async def _rotated(signed: Signed) -> WebhookSecretRotated:
    assert signed.former_until is not None, "it is said of every rotation"
    return WebhookSecretRotated(
        webhook=shown_webhook(signed.subscription),
        secret=await signing.derived_secret(signed.secret_id),
        former_until=signed.former_until,
    )


async def _change(info: Info, input: Any, work: Callable[[], Awaitable[Subscription]]) -> Any:
    return await write_once(
        info,
        input,
        work=lambda: _below_input(work()),
        result=Subscription,
        present=lambda one: WebhookChanged(webhook=shown_webhook(one)),
    )


async def _queue(info: Info, input: Any, work: Callable[[], Awaitable[Delivery]]) -> Any:
    return await write_once(
        info,
        input,
        work=lambda: _below_input(work()),
        result=Delivery,
        present=lambda one: WebhookDeliveryQueued(delivery=shown_delivery(one)),
    )


def _stated(input: UpdateWebhookInput) -> Mapping[str, Any]:
    """The input where a null is not the same as nothing."""
    return {
        name: "unchanged" if value is strawberry.UNSET else [value]
        for name, value in vars(input).items()
        if name != "idempotency_key"
    }


_Which = strawberry.argument(description="Which webhook.")


@strawberry.type
class WebhookMutations:
    """The root fields that write webhooks."""

    @mutation(
        WEBHOOK_MANAGERS,
        description="Tell an address of events, from now on, by the Standard Webhooks "
        "specification. The secret that messages are signed with is shown this once. LimitReached "
        "where there are 50 webhooks.",
    )
    async def create_webhook(
        self,
        info: Info,
        input: Annotated[CreateWebhookInput, strawberry.argument(description="What it is to be.")],
    ) -> CreateWebhookResult:
        """Make a subscription."""
        refusal = await _refusal(input.url)

        async def present(signed: Signed) -> WebhookCreated:
            return WebhookCreated(
                webhook=shown_webhook(signed.subscription),
                secret=await signing.derived_secret(signed.secret_id),
            )

        answer = await write_once(
            info,
            input,
            work=lambda: _below_input(_created(input, refusal)),
            result=Signed,
            present=present,
        )
        return cast(CreateWebhookResult, answer)

    @mutation(
        WEBHOOK_MANAGERS,
        description="Change a webhook. What waits for it already is told to its new address.",
    )
    async def update_webhook(
        self,
        info: Info,
        input: Annotated[UpdateWebhookInput, strawberry.argument(description="What to change.")],
    ) -> UpdateWebhookResult:
        """Change a subscription."""
        refusal = await _refusal(_given(input.url, None))
        answer = await write_once(
            info,
            input,
            work=lambda: _below_input(_updated(input, refusal)),
            result=Subscription,
            present=lambda one: WebhookChanged(webhook=shown_webhook(one)),
            hashed=_stated(input),
        )
        return cast(UpdateWebhookResult, answer)

    @mutation(
        WEBHOOK_MANAGERS,
        description="Delete a webhook: what waits for it, and its dead letters, are cancelled.",
    )
    async def delete_webhook(
        self, info: Info, input: Annotated[DeleteWebhookInput, _Which]
    ) -> DeleteWebhookResult:
        """Delete a subscription."""
        answer = await _change(info, input, lambda: service.delete(_number(input), now=clock.now()))
        return cast(DeleteWebhookResult, answer)

    @mutation(
        WEBHOOK_MANAGERS,
        description="Pause a webhook: what happens is kept for it, for up to 30 days. Pausing a "
        "paused one changes nothing; NotAllowed for one that is disabled.",
    )
    async def pause_webhook(
        self, info: Info, input: Annotated[PauseWebhookInput, _Which]
    ) -> PauseWebhookResult:
        """Pause a subscription."""
        answer = await _change(info, input, lambda: service.pause(_number(input), now=clock.now()))
        return cast(PauseWebhookResult, answer)

    @mutation(
        WEBHOOK_MANAGERS,
        description="Resume a webhook that is paused or disabled. Its dead letters stay what they "
        "are: replay them.",
    )
    async def resume_webhook(
        self, info: Info, input: Annotated[ResumeWebhookInput, _Which]
    ) -> ResumeWebhookResult:
        """Resume a subscription."""
        answer = await _change(info, input, lambda: service.resume(_number(input), now=clock.now()))
        return cast(ResumeWebhookResult, answer)

    @mutation(
        WEBHOOK_MANAGERS,
        description="Sign a webhook's messages with a new secret, which is shown this once, and "
        "for some hours with the former one beside it, so that its receiver can change over.",
    )
    async def rotate_webhook_secret(
        self, info: Info, input: Annotated[RotateWebhookSecretInput, _Which]
    ) -> RotateWebhookSecretResult:
        """Replace a secret."""
        answer = await write_once(
            info,
            input,
            work=lambda: _below_input(
                service.rotate_secret(
                    _number(input), overlap_hours=input.overlap_hours, now=clock.now()
                )
            ),
            result=Signed,
            present=_rotated,
        )
        return cast(RotateWebhookSecretResult, answer)

    @mutation(
        WEBHOOK_MANAGERS,
        description="Send a webhook a `ping`, which waits for no other event. NotAllowed for one "
        "that is not ACTIVE.",
    )
    async def test_webhook(
        self, info: Info, input: Annotated[TestWebhookInput, _Which]
    ) -> TestWebhookResult:
        """Test a subscription."""
        answer = await _queue(info, input, lambda: _tested(_number(input)))
        return cast(TestWebhookResult, answer)

    @mutation(
        WEBHOOK_MANAGERS,
        description="Attempt a dead letter anew, with the same `webhook-id`. NotAllowed for a "
        "delivery that is none, and for one of a webhook that is disabled: resume that first.",
    )
    async def replay_webhook_delivery(
        self,
        info: Info,
        input: Annotated[
            ReplayWebhookDeliveryInput, strawberry.argument(description="Which delivery.")
        ],
    ) -> ReplayWebhookDeliveryResult:
        """Replay a dead letter."""
        number = nodes.number_of(input.webhook_delivery_id, "WebhookDelivery")
        answer = await _queue(info, input, lambda: service.replay(number, now=clock.now()))
        return cast(ReplayWebhookDeliveryResult, answer)

    @mutation(
        WEBHOOK_MANAGERS,
        description="Attempt a webhook's dead letters since an instant anew, the oldest 1,000 at "
        "once. NotAllowed for a webhook that is disabled: resume it first.",
    )
    async def replay_webhook_deliveries(
        self,
        info: Info,
        input: Annotated[
            ReplayWebhookDeliveriesInput, strawberry.argument(description="Which of them.")
        ],
    ) -> ReplayWebhookDeliveriesResult:
        """Replay dead letters."""
        answer = await write_once(
            info,
            input,
            work=lambda: _below_input(
                service.replay_since(_number(input), input.since, now=clock.now())
            ),
            result=Replayed,
            present=lambda one: WebhookDeliveriesReplayed(count=one.count, has_more=one.has_more),
        )
        return cast(ReplayWebhookDeliveriesResult, answer)
