"""How the mutations of webhooks are called."""

from server.edge.nodes import global_id
from server.principal import StaffRole
from server.storage import sql
from server.webhooks import order_secrets, service
from server.webhooks.service import Wish
from tests.api.calling import NOW, Api, Caller, Json
from tests.api.cases import Case, case

WEBHOOK: Json = {"name": "CRM", "url": "https://8.8.8.8/hooks"}


async def webhook(name: str = "CRM") -> int:
    """A new webhook; the id."""
    async with sql.transaction():
        made = await service.create(Wish(name, WEBHOOK["url"], None, ()), now=NOW)
    return made.subscription.id


async def dead_letter(webhook_id: int, number: int = 1) -> int:
    """A delivery of the webhook that was given up; the id."""
    async with sql.transaction():
        made = await service.queue_ping(webhook_id, "{}", event_id=number, now=NOW)
        await sql.execute("UPDATE webhook_deliveries SET status = 'dead' WHERE id = $1", made.id)
    return made.id


async def order_secret(partner: str = "bakery") -> int:
    """A new secret for a partner's orders; the id."""
    async with sql.transaction():
        return (await order_secrets.create(partner)).id


async def _managers(api: Api) -> tuple[Caller, Caller]:
    return await api.staff(StaffRole.MANAGER), await api.staff(StaffRole.MANAGER)


@case("createWebhook", "WebhookCreated")
async def _create(api: Api) -> Case:
    first, second = await _managers(api)
    return Case(first, WEBHOOK, {**WEBHOOK, "partner": "bakery"}, second, WEBHOOK)


@case("updateWebhook", "WebhookChanged")
async def _update(api: Api) -> Case:
    first, second = await _managers(api)
    wish = {"webhookId": global_id("Webhook", await webhook()), "partner": "bakery"}
    return Case(first, wish, {**wish, "partner": None}, second, {**wish, "name": "Old CRM"})


async def _of_webhook(api: Api) -> Case:
    first, second = await _managers(api)
    one, other, third = [{"webhookId": global_id("Webhook", await webhook())} for _ in range(3)]
    return Case(first, one, other, second, third)


for _name in ("deleteWebhook", "pauseWebhook", "resumeWebhook"):
    case(_name, "WebhookChanged")(_of_webhook)
case("rotateWebhookSecret", "WebhookSecretRotated")(_of_webhook)
case("testWebhook", "WebhookDeliveryQueued")(_of_webhook)


@case("replayWebhookDelivery", "WebhookDeliveryQueued")
async def _replay(api: Api) -> Case:
    first, second = await _managers(api)
    webhook_id = await webhook()
    one, other, third = [
        {"webhookDeliveryId": global_id("WebhookDelivery", await dead_letter(webhook_id, number))}
        for number in (1, 2, 3)
    ]
    return Case(first, one, other, second, third)


@case("replayWebhookDeliveries", "WebhookDeliveriesReplayed")
async def _replay_since(api: Api) -> Case:
    first, second = await _managers(api)
    given = []
    for _ in range(3):
        webhook_id = await webhook()
        await dead_letter(webhook_id)
        since = "2026-03-04T00:00:00Z"
        given.append({"webhookId": global_id("Webhook", webhook_id), "since": since})
    return Case(first, given[0], given[1], second, given[2])


@case("createOrderWebhookSecret", "OrderWebhookSecretCreated")
async def _create_secret(api: Api) -> Case:
    first, second = await _managers(api)
    return Case(first, {"partner": "bakery"}, {"partner": "grocer"}, second, {"partner": "bakery"})


async def _of_secret(api: Api) -> Case:
    first, second = await _managers(api)
    one, other, third = [
        {"orderWebhookSecretId": global_id("OrderWebhookSecret", await order_secret(partner))}
        for partner in ("bakery", "grocer", "florist")
    ]
    return Case(first, one, other, second, third)


case("rotateOrderWebhookSecret", "OrderWebhookSecretRotated")(_of_secret)
case("revokeOrderWebhookSecret", "OrderWebhookSecretRevoked")(_of_secret)
