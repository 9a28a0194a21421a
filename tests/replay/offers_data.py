"""Programmes with offers, and tables of campaigns, for tests of the replay's offers."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.replay.helpers import Json, rules, write_jsonl

FIRST = date(2017, 1, 1)
DAYS = 31
CAMPAIGNS = (8, 13, 14)
TABLES = ("campaigns", "coupons", "coupon_redemptions")


def offer(offer_id: str, campaign: int, first: int, last: int, **changes: Any) -> Json:
    """An offer that is valid from one day of January to another."""
    coupons = {
        "table": "coupons",
        "campaign_id": campaign,
        "issued_per_member": changes.pop("issued", "all"),
    }
    return {
        "id": offer_id,
        "campaign_id": campaign,
        "campaign_type": "Type A",
        "name": f"Campaign {campaign}",
        "valid_from": str(day(first)),
        "valid_to": str(day(last)),
        "segment": {"kind": "member_list", "table": "campaigns", "campaign_id": campaign},
        "coupons": coupons,
        "max_redemptions_per_coupon_member_day": 1,
        **changes,
    }


def day(number: int) -> date:
    """A day of the replay, from 0."""
    return FIRST + timedelta(days=number)


def programme(offers: Sequence[Json]) -> Json:
    """The small programme with these offers, for January."""
    return {**rules(programme={"last_local_date": str(day(DAYS - 1))}), "offers": list(offers)}


def targeted(campaign: int, household: int) -> Json:
    return {"campaign_id": campaign, "household_id": household}


def good_for(campaign: int, coupon: int, product: int) -> Json:
    return {"campaign_id": campaign, "coupon_upc": coupon, "product_id": product}


def used(campaign: int, household: int, coupon: int, number: int) -> Json:
    return {
        "campaign_id": campaign,
        "household_id": household,
        "coupon_upc": coupon,
        "redemption_date": f"{day(number)}",
    }


def write_tables(folder: Path, tables: dict[str, list[Json]]) -> Path:
    """The tables as files of a folder."""
    folder.mkdir()
    for name in TABLES:
        write_jsonl(folder / f"{name}.jsonl", tables[name])
    return folder


_days = st.integers(0, DAYS - 1)
_campaigns = st.sampled_from(CAMPAIGNS)


@st.composite
def offers(draw: st.DrawFn) -> list[Json]:
    """Offers with other dates and limits; several may be of one campaign."""
    made = []
    for number in range(draw(st.integers(1, 3))):
        first, last = sorted((draw(_days), draw(_days)))
        made.append(
            offer(
                draw(st.sampled_from(["offer-", "Offer Nº "])) + str(number),
                draw(_campaigns),
                first,
                last,
                issued=draw(st.sampled_from(["all", 0, 1, 2])),
                max_redemptions_per_coupon_member_day=draw(st.integers(1, 2)),
            )
        )
    return made


def tables(households: Sequence[int]) -> st.SearchStrategy[dict[str, list[Json]]]:
    """Few rows of everything: members that are not targeted, coupons of other campaigns, rows that
    stand twice."""
    who, coupon = st.sampled_from(households), st.integers(70, 73)

    def rows(row: st.SearchStrategy[Json], most: int) -> st.SearchStrategy[list[Json]]:
        return st.lists(row, max_size=most)

    return st.fixed_dictionaries(
        {
            "campaigns": rows(st.builds(targeted, _campaigns, who), 8),
            "coupons": rows(st.builds(good_for, _campaigns, coupon, st.integers(1, 3)), 10),
            "coupon_redemptions": rows(st.builds(used, _campaigns, who, coupon, _days), 25),
        }
    )
