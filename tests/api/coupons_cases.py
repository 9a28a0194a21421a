"""How the mutations of coupons are called."""

from server.principal import Scope, StaffRole
from tests.api.calling import NOW_SHOWN, Api, Caller, Json, enrolled
from tests.api.cases import Case, case

OFFER = """
default_language: en
texts: {en: {title: Spring}}
discount: {kind: till}
needs_coupon: true
"""
SHARED = "offer: spring\ncodes: {kind: shared, codes: [{code: SPRING}, {code: MAY}]}\n"
SINGLE_USE = "offer: spring\ncodes: {kind: single_use}\n"


async def publish(api: Api, manager: Caller, kind: str, key: str, document: str) -> None:
    """Publish a document; another manager approves what costs too much."""
    wish = {"kind": kind, "key": key, "document": document}
    told = (await api.mutate("saveDefinition", wish, manager))["definition"]
    version = {name: told[name] for name in ("kind", "key", "version")}
    told = await api.mutate("publishDefinition", version, manager)
    assert "code" not in told, told
    if told["definition"]["status"] == "WAITING":
        colleague = await api.staff(StaffRole.MANAGER)
        told = await api.mutate("approveDefinition", version, colleague)
        assert "code" not in told, told


async def open_offer(api: Api) -> None:
    """An offer with shared codes, SPRING and MAY, and single-use ones."""
    manager = await api.staff(StaffRole.MANAGER)
    await publish(api, manager, "offer", "spring", OFFER)
    await publish(api, manager, "coupon", "spring", SHARED)
    await publish(api, manager, "coupon", "letters", SINGLE_USE)


async def _tills(api: Api) -> list[Caller]:
    await open_offer(api)
    for name in ("anna", "bob"):
        await enrolled(name)
    return [await api.key(Scope.PURCHASES_WRITE, Scope.SIMULATE_TIME) for _ in range(2)]


def _use(name: str, code: str) -> Json:
    return {"member": {"externalId": name}, "code": code, "occurredAt": NOW_SHOWN}


@case("redeemCoupon", "CouponRedeemed")
async def _redeem(api: Api) -> Case:
    tills = await _tills(api)
    return Case(tills[0], _use("anna", "MAY"), _use("bob", "MAY"), tills[1], _use("anna", "SPRING"))


@case("redeemCoupons", "CouponsRedeemed")
async def _redeem_many(api: Api) -> Case:
    tills = await _tills(api)
    uses = [_use("anna", "MAY"), _use("bob", "SPRING"), _use("bob", "NONE")]
    given, other = {"redemptions": uses}, {"redemptions": uses[1:]}
    return Case(tills[0], given, other, tills[1], given)


@case("cancelCouponRedemption", "CouponRedemptionCancelled")
async def _cancel(api: Api) -> Case:
    tills = await _tills(api)
    wishes: list[Json] = []
    for name, code in (("anna", "MAY"), ("anna", "SPRING"), ("bob", "MAY")):
        told = await api.mutate("redeemCoupon", _use(name, code), tills[0])
        wishes.append({"redemptionId": told["redemptionId"]})
    return Case(tills[0], wishes[0], wishes[1], tills[1], wishes[2])


@case("generateCoupons", "CouponsGenerated")
async def _generate(api: Api) -> Case:
    await open_offer(api)
    one, two = [await api.staff(StaffRole.MARKETER) for _ in range(2)]
    given = {"couponKey": "letters", "number": 3}
    return Case(one, given, {**given, "number": 4}, two, given)
