"""Quoting a basket: every cent and point of it, what is missing, and that nothing is written."""

import pytest

from server.baskets.wording import Wording
from server.offers.evaluation import NotApplied, WhyNot
from server.purchases.service import EarnedRule
from server.storage import sql
from server.storage.database import Address
from tests.api.calling import NOW, changed, dump, enrolled
from tests.baskets.shopping import (
    amount,
    basket,
    cashback,
    line,
    open_shop,
    percent,
    points,
    quoted,
)

TWO_LINES = basket(line(999), line(501, "PRODUCE", product="2"), shipping_minor=490)
OFFERS = {
    "tenth": percent(1000),
    "gift_of_points": points(50, scope={"departments": ["PRODUCE"]}),
    "more_back": cashback(500, scope={"departments": ["GROCERY"]}),
    "posted": {"discount": {"kind": "free_shipping"}},
}


async def test_a_quote_has_every_cent_of_each_offer(database: Address) -> None:
    await open_shop(**OFFERS)
    quote = await quoted(TWO_LINES)
    given = {
        one.offer: (one.discount_minor, one.points, one.cashback_minor, one.shipping_minor)
        for one in quote.evaluation.applied
    }
    assert given["tenth"] == (150, 0, 0, 0)
    assert given["gift-of-points"] == (0, 50, 0, 0)
    assert given["posted"] == (0, 0, 0, 490)
    assert [one.discount_minor for one in quote.evaluation.lines] == [100, 50]
    assert quote.purchase.net_minor == 1500 - 150
    by_rule = {one.rule: one.points for one in quote.purchase.earned}
    assert by_rule[EarnedRule.OFFER] == 50
    assert quote.purchase.points == sum(by_rule.values())


async def test_a_quote_writes_nothing(database: Address) -> None:
    await open_shop(**OFFERS)
    await quoted(TWO_LINES)  # the first makes the deployment's secrets
    before = await dump()
    await quoted(TWO_LINES)
    assert changed(before, await dump()) == set()


async def test_a_quote_costs_the_same_however_many_members_and_lines_there_are(
    database: Address, engine: str
) -> None:
    await open_shop(**OFFERS, limited=amount(10, limits={"per_member": 3, "total": 100}))
    counts = []
    for number in (1, 3, 30):
        await enrolled(f"other{number}")
        sent = basket(*(line(100 + at, product=str(at)) for at in range(number)))
        await quoted(sent)
        with sql.counted_statements() as statements:
            await quoted(sent)
        counts.append(len(statements))
    assert counts == [{"sqlite": 10, "postgres": 3}[engine]] * 3


async def test_what_is_missing_is_told_to_the_cent(database: Address) -> None:
    of = {"departments": ["PRODUCE"]}
    await open_shop(
        five=amount(100, requires={"minimum_spend_minor": 500, "of": of}),
        three=amount(100, requires={"minimum_quantity": 3, "of": of}),
    )
    quote = await quoted(basket(line(380, "PRODUCE")))
    missing = {one.offer: one for one in quote.evaluation.not_applied}
    assert (missing["five"].reason, missing["five"].shortfall_minor) == (WhyNot.SPEND_TOO_LOW, 120)
    assert missing["three"].shortfall_quantity == 2
    said = Wording("en", "USD", 2, "UTC")
    assert said.why_not(missing["five"]) == "$1.20 more of PRODUCE is needed."
    assert said.why_not(missing["three"]) == "2 more of PRODUCE needed."


@pytest.mark.parametrize("language", ["en", "cs", "lt", "lv", "ru", "zh-Hant"])
async def test_each_reason_has_words_in_each_language(language: str) -> None:
    wording = Wording(language, "EUR", 2, "UTC")
    texts = {wording.why_not(NotApplied("x", 1, reason)) for reason in WhyNot}
    assert len(texts) >= len(WhyNot) - 1
    assert all("{" not in text for text in texts)
    assert wording.why_not(NotApplied("x", 1, WhyNot.NOT_STARTED, available_at=NOW))
