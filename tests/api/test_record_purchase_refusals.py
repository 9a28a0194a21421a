"""Every refusal of recordPurchase: which value, where it stands, what would be taken; no trace."""

from typing import Any

import pytest

from server import clock
from server.cards import rules as card_rules
from server.cards import service as cards
from server.edge.nodes import global_id
from server.principal import Scope
from server.programme import service as programme
from server.storage import sql
from tests.api.calling import (
    NOW,
    NOW_SHOWN,
    Api,
    Caller,
    Json,
    dump,
    enrolled,
    line,
    new_key,
    purchase_input,
)
from tests.programme.demo import demo_yaml

AT = ["input", "purchase"]
TEXT = "This text has a length that is not accepted."
RANGE = "This value is out of range."
UP_TO_64 = "1 to 64 printable characters"
UP_TO_120 = "1 to 120 printable characters"
WHOLE = "a whole number from 0 to 2147483647"
INSTANTS = "1970-01-01T00:00:00+00:00 to 2026-03-04T17:00:00+00:00"
NUMBERS = (
    "16 digits that start with 90 and end with their check digit; spaces and hyphens may separate"
    " them"
)


def invalid(path: list[str], value: str | None, accepted: str, message: str) -> Json:
    return {
        "__typename": "InvalidInput",
        "code": "INVALID_INPUT",
        "message": message,
        "path": path,
        "value": value,
        "accepted": accepted,
    }


def not_found(path: list[str], message: str = "Nothing was found under this reference.") -> Json:
    return {"__typename": "NotFound", "code": "NOT_FOUND", "message": message, "path": path}


def unusable(path: list[str], status: str, message: str) -> Json:
    return {
        "__typename": "CardUnusable",
        "code": "CARD_UNUSABLE",
        "message": message,
        "path": path,
        "status": status,
    }


async def malformed(api: Api, till: Caller, **purchase: Any) -> Json:
    """The answer to a purchase that the schema does not know: not executed, and not our fault."""
    response = await api.send(
        "mutation ($input: RecordPurchaseInput!) { recordPurchase(input: $input) { __typename } }",
        {"input": {"idempotencyKey": new_key(), "purchase": purchase_input(**purchase)}},
        till,
    )
    body: Json = response.json()
    assert "data" not in body
    assert [error.get("extensions") for error in body["errors"]] == [None] * len(body["errors"])
    return body


async def refused_without_a_trace(api: Api, till: Caller, expected: Json, **purchase: Any) -> None:
    """The purchase is refused so; nothing is stored, and its key and external id are free."""
    key = new_key()
    given = purchase_input(**purchase)
    before = await dump()
    assert await api.mutate("recordPurchase", {"purchase": given}, till, key=key) == expected
    assert await dump() == before
    good = purchase_input()
    if 1 <= len(given["externalId"]) <= 64 and given["externalId"].isprintable():
        good["externalId"] = given["externalId"]
    again = await api.mutate("recordPurchase", {"purchase": good}, till, key=key)
    assert again["__typename"] == "RecordedPurchase"


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
        (
            {"id": global_id("Card", 17)},
            invalid(
                [*AT, "member", "id"],
                global_id("Card", 17),
                "the id of a Member",
                "This is not an id of that kind.",
            ),
        ),
        (
            {"id": "anna"},
            invalid(
                [*AT, "member", "id"],
                "anna",
                "the id of a Member",
                "This is not an id of that kind.",
            ),
        ),
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


TEXTS = ("", "a\x07", "a\nb", "a\x00", "a\u202eb")  # the last one turns the reading direction


@pytest.mark.parametrize("field", ["externalId", "storeId"])
async def test_a_text_that_is_empty_too_long_or_not_printable(
    api: Api, till: Caller, anna: int, field: str
) -> None:
    for text in (*TEXTS, "x" * 65):
        expected = invalid([*AT, field], text, UP_TO_64, TEXT)
        await refused_without_a_trace(api, till, expected, **{field: text})


# ---------------------------------------------------------------- the lines


@pytest.mark.parametrize("count", [0, 501])
async def test_a_count_of_lines_that_no_purchase_has(
    api: Api, till: Caller, anna: int, count: int
) -> None:
    expected = invalid(
        [*AT, "lines"],
        f"{count} lines",
        "1 to 500 lines",
        "A purchase needs lines, and not too many.",
    )
    await refused_without_a_trace(api, till, expected, lines=[line()] * count)


async def test_500_lines_are_recorded(api: Api, till: Caller, anna: int) -> None:
    told = await api.record(till, lines=[line(salesMinor=1, productId=str(n)) for n in range(500)])
    assert told["net"]["amount"] == "5.00"
    rows = await sql.fetch("SELECT number, product_id FROM purchase_lines ORDER BY number")
    assert [tuple(row) for row in rows] == [(n, str(n)) for n in range(500)]


NUMBERS_OF_A_LINE = ("quantity", "salesMinor", "couponMinor")


async def test_a_negative_number_in_a_line(api: Api, till: Caller, anna: int) -> None:
    for field in NUMBERS_OF_A_LINE:
        expected = invalid([*AT, "lines", "1", field], "-1", WHOLE, RANGE)
        await refused_without_a_trace(api, till, expected, lines=[line(), line(**{field: -1})])


async def test_a_number_that_is_none_is_no_request(api: Api, till: Caller, anna: int) -> None:
    before = await dump()
    for field in NUMBERS_OF_A_LINE:
        for value in (2**31, 1.5, "1", None, True):
            body = await malformed(api, till, lines=[line(**{field: value})])
            assert field in body["errors"][0]["message"]
    assert await dump() == before


@pytest.mark.parametrize(
    ("field", "most", "accepted"),
    [
        ("productId", 64, UP_TO_64),
        ("department", 120, UP_TO_120),
        ("productCategory", 120, UP_TO_120),
        ("productType", 120, UP_TO_120),
    ],
)
async def test_a_text_of_a_line_that_is_empty_too_long_or_not_printable(
    api: Api, till: Caller, anna: int, field: str, most: int, accepted: str
) -> None:
    for text in (*TEXTS, "x" * (most + 1)):
        expected = invalid([*AT, "lines", "0", field], text, accepted, TEXT)
        await refused_without_a_trace(api, till, expected, lines=[line(**{field: text})])
    longest = await api.record(till, lines=[line(**{field: "x" * most})])
    assert longest["__typename"] == "RecordedPurchase"


async def test_a_value_is_repeated_up_to_200_characters(api: Api, till: Caller, anna: int) -> None:
    expected = invalid([*AT, "storeId"], "x" * 200, UP_TO_64, TEXT)
    await refused_without_a_trace(api, till, expected, storeId="x" * 1000)


async def test_texts_of_every_script_are_kept(api: Api, till: Caller, anna: int) -> None:
    department = "Früchte & Gemüse 果物 🍎"
    told = await api.record(till, lines=[line(department=department, productId="é" * 64)])
    assert told["__typename"] == "RecordedPurchase"
    (row,) = await sql.fetch("SELECT department, product_id FROM purchase_lines")
    assert tuple(row) == (department, "é" * 64)


async def test_a_sum_beyond_what_an_account_can_hold(api: Api, till: Caller, anna: int) -> None:
    most = 2**31 - 1
    expected = invalid(
        [*AT, "lines"],
        str(2 * most),
        "lines whose net sum and points stay at or below 2147483647",
        "The sum of the lines is out of range.",
    )
    await refused_without_a_trace(api, till, expected, lines=[line(salesMinor=most)] * 2)


async def test_a_negative_sum_beyond_range(api: Api, till: Caller, anna: int) -> None:
    most = 2**31 - 1
    expected = invalid(
        [*AT, "lines"],
        str(-2 * most),
        "lines whose net sum and points stay at or below 2147483647",
        "The sum of the lines is out of range.",
    )
    lines = [line(salesMinor=0, couponMinor=most)] * 2
    await refused_without_a_trace(api, till, expected, lines=lines)


async def test_the_largest_purchase_is_recorded(api: Api, till: Caller, anna: int) -> None:
    told = await api.record(till, lines=[line(salesMinor=2**31 - 1)])
    assert told["net"]["amount"] == "21474836.47"
    assert told["earned"][0]["points"] == (2**31 - 1) * 10 // 100


async def test_a_balance_that_is_full_takes_no_more(api: Api, till: Caller, anna: int) -> None:
    async with sql.transaction():
        await sql.execute(
            "UPDATE ledger_accounts SET balance = $1 WHERE member_id = $2 AND asset = 'POINTS'",
            2**31 - 1,
            anna,
        )
    before = await dump()
    told = await api.record(till)
    assert told == invalid(
        [*AT, "lines"],
        # the most that 10.00 can earn: 150 at Gold, the welcome, each challenge and two streaks
        str(150 + 100 + 50 + 2 * 200 + 100 + 150),
        "what keeps the member's balance at or below 2147483647",
        "The member's balance would exceed what an account can hold.",
    )
    assert await dump() == before


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


# ---------------------------------------------------------------- batches

BATCH = ["input", "purchases"]


@pytest.mark.parametrize("count", [0, 501])
async def test_a_count_of_purchases_that_no_batch_has(
    api: Api, till: Caller, anna: int, count: int
) -> None:
    purchases = [purchase_input() for _ in range(count)]
    before = await dump()
    assert await api.mutate("recordPurchases", {"purchases": purchases}, till) == invalid(
        BATCH,
        f"{count} purchases",
        "1 to 500 purchases",
        "That many purchases can't be recorded in one call.",
    )
    assert await dump() == before


async def test_a_count_of_purchases_is_refused_whatever_is_in_them(
    api: Api, till: Caller, anna: int
) -> None:
    purchases = [purchase_input(member={"id": "malformed"})]
    purchases += [purchase_input() for _ in range(500)]
    before = await dump()
    told = await api.mutate("recordPurchases", {"purchases": purchases}, till)
    assert (told["__typename"], told.get("value")) == ("InvalidInput", "501 purchases")
    assert await dump() == before


async def test_a_refused_purchase_spoils_no_other(api: Api, till: Caller, anna: int) -> None:
    await api.record(till, externalId="known")
    blocked = await enrolled("bob")
    number = (await cards.card_of(blocked)).number
    async with sql.transaction():
        await cards.block(blocked, NOW)
    purchases = [
        purchase_input(externalId="b0"),
        purchase_input(member={"externalId": "nobody"}),
        purchase_input(member={"id": "malformed"}),
        purchase_input(storeId=""),
        purchase_input(lines=[]),
        purchase_input(lines=[line(), line(salesMinor=-1)]),
        purchase_input(externalId="known", storeId="another"),
        purchase_input(member={"cardNumber": number}),
        purchase_input(externalId="b8"),
    ]
    told = (await api.mutate("recordPurchases", {"purchases": purchases}, till))["answers"]
    assert [(one["__typename"], one.get("path", one.get("externalId"))) for one in told] == [
        ("RecordedPurchase", "b0"),
        ("NotFound", [*BATCH, "1", "member", "externalId"]),
        ("InvalidInput", [*BATCH, "2", "member", "id"]),
        ("InvalidInput", [*BATCH, "3", "storeId"]),
        ("InvalidInput", [*BATCH, "4", "lines"]),
        ("InvalidInput", [*BATCH, "5", "lines", "1", "salesMinor"]),
        ("ExternalIdConflict", [*BATCH, "6", "externalId"]),
        ("CardUnusable", [*BATCH, "7", "member", "cardNumber"]),
        ("RecordedPurchase", "b8"),
    ]
    rows = await sql.fetch("SELECT external_id FROM purchases ORDER BY external_id")
    assert [row[0] for row in rows] == ["b0", "b8", "known"]


async def test_a_batch_repeated_with_its_key_is_answered_the_same_refusals_included(
    api: Api, till: Caller, anna: int
) -> None:
    purchases = [
        purchase_input(),
        purchase_input(member={"externalId": "later"}),
        purchase_input(member={"id": "malformed"}),
    ]
    first = await api.mutate("recordPurchases", {"purchases": purchases}, till, key="k")
    assert [one["__typename"] for one in first["answers"]] == [
        "RecordedPurchase",
        "NotFound",
        "InvalidInput",
    ]
    await enrolled("later")
    before = await dump()
    assert await api.mutate("recordPurchases", {"purchases": purchases}, till, key="k") == first
    assert await dump() == before


async def test_a_purchase_that_stands_in_a_batch_twice_is_recorded_once(
    api: Api, till: Caller, anna: int
) -> None:
    purchase = purchase_input()
    other = {**purchase, "storeId": "8"}
    told = (await api.mutate("recordPurchases", {"purchases": [purchase, purchase, other]}, till))[
        "answers"
    ]
    assert told[0]["__typename"] == "RecordedPurchase"
    assert told[1] == told[0]
    assert told[2] == {
        "__typename": "ExternalIdConflict",
        "code": "EXTERNAL_ID_CONFLICT",
        "message": f"{purchase['externalId']} was recorded before with other content."
        " Nothing was changed.",
        "path": [*BATCH, "2", "externalId"],
        "externalId": purchase["externalId"],
    }
    (count,) = await sql.fetch("SELECT COUNT(*) FROM purchases")
    assert count[0] == 1


async def test_a_refused_purchase_does_not_take_the_external_id_from_a_later_one_of_its_batch(
    api: Api, till: Caller, anna: int
) -> None:
    wrong = purchase_input(externalId="b1", member={"externalId": "nobody"})
    right = purchase_input(externalId="b1")
    told = (await api.mutate("recordPurchases", {"purchases": [wrong, right]}, till))["answers"]
    assert [one["__typename"] for one in told] == ["NotFound", "RecordedPurchase"]


@pytest.mark.parametrize(
    "changes",
    [{"member": {"externalId": "nobody"}}, {"storeId": ""}, {"member": {"id": "malformed"}}],
    ids=["unknown", "invalid", "malformed"],
)
async def test_a_batch_that_is_refused_throughout_leaves_no_trace_and_its_key_free(
    api: Api, till: Caller, anna: int, changes: Json
) -> None:
    purchases = [purchase_input(**changes) for _ in range(2)]
    before = await dump()
    told = await api.mutate("recordPurchases", {"purchases": purchases}, till, key="k")
    assert told["__typename"] == "RecordedPurchases"
    assert [one["code"] in ("INVALID_INPUT", "NOT_FOUND") for one in told["answers"]] == [True] * 2
    assert [one["path"][:3] for one in told["answers"]] == [[*BATCH, "0"], [*BATCH, "1"]]
    assert await dump() == before
    again = await api.mutate("recordPurchases", {"purchases": [purchase_input()]}, till, key="k")
    assert again["answers"][0]["__typename"] == "RecordedPurchase"


async def test_buyers_of_a_batch_are_enrolled_once_each(api: Api, till: Caller) -> None:
    purchases = [
        purchase_input(member={"externalId": name}, enrolIfUnknown=True)
        for name in ("x", "y", "x", "y", "x")
    ]
    told = (await api.mutate("recordPurchases", {"purchases": purchases}, till))["answers"]
    assert [one["enrolled"] for one in told] == [True, True, False, False, False]
    assert len({one["memberId"] for one in told}) == 2
    assert [one["points"] for one in told] == [200, 200, 100, 100, 100]


async def test_a_purchase_refused_in_a_batch_enrols_nobody(empty_api: Api) -> None:
    # A point a cent, so that a purchase just fits into an account without the welcome points.
    rich = demo_yaml({("points", "base", "points"): 100})
    async with sql.transaction():
        await programme.publish(rich, published_by="test")
    till = await empty_api.key(*Scope)
    await enrolled("anna")
    others = 50 + 2 * 200 + 100 + 150
    most = (2**31 - 1 - others) * 2 // 3
    purchases = [
        purchase_input(),
        purchase_input(
            member={"externalId": "x"}, enrolIfUnknown=True, lines=[line(salesMinor=most)]
        ),
        purchase_input(
            member={"externalId": "y"}, enrolIfUnknown=True, lines=[line(salesMinor=most - 100)]
        ),
    ]
    told = (await empty_api.mutate("recordPurchases", {"purchases": purchases}, till))["answers"]
    assert [one["__typename"] for one in told] == [
        "RecordedPurchase",
        "InvalidInput",
        "RecordedPurchase",
    ]
    found = await empty_api.data(
        '{ x: member(by: {externalId: "x"}) { id } y: member(by: {externalId: "y"}) { id } }',
        caller=till,
    )
    assert found == {"x": None, "y": {"id": told[2]["memberId"]}}


async def test_a_late_purchase_counts_when_it_was_made(api: Api, till: Caller, anna: int) -> None:
    """A purchase of last week, sent today, is available at once if its three days are over."""
    told = await api.record(till, occurredAt="2026-02-20T12:00:00Z")
    assert told["earned"][0]["availableAt"] == "2026-02-23T05:00:00Z"
    with clock.moved_to(NOW):
        found = await api.data(
            '{ member(by: {externalId: "anna"}) { points { available pending } } }', caller=till
        )
    assert found["member"]["points"] == {"available": 200, "pending": 0}
    assert NOW_SHOWN > "2026-02-23"
