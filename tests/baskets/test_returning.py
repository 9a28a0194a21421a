"""Returning goods of a basket that was quoted: offers are undone by the share that comes back."""

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.audit import service as audit
from server.baskets.service import Confirmed
from server.definitions import service as definitions
from server.ledger import service as ledger
from server.offers import uses
from server.programme import service as programme
from server.purchases import explaining
from server.purchases import service as purchases
from server.purchases.keeping import kept
from server.purchases.reversal import LineState
from server.purchases.rules import Line
from server.purchases.service import EarnedRule, LineReturn
from server.storage import sql
from server.storage.database import Address
from tests.api.calling import NOW, changed, dump
from tests.baskets.shopping import (
    basket,
    bought,
    cashback,
    later,
    line,
    open_shop,
    percent,
    points,
    publish_offer,
    quoted,
    returned,
)

OFFERS = {
    "tenth": percent(1000, limits={"budget_minor": 10_000, "per_member": 1}),
    "more_points": points(50),
    "more_back": cashback(500),
}
LINES = (line(1000, quantity=2), line(500, "PRODUCE", product="2"))


def state(net: int, quantity: int, returned_minor: int, returned_quantity: int) -> LineState:
    bare = Line("1", None, None, None, quantity, net, 0)
    return LineState(bare, 0, returned_quantity, returned_minor)


@given(
    share=st.integers(1, 10_000),
    net=st.integers(0, 500),
    quantity=st.integers(1, 9),
    parts=st.lists(st.integers(0, 500), max_size=5),
)
def test_the_kept_share_falls_with_each_return_and_ends_at_nothing(
    share: int, net: int, quantity: int, parts: list[int]
) -> None:
    before, gone = share, 0
    for part in parts:
        gone = min(net, gone + part)
        now = kept(((0, share),), [state(net, quantity, gone, 0)])
        assert 0 <= now <= before
        before = now
    assert kept(((0, share),), [state(net, quantity, 0, 0)]) == share
    assert kept(((0, share),), [state(net, quantity, net, quantity)]) == 0


def test_a_line_that_cost_nothing_counts_by_its_units() -> None:
    other = state(100, 1, 0, 0)
    assert [kept(((0, 9),), [state(0, 3, 0, back), other]) for back in range(4)] == [9, 6, 3, 0]


async def test_a_line_takes_its_share_of_every_offer_with_it(database: Address) -> None:
    await open_shop(**OFFERS)
    done = await bought(basket(*LINES))
    assert [state.line.coupon_minor for state in await _states(done)] == [100, 50]
    back = await returned(done.purchase.purchase_id, LineReturn(0, quantity=1))
    assert back.refund.net_minor == 450
    undone = {one.rule: one.points for one in back.reversed}
    parts = {part.offer: part for part in done.purchase.offers}
    given_points = dict(parts["more-points"].points)
    assert undone[EarnedRule.OFFER] == given_points[0] - given_points[0] // 2
    of_offers = dict(parts["more-back"].cashback_minor)
    assert back.cashback_taken.amount >= of_offers[0] - of_offers[0] // 2
    [use] = [one for one in await _uses(done) if one.offer == "tenth"]
    assert (use.status, use.returned_discount_minor, use.returned_budget_minor) == ("used", 50, 50)
    assert (await audit.audit_all()).problem_count == 0


async def test_with_the_last_of_it_everything_is_undone(database: Address) -> None:
    anna = await open_shop(**OFFERS)
    before = await _balances(anna)
    done = await bought(basket(*LINES))
    assert "tenth" not in [one.offer for one in (await quoted()).evaluation.applied]
    await returned(done.purchase.purchase_id, LineReturn(0, amount_minor=1))
    await returned(done.purchase.purchase_id, external_id="r-2", now=later(1))
    assert await _balances(anna) == before
    assert {one.status for one in await _uses(done)} == {"returned"}
    assert "tenth" in [one.offer for one in (await quoted()).evaluation.applied]
    assert (await audit.audit_all()).problem_count == 0


@given(st.permutations([(0, 1), (0, 1), (1, 1)]))
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_order_of_returns_does_not_matter(
    database: Address, order: Sequence[tuple[int, int]]
) -> None:
    if not await sql.fetch("SELECT id FROM members"):
        await open_shop(**OFFERS | {"tenth": percent(1000)})
    [(number,)] = await sql.fetch("SELECT COUNT(*) FROM purchases")
    done = await bought(basket(*LINES), f"b{number}")
    taken = [
        await returned(
            done.purchase.purchase_id, LineReturn(at, quantity=units), external_id=f"{number}-{i}"
        )
        for i, (at, units) in enumerate(order)
    ]
    gone = [one for back in taken for one in back.reversed if one.rule is EarnedRule.OFFER]
    assert sum(one.points for one in gone) == 50
    assert {one.offer for one in gone} == {"more-points"}


async def test_a_return_is_explained_with_what_offers_left(database: Address) -> None:
    await open_shop(**OFFERS)
    done = await bought(basket(*LINES))
    await returned(done.purchase.purchase_id, LineReturn(1, quantity=1))
    found = await purchases.purchases_by_id([done.purchase.purchase_id])
    [told] = await explaining.explain(list(found.values()), await programme.rulebook())
    left = {one.offer: one.kept for one in told.offers}
    parts = {part.offer: part for part in done.purchase.offers}
    assert left["tenth"].discount_minor == 100
    assert left["more-points"].points == dict(parts["more-points"].points)[0]
    assert left["more-back"].cashback_minor == dict(parts["more-back"].cashback_minor)[0]


async def test_the_audit_finds_what_was_changed_of_offers(database: Address) -> None:
    await open_shop(**OFFERS)
    await bought(basket(*LINES))
    assert (await audit.audit_all()).problem_count == 0
    async with sql.transaction():
        await sql.execute("UPDATE offer_uses SET points = points + 1 WHERE offer = 'more-points'")
    [problem] = (await audit.audit_all()).problems
    assert "uses of offers" in problem.line


async def test_a_return_without_offers_asks_nothing_about_them(database: Address) -> None:
    await open_shop()
    done = await bought()
    before = await dump()
    with sql.counted_statements() as statements:
        await returned(done.purchase.purchase_id)
    assert not [text for text in statements if "offer_" in text or "coupon_redemptions" in text]
    assert changed(before, await dump())


async def _states(done: Confirmed) -> list[LineState]:
    purchase_id = done.purchase.purchase_id
    return (await purchases.lines_of([purchase_id]))[purchase_id]


async def _uses(done: Confirmed) -> list[uses.UseView]:
    async with sql.transaction():
        return await uses.basket_uses(done.basket.id)


async def _balances(member_id: int) -> dict[str, tuple[int, int]]:
    found = await ledger.balances([member_id], NOW)
    return {asset: (one.available, one.pending) for (_id, asset), one in found.items()}


async def test_a_partner_pays_its_share_and_gets_back_that_of_what_returns(
    database: Address,
) -> None:
    funded = {"funding": [{"partner": "bakery", "share_bps": 2500}]}
    await open_shop()
    async with sql.transaction():
        await definitions.publish_document(
            "partner", "bakery", {"name": "Bakery"}, by="command line", now=NOW
        )
        await publish_offer("tenth", percent(1000, **funded))
        await publish_offer("more", points(50, **funded))
    done = await bought(basket(line(1001, quantity=1), line(500, "PRODUCE", product="2")))
    assert await _borne() == {
        ("bakery", "discount"): 38,
        ("", "discount"): 112,
        ("bakery", "points"): 13,
        ("", "points"): 37,
    }
    await returned(done.purchase.purchase_id, LineReturn(1, quantity=1))
    left = await _borne()
    assert left["bakery", "discount"] + left["", "discount"] == 100
    assert left["bakery", "discount"] == 25
    await returned(done.purchase.purchase_id, external_id="r-2")
    assert set((await _borne()).values()) == {0}


async def _borne() -> dict[tuple[str, str], int]:
    rows = await sql.fetch(
        "SELECT partner, source, CAST(SUM(amount) AS BIGINT) FROM settlement_entries"
        " GROUP BY partner, source"
    )
    return {(row[0], row[1]): row[2] for row in rows}
