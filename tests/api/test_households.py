"""Households as their members and the staff see them."""

from typing import Any

from server.clock import Instant
from server.edge.nodes import global_id
from server.principal import StaffRole
from server.storage import sql
from tests.api.calling import NOW, NOW_SHOWN, Api, Caller, Json, dump
from tests.households.living import publish, written
from tests.households.living import spend_pooled as spend
from tests.ledger.books import DAY, grant, granted

TOMORROW = Instant(NOW + DAY)
HOUSEHOLD = """
    { me { household {
        id name role foundedAt
        members { memberId name role joinedAt }
        pooledPoints { available pending }
    } } }
"""


async def home(api: Api) -> tuple[Caller, Caller, Caller]:
    """Anna, who owns a household, Bob, who may spend in it, and Carl, who contributes."""
    people = [await api.member(name.lower(), name=name) for name in ("Anna", "Bob", "Carl")]
    anna, bob, carl = people
    await api.mutate("foundHousehold", {"name": " Home "}, anna)
    for caller, role in ((bob, "SPENDER"), (carl, "CONTRIBUTOR")):
        told = await api.mutate("inviteToHousehold", {"role": role}, anna)
        joined = await api.mutate("joinHousehold", {"code": told["invitationCode"]}, caller)
        assert joined["household"]["role"] == role
    return anna, bob, carl


async def seen_by(api: Api, caller: Caller) -> Any:
    return (await api.data(HOUSEHOLD, caller=caller, at=NOW))["me"]["household"]


async def refused(api: Api, name: str, input: Json, caller: Caller) -> Any:
    """What is answered to a mutation that leaves no trace."""
    before = await dump()
    told = await api.mutate(name, input, caller)
    assert await dump() == before
    return told


async def test_a_household_as_its_members_see_it(api: Api) -> None:
    anna, bob, carl = await home(api)
    await grant(bob.member_id, granted(50, at=NOW, available_at=TOMORROW), now=NOW)
    await grant(carl.member_id, granted(7, at=NOW, expires_at=TOMORROW), now=NOW)
    seen = await seen_by(api, anna)
    assert seen == {
        "id": seen["id"],
        "name": "Home",
        "role": "OWNER",
        "foundedAt": NOW_SHOWN,
        "members": [
            {"memberId": one.id, "name": name, "role": role, "joinedAt": NOW_SHOWN}
            for one, name, role in (
                (anna, "Anna", "OWNER"),
                (bob, "Bob", "SPENDER"),
                (carl, "Carl", "CONTRIBUTOR"),
            )
        ],
        "pooledPoints": {"available": 307, "pending": 50},
    }
    assert await seen_by(api, bob) == {**seen, "role": "SPENDER"}
    await written(lambda: spend(bob.member_id, 107))
    assert (await seen_by(api, carl))["pooledPoints"] == {"available": 200, "pending": 50}
    later = (await api.data(HOUSEHOLD, caller=carl, at=TOMORROW))["me"]["household"]
    assert later["pooledPoints"] == {"available": 250, "pending": 0}


async def test_a_household_takes_two_statements(api: Api) -> None:
    anna, *_ = await home(api)
    counts: list[int] = []
    await api.data("{ me { id } }", caller=anna)  # what stays in memory is there now
    for document in ("{ me { name } }", HOUSEHOLD):
        with sql.counted_statements() as statements:
            await api.data(document, caller=anna)
        counts.append(len(statements))
    assert counts[1] - counts[0] == 2


async def test_the_households_of_many_take_two_statements(api: Api) -> None:
    manager = await api.staff(StaffRole.MANAGER)
    counts: list[int] = []
    shown = "household { name role members { name } pooledPoints { available } }"
    for _ in range(2):
        dora, eve = await api.member(name="Dora"), await api.member(name="Eve")
        for one in (dora, eve):
            await api.mutate("foundHousehold", {}, one)
        with sql.counted_statements() as statements:
            data = await api.data(f"{{ members {{ nodes {{ {shown} }} }} }}", caller=manager)
        assert data["members"]["nodes"][-1]["household"]["members"] == [{"name": "Eve"}]
        counts.append(len(statements))
    assert counts[0] == counts[1]


async def test_who_is_in_no_household_sees_none(api: Api) -> None:
    dora = await api.member("dora")
    assert await seen_by(api, dora) is None


async def test_leaving_and_coming_back(api: Api) -> None:
    anna, bob, _carl = await home(api)
    left = await api.mutate("leaveHousehold", {}, bob)
    assert left == {"__typename": "HouseholdLeft", "isDissolved": False, "rejoinFrom": "2026-04-03"}
    assert await seen_by(api, bob) is None
    told = await api.mutate("inviteToHousehold", {"role": "SPENDER"}, anna)
    code = told["invitationCode"]
    for name, given in (("joinHousehold", {"code": code}), ("foundHousehold", {})):
        told = await refused(api, name, given, bob)
        assert told["__typename"] == "NotAllowed"
        assert told["message"] == (
            "After leaving a household one has to wait: joining or founding one is possible from"
            " 2026-04-03."
        )


async def test_the_owner_rules(api: Api) -> None:
    anna, bob, carl = await home(api)
    told = await api.mutate("changeHouseholdRole", {"memberId": bob.id, "role": "OWNER"}, anna)
    assert [one["role"] for one in told["household"]["members"]] == [
        "OWNER",
        "OWNER",
        "CONTRIBUTOR",
    ]
    told = await api.mutate("removeFromHousehold", {"memberId": carl.id}, bob)
    assert [one["name"] for one in told["household"]["members"]] == ["Anna", "Bob"]
    told = await refused(api, "removeFromHousehold", {"memberId": carl.id}, bob)
    assert (told["__typename"], told["path"]) == ("NotFound", ["input", "memberId"])
    other = {"householdId": global_id("Household", 17)}
    for name in ("leaveHousehold", "dissolveHousehold"):
        told = await refused(api, name, other, bob)
        assert (told["__typename"], told["path"]) == ("NotFound", ["input", "householdId"])
    told = await api.mutate("dissolveHousehold", {}, bob)
    assert (told["__typename"], told["isDissolved"]) == ("HouseholdLeft", True)
    assert await seen_by(api, anna) is None


async def test_refused_roles(api: Api) -> None:
    anna, bob, carl = await home(api)
    for name, given in (
        ("inviteToHousehold", {"role": "CONTRIBUTOR"}),
        ("removeFromHousehold", {"memberId": carl.id}),
        ("changeHouseholdRole", {"memberId": bob.id, "role": "OWNER"}),
        ("dissolveHousehold", {}),
    ):
        told = await refused(api, name, given, bob)
        assert (told["__typename"], told["path"]) == ("NotAllowed", ["input"])
    told = await refused(api, "leaveHousehold", {}, anna)
    assert told["message"] == "A household needs an owner. Make another member an owner first."


async def test_ids_that_lead_nowhere(api: Api) -> None:
    anna, *_ = await home(api)
    manager = await api.staff(StaffRole.MANAGER)
    members = [global_id("Member", number) for number in (0, -1, 17, 2**63, 10**40)]
    for opaque in ("", "x", global_id("Card", 1), *members):
        for caller in (anna, manager):
            told = await refused(api, "removeFromHousehold", {"memberId": opaque}, caller)
            assert (told["__typename"], told["path"]) == ("NotFound", ["input", "memberId"])


async def test_codes(api: Api) -> None:
    _anna, _bob, carl = await home(api)
    dora = await api.member("dora")
    told = await refused(api, "joinHousehold", {"code": "x"}, dora)
    assert (told["__typename"], told["path"], told["value"]) == (
        "InvalidInput",
        ["input", "code"],
        None,
    )
    told = await refused(api, "joinHousehold", {"code": "0" * 16}, dora)
    assert (told["__typename"], told["path"]) == ("NotFound", ["input", "code"])
    told = await refused(api, "joinHousehold", {"code": "0" * 16}, carl)
    assert told["message"] == "This membership is in a household already. Leave it first."


async def test_no_code_is_stored(api: Api) -> None:
    anna = await api.member("anna")
    dora = await api.member("dora")
    await api.mutate("foundHousehold", {}, anna)
    told = await api.mutate("inviteToHousehold", {"role": "SPENDER"}, anna, key="k")
    code = told["invitationCode"]
    await api.mutate("joinHousehold", {"code": code}, dora)
    stored = str(await dump())
    assert code not in stored
    assert code.replace("-", "") not in stored
    again = await api.mutate("inviteToHousehold", {"role": "SPENDER"}, anna, key="k")
    assert again == told


async def test_a_full_household(api: Api) -> None:
    await publish({("households",): {"maximum_members": 2}})
    anna = await api.member("anna")
    await api.mutate("foundHousehold", {}, anna)
    codes = [
        (await api.mutate("inviteToHousehold", {"role": "OWNER"}, anna))["invitationCode"]
        for _ in range(2)
    ]
    await api.mutate("joinHousehold", {"code": codes[0]}, await api.member())
    told = await refused(api, "joinHousehold", {"code": codes[1]}, await api.member())
    assert (told["__typename"], told["limit"], told["left"]) == ("LimitReached", "2", "0")
    told = await refused(api, "inviteToHousehold", {"role": "SPENDER"}, anna)
    assert told["__typename"] == "LimitReached"


async def test_what_staff_see_and_do(api: Api) -> None:
    anna, bob, carl = await home(api)
    document = """
        query ($id: ID!) { member(by: {id: $id}) { household {
            name role members { memberId name } pooledPoints { available }
        } } }
    """
    for role in (StaffRole.SUPPORT, StaffRole.MANAGER):
        staff = await api.staff(role)
        data = await api.data(document, {"id": bob.id}, staff, at=NOW)
        household = data["member"]["household"]
        assert (household["name"], household["role"]) == ("Home", "SPENDER")
        removed = carl if role is StaffRole.SUPPORT else bob
        told = await api.mutate("removeFromHousehold", {"memberId": removed.id}, staff)
        assert told == {"__typename": "RemovedFromHousehold", "household": None}
    assert [one["name"] for one in (await seen_by(api, anna))["members"]] == ["Anna"]
