"""How the mutations of the catalogue are called."""

from server.definitions import service as definitions
from server.principal import StaffRole
from server.storage import sql
from tests.api.calling import NOW, Api, Caller, Json
from tests.api.cases import Case, case
from tests.api.redeeming import give_points

MUG: Json = {
    "what": {"kind": "product"},
    "default_language": "en",
    "texts": {"en": {"title": "A mug"}, "lt": {"title": "Puodelis"}},
    "price": {"points": 100, "money_minor": 250},
    "categories": ["home"],
    "stock": 1000,
}
VOUCHER: Json = {
    "what": {"kind": "voucher", "value_minor": 500},
    "default_language": "en",
    "texts": {"en": {"title": "A voucher"}},
    "price": {"points": 1000},
    "fulfilment": "instant",
}
DROP: Json = {"reward": "mug", "opens_at": "2026-03-01", "units": 500, "hold_seconds": 3600}


async def stocked() -> None:
    """Two rewards, and a drop of each that is open."""
    for kind, key, plain in (
        ("reward", "mug", MUG),
        ("reward", "voucher", VOUCHER),
        ("drop", "mugs", DROP),
        ("drop", "vouchers", {**DROP, "reward": "voucher"}),
    ):
        async with sql.transaction():
            await definitions.publish_document(
                kind, key, plain, by=definitions.COMMAND_LINE, now=NOW
            )


async def _shoppers(api: Api) -> list[Caller]:
    await stocked()
    callers = [await api.member() for _ in range(2)]
    for caller in callers:
        await give_points(caller.member_id, 5000)
    return callers


async def ordered(api: Api, caller: Caller, **wish: object) -> str:
    """The id of an order that the member has made."""
    told = await api.mutate("orderReward", {"rewardKey": "mug", **wish}, caller)
    assert "code" not in told, told
    return str(told["order"]["id"])


@case("orderReward", "RewardOrdered")
async def _order(api: Api) -> Case:
    anna, bert = await _shoppers(api)
    wish = {"rewardKey": "voucher"}
    return Case(anna, wish, {"rewardKey": "mug"}, bert, wish)


@case("cancelRewardOrder", "RewardOrderChanged")
async def _cancel(api: Api) -> Case:
    anna, bert = await _shoppers(api)
    one, other, third = [
        {"rewardOrderId": await ordered(api, caller)} for caller in (anna, anna, bert)
    ]
    return Case(anna, one, other, bert, third)


def _by_staff(name: str) -> None:
    async def prepare(api: Api) -> Case:
        anna, _bert = await _shoppers(api)
        managers = [await api.staff(StaffRole.MANAGER) for _ in range(2)]
        one, other, third = [{"rewardOrderId": await ordered(api, anna)} for _ in range(3)]
        if name == "markRewardDelivered":
            for given in (one, other, third):
                await api.mutate("payRewardOrder", given, managers[0])
        return Case(managers[0], one, other, managers[1], third)

    case(name, "RewardOrderChanged")(prepare)


_by_staff("markRewardReady")
_by_staff("markRewardDelivered")
_by_staff("payRewardOrder")


@case("favouriteReward", "RewardFavoured")
async def _favour(api: Api) -> Case:
    anna, bert = await _shoppers(api)
    wish = {"rewardKey": "mug"}
    return Case(anna, wish, {"rewardKey": "voucher"}, bert, wish)


@case("unfavouriteReward", "RewardFavoured")
async def _disfavour(api: Api) -> Case:
    case = await _favour(api)
    for caller in (case.caller, case.colleague):
        for wish in (case.input, case.other):
            await api.mutate("favouriteReward", wish, caller)
    return case


@case("joinDrop", "DropPlaceChanged")
async def _join(api: Api) -> Case:
    anna, bert = await _shoppers(api)
    return Case(anna, {"dropKey": "mugs"}, {"dropKey": "vouchers"}, bert, {"dropKey": "mugs"})


async def _in_line(api: Api) -> Case:
    case = await _join(api)
    for caller in (case.caller, case.colleague):
        for wish in (case.input, case.other):
            await api.mutate("joinDrop", wish, caller)
    return case


case("leaveDrop", "DropPlaceChanged")(_in_line)
case("takeDropPlace", "RewardOrdered")(_in_line)
