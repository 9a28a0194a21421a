"""Each write once, whatever the network does: for every mutation of the schema."""

import asyncio

import pytest

from server.cards import service as cards
from server.clock import Instant
from server.edge.nodes import global_id
from server.integrations import firebase
from server.members import models
from server.members import service as members
from server.principal import Scope, StaffRole
from server.storage import sql
from tests.api.actions_cases import VISIT  # noqa: F401 - its file's cases are wanted
from tests.api.baskets_cases import basket_input  # noqa: F401 - its file's cases are wanted
from tests.api.calling import (
    NOBODY,
    NOW,
    PARTNER,
    SECOND,
    Api,
    Caller,
    Json,
    changed,
    dump,
    enrolled,
    purchase_input,
    return_input,
)
from tests.api.campaigns_cases import CAMPAIGN  # noqa: F401 - its file's cases are wanted
from tests.api.cases import CASES, Case, case
from tests.api.catalogue_cases import stocked  # noqa: F401 - its file's cases are wanted
from tests.api.contract import mutations, takes_key
from tests.api.coupons_cases import SHARED  # noqa: F401 - its file's cases are wanted
from tests.api.definitions_cases import new_poster  # noqa: F401 - its file's cases are wanted
from tests.api.notifications_cases import DEVICE  # noqa: F401 - its file's cases are wanted
from tests.api.offers_cases import published  # noqa: F401 - its file's cases are wanted
from tests.api.plans_cases import plans_published  # noqa: F401 - its file's cases are wanted
from tests.api.redeeming import give_points, rich
from tests.api.referrals_cases import TERMS  # noqa: F401 - its file's cases are wanted
from tests.api.segments_cases import EMAIL  # noqa: F401 - its file's cases are wanted
from tests.api.webhooks_cases import WEBHOOK  # noqa: F401 - its file's cases are wanted
from tests.households import living as households
from tests.integrations.believing import Believing
from tests.members.letterbox import code_for
from tests.members.people import PASSWORD, PASSWORD_HASH
from tests.payouts.paying import with_cashback
from tests.programme.demo import demo_yaml

__all__ = ["CASES", "Case"]
LATER = Instant(NOW + 3600 * SECOND)


@case("signUp", "Session")
async def _sign_up(api: Api) -> Case:
    ada = {"email": "ada@example.com", "password": PASSWORD, "name": "Ada"}
    # Who signs up or in is known by the address.
    grace = {**ada, "email": "grace@example.com"}
    return Case(NOBODY, ada, {**ada, "name": "Grace"}, NOBODY, grace)


@case("signIn", "Session")
async def _sign_in(api: Api) -> Case:
    ada, grace = (
        {"email": f"{name}@example.com", "password": PASSWORD} for name in ("ada", "grace")
    )
    for one in (ada, grace):
        member_id = await enrolled()
        async with sql.transaction():
            await members.create_account(member_id, one["email"], PASSWORD_HASH)
    return Case(NOBODY, ada, {**ada, "deviceName": "phone"}, NOBODY, grace)


@case("signInWithFirebase", "Session")
async def _sign_in_with_firebase(api: Api) -> Case:
    firebase.use(Believing())
    # Who signs in is known by the ID token.
    ada = {"idToken": "ada", "name": "Ada"}
    return Case(NOBODY, ada, {**ada, "name": "Grace"}, NOBODY, {**ada, "idToken": "grace"})


async def _session(api: Api) -> Case:
    # Whose session it is, the refresh token says.
    ada, grace = await api.member(), await api.member()
    older = {"refreshToken": ada.refresh_token}
    refreshed = await api.mutate("refreshSession", older, NOBODY)
    newer = {"refreshToken": refreshed["refreshToken"]}
    return Case(NOBODY, newer, older, NOBODY, {"refreshToken": grace.refresh_token})


case("refreshSession", "Session")(_session)
case("signOut", "SignedOut")(_session)


NEW_PASSWORD = "another horse battery"


@case("changePassword", "PasswordChanged")
async def _change_password(api: Api) -> Case:
    callers = [await api.member() for _ in range(2)]
    given = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
    return Case(callers[0], given, {**given, "newPassword": "a third horse"}, callers[1], given)


@case("requestPasswordReset", "PasswordResetRequested")
async def _request_reset(api: Api) -> Case:
    # Who asks is known by the address; what a known one gets, it gets after the answer.
    ada, same, grace = ({"email": f"{name}@example.com"} for name in ("ada", "ADA", "grace"))
    return Case(NOBODY, ada, same, NOBODY, grace)


@case("resetPassword", "PasswordWasReset")
async def _reset_password(api: Api) -> Case:
    given: list[Json] = []
    for _ in range(2):
        address = await models.email_key_of((await api.member()).account_id)
        given.append({"code": await code_for(address or ""), "newPassword": NEW_PASSWORD})
    other = {**given[0], "newPassword": "a third horse"}
    return Case(NOBODY, given[0], other, NOBODY, given[1])


@case("signOutEverywhere", "SignedOutEverywhere")
async def _sign_out_everywhere(api: Api) -> Case:
    tokens = [{"refreshToken": (await api.member()).refresh_token} for _ in range(2)]
    return Case(NOBODY, tokens[0], {**tokens[0], "keepsThisSession": True}, NOBODY, tokens[1])


@case("revokeSession", "SessionRevoked")
async def _revoke_session(api: Api) -> Case:
    callers = [await api.member() for _ in range(2)]
    ids = []
    for caller in (callers[0], *callers):
        async with sql.transaction():
            opened = await members.open_session(caller.account_id, "tablet")
        ids.append({"sessionId": global_id("DeviceSession", opened.session_id)})
    return Case(callers[0], ids[0], ids[1], callers[1], ids[2])


@case("endMemberSessions", "MemberSessionsEnded")
async def _end_member_sessions(api: Api) -> Case:
    staff = [await api.staff(StaffRole.SUPPORT) for _ in range(2)]
    given: list[Json] = [{"member": {"id": (await api.member()).id}} for _ in range(3)]
    return Case(staff[0], given[0], given[1], staff[1], given[2])


@case("enrolMember", "EnrolledMember")
async def _enrol(api: Api) -> Case:
    keys = [await api.key(Scope.MEMBERS_ENROL) for _ in range(2)]
    return Case(keys[0], {"externalId": "x"}, {"externalId": "y"}, keys[1], {"externalId": "z"})


@case("updateProfile", "Profile")
async def _update(api: Api) -> Case:
    callers = [await api.member() for _ in range(2)]
    return Case(callers[0], {"name": "Ada"}, {"name": None}, callers[1], {"name": "Grace"})


async def _card(api: Api) -> Case:
    callers = [await api.member() for _ in range(2)]
    return Case(callers[0], {}, {"member": {"id": callers[0].id}}, callers[1], {})


for _name in ("blockCard", "unblockCard", "reportCardLost", "replaceCard"):
    case(_name, "CardChanged")(_card)


@case("recordPurchase", "RecordedPurchase")
async def _record(api: Api) -> Case:
    await enrolled("anna")
    keys = [await api.key(Scope.PURCHASES_WRITE, partner=name) for name in ("a", "b")]
    one, other, third = ({"purchase": purchase_input()} for _ in range(3))
    return Case(keys[0], one, other, keys[1], third)


@case("recordPurchases", "RecordedPurchases")
async def _record_many(api: Api) -> Case:
    await enrolled("anna")
    keys = [await api.key(Scope.PURCHASES_WRITE, partner=name) for name in ("a", "b")]
    purchases = [purchase_input(), purchase_input(member={"externalId": "nobody"})]
    given = {"purchases": purchases}
    return Case(keys[0], given, {"purchases": purchases[:1]}, keys[1], given)


@case("returnPurchase", "ReturnedPurchase")
async def _return(api: Api) -> Case:
    await enrolled("anna")
    keys = [await api.key(Scope.PURCHASES_WRITE, partner=name) for name in (PARTNER, "b")]
    sold = [await api.record(key) for key in keys]
    one, other, third = (
        {"return": return_input(purchase={"id": sold[place]["purchaseId"]}, **more)}
        for place, more in ((0, {}), (0, {"lines": [{"number": 0, "amountMinor": 5}]}), (1, {}))
    )
    return Case(keys[0], one, other, keys[1], third)


@case("redeemPoints", "PointsRedeemed")
async def _redeem(api: Api) -> Case:
    callers = [await rich(api, name, 5000) for name in ("anna", "bob")]
    return Case(callers[0], {"points": 1000}, {"points": 2000}, callers[1], {"points": 1000})


@case("redeemPointsForMembers", "PointsRedeemedForMembers")
async def _redeem_many(api: Api) -> Case:
    for name in ("anna", "bob"):
        await rich(api, name, 5000)
    keys = [await api.key(Scope.POINTS_REDEEM) for _ in range(2)]
    wishes = [
        {"member": {"externalId": name}, "points": 1000} for name in ("anna", "bob", "nobody")
    ]
    given = {"redemptions": wishes}
    return Case(keys[0], given, {"redemptions": wishes[:2]}, keys[1], given)


_BASKET: Json = {"netMinor": 5000, "currencyCode": "USD"}


async def _tills(api: Api) -> tuple[list[Caller], Json]:
    """Two tills of one partner, and a member with points and cashback."""
    member = await rich(api, "anna", 5000)
    await give_points(member.member_id, 500, asset="USD")
    tills = [await api.key(Scope.POINTS_REDEEM) for _ in range(2)]
    return tills, {"member": {"externalId": "anna"}}


def _payment(name: str, field: str) -> None:
    async def prepare(api: Api) -> Case:
        tills, anna = await _tills(api)
        wish = {**anna, "basket": _BASKET, field: 100}
        return Case(tills[0], wish, {**wish, field: 99}, tills[1], wish)

    case(name, "Paid")(prepare)


_payment("payWithPoints", "points")
_payment("payWithCashback", "amountMinor")


@case("payWithVoucher", "Paid")
async def _pay_with_voucher(api: Api) -> Case:
    tills, anna = await _tills(api)
    redeemed = await api.mutate("redeemPoints", {**anna, "points": 1000}, tills[0])
    wish = {"voucherCode": redeemed["voucher"]["code"], "basket": _BASKET, "amountMinor": 100}
    return Case(tills[0], wish, {**wish, "amountMinor": 99}, tills[1], wish)


@case("hold", "Held")
async def _hold(api: Api) -> Case:
    tills, anna = await _tills(api)
    wish = {**anna, "asset": "POINTS", "points": 100, "ttlSeconds": 60}
    return Case(tills[0], wish, {**wish, "ttlSeconds": 61}, tills[1], wish)


def _resolution(name: str, success: str, **more: Json) -> None:
    async def prepare(api: Api) -> Case:
        tills, anna = await _tills(api)
        wish = {**anna, "asset": "CASHBACK", "amountMinor": 100}
        told = [await api.mutate("hold", wish, tills[0]) for _ in range(3)]
        one, other, third = ({"holdId": held["hold"]["id"], **more} for held in told)
        return Case(tills[0], one, other, tills[1], third)

    case(name, success)(prepare)


_resolution("settle", "Paid", basket=_BASKET)
_resolution("release", "HoldReleased")


@case("cancelPayment", "PaymentCancelled")
async def _cancel_payment(api: Api) -> Case:
    tills, anna = await _tills(api)
    wish = {**anna, "basket": _BASKET, "points": 100}
    told = [await api.mutate("payWithPoints", wish, tills[0]) for _ in range(3)]
    one, other, third = ({"paymentId": paid["payment"]["id"]} for paid in told)
    return Case(tills[0], one, other, tills[1], third)


@case("cancelRedemption", "RedemptionCancelled")
async def _cancel_redemption(api: Api) -> Case:
    tills, anna = await _tills(api)
    told = [
        (await api.mutate("redeemPoints", {**anna, "points": 1000}, tills[0]))["voucher"]
        for _ in range(2)
    ]
    one = {"voucherId": told[0]["id"]}
    same = {"voucherCode": told[0]["code"]}
    return Case(tills[0], one, same, tills[1], {"voucherCode": told[1]["code"]})


async def _payouts(api: Api) -> tuple[Caller, list[str]]:
    """A member, and three payouts that they have asked for."""
    anna = await with_cashback(api, 900)
    wish = {"amountMinor": 100, "destination": "LT12"}
    told = [await api.mutate("requestPayout", wish, anna) for _ in range(3)]
    return anna, [one["payout"]["id"] for one in told]


@case("requestPayout", "PayoutChanged")
async def _request_payout(api: Api) -> Case:
    callers = [await with_cashback(api, 500) for _ in range(2)]
    wish = {"amountMinor": 100, "destination": "LT12"}
    return Case(callers[0], wish, {"destination": "LT12"}, callers[1], wish)


@case("cancelPayout", "PayoutChanged")
async def _cancel_payout(api: Api) -> Case:
    anna, ids = await _payouts(api)
    bob, others = await _payouts(api)
    return Case(anna, {"payoutId": ids[0]}, {"payoutId": ids[1]}, bob, {"payoutId": others[0]})


def _decision(name: str, *, is_approved: bool, **more: str) -> None:
    async def prepare(api: Api) -> Case:
        _anna, ids = await _payouts(api)
        managers = [await api.staff(StaffRole.MANAGER) for _ in range(2)]
        if is_approved:
            for payout_id in ids:
                await api.mutate("approvePayout", {"payoutId": payout_id}, managers[0])
        one, other, third = ({"payoutId": payout_id, **more} for payout_id in ids)
        return Case(managers[0], one, other, managers[1], third)

    case(name, "PayoutChanged")(prepare)


_decision("approvePayout", is_approved=False)
_decision("rejectPayout", is_approved=False, note="unknown")
_decision("markPayoutPaid", is_approved=True, bankReference="B-1")
_decision("markPayoutFailed", is_approved=True, note="closed")


@case("givePoints", "PointsGiven")
async def _give(api: Api) -> Case:
    callers = [await rich(api, name, 500) for name in ("anna", "bob")]
    number = (await cards.card_of(await enrolled("carl", name="Carl Carlson"))).number
    given = {"to": {"cardNumber": number}, "points": 100, "message": "For you"}
    return Case(callers[0], given, {**given, "message": None}, callers[1], given)


@case("foundHousehold", "HouseholdChanged")
async def _found(api: Api) -> Case:
    callers = [await api.member() for _ in range(2)]
    return Case(callers[0], {"name": "Home"}, {"name": "House"}, callers[1], {"name": "Home"})


async def _owners(api: Api) -> list[Caller]:
    """Two owners, each with a contributor in their household."""
    owners = [await api.member(name=f"Owner {number}") for number in range(2)]
    for owner in owners:
        await households.founded(owner.member_id, (await enrolled(), households.CONTRIBUTOR))
    return owners


async def _beside(owner: Caller) -> str:
    """The id of the one who is in the owner's household too."""
    (other,) = set(await households.roles(owner.member_id) or ()) - {owner.member_id}
    return global_id("Member", other)


@case("inviteToHousehold", "HouseholdInvitation")
async def _invite(api: Api) -> Case:
    owners = await _owners(api)
    return Case(owners[0], {"role": "SPENDER"}, {"role": "OWNER"}, owners[1], {"role": "SPENDER"})


@case("joinHousehold", "HouseholdChanged")
async def _join(api: Api) -> Case:
    owners = await _owners(api)
    callers = [await api.member() for _ in range(2)]
    codes = [{"code": await households.invited(owner.member_id)} for owner in owners]
    return Case(callers[0], codes[0], codes[1], callers[1], codes[1])


@case("leaveHousehold", "HouseholdLeft")
async def _leave(api: Api) -> Case:
    callers = [await api.member() for _ in range(2)]
    given = [
        {"householdId": global_id("Household", (await households.founded(one.member_id)).id)}
        for one in callers
    ]
    return Case(callers[0], given[0], {}, callers[1], given[1])


@case("removeFromHousehold", "RemovedFromHousehold")
async def _remove(api: Api) -> Case:
    owners = await _owners(api)
    given = [{"memberId": await _beside(owner)} for owner in owners]
    return Case(owners[0], given[0], given[1], owners[1], given[1])


@case("changeHouseholdRole", "HouseholdChanged")
async def _change_role(api: Api) -> Case:
    owners = await _owners(api)
    given = [{"memberId": await _beside(owner), "role": "SPENDER"} for owner in owners]
    return Case(owners[0], given[0], {**given[0], "role": "OWNER"}, owners[1], given[1])


@case("dissolveHousehold", "HouseholdLeft")
async def _dissolve(api: Api) -> Case:
    owners = await _owners(api)
    return Case(owners[0], {}, {"householdId": "x"}, owners[1], {})


def _five_points(external_id: str) -> Json:
    member = {"externalId": external_id}
    return {"member": member, "asset": "POINTS", "points": 5, "reason": "goodwill"}


@case("adjustBalance", "BalanceAdjusted")
async def _adjust(api: Api) -> Case:
    callers = [await api.staff(StaffRole.SUPPORT) for _ in range(2)]
    for name in ("anna", "bob"):
        await enrolled(name)
    anna, bob = _five_points("anna"), _five_points("bob")
    return Case(callers[0], anna, bob, callers[1], anna)


async def _decide(api: Api) -> Case:
    """Three adjustments that wait for a second person."""
    asking, *deciding = [await api.staff(StaffRole.MANAGER) for _ in range(3)]
    await enrolled("anna")
    waiting = []
    for _ in range(3):
        given = {**_five_points("anna"), "points": 1001}
        told = await api.mutate("adjustBalance", given, asking)
        waiting.append({"adjustmentId": told["adjustment"]["id"]})
    return Case(deciding[0], waiting[0], waiting[1], deciding[1], waiting[2])


@case("createApiKey", "ApiKeyCreated")
async def _create_api_key(api: Api) -> Case:
    callers = [await api.staff(StaffRole.MANAGER) for _ in range(2)]
    till = {"name": "Till 1", "kind": "TILL"}
    return Case(callers[0], till, {**till, "expiresAt": None}, callers[1], till)


async def _of_api_key(api: Api) -> Case:
    callers = [await api.staff(StaffRole.MANAGER) for _ in range(2)]
    first, second, third = [
        {"apiKeyId": global_id("ApiKey", (await api.key(*Scope)).account_id)} for _ in range(3)
    ]
    return Case(callers[0], first, second, callers[1], third)


case("replaceApiKey", "ApiKeyReplaced")(_of_api_key)
case("revokeApiKey", "ApiKeyRevoked")(_of_api_key)


@case("approveAdjustment", "AdjustmentDecided")
async def _approve_adjustment(api: Api) -> Case:
    return await _decide(api)


@case("rejectAdjustment", "AdjustmentDecided")
async def _reject_adjustment(api: Api) -> Case:
    case = await _decide(api)
    for given in (case.input, case.other, case.colleagues):
        given["note"] = "unfounded"
    return case


@case("importBalances", "BalancesImported")
async def _import_balances(api: Api) -> Case:
    callers = [await api.staff(StaffRole.MANAGER) for _ in range(2)]
    await enrolled("anna")
    lines = [{"externalId": name, "points": 5} for name in ("anna", "nobody")]
    return Case(callers[0], {"lines": lines}, {"lines": lines[:1]}, callers[1], {"lines": lines})


@case("mergeMembers", "MembersMerged")
async def _merge(api: Api) -> Case:
    callers = [await api.staff(StaffRole.MANAGER) for _ in range(2)]
    pairs = []
    for names in (("a", "b"), ("c", "d"), ("e", "f")):
        duplicate, survivor = [{"id": global_id("Member", await enrolled(name))} for name in names]
        pairs.append({"duplicate": duplicate, "survivor": survivor, "reason": "same person"})
    return Case(callers[0], pairs[0], pairs[1], callers[1], pairs[2])


@case("undoMerge", "MergeUndone")
async def _undo_merge(api: Api) -> Case:
    case = await _merge(api)
    merges = []
    for pair in (case.input, case.other, case.colleagues):
        told = await api.mutate("mergeMembers", pair, case.caller)
        merges.append({"mergeId": told["merge"]["id"], "reason": "not the same"})
    return Case(case.caller, merges[0], merges[1], case.colleague, merges[2])


@case("publishProgramme", "PublishedProgramme")
async def _publish(api: Api) -> Case:
    callers = [await api.staff(StaffRole.MANAGER) for _ in range(2)]
    richer, other = (
        {"document": demo_yaml({("points", "welcome_bonus_points"): points})}
        for points in (200, 300)
    )
    return Case(callers[0], richer, other, callers[1], other)


@case("publishDocuments", "DocumentsPublished")
async def _publish_documents(api: Api) -> Case:
    callers = [await api.staff(StaffRole.MANAGER) for _ in range(2)]
    first, other = (
        {"documents": [{"body": f"{{ programme {{ {name} }} }}", "label": name}]}
        for name in ("version", "currencyCode")
    )
    return Case(callers[0], first, other, callers[1], other)


def test_every_mutation_takes_a_key_and_has_a_case() -> None:
    assert {name for name, mutation in mutations().items() if takes_key(mutation)} == set(CASES)
    assert set(mutations()) == set(CASES)


# ---------------------------------------------------------------- every mutation


@pytest.mark.parametrize("name", CASES)
async def test_a_repetition_is_answered_the_same_and_changes_nothing(api: Api, name: str) -> None:
    success, prepare = CASES[name]
    case = await prepare(api)
    first = await api.mutate(name, case.input, case.caller, key="k")
    assert first["__typename"] == success
    before = await dump()
    assert await api.mutate(name, case.input, case.caller, key="k", at=LATER) == first
    assert await dump() == before


@pytest.mark.parametrize("name", CASES)
async def test_a_key_with_other_content_is_a_conflict_and_changes_nothing(
    api: Api, name: str
) -> None:
    success, prepare = CASES[name]
    case = await prepare(api)
    first = await api.mutate(name, case.input, case.caller, key="k")
    assert first["__typename"] == success
    before = await dump()
    told = await api.mutate(name, case.other, case.caller, key="k")
    assert (told["__typename"], told["code"]) == ("IdempotencyConflict", "IDEMPOTENCY_CONFLICT")
    assert await dump() == before
    assert await api.mutate(name, case.input, case.caller, key="k") == first


@pytest.mark.parametrize("name", CASES)
async def test_a_key_of_another_caller_is_another_key(api: Api, name: str) -> None:
    success, prepare = CASES[name]
    case = await prepare(api)
    await api.mutate(name, case.input, case.caller, key="k")
    told = await api.mutate(name, case.colleagues, case.colleague, key="k")
    assert told["__typename"] == success
    (row,) = await sql.fetch("SELECT COUNT(*) FROM idempotency_records WHERE key = 'k'")
    assert row[0] == 2


@pytest.mark.parametrize("name", CASES)
async def test_a_key_of_another_mutation_is_another_key(api: Api, name: str) -> None:
    success, prepare = CASES[name]
    case = await prepare(api)
    neighbour = "recordPurchases" if name == "recordPurchase" else "recordPurchase"
    till = await api.key(Scope.PURCHASES_WRITE)
    purchase = purchase_input(member={"externalId": "z"}, enrolIfUnknown=True)
    given = {"purchases": [purchase]} if neighbour == "recordPurchases" else {"purchase": purchase}
    await api.mutate(neighbour, given, till, key="k")
    caller = till if Scope.PURCHASES_WRITE in case.caller.scopes else case.caller
    assert (await api.mutate(name, case.input, caller, key="k"))["__typename"] == success


@pytest.mark.parametrize("name", CASES)
async def test_eight_at_once_have_one_effect_and_one_answer(api: Api, name: str) -> None:
    success, prepare = CASES[name]
    case = await prepare(api)
    before = await dump()
    answers = await asyncio.gather(
        *(api.mutate(name, case.input, case.caller, key="k") for _ in range(8))
    )
    assert answers[0]["__typename"] == success
    assert all(answer == answers[0] for answer in answers)
    after = await dump()
    assert len(after["idempotency_records"]) == len(before["idempotency_records"]) + 1
    for table, most in (
        ("members", 1),
        ("accounts", 1),
        ("sessions", 1),
        ("purchases", 1),
        ("vouchers", 2),
        ("payouts", 1),
        ("holds", 1),
        ("payments", 1),
        ("programme_versions", 1),
        ("cards", 1),
    ):
        assert len(after[table]) - len(before[table]) in range(most + 1), table


# ---------------------------------------------------------------- single promises


async def test_a_refused_request_leaves_its_key_free(api: Api, till: Caller, anna: int) -> None:
    wish = {"member": {"externalId": "anna"}, "points": 1000}
    before = await dump()
    told = await api.mutate("redeemPoints", wish, till, key="k")
    assert told["__typename"] == "InsufficientPoints"
    assert await dump() == before
    await give_points(anna, 1000)
    told = await api.mutate("redeemPoints", wish, till, key="k")
    assert told["__typename"] == "PointsRedeemed"


async def test_a_purchase_sent_eight_times_at_once_under_eight_keys_is_recorded_once(
    api: Api, till: Caller
) -> None:
    purchase = purchase_input(member={"externalId": "new"}, enrolIfUnknown=True)
    before = await dump()
    answers = await asyncio.gather(
        *(api.mutate("recordPurchase", {"purchase": purchase}, till) for _ in range(8))
    )
    assert answers[0]["__typename"] == "RecordedPurchase"
    assert all(answer == answers[0] for answer in answers)
    after = await dump()
    grown = {table: len(after[table]) - len(before[table]) for table in changed(before, after)}
    assert {name: grown[name] for name in ("members", "purchases", "cards", "lots")} == {
        "members": 1,
        "purchases": 1,
        "cards": 1,
        "lots": 2,
    }


async def test_the_same_buyer_at_eight_tills_at_once_is_enrolled_once(
    api: Api, till: Caller
) -> None:
    answers = await asyncio.gather(
        *(api.record(till, member={"externalId": "new"}, enrolIfUnknown=True) for _ in range(8))
    )
    assert sorted(answer["enrolled"] for answer in answers) == [False] * 7 + [True]
    assert len({answer["memberId"] for answer in answers}) == 1
    assert sorted(answer["points"] for answer in answers) == [100] * 7 + [200]


async def test_leaving_out_a_value_is_the_same_as_its_default(
    api: Api, till: Caller, anna: int
) -> None:
    brief = purchase_input()
    long = {
        **brief,
        "enrolIfUnknown": False,
        "lines": [{**brief["lines"][0], "couponMinor": 0, "productType": None}],
    }
    first = await api.mutate("recordPurchase", {"purchase": brief}, till, key="k")
    assert await api.mutate("recordPurchase", {"purchase": long}, till, key="k") == first


async def test_the_message_of_a_repeated_refusal_follows_the_language_of_the_request(
    api: Api, till: Caller, anna: int
) -> None:
    """What is kept of a refusal in a batch is its reason, not its words."""
    purchases = [purchase_input(), purchase_input(storeId="")]
    first = await api.mutate("recordPurchases", {"purchases": purchases}, till, key="k")
    (row,) = await sql.fetch("SELECT answer FROM idempotency_records WHERE key = 'k'")
    assert first["answers"][1]["message"] not in row[0]


async def test_no_password_is_kept_with_a_key(api: Api) -> None:
    _success, prepare = CASES["signUp"]
    case = await prepare(api)
    await api.mutate("signUp", case.input, NOBODY, key="k")
    assert not [row for rows in (await dump()).values() for row in rows if PASSWORD in row]


async def test_a_refresh_repeated_at_once_under_other_keys_gets_the_same_tokens(api: Api) -> None:
    ada = await api.member()
    given = {"refreshToken": ada.refresh_token}
    answers = await asyncio.gather(*(api.mutate("refreshSession", given, NOBODY) for _ in range(8)))
    assert answers[0]["__typename"] == "Session"
    assert all(answer == answers[0] for answer in answers)


async def test_signing_out_again_under_another_key_ends_nothing_more(api: Api) -> None:
    given = {"refreshToken": (await api.member()).refresh_token}
    told = [await api.mutate("signOut", given, NOBODY) for _ in range(2)]
    assert told == [
        {"__typename": "SignedOut", "wasActive": True},
        {"__typename": "SignedOut", "wasActive": False},
    ]
