"""What webhooks say: typed, versioned, documented; the same for every event of the contract."""

import json

import msgspec
import pytest

from server.clock import NEVER
from server.edge.nodes import global_id
from server.webhooks import payloads
from server.webhooks.payloads import KINDS, EventType, Terms
from tests.webhooks.living import event

TERMS = Terms("USD", 2, {31: (31, "bakery"), 32: (31, "bakery")})


def test_every_event_type_has_a_payload() -> None:
    assert set(KINDS) == set(EventType)
    assert all(one.description.endswith(".") for one in KINDS.values())


@pytest.mark.parametrize("kind", EventType)
def test_an_example_is_what_its_type_and_schema_say(kind: EventType) -> None:
    text = payloads.example(kind)
    envelope = msgspec.json.decode(text, type=payloads.envelope(kind), strict=True)
    told = json.loads(text)
    assert list(told) == ["type", "version", "timestamp", "data"]
    assert (told["type"], told["version"]) == (kind.value, 1)
    assert told["timestamp"] == "2026-01-31T12:00:00Z"
    assert json.loads(msgspec.json.encode(envelope)) == told
    schema = json.loads(payloads.json_schema(kind))
    name = KINDS[kind].data.__name__
    properties = schema["$defs"][f"{name}Event"]["properties"]
    assert properties["type"] == {"enum": [kind.value]}
    assert set(schema["$defs"][name]["properties"]) == set(told["data"])
    assert all(
        "description" in one or "anyOf" in one or "$ref" in one
        for one in schema["$defs"][name]["properties"].values()
    )


def test_money_and_ids_are_those_of_the_api() -> None:
    told = json.loads(payloads.encoded(event("purchase.recorded", 7), TERMS))
    assert told["data"] == {
        "memberId": global_id("Member", 7),
        "purchaseId": global_id("Purchase", 31),
        "externalId": "order-1001",
        "partner": "bakery",
        "net": {"amount": "120.50", "currencyCode": "USD"},
        "eligible": {"amount": "120.00", "currencyCode": "USD"},
        "points": 120,
        "cashback": {"amount": "0.60", "currencyCode": "USD"},
    }
    refund = event("purchase.returned", 7, refund_minor=-5)
    told = json.loads(payloads.encoded(refund, TERMS))
    assert told["data"]["refund"] == {"amount": "-0.05", "currencyCode": "USD"}
    whole = payloads.encoded(event("purchase.recorded"), Terms("JPY", 0, {}))
    assert json.loads(whole)["data"]["net"]["amount"] == "12050"


def test_points_name_the_purchase_that_they_came_from_also_by_its_return() -> None:
    for reference, purchase in ((31, 31), (32, 31), (33, None), (None, None)):
        told = json.loads(payloads.encoded(event("points.reversed", reference=reference), TERMS))
        expected = None if purchase is None else global_id("Purchase", purchase)
        assert told["data"]["purchaseId"] == expected


@pytest.mark.parametrize("never", [None, NEVER])
def test_what_never_lapses_has_no_expiry(never: int | None) -> None:
    told = json.loads(payloads.encoded(event("points.earned", expires_at=never), TERMS))
    assert told["data"]["expiresAt"] is None
