"""The arithmetic of a purchase, case by case and against the independent reference."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.clock import Instant
from server.errors import InvalidInput
from server.ledger.rules import MAXIMUM_BALANCE
from server.programme import rules as programme_rules
from server.purchases import rules
from server.purchases.rules import Amounts, Line, PurchasePoints
from tests.playing import submission
from tests.programme.demo import yaml_of
from tests.purchases.baskets import at, draft, line, programme_with
from tests.reference import basket_amounts
from tests.reference.strategies import baskets, programmes

DEMO = programme_with()
NOON = at("2017-03-01")


def amounts(*lines: Line) -> tuple[int, int, int, int]:
    found = rules.amounts_of(draft("1", "2017-03-01", *lines), DEMO)
    return found.net_minor, found.eligible_minor, found.bonus_minor, found.cashback_minor


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((line("GROCERY", 100),), (100, 100, 0, 0)),
        ((line("PRODUCE", 100),), (100, 100, 100, 100)),
        ((line("MEAT", 100),), (100, 100, 0, 100)),
        ((line("FUEL", 100),), (100, 0, 0, 0)),
        ((line("GROCERY", 100, kind="GASOLINE-REG UNLEADED"),), (100, 0, 0, 0)),
        ((line("Fuel", 100),), (100, 100, 0, 0)),  # capital letters count
        # A coupon takes from everything that its line counts for, and from nothing below 0.
        ((line("PRODUCE", 100, 30),), (70, 70, 70, 70)),
        ((line("PRODUCE", 100, 130),), (-30, 0, 0, 0)),
        ((line("PRODUCE", 100), line(None, 0, 60)), (40, 40, 40, 40)),
        ((line("PRODUCE", 100), line("GROCERY", 50, 90)), (60, 60, 60, 60)),
        ((line("PRODUCE", 0, 100), line("GROCERY", 300)), (200, 200, 0, 0)),
        ((line("MEAT", 0, 100), line("PRODUCE", 300)), (200, 200, 200, 200)),
        ((line("FUEL", 0, 500), line("GROCERY", 300)), (-200, 300, 0, 0)),
        ((line("GROCERY", 0),), (0, 0, 0, 0)),
    ],
)
def test_the_amounts_of_a_basket(
    lines: tuple[Line, ...], expected: tuple[int, int, int, int]
) -> None:
    assert amounts(*lines) == expected
    assert amounts(*lines[::-1]) == expected


def test_what_a_line_does_not_name_is_the_programmes_unknown() -> None:
    unnamed = line(None, 5, category=None, kind=None)
    for field in ("department", "product_category", "product_type"):
        programme = programme_with({("excluded_lines",): [{"field": field, "equals": "UNKNOWN"}]})
        assert rules.amounts_of(draft("1", "2017-03-01", unnamed), programme).eligible_minor == 0
    named = draft("1", "2017-03-01", unnamed)
    assert rules.amounts_of(named, DEMO).departments == {"UNKNOWN"}


@pytest.mark.parametrize(
    ("eligible", "bonus", "multiplier", "expected"),
    [
        (0, 0, 150, PurchasePoints(0, 0, 0)),
        (9, 9, 150, PurchasePoints(0, 0, 0)),
        (10, 10, 150, PurchasePoints(1, 0, 1)),
        (2355, 455, 100, PurchasePoints(235, 0, 45)),
        (1000, 0, 125, PurchasePoints(100, 25, 0)),
        (333, 333, 125, PurchasePoints(33, 8, 33)),
        (19, 19, 199, PurchasePoints(1, 0, 1)),
    ],
)
def test_base_tier_and_category_points_are_each_rounded_down(
    eligible: int, bonus: int, multiplier: int, expected: PurchasePoints
) -> None:
    basket = Amounts(eligible, eligible, bonus, 0, frozenset())
    points = rules.points_of(basket, DEMO, multiplier)
    assert points == expected
    assert points.total == expected.base + expected.tier + expected.category


@given(
    spends=st.lists(st.integers(0, 10**9), min_size=1, max_size=6),
    multiplier=st.integers(100, 400),
)
def test_splitting_a_basket_never_earns_more_and_loses_less_than_a_point_of_each_kind_a_part(
    spends: list[int], multiplier: int
) -> None:
    def points(spend: int) -> PurchasePoints:
        whole = Amounts(spend, spend, spend, spend, frozenset())
        return rules.points_of(whole, DEMO, multiplier)

    parts, together = [points(spend) for spend in spends], points(sum(spends))
    lost = together.base - sum(part.base for part in parts)
    assert 0 <= lost < len(spends)
    assert 0 <= together.category - sum(part.category for part in parts) < len(spends)
    assert 0 <= together.tier - sum(part.tier for part in parts) < 4 * len(spends)
    assert min(together.base, together.tier, together.category) >= 0


@given(data=st.data())
def test_the_amounts_of_any_basket_are_the_references(data: st.DataObject) -> None:
    document = data.draw(programmes())
    programme = programme_rules.checked(yaml_of(document)).programme
    for basket in data.draw(baskets(document, most=5)):
        sent = submission(document, basket).draft
        found = rules.amounts_of(sent, programme)
        expected = basket_amounts.amounts_of(document, basket)
        ignored = programme.challenges.departments.ignored_departments
        assert (
            found.net_minor,
            found.eligible_minor,
            found.bonus_minor,
            found.cashback_minor,
            found.departments - ignored,
        ) == (
            expected.net,
            expected.eligible,
            expected.bonus,
            expected.cashback,
            expected.departments,
        )
        for level in programme.tiers.levels:
            points = rules.points_of(found, programme, level.multiplier_percent)
            assert points.total <= rules.highest_points(found, programme)
        assert rules.highest_cashback_minor(found, programme) <= found.eligible_minor


# ---------------------------------------------------------------- what is accepted

LONG = "x" * 64


def refused(basket: rules.Draft, *, now: Instant = NOON) -> tuple[str, tuple[str | int, ...]]:
    with pytest.raises(InvalidInput) as caught:
        rules.check(basket, DEMO, rules.amounts_of(basket, DEMO), now=now)
    return caught.value.reason, caught.value.path


def accept(basket: rules.Draft) -> None:
    rules.check(basket, DEMO, rules.amounts_of(basket, DEMO), now=NOON)


GOOD = draft("1", "2017-03-01", 100)


def changed(**values: object) -> rules.Draft:
    return msgspec.structs.replace(GOOD, **values)


def changed_line(**values: object) -> rules.Draft:
    lines = (GOOD.lines[0], msgspec.structs.replace(GOOD.lines[0], **values))
    return changed(lines=lines)


@pytest.mark.parametrize(
    "basket",
    [
        GOOD,
        changed(external_id=LONG, store_id=LONG),
        changed(external_id="Kvitas Nr. 7 – ąčę"),
        changed(occurred_at=Instant(0)),
        changed(occurred_at=Instant(NOON + 60_000_000)),
        changed(lines=GOOD.lines * 500),
        changed_line(quantity=0, sales_minor=0, coupon_minor=0),
        changed_line(quantity=2**31 - 1),
        changed_line(sales_minor=2**31 - 1, coupon_minor=2**31 - 1),
        changed_line(department="x" * 120, product_category=None, product_type=None),
        draft("1", "2017-03-01", MAXIMUM_BALANCE),
        draft("1", "2017-03-01", line("FUEL", 2**31 - 1)),
    ],
)
def test_what_is_accepted_to_the_last(basket: rules.Draft) -> None:
    accept(basket)


@pytest.mark.parametrize(
    ("basket", "reason", "path"),
    [
        (changed(external_id=""), "input.text", ("externalId",)),
        (changed(external_id=LONG + "x"), "input.text", ("externalId",)),
        (changed(external_id="a\n"), "input.text", ("externalId",)),
        (changed(external_id="a\x00"), "input.text", ("externalId",)),
        (changed(store_id=""), "input.text", ("storeId",)),
        (changed(occurred_at=Instant(-1)), "purchase.past", ("occurredAt",)),
        (changed(occurred_at=Instant(NOON + 60_000_001)), "purchase.future", ("occurredAt",)),
        (changed(currency="EUR"), "purchase.currency", ("currencyCode",)),
        (changed(currency="usd"), "purchase.currency", ("currencyCode",)),
        (changed(lines=()), "purchase.lines", ("lines",)),
        (changed(lines=GOOD.lines * 501), "purchase.lines", ("lines",)),
        (changed_line(quantity=-1), "input.range", ("lines", 1, "quantity")),
        (changed_line(quantity=2**31), "input.range", ("lines", 1, "quantity")),
        (changed_line(sales_minor=-1), "input.range", ("lines", 1, "salesMinor")),
        (changed_line(sales_minor=2**31), "input.range", ("lines", 1, "salesMinor")),
        (changed_line(coupon_minor=-1), "input.range", ("lines", 1, "couponMinor")),
        (changed_line(coupon_minor=2**31), "input.range", ("lines", 1, "couponMinor")),
        (changed_line(product_id=""), "input.text", ("lines", 1, "productId")),
        (changed_line(department=""), "input.text", ("lines", 1, "department")),
        (changed_line(product_category="\t"), "input.text",
         ("lines", 1, "productCategory")),
        (changed_line(product_type="x" * 121), "input.text", ("lines", 1, "productType")),
        (draft("1", "2017-03-01", MAXIMUM_BALANCE, 1), "purchase.sum", ("lines",)),
        (draft("1", "2017-03-01", line("FUEL", MAXIMUM_BALANCE), line("FUEL", 1)),
         "purchase.sum", ("lines",)),
        (draft("1", "2017-03-01", line("FUEL", 0, MAXIMUM_BALANCE), line("FUEL", 0, 1)),
         "purchase.sum", ("lines",)),
    ],
)  # fmt: skip
def test_what_is_refused_says_where_it_stands(
    basket: rules.Draft, reason: str, path: tuple[str | int, ...]
) -> None:
    assert refused(basket) == (reason, path)


def test_whatever_the_till_sends_differently_is_another_content() -> None:
    others = [
        changed(external_id="2"),
        changed(store_id="2"),
        changed(occurred_at=Instant(GOOD.occurred_at + 1)),
        changed(currency="EUR"),
        changed(lines=GOOD.lines * 2),
        *(changed_line(**{name: value}) for name, value in (
            ("product_id", "2"), ("department", "MEAT"), ("department", None),
            ("product_category", None), ("product_type", ""), ("quantity", 2),
            ("sales_minor", 1), ("coupon_minor", 1),
        )),
    ]  # fmt: skip
    hashes = {rules.content_hash(basket) for basket in (GOOD, *others)}
    assert len(hashes) == 1 + len(others)
    assert rules.content_hash(changed()) == rules.content_hash(GOOD)
