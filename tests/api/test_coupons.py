"""Coupons over HTTP: guessing tells nothing and is limited; codes are told in one answer alone."""

import pytest

from server.coupons.limits import MEMBERS_COUPON_CODES
from server.principal import Scope, StaffRole
from tests.api.calling import NOW, NOW_SHOWN, Api, Caller, Json, dump, enrolled, new_key
from tests.api.coupons_cases import OFFER, SHARED, open_offer, publish

CHECK = """query ($code: String!, $member: MemberReference) {
  checkCoupon(code: $code, member: $member) {
    __typename
    ... on UsableCoupon { offerKey isSingleUse products }
    ... on Problem { code message }
    ... on NotFound { path }
  }
}"""
USABLE = {
    "__typename": "UsableCoupon",
    "offerKey": "spring",
    "isSingleUse": False,
    "products": [],
}
UNKNOWN = {
    "__typename": "NotFound",
    "code": "NOT_FOUND",
    "message": "This is no coupon that can be used here.",
    "path": ["code"],
}


async def check(api: Api, caller: Caller, code: str, **more: Json) -> Json:
    told: Json = (await api.data(CHECK, {"code": code, **more}, caller, at=NOW))["checkCoupon"]
    return told


async def generate(api: Api, caller: Caller, key: str, number: int = 2) -> list[str]:
    wish = {"couponKey": "letters", "number": number}
    told = await api.mutate("generateCoupons", wish, caller, key=key)
    codes: list[str] = told["codes"]
    return codes


async def test_codes_are_told_again_to_the_same_key_alone(api: Api) -> None:
    await open_offer(api)
    marketer = await api.staff(StaffRole.MARKETER)
    key = new_key()
    codes = await generate(api, marketer, key)
    assert await generate(api, marketer, key) == codes
    assert set(await generate(api, marketer, new_key())).isdisjoint(codes)
    kept = str(await dump())
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)


async def test_a_code_for_others_a_used_one_and_none_at_all_answer_alike(api: Api) -> None:
    await open_offer(api)
    manager = await api.staff(StaffRole.MANAGER)
    await enrolled("bob")
    chosen = "name: Chosen\nmembers: {kind: list, external_ids: [bob]}\n"
    await publish(api, manager, "segment", "chosen", chosen)
    for_bob = OFFER + "audience: {segments: [chosen]}\n"
    await publish(api, manager, "offer", "bobs", for_bob)
    code = SHARED.replace("spring", "bobs").replace("SPRING", "BOB").replace("MAY", "BOBS")
    await publish(api, manager, "coupon", "bobs", code)
    used, _ = await generate(api, manager, new_key())
    till = await api.key(Scope.PURCHASES_WRITE, Scope.SIMULATE_TIME)
    use = {"member": {"externalId": "bob"}, "code": used, "occurredAt": NOW_SHOWN}
    assert (await api.mutate("redeemCoupon", use, till))["__typename"] == "CouponRedeemed"
    anna = await api.member("anna")
    assert await check(api, anna, "may") == USABLE
    for text in ("BOB", used, "none", "2222-2222-2222"):
        assert await check(api, anna, text) == UNKNOWN, text
    bob: Json = {"externalId": "bob"}
    assert (await check(api, till, "BOB", member=bob))["offerKey"] == "bobs"
    assert (await check(api, till, used, member=bob))["code"] == "ALREADY_DECIDED"


async def test_wrong_codes_are_limited_by_caller_and_right_ones_cost_nothing(api: Api) -> None:
    await open_offer(api)
    anna, bob = await api.member("anna"), await api.member("bob")
    for _ in range(MEMBERS_COUPON_CODES.burst + 1):
        assert await check(api, anna, "may") == USABLE
    for number in range(MEMBERS_COUPON_CODES.burst):
        assert await check(api, anna, f"wrong {number}") == UNKNOWN
    codes = await api.codes(CHECK, {"code": "may"}, anna, at=NOW)
    assert codes == ["TOO_MANY_ATTEMPTS"]
    assert await check(api, bob, "may") == USABLE


@pytest.mark.parametrize("number", [0, 10_001])
async def test_a_number_of_codes_that_no_request_makes(api: Api, number: int) -> None:
    await open_offer(api)
    marketer = await api.staff(StaffRole.MARKETER)
    wish = {"couponKey": "letters", "number": number}
    told = await api.mutate("generateCoupons", wish, marketer)
    assert (told["code"], told["path"]) == ("INVALID_INPUT", ["input", "number"])
