"""Staff's side of webhooks: secrets shown once, tests, dead letters, documentation."""

import json

import pytest

from server.clock import Instant
from server.edge.nodes import global_id
from server.principal import StaffRole
from server.storage import sql
from server.webhooks.delivering import deliver_due
from server.webhooks.payloads import EventType
from tests.api.calling import NOW, SECOND, Api, Caller, Json
from tests.api.webhooks_cases import WEBHOOK, dead_letter, webhook
from tests.webhooks.receiver import answer, receiving

LIST = """{ webhooks { nodes { id name url partner kinds state disabledReason failingSince waiting
    deadLetters } } }"""
DELIVERIES = """query ($status: WebhookDeliveryStatus, $webhook: ID, $after: String) {
    webhookDeliveries(status: $status, webhookId: $webhook, first: 2, after: $after) {
        nodes { id webhookId messageId kind memberId status attempts dueAt settledAt answerStatus
            error }
        pageInfo { hasNextPage endCursor } } }"""


@pytest.fixture
async def manager(api: Api) -> Caller:
    return await api.staff(StaffRole.MANAGER)


async def _listed(api: Api, manager: Caller) -> list[Json]:
    nodes: list[Json] = (await api.data(LIST, caller=manager, at=NOW))["webhooks"]["nodes"]
    return nodes


async def test_a_secret_is_shown_to_who_repeats_the_request_and_kept_nowhere(
    api: Api, manager: Caller
) -> None:
    made = await api.mutate("createWebhook", WEBHOOK, manager, key="one")
    assert made["secret"].startswith("whsec_")
    assert await api.mutate("createWebhook", WEBHOOK, manager, key="one") == made
    other = await api.mutate("createWebhook", WEBHOOK, manager)
    assert other["secret"] != made["secret"]
    given = {"webhookId": made["webhook"]["id"]}
    rotated = await api.mutate("rotateWebhookSecret", given, manager, key="two")
    assert rotated["formerUntil"] == "2026-03-05T17:00:00Z"
    assert rotated["secret"] not in (made["secret"], other["secret"])
    assert await api.mutate("rotateWebhookSecret", given, manager, key="two") == rotated
    secret = made["secret"].removeprefix("whsec_")
    names = await sql.fetch("SELECT answer FROM idempotency_records")
    assert not any(secret in row[0] for row in names)


async def test_a_webhook_is_made_tested_paused_changed_and_deleted(
    api: Api, manager: Caller
) -> None:
    async with receiving() as shop:
        wish = {"name": "CRM", "url": shop.url, "kinds": ["TIER_CHANGED"], "partner": "bakery"}
        made = await api.mutate("createWebhook", wish, manager)
        given = {"webhookId": made["webhook"]["id"]}
        queued = await api.mutate("testWebhook", given, manager)
        assert (queued["delivery"]["kind"], queued["delivery"]["status"]) == ("PING", "QUEUED")
        assert [one["waiting"] for one in await _listed(api, manager)] == [1]
        assert await deliver_due(NOW) == 1
        (got,) = shop.requests
        assert got.is_signed_with(made["secret"])
        assert got.message == {
            "type": "ping",
            "version": 1,
            "timestamp": "2026-03-04T17:00:00Z",
            "data": {"webhookId": made["webhook"]["id"]},
        }
    assert (await api.mutate("pauseWebhook", given, manager))["webhook"]["state"] == "PAUSED"
    refused = await api.mutate("testWebhook", given, manager)
    assert (refused["__typename"], refused["path"]) == ("NotAllowed", ["input", "webhookId"])
    assert (await api.mutate("resumeWebhook", given, manager))["webhook"]["state"] == "ACTIVE"
    changed = await api.mutate("updateWebhook", {**given, "partner": None, "kinds": []}, manager)
    assert (changed["webhook"]["partner"], changed["webhook"]["kinds"]) == (None, [])
    assert changed["webhook"]["name"] == "CRM"
    gone = await api.mutate("deleteWebhook", given, manager)
    assert gone["webhook"]["state"] == "DELETED"
    assert await _listed(api, manager) == []
    again = await api.mutate("deleteWebhook", given, manager)
    assert (again["__typename"], again["path"]) == ("NotFound", ["input", "webhookId"])


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"url": "https://127.0.0.1/"}, ["input", "url"]),
        ({"url": "https://[::ffff:10.0.0.1]/"}, ["input", "url"]),
        ({"url": ""}, ["input", "url"]),
        ({"url": "https://8.8.8.8/\x00"}, ["input", "url"]),
        ({"name": ""}, ["input", "name"]),
        ({"partner": ""}, ["input", "partner"]),
        ({"kinds": ["TIER_CHANGED", "PING"]}, ["input", "kinds", "1"]),
    ],
)
async def test_what_no_webhook_may_be(
    api: Api, manager: Caller, changes: Json, path: list[str]
) -> None:
    for name, wish in (
        ("createWebhook", {**WEBHOOK, **changes}),
        ("updateWebhook", {"webhookId": global_id("Webhook", await webhook()), **changes}),
    ):
        told = await api.mutate(name, wish, manager)
        assert (told["__typename"], told["path"]) == ("InvalidInput", path)
    assert len(await _listed(api, manager)) == 1


async def test_dead_letters_are_seen_and_replayed(api: Api, manager: Caller) -> None:
    webhook_id, other_id = await webhook(), await webhook("Other")
    ids = [await dead_letter(webhook_id, number) for number in (1, 2, 3)]
    await dead_letter(other_id)
    opaque = global_id("Webhook", webhook_id)
    seen: list[str] = []
    after: str | None = None
    while True:
        data = await api.data(
            DELIVERIES,
            {"status": "DEAD", "webhook": opaque, "after": after},
            manager,
            at=NOW,
        )
        page = data["webhookDeliveries"]
        seen += [one["id"] for one in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == [global_id("WebhookDelivery", one) for one in reversed(ids)]
    assert [one["deadLetters"] for one in await _listed(api, manager)] == [1, 3]
    told = await api.mutate("replayWebhookDelivery", {"webhookDeliveryId": seen[0]}, manager)
    assert told["delivery"]["status"] == "QUEUED"
    again = await api.mutate("replayWebhookDelivery", {"webhookDeliveryId": seen[0]}, manager)
    assert again["__typename"] == "NotAllowed"
    since = {"webhookId": opaque, "since": "2026-03-04T17:00:00.000001Z"}
    assert (await api.mutate("replayWebhookDeliveries", since, manager))["count"] == 0
    since["since"] = "2026-03-04T17:00:00Z"
    told = await api.mutate("replayWebhookDeliveries", since, manager)
    assert (told["count"], told["hasMore"]) == (2, False)
    assert [one["waiting"] for one in await _listed(api, manager)] == [0, 3]


async def test_a_disabled_webhook_is_resumed_before_its_dead_letters_are_replayed(
    api: Api, manager: Caller
) -> None:
    async with receiving(lambda _: answer(410)) as shop:
        made = await api.mutate("createWebhook", {"name": "CRM", "url": shop.url}, manager)
        given = {"webhookId": made["webhook"]["id"]}
        await api.mutate("testWebhook", given, manager)
        await deliver_due(NOW)
        [shown] = await _listed(api, manager)
        assert (shown["state"], shown["disabledReason"]) == ("DISABLED", "GONE")
        assert shown["deadLetters"] == 1
        every = {**given, "since": "2026-03-04T00:00:00Z"}
        assert (await api.mutate("replayWebhookDeliveries", every, manager))["__typename"] == (
            "NotAllowed"
        )
        assert (await api.mutate("pauseWebhook", given, manager))["__typename"] == "NotAllowed"
        await api.mutate("resumeWebhook", given, manager)
        assert (await api.mutate("replayWebhookDeliveries", every, manager))["count"] == 1
        shop.behave = lambda _: answer()
        assert await deliver_due(Instant(NOW + SECOND)) == 1


async def test_every_event_type_is_documented(api: Api, manager: Caller) -> None:
    asked = "{ webhookEventTypes { kind type version description example jsonSchema } }"
    told = (await api.data(asked, caller=manager))["webhookEventTypes"]
    assert [one["type"] for one in told] == [kind.value for kind in EventType]
    assert [one["kind"] for one in told] == [kind.name for kind in EventType]
    for one in told:
        assert json.loads(one["example"])["type"] == one["type"]
        assert "$defs" in json.loads(one["jsonSchema"])


async def test_there_is_a_limit_to_webhooks_and_to_secrets_of_a_partner(
    api: Api, manager: Caller
) -> None:
    for _ in range(50):
        await webhook()
    told = await api.mutate("createWebhook", WEBHOOK, manager)
    assert (told["__typename"], told["limit"], told["left"]) == ("LimitReached", "50", "0")
    for number in range(6):
        told = await api.mutate("createOrderWebhookSecret", {"partner": "bakery"}, manager)
        expected = "OrderWebhookSecretCreated" if number < 5 else "LimitReached"
        assert told["__typename"] == expected


async def test_order_secrets_are_listed_rotated_and_revoked(api: Api, manager: Caller) -> None:
    made = await api.mutate("createOrderWebhookSecret", {}, manager)
    assert made["orderWebhookSecret"]["partner"] == "house"
    given = {"orderWebhookSecretId": made["orderWebhookSecret"]["id"]}
    rotated = await api.mutate("rotateOrderWebhookSecret", given, manager, key="r")
    assert rotated["secret"] != made["secret"]
    assert await api.mutate("rotateOrderWebhookSecret", given, manager, key="r") == rotated
    assert rotated["former"]["expiresAt"] is not None
    new = {"orderWebhookSecretId": rotated["orderWebhookSecret"]["id"]}
    revoked = await api.mutate("revokeOrderWebhookSecret", new, manager)
    assert revoked["orderWebhookSecret"]["isAccepted"] is False
    asked = "{ orderWebhookSecrets { nodes { id isAccepted } } }"
    nodes = (await api.data(asked, caller=manager))["orderWebhookSecrets"]["nodes"]
    assert [one["isAccepted"] for one in nodes] == [False, True]
    ended = await api.mutate("rotateOrderWebhookSecret", new, manager)
    assert (ended["__typename"], ended["path"]) == (
        *("NotAllowed", ["input", "orderWebhookSecretId"]),
    )
