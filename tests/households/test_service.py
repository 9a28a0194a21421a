"""Who is in a household, in which role: founding, inviting, joining, leaving, handing over."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from server.clock import Instant
from server.errors import AlreadyDecided, InvalidInput, LimitReached, NotAllowed, NotFound
from server.households import service
from server.households.service import HouseholdRole
from server.storage.database import Address
from tests.api.calling import DAY, NOW, dump, instant
from tests.households.living import (
    CONTRIBUTOR,
    OWNER,
    SPENDER,
    available,
    founded,
    invited,
    joined,
    people,
    publish,
    refused,
    roles,
    written,
)
from tests.ledger.books import check_books

Work = Callable[[], Awaitable[Any]]
LEFT = instant("2026-03-07T17:00:00Z")  # noon in New York, the day before summer time begins


@pytest.fixture(autouse=True)
async def programme(database: Address) -> None:
    """Of these tests: up to three members, and ten days to wait."""
    await publish({("households",): {"maximum_members": 3, "rejoin_wait_days": 10}})


async def unchanged(work: Work) -> Any:
    """The refusal of the work, which leaves no trace."""
    before = await dump()
    refusal = await refused(work)
    assert await dump() == before
    return refusal


async def test_a_household_from_its_founding_to_its_end(database: Address) -> None:
    anna, bob, carl = await people(10, 20, 30)
    household = await founded(anna, (bob, SPENDER), (carl, CONTRIBUTOR), at=NOW)
    assert (household.name, household.founded_at) == ("Home", NOW)
    assert [(stay.member_id, stay.role) for stay in household.stays] == [
        (anna, OWNER),
        (bob, SPENDER),
        (carl, CONTRIBUTOR),
    ]
    seen = await service.households_of([anna, bob, carl])
    assert {one.id for one in seen.values()} == {household.id}
    assert (
        await service.pool_of(anna) == await service.pool_of(bob) == tuple(sorted(household.roles))
    )
    left = await written(lambda: service.leave(carl, now=NOW))
    assert not left.is_dissolved
    assert await roles(anna) == {anna: OWNER, bob: SPENDER}
    removed = await written(lambda: service.remove(bob, by=anna, now=NOW))
    assert removed.household is not None
    assert removed.household.roles == {anna: OWNER}
    assert (await written(lambda: service.leave(anna, now=NOW))).is_dissolved
    assert await service.households_of([anna, bob, carl]) == {}
    assert await available(anna, bob, carl) == [10, 20, 30]
    await check_books()


async def test_who_may_not_spend_has_no_pool(database: Address) -> None:
    anna, bob, carl = await people(0, 0, 0)
    await founded(anna, (bob, CONTRIBUTOR))
    assert (await unchanged(lambda: service.pool_of(bob))).reason == "household.may_not_spend"
    assert (await unchanged(lambda: service.pool_of(carl))).reason == "household.none"


async def test_a_member_is_in_one_household_at_a_time(database: Address) -> None:
    anna, bob = await people(0, 0)
    await founded(anna)
    await founded(bob)
    code = await invited(anna)
    works: tuple[Work, ...] = (
        lambda: service.join(bob, code, now=NOW),
        lambda: service.found(bob, None, now=NOW),
    )
    for work in works:
        refusal = await unchanged(work)
        assert (type(refusal), refusal.reason) == (NotAllowed, "household.already")


# ---------------------------------------------------------------- invitations


async def test_a_code_works_once(database: Address) -> None:
    anna, bob, carl = await people(0, 0, 0)
    await founded(anna)
    code = await invited(anna, SPENDER)
    await written(lambda: service.join(bob, code.lower().replace("-", " "), now=NOW))
    refusal = await unchanged(lambda: service.join(carl, code, now=NOW))
    assert (type(refusal), refusal.status) == (AlreadyDecided, "ACCEPTED")
    assert await roles(bob) == {anna: OWNER, bob: SPENDER}


async def test_a_code_works_for_seven_days(database: Address) -> None:
    anna, bob = await people(0, 0)
    await founded(anna)
    code = await invited(anna)
    end = NOW + 7 * DAY
    refusal = await unchanged(lambda: service.join(bob, code, now=Instant(end)))
    assert (refusal.status, refusal.path) == ("EXPIRED", ("code",))
    await written(lambda: service.join(bob, code, now=Instant(end - 1)))


async def test_a_code_is_kept_as_a_hash_alone(database: Address) -> None:
    [anna] = await people(0)
    await founded(anna)
    code = await invited(anna)
    stored = str(await dump())
    assert code not in stored
    assert code.replace("-", "") not in stored
    assert await service.code_hash(code) in stored


async def test_a_code_of_who_is_no_owner_any_more_does_not_work(database: Address) -> None:
    anna, bob, carl = await people(0, 0, 0)
    await founded(anna, (bob, OWNER))
    code = await invited(bob, OWNER)
    await written(lambda: service.remove(bob, by=anna, now=NOW))
    later = Instant(NOW + 1)
    for member in (bob, carl):
        refusal = await refused(lambda: service.join(member, code, now=later))  # noqa: B023 - at once
        assert refusal.reason in ("household.wait", "household.code_withdrawn")
    assert await roles(carl) is None


async def test_a_code_of_a_dissolved_household_does_not_work(database: Address) -> None:
    anna, bob = await people(0, 0)
    await founded(anna)
    code = await invited(anna)
    await written(lambda: service.dissolve(anna, now=NOW))
    refusal = await unchanged(lambda: service.join(bob, code, now=NOW))
    assert (type(refusal), refusal.status) == (AlreadyDecided, "WITHDRAWN")


async def test_codes_that_are_none(database: Address) -> None:
    [anna] = await people(0)
    for code, kind in (("x", InvalidInput), ("0" * 16, NotFound)):
        refusal = await unchanged(lambda: service.join(anna, code, now=NOW))  # noqa: B023 - at once
        assert (type(refusal), refusal.path) == (kind, ("code",))


async def test_a_full_household_takes_nobody(database: Address) -> None:
    anna, bob, carl, dora = await people(0, 0, 0, 0)
    await founded(anna, (bob, SPENDER))
    code = await invited(anna)
    await joined(anna, carl)
    works: tuple[Work, ...] = (
        lambda: service.join(dora, code, now=NOW),
        lambda: service.invite(anna, CONTRIBUTOR, now=NOW),
    )
    for work in works:
        refusal = await unchanged(work)
        assert (type(refusal), refusal.limit, refusal.left) == (LimitReached, 3, 0)
    await written(lambda: service.leave(carl, now=NOW))
    await written(lambda: service.join(dora, code, now=NOW))


# ---------------------------------------------------------------- days to wait


@pytest.mark.parametrize("way", ["leave", "remove", "dissolve"])
async def test_who_left_waits_for_local_days(database: Address, way: str) -> None:
    """Ten local days after 7 March begin at midnight of the 17th, which summer time moves."""
    anna, bob, carl = await people(0, 0, 0)
    await founded(anna, (bob, SPENDER))
    await founded(carl)
    code = await invited(carl, at=LEFT)
    ways: dict[str, Work] = {
        "leave": lambda: service.leave(bob, now=LEFT),
        "remove": lambda: service.remove(bob, by=anna, now=LEFT),
        "dissolve": lambda: service.dissolve(anna, now=LEFT),
    }
    await written(ways[way])
    code = await invited(carl, at=instant("2026-03-16T12:00:00Z"))
    midnight = instant("2026-03-17T04:00:00Z")
    for work in (
        lambda: service.join(bob, code, now=Instant(midnight - 1)),
        lambda: service.found(bob, None, now=Instant(midnight - 1)),
    ):
        refusal = await unchanged(work)
        assert (refusal.reason, refusal.facts) == ("household.wait", {"day": "2026-03-17"})
    await written(lambda: service.join(bob, code, now=midnight))


async def test_who_leaves_is_told_from_when_on_they_may_come_back(database: Address) -> None:
    [anna] = await people(0)
    await founded(anna)
    left = await written(lambda: service.leave(anna, now=LEFT))
    assert left.is_dissolved
    assert left.rejoin_day == 20529  # 2026-03-17


async def test_a_new_member_waits_for_local_days(engine: str, database: Address) -> None:
    await publish({("households",): {"minimum_account_age_days": 3}})
    late = instant("2026-03-07T04:59:59.999999Z")  # the last instant of 6 March in New York
    [anna] = await people(0, at=late)
    midnight = instant("2026-03-09T04:00:00Z")  # summer time began on the 8th
    refusal = await unchanged(lambda: service.found(anna, None, now=Instant(midnight - 1)))
    assert (refusal.reason, refusal.facts) == ("household.too_new", {"day": "2026-03-09"})
    await written(lambda: service.found(anna, None, now=midnight))


# ---------------------------------------------------------------- roles


async def test_the_last_owner_of_others_stays_one(database: Address) -> None:
    anna, bob = await people(0, 0)
    await founded(anna, (bob, SPENDER))
    works: tuple[Work, ...] = (
        lambda: service.leave(anna, now=NOW),
        lambda: service.remove(anna, by=None, now=NOW),
        lambda: service.change_role(anna, CONTRIBUTOR, by=anna, now=NOW),
        lambda: service.change_role(anna, SPENDER, by=anna, now=NOW),
    )
    for work in works:
        refusal = await unchanged(work)
        assert (type(refusal), refusal.reason) == (NotAllowed, "household.last_owner")
    await written(lambda: service.change_role(anna, OWNER, by=anna, now=NOW))


async def test_an_owner_hands_over(database: Address) -> None:
    anna, bob = await people(0, 0)
    await founded(anna, (bob, CONTRIBUTOR))
    await written(lambda: service.change_role(bob, OWNER, by=anna, now=NOW))
    changed = await written(lambda: service.change_role(anna, SPENDER, by=anna, now=NOW))
    assert changed.roles == {anna: SPENDER, bob: OWNER} == await roles(anna)
    await written(lambda: service.leave(anna, now=NOW))
    assert await roles(bob) == {bob: OWNER}


@pytest.mark.parametrize("role", [SPENDER, CONTRIBUTOR])
async def test_what_owners_alone_may_do(database: Address, role: HouseholdRole) -> None:
    anna, bob, carl = await people(0, 0, 0)
    await founded(anna, (bob, role), (carl, CONTRIBUTOR))
    works: tuple[Work, ...] = (
        lambda: service.invite(bob, CONTRIBUTOR, now=NOW),
        lambda: service.remove(carl, by=bob, now=NOW),
        lambda: service.remove(anna, by=bob, now=NOW),
        lambda: service.change_role(bob, OWNER, by=bob, now=NOW),
        lambda: service.change_role(carl, SPENDER, by=bob, now=NOW),
        lambda: service.dissolve(bob, now=NOW),
    )
    for work in works:
        refusal = await unchanged(work)
        assert (type(refusal), refusal.reason) == (NotAllowed, "household.owners_only")


async def test_who_is_in_no_household_can_do_nothing_to_one(database: Address) -> None:
    anna, bob = await people(0, 0)
    await founded(anna)
    works: tuple[Work, ...] = (
        lambda: service.invite(bob, OWNER, now=NOW),
        lambda: service.leave(bob, now=NOW),
        lambda: service.remove(anna, by=bob, now=NOW),
        lambda: service.change_role(anna, SPENDER, by=bob, now=NOW),
        lambda: service.dissolve(bob, now=NOW),
    )
    for work in works:
        refusal = await unchanged(work)
        assert (type(refusal), refusal.reason) == (NotAllowed, "household.none")


async def test_strangers_and_nobody_are_not_of_the_household(database: Address) -> None:
    anna, bob, carl = await people(0, 0, 0)
    await founded(anna)
    await founded(bob)
    for other in (bob, carl, 1, 0, -1, 2**63, 10**30):
        works: list[Work] = [
            lambda: service.remove(other, by=anna, now=NOW),  # noqa: B023 - called at once
            lambda: service.change_role(other, SPENDER, by=anna, now=NOW),  # noqa: B023
        ]
        if other != bob:
            works.append(lambda: service.remove(other, by=None, now=NOW))  # noqa: B023
        for work in works:
            refusal = await unchanged(work)
            assert (type(refusal), refusal.path) == (NotFound, ("memberId",))


async def test_nobody_removes_themselves(database: Address) -> None:
    anna, bob = await people(0, 0)
    await founded(anna, (bob, OWNER))
    refusal = await unchanged(lambda: service.remove(anna, by=anna, now=NOW))
    assert (type(refusal), refusal.path) == (InvalidInput, ("memberId",))


async def test_staff_remove_whoever_is_not_the_last_owner_of_others(database: Address) -> None:
    anna, bob = await people(0, 0)
    await founded(anna, (bob, CONTRIBUTOR))
    removed = await written(lambda: service.remove(bob, by=None, now=NOW))
    assert removed.household is not None
    assert removed.household.roles == {anna: OWNER}
    assert (await written(lambda: service.remove(anna, by=None, now=NOW))).household is None
    assert await roles(anna) is None


async def test_dissolving_lets_everybody_go(database: Address) -> None:
    anna, bob, carl = await people(1, 2, 3)
    await founded(anna, (bob, OWNER), (carl, SPENDER))
    assert (await written(lambda: service.dissolve(bob, now=NOW))).is_dissolved
    assert await service.households_of([anna, bob, carl]) == {}
    assert await available(anna, bob, carl) == [1, 2, 3]
