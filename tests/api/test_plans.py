"""Membership plans end to end: a provider over real sockets, signed webhooks, and the schema."""

import base64
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx2
import pytest

from server import clock
from server.app import create_app
from server.clock import Instant, system_now
from server.integrations import billing
from server.members import service as members
from server.plans.webhook import BILLING_PATH, MAXIMUM_BODY_BYTES
from server.principal import StaffRole
from server.programme import service as programme
from server.settings import Settings
from server.storage import sql
from server.storage.database import Address
from tests.api.calling import Api, Caller, dump
from tests.integrations.billing_server import (
    SECRET,
    WEBHOOK_SECRET,
    BillingServer,
    serving_billing,
    signed,
)
from tests.plans.shop import PLUS, TRIED, message, publish_plan
from tests.programme.demo import demo_text

MINE = "{ me { plan { id status planKey coveredUntil price { amount } title } } }"


@dataclass
class Shop:
    """The running app, and the provider that it knows."""

    api: Api
    provider: BillingServer

    async def tell(self, body: bytes, *, at_seconds: int | None = None) -> int:
        """The status that a signed webhook is answered with."""
        headers = signed(body, "evt-1", at_seconds=at_seconds)
        return await self.send(body, headers)

    async def send(self, body: bytes, headers: dict[str, str]) -> int:
        response = await self.api.client.post(BILLING_PATH, content=body, headers=headers)
        assert response.content == b""
        return response.status_code


@pytest.fixture
def provider() -> Iterator[BillingServer]:
    with serving_billing() as state:
        yield state


@pytest.fixture
async def shop(database: Address, provider: BillingServer) -> AsyncIterator[Shop]:
    settings = Settings(
        billing_url=provider.url,
        billing_secret=SECRET,
        billing_webhook_secrets="whsec_" + base64.b64encode(WEBHOOK_SECRET).decode(),
    )
    await members.prepare_keys(issuer=settings.token_issuer, audience=settings.audience)
    at = Instant(system_now() - 60_000_000)
    with clock.moved_to(at):
        async with sql.transaction():
            await programme.publish(demo_text(), published_by="test")
    await publish_plan("plus", PLUS, at=at)
    await publish_plan("tried", TRIED, at=at)
    transport = httpx2.ASGITransport(app=create_app(settings, opens_database=False))
    async with httpx2.AsyncClient(transport=transport, base_url="http://laurel.test") as client:
        yield Shop(Api(client), provider)
    billing.use(billing.NoBilling())


async def _subscribed(shop: Shop, anna: Caller, key: str = "k") -> tuple[int, str]:
    """The number of a plan that waits for its payment, and its id."""
    told = await shop.api.mutate("subscribePlan", {"planKey": "plus"}, anna, key=key, at=None)
    url = told["checkoutUrl"]
    assert url.startswith(f"{shop.provider.url}/pay/")
    return int(url.rpartition("/")[2]), told["planSubscription"]["id"]


async def test_a_member_subscribes_pays_and_cancels(shop: Shop) -> None:
    api = shop.api
    anna = await api.member("anna")
    number, opaque = await _subscribed(shop, anna)
    assert (await _subscribed(shop, anna), len(shop.provider.done)) == ((number, opaque), 1)
    [asked] = shop.provider.asked("/checkouts")
    assert (asked["plan"], asked["title"], asked["price_minor"]) == ("plus", "Plus", 499)
    assert (await api.data(MINE, caller=anna))["me"]["plan"]["status"] == "PENDING"
    body = message("payment.succeeded", number, system_now())
    before = (await api.data(MINE, caller=anna))["me"]["plan"]
    assert (before["price"], before["title"]) == ({"amount": "4.99"}, "Plus")
    assert [await shop.tell(body), await shop.tell(body)] == [200, 200]
    plan = (await api.data(MINE, caller=anna))["me"]["plan"]
    assert (plan["status"], plan["planKey"]) == ("ACTIVE", "plus")
    told = await api.mutate("cancelPlan", {"planSubscriptionId": opaque}, anna, at=None)
    assert (told["planSubscription"]["status"], told["checkoutUrl"]) == ("CANCELLED", None)
    assert shop.provider.asked(f"/subscriptions/{number}/cancel") == [{"at_once": False}]
    await api.mutate("resumePlan", {"planSubscriptionId": opaque}, anna, at=None)
    assert shop.provider.asked(f"/subscriptions/{number}/resume") == [{}]


async def test_a_provider_that_is_away_is_asked_again_with_the_same_key(shop: Shop) -> None:
    anna = await shop.api.member("anna")
    shop.provider.status = 503
    document = (
        "mutation ($input: SubscribePlanInput!) { subscribePlan(input: $input) { __typename } }"
    )
    given = {"input": {"idempotencyKey": "k", "planKey": "tried"}}
    assert await shop.api.codes(document, given, anna) == ["UNAVAILABLE"]
    plan = (await shop.api.data(MINE, caller=anna))["me"]["plan"]
    assert plan["status"] == "TRIALING"
    shop.provider.status = 200
    told = await shop.api.mutate("subscribePlan", {"planKey": "tried"}, anna, key="k", at=None)
    assert told["planSubscription"]["id"] == plan["id"]
    [asked] = shop.provider.asked("/checkouts")
    assert (asked["subscription"], "first_charge_at" in asked) == (
        told["checkoutUrl"].rpartition("/")[2],
        True,
    )


async def test_webhooks_that_nobody_signed_now_change_and_tell_nothing(shop: Shop) -> None:
    number, _ = await _subscribed(shop, await shop.api.member("anna"))
    body = message("payment.succeeded", number, system_now())
    before = await dump()
    good = signed(body, "evt-1")
    seconds = int(good["webhook-timestamp"])
    assert await shop.send(body, {}) == 401
    assert await shop.send(body + b" ", good) == 401
    for name in good:
        assert await shop.send(body, {**good, name: "x"}) == 401
        assert await shop.send(body, {key: good[key] for key in good if key != name}) == 401
    for late in (-302, 302):
        assert await shop.tell(body, at_seconds=seconds + late) == 401
    assert await shop.send(b"x" * (MAXIMUM_BODY_BYTES + 1), good) == 413
    assert await shop.tell(b"nonsense") == 400
    assert await shop.tell(message("something.new", number, system_now())) == 200
    assert (await shop.api.client.get(BILLING_PATH)).status_code == 405
    assert await dump() == before
    assert await shop.send(body, {**good, "webhook-signature": f"v1,x {good['webhook-signature']}"})


async def test_staff_see_what_was_not_paid_as_asked_for(shop: Shop) -> None:
    anna, staff = await shop.api.member("anna"), await shop.api.staff(StaffRole.SUPPORT)
    number, opaque = await _subscribed(shop, anna)
    await shop.tell(message("payment.succeeded", number, system_now(), amount_minor=1))
    document = (
        "{ planSubscriptions(needsReview: true) { nodes { id needsReview"
        " events { kind review amount { amount } paymentId } } } }"
    )
    [shown] = (await shop.api.data(document, caller=staff))["planSubscriptions"]["nodes"]
    assert shown == {
        "id": opaque,
        "needsReview": True,
        "events": [
            {
                "kind": "PAYMENT_SUCCEEDED",
                "review": "AMOUNT",
                "amount": {"amount": "0.01"},
                "paymentId": "p",
            }
        ],
    }
    assert (await shop.api.data(MINE, caller=anna))["me"]["plan"]["status"] == "PENDING"


async def test_everybody_sees_what_plans_there_are_in_their_language(shop: Shop) -> None:
    document = (
        "{ plans { key language title price { amount currencyCode } interval trialDays graceDays"
        " hasFreeShipping pointsMultiplierPercent guaranteeDays guarantee"
        " prices { price { amount } productIds } } }"
    )
    response = await shop.api.client.post(
        "/graphql", json={"query": document}, headers={"Accept-Language": "lt"}
    )
    plus = response.json()["data"]["plans"][0]
    assert plus == {
        "key": "plus",
        "language": "lt",
        "title": "Pliusas",
        "price": {"amount": "4.99", "currencyCode": "USD"},
        "interval": "MONTH",
        "trialDays": 0,
        "graceDays": 7,
        "hasFreeShipping": True,
        "pointsMultiplierPercent": 200,
        "guaranteeDays": 60,
        "guarantee": "Bring it back for 60 days.",
        "prices": [
            {"price": {"amount": "8.00"}, "productIds": ["1"]},
            {"price": {"amount": "1.00"}, "productIds": ["2"]},
        ],
    }
