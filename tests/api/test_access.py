"""Who may do what: every root field, for every kind of caller; no trace of what is refused."""

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from graphql import FieldNode, OperationDefinitionNode, parse, print_ast

from server.cards import service as cards
from server.clock import system_now
from server.edge.nodes import global_id
from server.members import service as members
from server.principal import Scope, StaffRole
from server.storage import sql
from tests.api.baskets_cases import basket_input
from tests.api.calling import (
    NOBODY,
    NOW,
    PARTNER,
    Api,
    Caller,
    Json,
    dump,
    new_key,
    purchase_input,
    return_input,
    uncosted,
)
from tests.api.contract import mutations, root_fields
from tests.api.definitions_cases import new_poster
from tests.api.kinds import WORDS_OF, caller_of
from tests.api.notifications_cases import CHOICES, DEVICE
from tests.api.redeeming import give_points
from tests.api.ways import named
from tests.programme.demo import demo_text

QUERIES: dict[str, str] = {
    "me": "{ me { id } }",
    "member": '{ member(by: {externalId: "anna"}) { id } }',
    "members": "{ members { nodes { id } } }",
    "pointBalances": '{ pointBalances(externalIds: ["anna"]) { available } }',
    "node": '{ node(id: "x") { id } }',
    "purchase": '{ purchase(by: {externalId: "x"}) { id } }',
    "sessions": "{ sessions { nodes { id } } }",
    "programme": "{ programme { version } }",
    "programmeVersions": "{ programmeVersions { version } }",
    "payouts": "{ payouts { nodes { id } } }",
    "rewards": "{ rewards { nodes { key } } }",
    "drops": "{ drops { key } }",
    "rewardOrders": "{ rewardOrders { nodes { id } } }",
    "plans": "{ plans { key } }",
    "planSubscriptions": "{ planSubscriptions { nodes { id } } }",
    "adjustments": "{ adjustments { nodes { id } } }",
    "merges": "{ merges { nodes { id } } }",
    "insights": "{ insights { months { month } } }",
    "auditStatus": "{ auditStatus { problemCount } }",
    "apiKeys": "{ apiKeys { nodes { id } } }",
    "segmentFacts": "{ segmentFacts { name } }",
    "referrals": "{ referrals { nodes { id } } }",
    "surveyResults": '{ surveyResults(key: "x") { key } }',
    "segments": "{ segments { nodes { key } } }",
    "segment": '{ segment(key: "x") { key } }',
    "previewSegment": '{ previewSegment(condition: "visits > 1") { __typename } }',
    "campaign": '{ campaign(key: "x") { key } }',
    "campaignRuns": "{ campaignRuns { nodes { campaign } } }",
    "campaignResults": '{ campaignResults(key: "x") { isFinal } }',
    "dryRunCampaign": '{ dryRunCampaign(key: "x") { __typename } }',
    "notificationsOf": '{ notificationsOf(member: {externalId: "x"}) { nodes { id } } }',
    "offers": "{ offers { nodes { key } } }",
    "offerResults": '{ offerResults(offerId: "x") { isComplete } }',
    "definitionKinds": "{ definitionKinds { name } }",
    "definitions": "{ definitions { nodes { key } } }",
    "definition": '{ definition(kind: "poster", key: "x") { key } }',
    "exportDefinitions": "{ exportDefinitions { count } }",
    "quoteBasket": '{ quoteBasket(basket: {storeId: "7", currencyCode: USD, lines: []})'
    " { __typename } }",
    "basket": '{ basket(id: "x") { id } }',
    "checkCoupon": '{ checkCoupon(code: "x") { __typename } }',
    "couponBatches": "{ couponBatches { nodes { id } } }",
    "partners": "{ partners { key } }",
    "settlement": "{ settlement(year: 2026, month: 3) { __typename } }",
    "webhooks": "{ webhooks { nodes { id } } }",
    "webhookDeliveries": "{ webhookDeliveries { nodes { id } } }",
    "webhookEventTypes": "{ webhookEventTypes { type } }",
    "orderWebhookSecrets": "{ orderWebhookSecrets { nodes { id } } }",
    "messageTriggers": "{ messageTriggers { name } }",
    "previewMessage": '{ previewMessage(key: "x", locale: "en") { __typename } }',
}
ANNA: Json = {"externalId": "anna"}
BASKET: Json = {"netMinor": 1000, "currencyCode": "USD"}
DEFINITION: Json = {"kind": "poster", "key": "x", "version": 1}
INPUTS: dict[str, Json] = {
    # Refused for the password or the token, but not before the guard has let them pass.
    "signUp": {"email": "x@example.com", "password": "short", "name": "X"},
    "signIn": {"email": "malformed", "password": ""},
    "signInWithFirebase": {"idToken": "x"},
    "refreshSession": {"refreshToken": "x"},
    "signOut": {"refreshToken": "x"},
    "changePassword": {"currentPassword": "x", "newPassword": "short"},
    "requestPasswordReset": {"email": "malformed"},
    "resetPassword": {"code": "x", "newPassword": "short"},
    "revokeSession": {"sessionId": global_id("DeviceSession", 17)},
    "signOutEverywhere": {"refreshToken": "x"},
    "endMemberSessions": {"member": {"externalId": "nobody"}},
    "enrolMember": {"externalId": ""},
    "updateProfile": {"name": "Anna"},
    "setConsent": {"purpose": "EMAIL", "isGiven": True, "memberId": "x"},
    "blockCard": {"member": ANNA},
    "unblockCard": {"member": ANNA},
    "reportCardLost": {"member": ANNA},
    "replaceCard": {"member": ANNA},
    "recordPurchase": {"purchase": purchase_input()},
    "recordPurchases": {"purchases": [purchase_input()]},
    "reserveBasket": {"basket": basket_input()},
    "confirmBasket": {"externalId": "x", "basket": basket_input(), "quoteToken": "x"},
    "cancelBasket": {"basketId": global_id("Basket", 17)},
    "returnPurchase": {"return": return_input(purchase={"externalId": "unknown"})},
    "redeemPoints": {"points": 1000, "member": ANNA},
    "redeemPointsForMembers": {"redemptions": [{"points": 1000, "member": ANNA}]},
    "payWithPoints": {"member": ANNA, "basket": BASKET, "points": 10},
    "payWithCashback": {"member": ANNA, "basket": BASKET},
    "payWithVoucher": {"voucherCode": "x", "basket": BASKET},
    "hold": {"member": ANNA, "asset": "POINTS", "points": 10},
    "settle": {"holdId": global_id("Hold", 17), "basket": BASKET},
    "release": {"holdId": global_id("Hold", 17)},
    "cancelPayment": {"paymentId": global_id("Payment", 17)},
    "cancelRedemption": {"voucherCode": "x"},
    "requestPayout": {"destination": "LT12", "member": ANNA},
    "cancelPayout": {"payoutId": global_id("Payout", 17)},
    "approvePayout": {"payoutId": global_id("Payout", 17)},
    "rejectPayout": {"payoutId": global_id("Payout", 17), "note": "unknown"},
    "markPayoutPaid": {"payoutId": global_id("Payout", 17), "bankReference": "B-1"},
    "markPayoutFailed": {"payoutId": global_id("Payout", 17), "note": "closed"},
    "orderReward": {"rewardKey": "nothing", "member": ANNA},
    "cancelRewardOrder": {"rewardOrderId": global_id("RewardOrder", 17)},
    "markRewardReady": {"rewardOrderId": global_id("RewardOrder", 17)},
    "markRewardDelivered": {"rewardOrderId": global_id("RewardOrder", 17)},
    "payRewardOrder": {"rewardOrderId": global_id("RewardOrder", 17)},
    "favouriteReward": {"rewardKey": "nothing"},
    "unfavouriteReward": {"rewardKey": "nothing"},
    "joinDrop": {"dropKey": "nothing"},
    "leaveDrop": {"dropKey": "nothing"},
    "takeDropPlace": {"dropKey": "nothing"},
    "subscribePlan": {"planKey": "nothing"},
    "cancelPlan": {"planSubscriptionId": global_id("PlanSubscription", 17)},
    "resumePlan": {"planSubscriptionId": global_id("PlanSubscription", 17)},
    "changePlan": {
        "planSubscriptionId": global_id("PlanSubscription", 17),
        "planKey": "nothing",
    },
    "grantPlan": {"member": ANNA, "planKey": "nothing", "reason": "goodwill"},
    "endPlan": {"planSubscriptionId": global_id("PlanSubscription", 17), "reason": "fraud"},
    "givePoints": {"to": ANNA, "points": 1},
    "foundHousehold": {"name": "Home"},
    "inviteToHousehold": {"role": "SPENDER"},
    "joinHousehold": {"code": "x"},
    "leaveHousehold": {},
    "removeFromHousehold": {"memberId": "x"},
    "changeHouseholdRole": {"memberId": "x", "role": "SPENDER"},
    "dissolveHousehold": {},
    "adjustBalance": {"member": ANNA, "asset": "POINTS", "points": 5, "reason": "goodwill"},
    "approveAdjustment": {"adjustmentId": global_id("Adjustment", 17)},
    "rejectAdjustment": {"adjustmentId": global_id("Adjustment", 17), "note": "unfounded"},
    "importBalances": {"lines": [{"externalId": "nobody", "points": 5}]},
    "mergeMembers": {"duplicate": {"externalId": "nobody"}, "survivor": ANNA, "reason": "same"},
    "undoMerge": {"mergeId": global_id("Merge", 17), "reason": "not the same"},
    "publishProgramme": {"document": demo_text()},
    "activateOffer": {"offerId": "x", "member": ANNA},
    "deactivateOffer": {"offerId": "x", "member": ANNA},
    "saveDefinition": new_poster(),
    "publishDefinition": DEFINITION,
    "approveDefinition": DEFINITION,
    "rejectDefinition": {**DEFINITION, "note": "too dear"},
    "discardDefinition": DEFINITION,
    "withdrawDefinition": {"kind": "poster", "key": "x"},
    "rollBackDefinition": DEFINITION,
    "importDefinitions": {"text": "x"},
    "redeemCoupon": {"member": ANNA, "code": "x"},
    "acceptReferral": {"referralCode": "x"},
    "noteMemberMarks": {"memberId": "x"},
    "decideReferral": {
        "referralId": global_id("Referral", 17),
        "decision": "REJECT",
        "reason": "one person",
    },
    "completeAction": {"actionKey": "x"},
    "pauseCampaign": {"key": "x"},
    "resumeCampaign": {"key": "x"},
    "stopCampaign": {"key": "x"},
    "registerDevice": DEVICE,
    "unregisterDevice": {"fcmToken": "x"},
    "setMessageChoices": {**CHOICES, "member": ANNA},
    "setQuietHours": {},
    "markNotificationsRead": {},
    "notificationOpened": {"notificationId": "x"},
    "dismissNotification": {"notificationId": "x"},
    "redeemCoupons": {
        "redemptions": [{"member": ANNA, "code": "x", "occurredAt": "2026-03-04T17:00:00Z"}]
    },
    "cancelCouponRedemption": {"redemptionId": global_id("CouponRedemption", 17)},
    "generateCoupons": {"couponKey": "x", "number": 1},
    "publishDocuments": {"documents": [{"body": "{ programme { version } }"}]},
    "createApiKey": {"name": "Till", "kind": "TILL"},
    "replaceApiKey": {"apiKeyId": global_id("ApiKey", 17)},
    "revokeApiKey": {"apiKeyId": global_id("ApiKey", 17)},
    "createWebhook": {"name": "CRM", "url": "https://8.8.8.8/"},
    "updateWebhook": {"webhookId": global_id("Webhook", 17)},
    "deleteWebhook": {"webhookId": global_id("Webhook", 17)},
    "pauseWebhook": {"webhookId": global_id("Webhook", 17)},
    "resumeWebhook": {"webhookId": global_id("Webhook", 17)},
    "rotateWebhookSecret": {"webhookId": global_id("Webhook", 17)},
    "testWebhook": {"webhookId": global_id("Webhook", 17)},
    "replayWebhookDelivery": {"webhookDeliveryId": global_id("WebhookDelivery", 17)},
    "replayWebhookDeliveries": {
        "webhookId": global_id("Webhook", 17),
        "since": "2026-03-04T17:00:00Z",
    },
    "createOrderWebhookSecret": {"partner": "bakery"},
    "rotateOrderWebhookSecret": {"orderWebhookSecretId": global_id("OrderWebhookSecret", 17)},
    "revokeOrderWebhookSecret": {"orderWebhookSecretId": global_id("OrderWebhookSecret", 17)},
}
FIELDS = [(operation, name) for operation, name, _ in root_fields()]
PARTS = 3
"""Of the fields, so that tests in parallel share them."""


def request_for(
    operation: str, name: str, shown: str = "__typename", **changes: str
) -> tuple[str, Json]:
    """A request for the root field that selects this, and its variables; changes are made to the
    input."""
    if operation == "mutation":
        kind = mutations()[name].args["input"].type
        document = f"mutation ($input: {kind}) {{ {name}(input: $input) {{ {shown} }} }}"
        return document, {"input": {"idempotencyKey": new_key(), **INPUTS[name], **changes}}
    assert operation == "query", "subscriptions have a protocol of their own"
    (asked,) = parse(QUERIES[name]).definitions
    assert isinstance(asked, OperationDefinitionNode)
    (field,) = asked.selection_set.selections
    assert isinstance(field, FieldNode)
    arguments = ", ".join(map(print_ast, field.arguments or ()))
    return f"{{ {name}{f'({arguments})' if arguments else ''} {{ {shown} }} }}", {}


def test_every_root_field_has_a_request() -> None:
    assert {name for operation, name in FIELDS if operation == "query"} == set(QUERIES)
    assert {name for operation, name in FIELDS if operation == "mutation"} == set(INPUTS)


def _allowed(operation: str, name: str) -> list[str]:
    """The kinds of callers that the root field names."""
    (field,) = (field for kind, of, field in root_fields() if (kind, of) == (operation, name))
    who = named(field)
    return [kind for kind, words in WORDS_OF.items() if not words.isdisjoint(who)]


@pytest.mark.parametrize("part", range(PARTS))
async def test_exactly_those_named_get_past_the_guard(api: Api, part: int) -> None:
    callers = {kind: await caller_of(api, kind) for kind in WORDS_OF}
    before = await dump()
    for operation, name in FIELDS[part::PARTS]:
        allowed = _allowed(operation, name)
        for kind in WORDS_OF.keys() - allowed:
            body = (await api.send(*request_for(operation, name), callers[kind], at=NOW)).json()
            code = "UNAUTHENTICATED" if kind == "nobody" else "FORBIDDEN"
            told = [(error["extensions"]["code"], error["path"]) for error in body["errors"]]
            assert told == [(code, [name])], kind
            assert not body["data"] or body["data"] == {name: None}
    assert await dump() == before, "what is refused leaves no trace"
    for operation, name in FIELDS[part::PARTS]:
        for kind in _allowed(operation, name):
            # With a key that can't be one, a mutation gets past the guard and does nothing.
            asked = request_for(operation, name, idempotencyKey="")
            codes = await api.codes(*asked, callers[kind], at=NOW)
            # So many ask in vain here that they are told to wait, also past the guard.
            assert set(codes) <= {"TOO_MANY_ATTEMPTS"}, (name, kind, codes)


async def test_a_refused_field_spoils_no_other_of_its_request(api: Api) -> None:
    anna = await api.member("anna")
    body = (
        await api.send(
            '{ programme { version } member(by: {externalId: "anna"}) { id } }', caller=anna
        )
    ).json()
    assert body["data"] == {"programme": {"version": 1}, "member": None}
    assert [error["extensions"]["code"] for error in body["errors"]] == ["FORBIDDEN"]


async def test_signing_out_needs_a_session_or_its_token(api: Api) -> None:
    document = "mutation ($input: SignOutInput!) { signOut(input: $input) { __typename } }"
    given = {"input": {"idempotencyKey": "k"}}
    key = await api.key(*Scope)
    before = await dump()
    assert await api.codes(document, given, NOBODY) == ["UNAUTHENTICATED"]
    assert await api.codes(document, given, key) == ["FORBIDDEN"]
    assert await dump() == before
    anna = await api.member("anna")
    assert await api.codes(document, given, anna) == []
    response = await api.send("{ me { id } }", caller=anna)
    assert response.status_code == 401


# ---------------------------------------------------------------- what is another's


async def test_a_member_reaches_nobody_elses_card_or_points(api: Api) -> None:
    anna, bob = await api.member("anna"), await api.member("bob")
    await give_points(anna.member_id, 1000)
    number = (await cards.card_of(anna.member_id)).number
    before = await dump()
    for reference in ({"id": anna.id}, {"externalId": "anna"}, {"cardNumber": number}):
        for name in ("blockCard", "unblockCard", "reportCardLost", "replaceCard"):
            told = await api.mutate(name, {"member": reference}, bob)
            assert (told["__typename"], told["path"]) == (
                "NotFound",
                ["input", "member", *reference],
            )
        told = await api.mutate("redeemPoints", {"points": 1000, "member": reference}, bob)
        assert told["__typename"] == "InvalidInput"
    assert await dump() == before


async def test_a_blocked_card_finds_nobody(api: Api, till: Caller, anna: int) -> None:
    number = (await cards.card_of(anna)).number
    document = "query ($by: MemberReference!) { member(by: $by) { id } }"
    given: list[Json] = [{"cardNumber": number}, {"externalId": "anna"}]
    for by in given:
        assert (await api.data(document, {"by": by}, till))["member"] is not None
    async with sql.transaction():
        await cards.block(anna, NOW)
    found = [(await api.data(document, {"by": by}, till))["member"] for by in given]
    assert found[0] is None
    assert found[1] is not None
    wrong: tuple[Json, ...] = ({"cardNumber": "x"}, {"id": "x"}, {"externalId": "nobody"})
    for by in wrong:
        assert (await api.data(document, {"by": by}, till))["member"] is None


# ---------------------------------------------------------------- credentials


async def refused(api: Api, authorization: str) -> None:
    """The credentials are refused, with a standard challenge and nothing else."""
    for document in ("{ programme { version } }", "{ me { id } }", "not GraphQL"):
        response = await api.client.post(
            "/graphql", json={"query": document}, headers={"Authorization": authorization}
        )
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert response.json() == {
            "errors": [
                {
                    "message": "The credentials are not accepted: sign in again, or use another"
                    " API key.",
                    "extensions": {"code": "UNAUTHENTICATED"},
                }
            ]
        }


async def test_credentials_that_are_none(api: Api) -> None:
    anna, key = await api.member("anna"), await api.key(*Scope)
    token = str(anna.token)
    header, claims, signature = token.split(".")
    before = await dump()
    for authorization in (
        "",
        "Bearer",
        "Bearer ",
        f"Basic {token}",
        token,
        str(key.token),
        f"Bearer {token}x",
        f"Bearer {token[:-2]}",
        f"Bearer {header}.{claims}.",
        f"Bearer {header}.{claims}",
        f"Bearer {header}.{claims[:-4]}AAAA.{signature}",
        f"Bearer {anna.refresh_token}",
        f"Bearer {key.token}x",
        f"Bearer {str(key.token)[:-1]}",
        "Bearer laurel_",
        "Bearer laurel_0123456789abcdef0123456789abcdef0123456789a",
        "Bearer " + "x" * 5000,
        f"Bearer {token} {token}",
    ):
        await refused(api, authorization)
    assert await dump() == before


async def test_tokens_of_another_maker_are_none(api: Api) -> None:
    token = str((await api.member("anna")).token)
    claims = jwt.decode(token, options={"verify_signature": False})
    header = jwt.get_unverified_header(token)
    own = Ed25519PrivateKey.generate()
    keys: list[tuple[Any, str]] = [(None, "none"), ("x" * 32, "HS256"), (own, "EdDSA")]
    for key, algorithm in keys:
        for headers in (header, {**header, "alg": algorithm}):
            forged = jwt.encode(
                claims, key, algorithm=algorithm, headers={**headers, "alg": algorithm}
            )
            parts = forged.split(".")
            named = jwt.utils.base64url_encode(json.dumps(headers).encode()).decode()
            await refused(api, "Bearer " + ".".join((named, *parts[1:])))
            await refused(api, f"Bearer {forged}")


async def test_a_token_is_refused_once_it_has_expired(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await api.member("anna")
    async with sql.transaction():
        past = await members.open_session(member.account_id)
    tokens = await members.session_tokens(_aged(past))
    await refused(api, f"Bearer {tokens.access_token}")
    assert await api.codes("{ me { id } }", caller=member) == []


def _aged(opened: Any) -> Any:
    return members.OpenedSession(
        account_id=opened.account_id,
        session_id=opened.session_id,
        generation=opened.generation,
        issued_at=opened.issued_at - 3600 * 1_000_000,
        member_id=opened.member_id,
        staff_role=opened.staff_role,
    )


async def test_a_session_that_was_ended_is_refused(api: Api) -> None:
    anna = await api.member("anna")
    assert await api.codes("{ me { id } }", caller=anna) == []
    await api.mutate("signOut", {"refreshToken": anna.refresh_token}, NOBODY)
    await refused(api, f"Bearer {anna.token}")


async def test_a_key_that_was_revoked_or_has_expired_is_refused(api: Api) -> None:
    revoked = await api.key(*Scope)
    async with sql.transaction():
        await members.revoke_api_key(revoked.account_id)
        expired = await members.create_api_key("Old", PARTNER, list(Scope), expires_at=system_now())
    await refused(api, f"Bearer {revoked.token}")
    await refused(api, f"Bearer {expired.key}")


async def test_the_scheme_is_read_in_any_case(api: Api) -> None:
    anna = await api.member("anna")
    for scheme in ("Bearer", "bearer", "BEARER"):
        response = await api.client.post(
            "/graphql",
            json={"query": "{ me { id } }"},
            headers={"Authorization": f"{scheme}  {anna.token} "},
        )
        assert uncosted(response) == {"data": {"me": {"id": anna.id}}}


async def test_staff_of_a_member_are_told_apart(api: Api) -> None:
    """An account of the staff belongs to no member: it has no home screen."""
    manager = await api.staff(StaffRole.MANAGER)
    assert await api.codes("{ me { id } }", caller=manager) == ["FORBIDDEN"]
