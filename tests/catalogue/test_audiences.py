"""What is for some members alone: the others neither see nor order it, nor learn how the shop sorts
them."""

import pytest

from server.principal import Scope, StaffRole
from server.programme import service as programme
from server.storage.database import Address
from tests.api.calling import NOBODY, NOW, Api, Caller, Json, enrolled
from tests.api.catalogue_cases import DROP, MUG
from tests.api.redeeming import give_points
from tests.catalogue.shop import after, drop, join, publish_document, reward, take
from tests.ledger.books import check_books, grant, granted
from tests.segments.shop import live

TITLES = "{ me { rewards { nodes { reward { key tiers } isForMember } } } }"
DROPS = "{ me { drops { drop { key reward { key } } } } }"
OPEN_DROPS = "{ drops { key reward { key } } }"


async def _publish(kind: str, key: str, plain: Json) -> None:
    await publish_document(kind, key, plain, now=NOW)


@pytest.fixture
async def regulars(api: Api) -> tuple[Caller, Caller, Caller]:
    """Something for the segment of those who have bought, and a drop of it; a member in the
    segment, one outside, and a till."""
    await _publish("segment", "regulars", live("visits >= 1"))
    await _publish("reward", "mug", {**MUG, "audience": {"segments": ["regulars"]}})
    await _publish("drop", "mugs", DROP)
    anna, bert = await api.member("anna"), await api.member("bert")
    for one in (anna, bert):
        await give_points(one.member_id, 1000)
    till = await api.key(Scope.PURCHASES_WRITE, Scope.POINTS_REDEEM)
    await api.record(till)
    return anna, bert, till


async def test_members_outside_a_segment_do_not_see_what_is_for_it(
    api: Api, regulars: tuple[Caller, Caller, Caller]
) -> None:
    anna, bert, _till = regulars
    staff = await api.staff(StaffRole.MANAGER)
    rewards, drops = [], []
    for caller in (anna, bert):
        told = await api.data(TITLES, caller=caller, at=NOW)
        rewards.append([one["reward"]["key"] for one in told["me"]["rewards"]["nodes"]])
        told = await api.data(DROPS, caller=caller, at=NOW)
        drops.append([one["drop"] for one in told["me"]["drops"]])
    mugs = {"key": "mugs", "reward": {"key": "mug"}}
    assert rewards == [["mug"], []]
    assert drops == [[mugs], []]
    for caller, seen in ((NOBODY, []), (anna, []), (staff, [mugs])):
        assert (await api.data(OPEN_DROPS, caller=caller, at=NOW))["drops"] == seen


async def test_members_outside_a_segment_do_not_order_nor_learn_its_key(
    api: Api, regulars: tuple[Caller, Caller, Caller]
) -> None:
    anna, bert, till = regulars
    for mutation, wish in (
        ("orderReward", {"rewardKey": "mug"}),
        ("joinDrop", {"dropKey": "mugs"}),
        ("takeDropPlace", {"dropKey": "mugs"}),
    ):
        told = await api.mutate(mutation, wish, bert)
        assert (told["code"], told["segments"], told["tiers"]) == ("NOT_IN_AUDIENCE", [], [])
        assert "regulars" not in str(told)
    by_till = await api.mutate(
        "orderReward", {"rewardKey": "mug", "member": {"externalId": "bert"}}, till
    )
    assert (by_till["code"], by_till["segments"]) == ("NOT_IN_AUDIENCE", ["regulars"])
    told = await api.mutate("orderReward", {"rewardKey": "mug"}, anna)
    assert told["order"]["rewardKey"] == "mug"


async def test_what_is_for_a_tier_is_seen_by_all_and_ordered_by_those_who_have_it(
    api: Api,
) -> None:
    levels = (await programme.rulebook()).at(NOW).programme.tiers.levels
    lowest, highest = levels[0].name, levels[-1].name
    for key, tier in (("mug", lowest), ("cup", highest)):
        await _publish("reward", key, {**MUG, "audience": {"tiers": [tier]}})
    anna = await api.member("anna")
    await give_points(anna.member_id, 1000)
    told = await api.data(TITLES, caller=anna, at=NOW)
    assert told["me"]["rewards"]["nodes"] == [
        {"reward": {"key": "cup", "tiers": [highest]}, "isForMember": False},
        {"reward": {"key": "mug", "tiers": [lowest]}, "isForMember": True},
    ]
    refused = await api.mutate("orderReward", {"rewardKey": "cup"}, anna)
    assert (refused["code"], refused["tiers"]) == ("NOT_IN_AUDIENCE", [highest])
    assert "order" in await api.mutate("orderReward", {"rewardKey": "mug"}, anna)


async def test_of_a_drop_its_own_times_count_and_not_those_of_its_reward(shop: Address) -> None:
    levels = (await programme.rulebook()).at(after()).programme.tiers.levels
    await reward(valid_from="2026-03-04T13:00:00Z", valid_to="2026-03-04T14:00:00Z")
    await drop(opens_at="2026-03-04T13:00:00Z", units=3, early_access={levels[0].name: 10})
    anna = await enrolled("anna", at=after())
    await grant(anna, granted(500, at=after()), now=after())
    early = after(seconds=3000)
    await join(anna, now=early)
    assert (await take(anna, now=early)).order.points == 100
    bert = await enrolled("bert", at=after())
    await grant(bert, granted(500, at=after()), now=after())
    late = after(seconds=9000)
    await join(bert, now=late)
    assert (await take(bert, now=late)).order.points == 100
    await check_books()
