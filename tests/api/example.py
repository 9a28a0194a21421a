"""The worked example of the demo programme: eight baskets of one household, and its redemptions."""

import json
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from server.clock import NEVER, Instant
from server.storage import sql
from tests.api.calling import Api, Caller, Json, instant, midnight

FILE = Path(__file__).parents[1] / "reference" / "data" / "demo-example.jsonl"

START = Instant(0)
LAST = instant("2018-01-01T04:59:59.999999Z")
"""The last instant of the example's year."""
MONDAYS = (
    "2017-01-09",
    "2017-03-13",
    *(str(date(2017, 3, 20) + timedelta(weeks=week)) for week in range(13)),
)
"""The days at whose start 1,000 points are redeemed."""


@cache
def _baskets() -> tuple[Json, ...]:
    with FILE.open(encoding="utf-8") as lines:
        return tuple(json.loads(line) for line in lines)


def basket(basket_id: str, **changes: Any) -> Json:
    """A basket of the example as a purchase."""
    (given,) = (each for each in _baskets() if each["basket_id"] == basket_id)
    return {
        "externalId": basket_id,
        "member": {"externalId": given["household_id"]},
        "occurredAt": given["timestamp"],
        "storeId": given["store_id"],
        "currencyCode": "USD",
        "lines": [
            {
                "productId": line["product_id"],
                "department": line["department"],
                "productCategory": line["product_category"],
                "productType": line["product_type"],
                "quantity": line["quantity"],
                "salesMinor": line["sales_minor"],
                "couponMinor": line["coupon_minor"],
            }
            for line in given["lines"]
        ],
        "enrolIfUnknown": True,
        **changes,
    }


async def play(
    api: Api, till: Caller, *, after: Instant = START, until: Instant = NEVER
) -> dict[str, Json]:
    """Plays what happens after one instant and until another; the answers by basket or Monday."""
    events = [
        *((instant(midnight(monday)), monday, "redeem") for monday in MONDAYS),
        *((instant(each["timestamp"]), each["basket_id"], "record") for each in _baskets()),
    ]
    answers = {}
    for at, name, what in sorted(events):
        if not after < at <= until:
            continue
        if what == "record":
            answers[name] = await api.mutate(
                "recordPurchase", {"purchase": basket(name)}, till, at=at
            )
        else:
            wish = {"points": 1000, "member": {"externalId": "1"}}
            answers[name] = await api.mutate("redeemPoints", wish, till, at=at)
    return answers


async def played(api: Api, till: Caller, *, until: Instant = LAST) -> Caller:
    """The household once the example was played until then, signed in."""
    await play(api, till, until=until)
    (row,) = await sql.fetch("SELECT id FROM members WHERE external_id = '1'")
    return await api.signed_in(row[0])
