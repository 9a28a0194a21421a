"""recordPurchases: each purchase of a batch by itself, and the batch as one request."""

import pytest

from server.cards import service as cards
from server.principal import Scope
from server.programme import service as programme
from server.storage import sql
from tests.api.calling import NOW, Api, Caller, Json, dump, enrolled, line, purchase_input
from tests.api.refusals import invalid
from tests.programme.demo import demo_yaml

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
        ("NotFound", [*BATCH, "2", "member", "id"]),
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
        "NotFound",
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
    others = 50 + 200 + 100 + 150
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
