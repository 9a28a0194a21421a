"""The reports as rows of the reference."""

from typing import Any

from server.clock import Instant
from server.insights import service as insights
from server.insights.service import Cell, Month

Json = dict[str, Any]


def month_row(month: Month) -> Json:
    """A month as a row of the reference."""
    row = {name: getattr(month, name) for name in month.__struct_fields__}
    row["month"] = month_name(row.pop("local_month"))
    row["baskets"] = row.pop("purchases")
    for count in row.pop("members_by_tier"):
        row[f"members_{count.tier.lower()}"] = count.members
    return row


def cell_row(cell: Cell) -> Json:
    """A cell of the retention table as a row of the reference."""
    row = {name: getattr(cell, name) for name in cell.__struct_fields__}
    row |= {"cohort": month_name(row["cohort"]), "month": month_name(row.pop("local_month"))}
    return row


def month_name(local_month: int) -> str:
    """2017-01 of 201701."""
    return f"{local_month // 100}-{local_month % 100:02}"


def agree(actual: Json, expected: Json) -> bool:
    """Whether two rows say the same: integers and texts exactly, rates but for the rounding."""
    return actual.keys() == expected.keys() and all(
        abs(float(actual[name]) - value) < 1e-9
        if isinstance(value, float)
        else type(actual[name]) is type(value) and actual[name] == value
        for name, value in expected.items()
    )


async def check_reports(at: Instant, *, months: list[Json], retention: list[Json]) -> None:
    """Asserts that the reports at the instant have just these rows."""
    for shown, expected in (
        ([month_row(month) for month in await insights.months(at)], months),
        ([cell_row(cell) for cell in await insights.retention(at)], retention),
    ):
        assert len(shown) == len(expected)
        for actual, row in zip(shown, expected, strict=True):
            assert agree(actual, row), (actual, row)
