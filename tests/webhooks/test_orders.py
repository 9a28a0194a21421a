"""Orders that shops tell of: recorded and taken back as tills' purchases are, each message once."""

import asyncio
import json
from typing import Any

import pytest

from server import clock
from server.clock import Instant, system_now
from server.edge.nodes import global_id
from server.members import service as members
from server.principal import Scope
from server.storage import sql
from server.webhooks import order_secrets, signing
from server.webhooks.receiving import MAXIMUM_BODY_BYTES
from tests.api.calling import (
    NOW,
    SECOND,
    Api,
    Json,
    dump,
    enrolled,
    line,
    purchase_input,
    return_input,
)
from tests.members.people import PASSWORD_HASH
from tests.webhooks.shop import body_of, new_secret, problem, send

LINES = [
    line(quantity=3, salesMinor=1_999, couponMinor=101),
    line(productId="2", department="MEAT", salesMinor=2_345),
    line(productId="3", department="FUEL", salesMinor=777),
]


def paid(**changes: Any) -> bytes:
    return body_of("order.paid", purchase_input(lines=LINES, **changes))


def refunded(order: str, **changes: Any) -> bytes:
    return body_of("order.refunded", return_input(purchase={"externalId": order}, **changes))


@pytest.fixture
async def secret(api: Api) -> str:
    with clock.moved_to(NOW):
        return await new_secret()


async def test_an_order_is_recorded_and_taken_back_exactly_as_by_a_till(
    api: Api, secret: str
) -> None:
    """Two members do the same, one by a till and one by webhooks: every amount is the same."""
    till = await api.key(Scope.PURCHASES_WRITE)
    known: dict[str, Json] = {}
    for name in ("till", "shop"):
        await enrolled(name)
    bought = await api.record(till, externalId="t-1", member={"externalId": "till"}, lines=LINES)
    back: Json = {"lines": [{"number": 0, "quantity": 2}, {"number": 1, "amountMinor": 1_111}]}
    rest: Json = {}
    returns = []
    for changes in (back, rest):
        wish = return_input(purchase={"externalId": "t-1"}, **changes)
        returns.append(await api.mutate("returnPurchase", {"return": wish}, till))
    with clock.moved_to(NOW):
        order = paid(externalId="s-1", member={"externalId": "shop"})
        told = (await send(api, secret, order)).json()
        answers = [
            (await send(api, secret, refunded("s-1", **changes))).json() for changes in (back, rest)
        ]
    assert told["status"] == "recorded"
    assert told["points"] == bought["points"]
    assert told["cashback"] == bought["cashback"]["accrued"]
    for answer, one in zip(answers, returns, strict=True):
        assert answer["status"] == "returned"
        assert answer["points"] == sum(each["points"] for each in one["reversed"])
        assert answer["refund"] == one["refund"]["moneyRefund"]
    for name in ("till", "shop"):
        query = f'{{ member(by: {{externalId: "{name}"}}) {{ id }} }}'
        reader = await api.key(Scope.MEMBERS_READ)
        known[name] = (await api.data(query, caller=reader, at=NOW))["member"]
    ids = [row[0] for row in await sql.fetch("SELECT id FROM members ORDER BY external_id DESC")]
    assert global_id("Member", ids[1]) == told["memberId"] == known["shop"]["id"]
    of_each = [await _postings(member_id) for member_id in ids]
    assert of_each[0] == of_each[1]
    assert len(of_each[0]) > 4


async def _postings(member_id: int) -> list[tuple[Any, ...]]:
    rows = await sql.fetch(
        "SELECT p.debit, p.credit, p.amount, p.reason, p.occurred_at FROM postings p"
        " JOIN ledger_accounts a ON a.id = p.account_id WHERE a.member_id = $1 ORDER BY p.id",
        member_id,
    )
    return [tuple(row) for row in rows]


async def test_the_same_message_counts_once_and_another_with_its_id_is_refused(
    api: Api, secret: str
) -> None:
    await enrolled("anna")
    order = paid(externalId="o-1")
    with clock.moved_to(NOW):
        answers = await asyncio.gather(
            *(send(api, secret, order, message_id="msg_1") for _ in range(4))
        )
        assert [one.status_code for one in answers] == [200] * 4
        assert len({one.text for one in answers}) == 1
        before = await dump()
        again = await send(api, secret, order, message_id="msg_1")
        assert again.json() == answers[0].json()
        # The same order by another message is the same purchase.
        other = await send(api, secret, order, message_id="msg_2")
        assert other.json() == answers[0].json()
        changed = paid(externalId="o-1", storeId="8")
        assert problem(await send(api, secret, changed, message_id="msg_1"))[:2] == (
            *(409, "IDEMPOTENCY_CONFLICT"),
        )
        assert problem(await send(api, secret, changed, message_id="msg_3")) == (
            *(409, "EXTERNAL_ID_CONFLICT", ["data", "externalId"]),
        )
    after = await dump()
    assert {name for name in after if after[name] != before[name]} == {"webhooks_received"}
    assert len(after["purchases"]) == 1
    assert len(after["webhooks_received"]) == 2


@pytest.mark.parametrize(
    "member",
    [
        {"externalId": "nobody"},
        {"id": "x"},
        {"cardNumber": "6006490000000007"},
        {"email": "nobody@example.com"},
        {"email": "\x00"},
    ],
)
async def test_the_order_of_somebody_who_is_no_member_is_acknowledged_and_so_is_its_refund(
    api: Api, secret: str, member: Json
) -> None:
    with clock.moved_to(NOW):
        told = await send(api, secret, paid(externalId="o-9", member=member))
        if told.status_code == 400:  # no card has such a number
            assert list(member) == ["cardNumber"]
            return
        assert told.status_code == 200
        assert told.json()["status"] == "acknowledged"
        assert told.json()["note"]["code"] == "NOT_FOUND"
        assert told.json()["note"]["path"][:2] == ["data", "member"]
        back = await send(api, secret, refunded("o-9"))
    assert (back.status_code, back.json()["status"]) == (200, "acknowledged")
    assert not await sql.fetch("SELECT id FROM purchases")


async def test_members_are_found_by_their_address_and_enrolled_if_wished(
    api: Api, secret: str
) -> None:
    member_id = await enrolled()
    async with sql.transaction():
        await members.create_account(member_id, "Ada@Example.com", PASSWORD_HASH)
    with clock.moved_to(NOW):
        told = await send(api, secret, paid(member={"email": " ada@example.COM"}))
        assert told.json()["memberId"] == global_id("Member", member_id)
        told = await send(api, secret, paid(member={"externalId": "new"}, enrolIfUnknown=True))
    assert (told.json()["status"], told.json()["enrolled"]) == ("recorded", True)


async def test_a_refund_that_comes_before_its_order_is_to_be_sent_again(
    api: Api, secret: str
) -> None:
    await enrolled("anna")
    back = refunded("o-5")
    with clock.moved_to(NOW):
        early = await send(api, secret, back, message_id="msg_r")
        assert problem(early) == (409, "NOT_FOUND", ["data", "purchase", "externalId"])
        assert early.headers["retry-after"] == "60"
        assert (await send(api, secret, paid(externalId="o-5"))).status_code == 200
        late = await send(api, secret, back, message_id="msg_r")
    assert late.json()["status"] == "returned"


@pytest.mark.parametrize("order", ["", "o-5\x00", "\ud7ff\u2028", "x" * 5_000])
async def test_an_order_that_nobody_can_have_recorded_is_not_known(
    api: Api, secret: str, order: str
) -> None:
    key = await api.key(Scope.PURCHASES_WRITE)
    with clock.moved_to(NOW):
        told = await send(api, secret, json.dumps(json.loads(refunded(order))).encode())
    assert problem(told) == (409, "NOT_FOUND", ["data", "purchase", "externalId"])
    wish = return_input(purchase={"externalId": order})
    by_till = await api.mutate("returnPurchase", {"return": wish}, key)
    assert by_till["code"] == "NOT_FOUND"


async def test_a_partner_takes_back_only_what_it_sold(api: Api, secret: str) -> None:
    await enrolled("anna")
    rival = await new_secret("rival")
    with clock.moved_to(NOW):
        told = (await send(api, secret, paid(externalId="o-6"))).json()
        assert (await send(api, rival, refunded("o-6"))).status_code == 409
        by_id = body_of("order.refunded", return_input(purchase={"id": told["purchaseId"]}))
        assert (await send(api, rival, by_id)).status_code == 409
        # The ids of messages and orders are each partner's own.
        assert (await send(api, rival, paid(externalId="o-6"))).json()["purchaseId"] != told[
            "purchaseId"
        ]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", []),
        (b"[]", []),
        (b"null", []),
        (b'{"type": 5}', ["type"]),
        (b'{"type": "order.paid"}', ["data"]),
        (b'{"type": "order.paid", "version": 2, "data": {}}', ["version"]),
        (b'{"type": "order.paid", "data": {"externalId": "x"}}', ["data"]),
        (b'{"type": "order.paid", "data": ' + b"[" * 100_000, []),
        (b'{"type": "order.paid", "data": "\\ud800"}', []),
        (body_of("order.paid", purchase_input(lines=[])), ["data", "lines"]),
        (body_of("order.paid", purchase_input(lines=[line(salesMinor=-1)])), None),
        (body_of("order.paid", purchase_input(lines=[line(salesMinor=10**19)])), None),
        (body_of("order.paid", purchase_input(lines=[line(salesMinor=1.5)])), None),
        (body_of("order.paid", purchase_input(lines=[line(quantity="1")])), None),
        (body_of("order.paid", purchase_input(currencyCode="EUR")), ["data", "currencyCode"]),
        (body_of("order.paid", purchase_input(member={})), ["data", "member"]),
        (
            body_of("order.paid", purchase_input(member={"externalId": "a", "email": "b"})),
            ["data", "member"],
        ),
        (body_of("order.paid", purchase_input(externalId="a\x00")), ["data", "externalId"]),
        (body_of("order.paid", purchase_input(occurredAt="2026-03-04")), ["data", "occurredAt"]),
        (
            body_of("order.paid", purchase_input(occurredAt="2026-03-04T17:00:00")),
            ["data", "occurredAt"],
        ),
        (
            body_of("order.paid", purchase_input(occurredAt="2027-03-04T17:00:00Z")),
            ["data", "occurredAt"],
        ),
        (
            body_of("order.paid", purchase_input(occurredAt="0001-01-01T00:00:00+14:00")),
            ["data", "occurredAt"],
        ),
        (body_of("order.refunded", return_input(purchase={})), ["data", "purchase"]),
        (
            body_of("order.refunded", return_input(purchase={"id": "x", "externalId": "y"})),
            ["data", "purchase"],
        ),
        (
            body_of(
                "order.refunded",
                return_input(purchase={"externalId": "o-7"}, lines=[{"number": 9}]),
            ),
            None,
        ),
        (
            body_of(
                "order.refunded",
                return_input(purchase={"externalId": "o-7"}, lines=[{"number": 0, "quantity": 99}]),
            ),
            None,
        ),
    ],
)
async def test_what_can_not_be_taken_is_told_by_a_typed_problem_and_changes_nothing(
    api: Api, secret: str, body: bytes, path: list[str] | None
) -> None:
    await enrolled("anna")
    with clock.moved_to(NOW):
        assert (await send(api, secret, paid(externalId="o-7"))).status_code == 200
        before = await dump()
        status, code, told = problem(await send(api, secret, body))
    assert (status, code) == (400, "INVALID_INPUT")
    assert told == path or (path is None and told[:2] == ["data", "lines"])
    assert await dump() == before


async def test_what_is_not_for_this_server_is_ignored(api: Api, secret: str) -> None:
    before = await dump()
    for kind in ("order.created", "customer.deleted", ""):
        told = await send(api, secret, body_of(kind, {"anything": [1.5]}, version=7))
        assert (told.status_code, told.json()) == (200, {"status": "ignored"})
    assert await dump() == before


async def test_only_who_has_a_secret_now_is_believed(api: Api, secret: str) -> None:
    order = paid()
    before = await dump()
    other = "whsec_" + "A" * 43 + "="
    late = Instant(system_now() - 301 * SECOND)
    early = Instant(system_now() + 305 * SECOND)
    refused = [
        await send(api, other, order),
        await send(api, secret, order, at=late),
        await send(api, secret, order, at=early),
        await send(api, secret, order, query="?partner=rival"),
        await send(api, secret, order, query="?partner=%00"),
        await send(api, secret, order, webhook_id="msg_other"),
        await send(api, secret, order, webhook_signature=""),
        await send(api, secret, order, webhook_signature="v1,AAAA v1"),
        await api.client.post("/webhooks/orders", content=order),
    ]
    assert [problem(one) for one in refused] == [(401, "SIGNATURE_REJECTED", [])] * len(refused)
    assert await dump() == before
    assert (await api.client.get("/webhooks/orders")).status_code == 405


async def test_secrets_follow_each_other_without_a_gap_and_end(api: Api, secret: str) -> None:
    body = body_of("order.created", {})

    async def believed(*secrets: str) -> list[bool]:
        return [(await send(api, one, body)).status_code == 200 for one in secrets]

    [first] = await order_secrets.secrets(before=2**63 - 1, limit=10)
    async with sql.transaction():
        rotated = await order_secrets.rotate(first.id, overlap_hours=1)

    new = await signing.derived_secret(rotated.made.id)
    assert await believed(secret, new) == [True, True]
    async with sql.transaction():
        await sql.execute("UPDATE webhook_secrets SET expires_at = 5 WHERE id = $1", first.id)
    assert await believed(secret, new) == [False, True]
    async with sql.transaction():
        await order_secrets.revoke(rotated.made.id)
    assert await believed(secret, new) == [False, False]


async def test_bodies_have_a_limit(api: Api, secret: str) -> None:
    large = body_of("order.created", "x" * MAXIMUM_BODY_BYTES)
    told = await send(api, secret, large)
    assert (told.status_code, told.json()["code"]) == (413, "BODY_TOO_LARGE")


async def test_problems_are_told_in_the_shops_language(api: Api, secret: str) -> None:
    told = await send(api, secret, b"[]", accept_language="lt")
    assert told.json()["message"] == "Pranešimas netinkamas."
