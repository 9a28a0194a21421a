"""The tables of campaigns: whom they were for, their coupons, and who redeemed which when."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from server.replay.demo_data import PACKAGE, DemoDataMissing, data_folder
from server.replay.errors import ReplayStopped

CAMPAIGNS, COUPONS, REDEMPTIONS = "campaigns", "coupons", "coupon_redemptions"
COLUMNS: Mapping[str, tuple[str, ...]] = {
    CAMPAIGNS: ("campaign_id", "household_id"),
    COUPONS: ("campaign_id", "coupon_upc", "product_id"),
    REDEMPTIONS: ("campaign_id", "household_id", "coupon_upc", "redemption_date"),
}
_DAY_CHARACTERS = 10


@dataclass(frozen=True)
class Redemption:
    """A coupon that a household used on a local date."""

    campaign: int
    household: str
    coupon: str
    date: date


@dataclass(frozen=True)
class Tables:
    """What a replay needs of the tables, for the campaigns that it plays."""

    households: Mapping[int, frozenset[str]] = field(default_factory=dict)  # by campaign
    coupons: Mapping[int, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    redemptions: tuple[Redemption, ...] = ()  # by date, and else in the order of the table
    digest: str = ""


def read(folder: Path | None, campaigns: frozenset[int]) -> Tables | None:
    """The tables' rows of these campaigns: from JSON Lines in the folder, or without one from the
    package with the sample data; None if that is not installed. Raises ReplayStopped for a folder
    that does not hold them."""
    if folder is not None:
        rows = {name: _json_rows(folder / f"{name}.jsonl", name) for name in COLUMNS}
    else:
        try:
            data = data_folder()
        except DemoDataMissing:
            return None
        rows = {name: _parquet_rows(data / f"{name}.parquet", name) for name in COLUMNS}
    return _tables({name: _of(campaigns, each) for name, each in rows.items()})


def is_from(package: str) -> bool:
    """Whether a programme's data source is the package with the sample data."""
    return package.replace("-", "_").removesuffix("_py") == PACKAGE.removesuffix("_py")


def _of(campaigns: frozenset[int], rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [row for row in rows if int(row[0]) in campaigns]


def _parquet_rows(path: Path, name: str) -> Iterator[tuple[Any, ...]]:
    parquet = import_module("pyarrow.parquet")
    table = parquet.read_table(path, columns=list(COLUMNS[name]))
    return zip(*(table[column].to_pylist() for column in COLUMNS[name]), strict=True)


def _json_rows(path: Path, name: str) -> Iterator[tuple[Any, ...]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReplayStopped(f"The table {path} cannot be read: {error}.") from error
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                row = msgspec.json.decode(line, type=dict[str, int | str])
                yield tuple(_checked(column, row[column]) for column in COLUMNS[name])
            except (msgspec.DecodeError, KeyError, ValueError) as error:
                wanted = ", ".join(COLUMNS[name])
                raise ReplayStopped(
                    f"{path}:{number}: not a row with {wanted}: {error}."
                ) from error


def _checked(column: str, value: int | str) -> int | str:
    if column == "redemption_date":
        date.fromisoformat(str(value)[:_DAY_CHARACTERS])
        return str(value)
    return int(value)


def _tables(rows: Mapping[str, list[tuple[Any, ...]]]) -> Tables:
    households: dict[int, set[str]] = {}
    for campaign, household in rows[CAMPAIGNS]:
        households.setdefault(int(campaign), set()).add(str(household))
    coupons: dict[int, dict[str, set[str]]] = {}
    for campaign, coupon, product in rows[COUPONS]:
        of_campaign = coupons.setdefault(int(campaign), {})
        of_campaign.setdefault(str(coupon), set()).add(str(product))
    redemptions = [
        Redemption(int(campaign), str(household), str(coupon), _date_of(day))
        for campaign, household, coupon, day in rows[REDEMPTIONS]
    ]
    digest = hashlib.sha256(
        msgspec.json.encode([[list(map(str, row)) for row in rows[name]] for name in COLUMNS])
    )
    return Tables(
        {campaign: frozenset(ids) for campaign, ids in households.items()},
        {
            campaign: {coupon: frozenset(products) for coupon, products in each.items()}
            for campaign, each in coupons.items()
        },
        tuple(sorted(redemptions, key=lambda one: one.date)),
        digest.hexdigest(),
    )


def _date_of(value: object) -> date:
    """The date of a timestamp or a text that begins with one."""
    return date.fromisoformat(str(value)[:_DAY_CHARACTERS])
