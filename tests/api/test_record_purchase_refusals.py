"""Every refusal of recordPurchase: which value, where it stands, what would be taken; no trace."""

import pytest

from server.cards import rules as card_rules
from server.cards import service as cards
from server.edge.nodes import global_id
from server.storage import sql
from tests.api.calling import NOW, Api, Caller, Json, dump, purchase_input
from tests.api.refusals import (
    AT,
    TEXT,
    TEXTS,
    UP_TO_64,
    invalid,
    malformed,
    not_found,
    refused_without_a_trace,
    unusable,
)

INSTANTS = "1970-01-01T00:00:00+00:00 to 2026-03-04T17:00:00+00:00"
NUMBERS = (
    "16 digits that start with 90 and end with their check digit; spaces and hyphens may separate"
    " them"
)


# ---------------------------------------------------------------- who bought


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ({"externalId": "nobody"}, not_found([*AT, "member", "externalId"])),
        ({"externalId": ""}, not_found([*AT, "member", "externalId"])),
        ({"externalId": "a\x00b"}, not_found([*AT, "member", "externalId"])),
        ({"externalId": "x" * 5000}, not_found([*AT, "member", "externalId"])),
        ({"id": global_id("Member", 17)}, not_found([*AT, "member", "id"])),
        ({"id": global_id("Member", 2**70)}, not_found([*AT, "member", "id"])),
        ({"id": global_id("Member", -1)}, not_found([*AT, "member", "id"])),
        (
            {"cardNumber": card_rules.number_of(0)},
            not_found([*AT, "member", "cardNumber"], "No card has this number."),
        ),
        ({"id": global_id("Card", 17)}, not_found([*AT, "member", "id"])),
        ({"id": "anna"}, not_found([*AT, "member", "id"])),
        (
            {"cardNumber": "9000000000000002"},
            invalid(
                [*AT, "member", "cardNumber"],
                None,
                NUMBERS,
                "This card number was misread or mistyped. Scan it again, or check each digit.",
            ),
        ),
        (
            {"cardNumber": "4111111111111111"},
            invalid(
                [*AT, "member", "cardNumber"],
                None,
                NUMBERS,
                "This is not a card of this programme: its numbers start with 90.",
            ),
        ),
        (
            {"cardNumber": "90"},
            invalid(
                [*AT, "member", "cardNumber"],
                None,
                NUMBERS,
                "This is not a card number of this programme: it needs 16 digits.",
            ),
        ),
    ],
    ids=[
        "external-id",
        "external-id-empty",
        "external-id-with-nul",
        "external-id-long",
        "id",
        "id-too-large",
        "id-negative",
        "card",
        "id-of-a-card",
        "id-malformed",
        "card-luhn",
        "card-of-a-bank",
        "card-short",
    ],
)
async def test_a_buyer_who_is_not_found(
    api: Api, till: Caller, anna: int, reference: Json, expected: Json
) -> None:
    await refused_without_a_trace(api, till, expected, member=reference)


@pytest.mark.parametrize(
    "reference",
    [{"id": global_id("Member", 17)}, {"cardNumber": card_rules.number_of(0)}],
    ids=["id", "card"],
)
async def test_only_a_buyer_with_an_external_id_is_enrolled(
    api: Api, till: Caller, anna: int, reference: Json
) -> None:
    message = (
        "Nothing was found under this reference."
        if "id" in reference
        else "No card has this number."
    )
    expected = not_found([*AT, "member", *reference], message)
    await refused_without_a_trace(api, till, expected, member=reference, enrolIfUnknown=True)


async def test_nobody_is_enrolled_under_an_external_id_that_cannot_be_one(
    api: Api, till: Caller, anna: int
) -> None:
    for external_id in ("", " x", "x" * 65, "a\x00b", "a\nb"):
        expected = invalid(
            [*AT, "member", "externalId"],
            external_id,
            "1 to 64 printable characters, without spaces at the ends",
            "This external id can't be used.",
        )
        await refused_without_a_trace(
            api, till, expected, member={"externalId": external_id}, enrolIfUnknown=True
        )


async def test_a_reference_is_exactly_one(api: Api, till: Caller, anna: int) -> None:
    before = await dump()
    for reference in ({}, {"id": "a", "externalId": "b"}, {"id": None}, None, "anna"):
        await malformed(api, till, member=reference)
    assert await dump() == before


@pytest.mark.parametrize("verb", ["block", "report_lost", "replace"])
async def test_a_card_that_does_not_work_buys_nothing(
    api: Api, till: Caller, anna: int, verb: str
) -> None:
    number = (await cards.card_of(anna)).number
    async with sql.transaction():
        await getattr(cards, verb)(anna, NOW)
    status, message = {
        "block": ("BLOCKED", "This card is blocked. It works again once it is unblocked."),
        "report_lost": (
            "BLOCKED",
            "This card was reported lost and no longer works. Replace it to get a new one.",
        ),
        "replace": (
            "REPLACED",
            "This card was replaced and no longer works. Use the card that took its place.",
        ),
    }[verb]
    await refused_without_a_trace(
        api,
        till,
        unusable([*AT, "member", "cardNumber"], status, message),
        member={"cardNumber": number},
        enrolIfUnknown=True,
    )


# ---------------------------------------------------------------- when, where, in what


@pytest.mark.parametrize(
    ("occurred_at", "shown", "message"),
    [
        (
            "2026-03-04T17:01:00.000001Z",
            "2026-03-04T17:01:00.000001+00:00",
            "A purchase can't lie in the future.",
        ),
        (
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59+00:00",
            "A purchase can't lie in the future.",
        ),
        (
            "1969-12-31T23:59:59.999999Z",
            "1969-12-31T23:59:59.999999+00:00",
            "A purchase can't lie before 1970.",
        ),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00", "A purchase can't lie before 1970."),
    ],
    ids=["future", "far-future", "past", "far-past"],
)
async def test_an_instant_that_no_purchase_has(
    api: Api, till: Caller, anna: int, occurred_at: str, shown: str, message: str
) -> None:
    expected = invalid([*AT, "occurredAt"], shown, INSTANTS, message)
    await refused_without_a_trace(api, till, expected, occurredAt=occurred_at)


@pytest.mark.parametrize(
    "occurred_at", ["1970-01-01T00:00:00Z", "2026-03-04T17:01:00Z", "2026-03-04T12:00:00-05:00"]
)
async def test_the_first_and_the_last_instant_that_a_purchase_may_have(
    api: Api, till: Caller, anna: int, occurred_at: str
) -> None:
    told = await api.record(till, occurredAt=occurred_at)
    assert told["__typename"] == "RecordedPurchase"


async def test_what_is_no_instant_is_no_request(api: Api, till: Caller, anna: int) -> None:
    before = await dump()
    for occurred_at in (
        "2026-03-04",
        "2026-03-04T12:00:00",
        "soon",
        "",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        17,
        None,
    ):
        body = await malformed(api, till, occurredAt=occurred_at)
        assert "occurredAt" in body["errors"][0]["message"]
    assert await dump() == before


@pytest.mark.parametrize("currency", ["EUR", "CAD", "JPY"])
async def test_a_currency_that_is_not_the_programmes(
    api: Api, till: Caller, anna: int, currency: str
) -> None:
    expected = invalid(
        [*AT, "currencyCode"], currency, "USD", "The programme runs in another currency."
    )
    await refused_without_a_trace(api, till, expected, currencyCode=currency)


@pytest.mark.parametrize("field", ["externalId", "storeId"])
async def test_a_text_that_is_empty_too_long_or_not_printable(
    api: Api, till: Caller, anna: int, field: str
) -> None:
    for text in (*TEXTS, "x" * 65):
        expected = invalid([*AT, field], text, UP_TO_64, TEXT)
        await refused_without_a_trace(api, till, expected, **{field: text})


# ---------------------------------------------------------------- the key


@pytest.mark.parametrize(
    "key", ["", "x" * 256, "a\nb", "a\x00b"], ids=["empty", "long", "line-break", "nul"]
)
async def test_a_key_that_cannot_be_one(api: Api, till: Caller, anna: int, key: str) -> None:
    before = await dump()
    told = await api.mutate("recordPurchase", {"purchase": purchase_input()}, till, key=key)
    assert told == invalid(
        ["input", "idempotencyKey"],
        key[:200],
        "1 to 255 printable characters, such as a random UUID",
        "The idempotency key can't be used.",
    )
    assert await dump() == before


@pytest.mark.parametrize("key", ["k", "x" * 255, "schlüssel 🔑"])
async def test_keys_of_every_length_and_script_are_taken(
    api: Api, till: Caller, anna: int, key: str
) -> None:
    purchase = {"purchase": purchase_input()}
    first = await api.mutate("recordPurchase", purchase, till, key=key)
    assert first["__typename"] == "RecordedPurchase"
    assert await api.mutate("recordPurchase", purchase, till, key=key) == first


async def test_the_same_key_for_another_purchase_is_a_conflict(
    api: Api, till: Caller, anna: int
) -> None:
    await api.mutate("recordPurchase", {"purchase": purchase_input()}, till, key="k")
    before = await dump()
    assert await api.mutate("recordPurchase", {"purchase": purchase_input()}, till, key="k") == {
        "__typename": "IdempotencyConflict",
        "code": "IDEMPOTENCY_CONFLICT",
        "message": "This idempotency key was used before with other content. Send a new key for a"
        " new request, or the same content to get the first answer.",
    }
    assert await dump() == before
