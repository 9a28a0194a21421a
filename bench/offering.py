"""A shop's live offers of all kinds, with baskets and members for them; by chance, of a seed."""

from collections.abc import Iterator
from random import Random
from typing import Any

from server.clock import Instant
from server.offers.evaluation import Basket, Line, Shopper, Standing

DEPARTMENTS = [f"DEPARTMENT {number}" for number in range(60)]
BRANDS = [f"BRAND {number}" for number in range(500)]
PRODUCTS = [str(number) for number in range(1_000_000, 1_020_000)]
SEGMENTS = [f"segment-{number}" for number in range(50)]
STORES = [str(number) for number in range(300, 320)]
TIERS = ["Bronze", "Silver", "Gold"]
LINES = 30
_SEGMENTS_OF_A_MEMBER = 10


def offers(number: int, random: Random) -> Iterator[tuple[str, dict[str, Any]]]:
    """(key, document) of so many offers: of each kind alike, one in five with a condition, four in
    ten to be activated, half of them for segments."""
    for place in range(number):
        yield f"offer-{place}", _offer(place, random)


def _offer(place: int, random: Random) -> dict[str, Any]:
    discount = _DISCOUNTS[place % len(_DISCOUNTS)]
    document: dict[str, Any] = {
        "default_language": "en",
        "texts": {"en": {"title": f"Offer {place}"}},
        "discount": discount,
        "scope": _scope(random),
        "requires": {},
        "audience": {},
        "stacking": {"priority": random.randrange(10)},
        "schedule": {"starts_on": "2017-01-01", "ends_on": "2099-12-31"},
        "limits": {"per_member_per_day": 1},
    }
    if random.random() < 0.2:
        document["requires"]["condition"] = random.choice(_CONDITIONS)
    if random.random() < 0.3:
        document["requires"]["minimum_spend_minor"] = random.choice([200, 500, 1_000])
    if random.random() < 0.5:
        document["audience"]["segments"] = random.sample(SEGMENTS, 3)
    if random.random() < 0.1:
        document["audience"]["tiers"] = random.sample(TIERS, 2)
    if random.random() < 0.4:
        document["activation"] = "clip"
    if random.random() < 0.2:
        document["stacking"]["group"] = f"group-{random.randrange(20)}"
    if random.random() < 0.1:
        document["schedule"] |= {"from_time": "08:00", "to_time": "20:00"}
    if random.random() < 0.1 and discount["kind"] in ("percent", "amount", "cashback"):
        document["limits"]["budget_minor"] = 10_000_000
    return document


_DISCOUNTS: list[dict[str, Any]] = [
    {"kind": "percent", "rate_bps": 500},
    {"kind": "amount", "amount_minor": 50},
    {"kind": "fixed_price", "price_minor": 99},
    {"kind": "buy_get", "buy": 2, "get": 1},
    {"kind": "free_shipping"},
    {"kind": "bonus_points", "points": 20},
    {"kind": "points_multiplier", "percent": 150},
    {"kind": "cashback", "rate_bps": 200},
    {"kind": "gift", "product_id": "42", "name": "A cup", "value_minor": 100},
]
_CONDITIONS = [
    "basket_total_minor >= 2000",
    "visits_30 >= 2 && basket_quantity > 10",
    "spend_90_minor > 10000 || tier == 'Gold'",
    "'DEPARTMENT 3' in departments_90",
    "basket_departments.exists(one, one == 'DEPARTMENT 7')",
]


def _scope(random: Random) -> dict[str, Any]:
    chance = random.random()
    if chance < 0.6:
        return {"products": random.sample(PRODUCTS, 50)}
    if chance < 0.85:
        return {"brands": random.sample(BRANDS, 2)}
    if chance < 0.98:
        return {"departments": [random.choice(DEPARTMENTS)]}
    return {}


def basket(random: Random, now: Instant, lines: int = LINES) -> Basket:
    """A basket of so many lines, of different products."""
    return Basket(
        tuple(_line(product, random) for product in random.sample(range(len(PRODUCTS)), lines)),
        store_id=random.choice(STORES),
        partner="",
        channel="store",
        occurred_at=now,
        currency="USD",
        shipping_minor=499,
    )


def _line(product: int, random: Random) -> Line:
    quantity = random.choice([1, 1, 1, 2, 3])
    return Line(
        PRODUCTS[product],
        DEPARTMENTS[product % len(DEPARTMENTS)],
        f"CATEGORY {product % 90}",
        f"TYPE {product % 300}",
        BRANDS[product % len(BRANDS)],
        quantity,
        quantity * random.randrange(50, 1_500),
        0,
    )


def shopper(random: Random, now: Instant) -> Shopper:
    """A member in some segments."""
    return Shopper(
        member_id=1,
        tier=random.choice(TIERS),
        segments=frozenset(random.sample(SEGMENTS, _SEGMENTS_OF_A_MEMBER)),
        plans=frozenset(),
        external_id="1",
        name="Anna Example",
        birthday="1990-05-17",
        enrolled_at=now,
        last_visit_at=now,
        facts={"visits_30": 3, "spend_90_minor": 20_000, "departments_90": DEPARTMENTS[:5]},
    )


ACTIVATED = Standing(is_activated=True)
