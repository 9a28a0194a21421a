"""Enrolling, finding, reading and changing members."""

import asyncio

import pytest

from server import clock
from server.errors import ExternalIdConflict, InvalidInput, NotFound
from server.members import service as members
from server.members.service import NewMember, Profile
from server.storage import sql
from server.storage.database import Address
from tests.members.people import START, count, person

ENROLLED_AT = clock.instant_of(START)


async def enrolled(new: NewMember) -> int:
    async with sql.transaction():
        return await members.register_member(new)


async def updated(member_id: int, **changes: str | None) -> Profile:
    async with sql.transaction():
        return await members.update_profile(member_id, **changes)  # type: ignore[arg-type]


FULL = NewMember(
    enrolled_at=ENROLLED_AT,
    enrolled_local_month=202603,
    external_id="2375",
    name=" Ada ",
    birthday="1990-12-31",
    locale="en-gb",
    time_zone="Europe/London",
)


async def test_a_member_is_stored_as_enrolled(database: Address) -> None:
    member_id = await enrolled(FULL)
    assert await members.profile(member_id) == Profile(
        member_id, "2375", "Ada", "1990-12-31", "en-GB", "Europe/London", ENROLLED_AT
    )
    row = await sql.fetch_one("SELECT enrolled_local_month FROM members")
    assert row is not None
    assert row[0] == 202603


async def test_a_member_needs_no_facts_of_the_person(database: Address) -> None:
    member_id = await enrolled(person(None))
    assert await members.profile(member_id) == Profile(
        member_id, None, None, None, "en", "UTC", ENROLLED_AT
    )
    await enrolled(person(None))  # none and none are not the same external id


async def test_an_external_id_stands_for_one_member(database: Address) -> None:
    member_id = await enrolled(person("Ada", "2375"))
    with pytest.raises(ExternalIdConflict) as caught:
        await enrolled(person("Eve", "2375"))
    assert (caught.value.external_id, caught.value.path) == ("2375", ("externalId",))
    assert await members.members_by_external_id(["2375"]) == {"2375": member_id}
    assert await count("members") == 1


async def test_of_enrolments_of_one_external_id_at_once_one_succeeds(database: Address) -> None:
    outcomes = await asyncio.gather(
        *(enrolled(person("Ada", "2375")) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(outcome, ExternalIdConflict) for outcome in outcomes) == 3
    assert await count("members") == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("external_id", " 2375"),
        ("name", ""),
        ("birthday", "tomorrow"),
        ("locale", "xx"),
        ("time_zone", "Mars/Olympus"),
    ],
)
async def test_a_refused_value_is_named_and_nothing_is_written(
    database: Address, field: str, value: str
) -> None:
    facts = {"enrolled_at": ENROLLED_AT, "enrolled_local_month": 202603, field: value}
    with pytest.raises(InvalidInput) as caught:
        await enrolled(NewMember(**facts))  # type: ignore[arg-type]
    names = {"external_id": "externalId", "time_zone": "timeZone"}
    assert caught.value.path == (names.get(field, field),)
    assert caught.value.value == value
    assert await count("members") == 0


async def test_a_birthday_may_be_today_where_it_is_already_tomorrow(database: Address) -> None:
    noon = clock.instant_of(START.replace(hour=12))
    with clock.moved_to(noon):
        for birthday, is_taken in (("2026-03-05", True), ("2026-03-06", False)):
            new = NewMember(enrolled_at=noon, enrolled_local_month=202603, birthday=birthday)
            if is_taken:
                await enrolled(new)
            else:
                with pytest.raises(InvalidInput):
                    await enrolled(new)


async def test_many_are_enrolled_in_order_with_one_statement(database: Address) -> None:
    async with sql.transaction():
        with sql.counted_statements() as statements:
            ids = await members.register_members(
                [person(None, f"h{number}") for number in range(500)]
            )
    assert len(statements) == 1
    assert ids == sorted(set(ids))
    assert await members.members_by_external_id([f"h{number}" for number in range(500)]) == {
        f"h{number}": member_id for number, member_id in enumerate(ids)
    }


async def test_enrolling_nobody_does_nothing(database: Address) -> None:
    async with sql.transaction():
        assert await members.register_members([]) == []


async def test_a_refused_one_among_many_is_named_by_its_position(database: Address) -> None:
    with pytest.raises(InvalidInput) as caught:
        async with sql.transaction():
            await members.register_members([person(None, "1"), person(None, "")])
    assert caught.value.path == (1, "externalId")
    assert await count("members") == 0


async def test_a_lost_race_among_many_is_run_again(database: Address) -> None:
    attempts = 0

    async def enrol() -> list[int]:
        nonlocal attempts
        attempts += 1
        async with sql.transaction():
            known = await members.members_by_external_id(["1"]) if attempts > 1 else {}
            return await members.register_members(
                [person(None, name) for name in ("1", "2") if name not in known]
            )

    await enrolled(person(None, "1"))
    assert len(await sql.retried(enrol)) == 1
    assert (attempts, await count("members")) == (2, 2)


async def test_members_are_found_in_one_statement_and_the_unknown_left_out(
    database: Address,
) -> None:
    ids = [await enrolled(person(name, name)) for name in ("Ada", "Eve", "Kim")]
    with sql.counted_statements() as statements:
        found = await members.profiles([*ids, 7])
        by_name = await members.members_by_external_id(["Eve", "Ada", "Zoe", "a\x00b", "\ud800"])
    assert len(statements) == 2
    assert {member_id: one.name for member_id, one in found.items()} == dict(
        zip(ids, ("Ada", "Eve", "Kim"), strict=True)
    )
    assert by_name == {"Ada": ids[0], "Eve": ids[1]}


async def test_nobody_is_found_without_asking(database: Address) -> None:
    with sql.counted_statements() as statements:
        assert await members.profiles([]) == {}
        assert await members.members_by_external_id([]) == {}
        assert await members.members_by_external_id(["\x00"]) == {}
    assert statements == []


async def test_an_unknown_member_is_not_found(database: Address) -> None:
    assert await members.members_by_external_id(["2375"]) == {}
    with pytest.raises(NotFound) as caught:
        await members.profile(1)
    assert caught.value.reason == "member.not_found"
    with pytest.raises(NotFound):
        await updated(1, name="Ada")
    with pytest.raises(NotFound):
        await updated(1)


async def test_pages_go_through_the_members_in_order(database: Address) -> None:
    async with sql.transaction():
        ids = await members.register_members([person(None) for _ in range(5)])
    pages, after_id, has_next = [], 0, True
    while has_next:
        page = await members.page_of_members(first=2, after_id=after_id)
        pages.append([member.id for member in page.members])
        after_id, has_next = page.members[-1].id, page.has_next
    assert pages == [ids[:2], ids[2:4], ids[4:]]
    assert await members.page_of_members(first=5) == members.MemberPage(
        tuple((await members.profiles(ids)).values()), False
    )
    assert (await members.page_of_members(first=100, after_id=after_id)).members == ()


@pytest.mark.parametrize("first", [0, -1, 101])
async def test_a_page_has_1_to_100_members(database: Address, first: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        await members.page_of_members(first=first)
    assert caught.value.path == ("first",)


async def test_only_what_is_given_changes(database: Address) -> None:
    member_id = await enrolled(FULL)
    other_id = await enrolled(person("Eve"))
    assert await updated(member_id, name="Augusta") == Profile(
        member_id, "2375", "Augusta", "1990-12-31", "en-GB", "Europe/London", ENROLLED_AT
    )
    assert await updated(member_id, time_zone="Asia/Tokyo", locale="ja", birthday=None) == Profile(
        member_id, "2375", "Augusta", None, "ja", "Asia/Tokyo", ENROLLED_AT
    )
    assert (await updated(member_id)).name == "Augusta"
    assert (await updated(member_id, name=None)).name is None
    assert (await members.profile(other_id)).name == "Eve"


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("name", "", "name"),
        ("birthday", "2999-01-01", "birthday"),
        ("locale", "xx", "locale"),
        ("time_zone", "x", "timeZone"),
    ],
)
async def test_a_refused_change_changes_nothing(
    database: Address, field: str, value: str, path: str
) -> None:
    member_id = await enrolled(FULL)
    before = await members.profile(member_id)
    with pytest.raises(InvalidInput) as caught:
        await updated(member_id, **{"name" if field != "name" else "birthday": None, field: value})
    assert caught.value.path == (path,)
    assert await members.profile(member_id) == before
