"""Opening balances through the API: each line answered by itself, a dry run writes nothing."""

import pytest

from server.principal import StaffRole
from server.storage import sql
from tests.api.calling import NOW, Api, Caller, Json, dump, enrolled, usd
from tests.ledger.books import check_books

LINES: list[Json] = [
    {"externalId": "anna", "points": 250, "pointsExpireOn": "2026-12-31", "cashbackMinor": "1250"},
    {"externalId": "nobody", "points": 5},
    {"externalId": "anna", "points": -5},
    {"externalId": "anna", "points": 5, "pointsExpireOn": "2026-03-04"},
    {"externalId": "anna", "points": 2147483647},
    {"externalId": "anna", "cashbackMinor": "2147483648"},
    {"externalId": "", "points": 5},
    {"externalId": "anna", "points": 1},
]


@pytest.fixture
async def manager(api: Api) -> Caller:
    await enrolled("anna")
    return await api.staff(StaffRole.MANAGER)


async def test_each_line_is_answered_by_itself(api: Api, manager: Caller) -> None:
    told = await api.mutate("importBalances", {"lines": LINES}, manager)
    first, *refused, last = told["answers"]
    assert (first["points"], first["cashback"], first["hadOpeningBalance"]) == (
        250,
        usd("12.50"),
        False,
    )
    assert last["points"] == 1
    assert [(one["__typename"], one["path"]) for one in refused] == [
        ("NotFound", ["input", "lines", "1", "externalId"]),
        ("InvalidInput", ["input", "lines", "2", "points"]),
        ("InvalidInput", ["input", "lines", "3", "pointsExpireOn"]),
        ("InvalidInput", ["input", "lines", "4", "points"]),
        ("InvalidInput", ["input", "lines", "5", "cashbackMinor"]),
        ("InvalidInput", ["input", "lines", "6", "externalId"]),
    ]
    await check_books()
    [row] = await sql.fetch("SELECT CAST(SUM(amount) AS BIGINT) FROM lots WHERE reason = 'opening'")
    assert row[0] == 250 + 1250 + 1
    again = await api.mutate("importBalances", {"lines": LINES[:1]}, manager)
    assert again["answers"][0]["hadOpeningBalance"] is True


async def test_a_dry_run_answers_the_same_and_writes_nothing(api: Api, manager: Caller) -> None:
    before = await dump()
    dry = await api.mutate("importBalances", {"lines": LINES, "dryRun": True}, manager, key="k")
    assert await dump() == before
    assert await api.mutate("importBalances", {"lines": LINES}, manager, key="k") == dry
    assert await dump() != before


@pytest.mark.parametrize("count", [0, 501])
async def test_a_call_has_1_to_500_lines(api: Api, manager: Caller, count: int) -> None:
    before = await dump()
    lines = [{"externalId": "anna", "points": 1}] * count
    told = await api.mutate("importBalances", {"lines": lines}, manager, at=NOW)
    assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", "lines"])
    assert await dump() == before
