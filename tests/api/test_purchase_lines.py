"""The lines of a purchase: which are refused, and which just pass; no trace of a refusal."""

import pytest

from server.storage import sql
from tests.api.calling import Api, Caller, dump, line
from tests.api.refusals import (
    AT,
    TEXT,
    TEXTS,
    UP_TO_64,
    invalid,
    malformed,
    refused_without_a_trace,
)

RANGE = "This value is out of range."
UP_TO_120 = "1 to 120 printable characters"
WHOLE = "a whole number from 0 to 2147483647"


@pytest.mark.parametrize("count", [0, 501])
async def test_a_count_of_lines_that_no_purchase_has(
    api: Api, till: Caller, anna: int, count: int
) -> None:
    expected = invalid(
        [*AT, "lines"],
        f"{count} lines",
        "1 to 500 lines",
        "A purchase needs lines, and not too many.",
    )
    await refused_without_a_trace(api, till, expected, lines=[line()] * count)


async def test_500_lines_are_recorded(api: Api, till: Caller, anna: int) -> None:
    told = await api.record(till, lines=[line(salesMinor=1, productId=str(n)) for n in range(500)])
    assert told["net"]["amount"] == "5.00"
    rows = await sql.fetch("SELECT number, product_id FROM purchase_lines ORDER BY number")
    assert [tuple(row) for row in rows] == [(n, str(n)) for n in range(500)]


NUMBERS_OF_A_LINE = ("quantity", "salesMinor", "couponMinor")


@pytest.mark.parametrize("number", [-1, 2**31, 2**63 - 1, -(2**63)])
async def test_a_number_out_of_range_in_a_line(
    api: Api, till: Caller, anna: int, number: int
) -> None:
    for field in NUMBERS_OF_A_LINE:
        expected = invalid([*AT, "lines", "1", field], str(number), WHOLE, RANGE)
        lines = [line(), line(**{field: number})]
        await refused_without_a_trace(api, till, expected, lines=lines)


async def test_a_number_in_a_line_may_be_a_string(api: Api, till: Caller, anna: int) -> None:
    told = await api.record(till, lines=[line(salesMinor="500", quantity="1", couponMinor="1")])
    assert told["net"]["amount"] == "4.99"


async def test_a_number_that_is_none_is_no_request(api: Api, till: Caller, anna: int) -> None:
    before = await dump()
    for field in NUMBERS_OF_A_LINE:
        for value in (2**63, -(2**63) - 1, 1.5, "1.5", "", None, True):
            body = await malformed(api, till, lines=[line(**{field: value})])
            assert field in body["errors"][0]["message"]
    assert await dump() == before


@pytest.mark.parametrize(
    ("field", "most", "accepted"),
    [
        ("productId", 64, UP_TO_64),
        ("department", 120, UP_TO_120),
        ("productCategory", 120, UP_TO_120),
        ("productType", 120, UP_TO_120),
    ],
)
async def test_a_text_of_a_line_that_is_empty_too_long_or_not_printable(
    api: Api, till: Caller, anna: int, field: str, most: int, accepted: str
) -> None:
    for text in (*TEXTS, "x" * (most + 1)):
        expected = invalid([*AT, "lines", "0", field], text, accepted, TEXT)
        await refused_without_a_trace(api, till, expected, lines=[line(**{field: text})])
    longest = await api.record(till, lines=[line(**{field: "x" * most})])
    assert longest["__typename"] == "RecordedPurchase"


async def test_a_value_is_repeated_up_to_200_characters(api: Api, till: Caller, anna: int) -> None:
    expected = invalid([*AT, "storeId"], "x" * 200, UP_TO_64, TEXT)
    await refused_without_a_trace(api, till, expected, storeId="x" * 1000)


async def test_texts_of_every_script_are_kept(api: Api, till: Caller, anna: int) -> None:
    department = "Früchte & Gemüse 果物 🍎"
    told = await api.record(till, lines=[line(department=department, productId="é" * 64)])
    assert told["__typename"] == "RecordedPurchase"
    (row,) = await sql.fetch("SELECT department, product_id FROM purchase_lines")
    assert tuple(row) == (department, "é" * 64)


async def test_a_sum_beyond_what_an_account_can_hold(api: Api, till: Caller, anna: int) -> None:
    most = 2**31 - 1
    expected = invalid(
        [*AT, "lines"],
        str(2 * most),
        "lines whose net sum and points stay at or below 2147483647",
        "The sum of the lines is out of range.",
    )
    await refused_without_a_trace(api, till, expected, lines=[line(salesMinor=most)] * 2)


async def test_a_negative_sum_beyond_range(api: Api, till: Caller, anna: int) -> None:
    most = 2**31 - 1
    expected = invalid(
        [*AT, "lines"],
        str(-2 * most),
        "lines whose net sum and points stay at or below 2147483647",
        "The sum of the lines is out of range.",
    )
    lines = [line(salesMinor=0, couponMinor=most)] * 2
    await refused_without_a_trace(api, till, expected, lines=lines)


async def test_the_largest_purchase_is_recorded(api: Api, till: Caller, anna: int) -> None:
    told = await api.record(till, lines=[line(salesMinor=2**31 - 1)])
    assert told["net"]["amount"] == "21474836.47"
    assert told["earned"][0]["points"] == (2**31 - 1) * 10 // 100


async def test_a_balance_that_is_full_takes_no_more(api: Api, till: Caller, anna: int) -> None:
    async with sql.transaction():
        await sql.execute(
            "UPDATE ledger_accounts SET moved_total = moved_total + $1 - balance, balance = $1"
            " WHERE member_id = $2 AND asset = 'POINTS'",
            2**31 - 1,
            anna,
        )
    before = await dump()
    told = await api.record(till)
    assert told == invalid(
        [*AT, "lines"],
        # the most that 10.00 can earn: 150 at Gold, the welcome, each challenge and a streak
        str(150 + 100 + 50 + 200 + 100 + 150),
        "what keeps the member's balance at or below 2147483647",
        "The member's balance would exceed what an account can hold.",
    )
    assert await dump() == before
