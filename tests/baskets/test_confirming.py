"""Confirming: exactly what was quoted, once, or nothing at all."""

import asyncio
import random
import string
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.baskets import tokens
from server.baskets.comparing import Quoted, QuotedLine, QuotedOffer
from server.baskets.service import (
    BasketStatus,
    Confirmation,
    Difference,
    DifferenceKind,
    NotConfirmed,
)
from server.definitions import service as definitions
from server.errors import AlreadyDecided, ExternalIdConflict, InvalidInput, NotFound
from server.ledger import service as ledger
from server.money import POINTS
from server.offers import standings
from server.purchases import service as purchases
from server.storage import sql
from server.storage.database import Address
from tests.api.calling import NOW, changed, dump, enrolled
from tests.baskets.shopping import (
    ANNA,
    TTL_SECONDS,
    agreed,
    amount,
    basket,
    bought,
    cancelled,
    cashback,
    confirm,
    differences,
    later,
    line,
    open_shop,
    percent,
    points,
    publish_offer,
    quoted,
    reserved,
    withdraw_offer,
)
from tests.offers.using import TODAY

Kind = DifferenceKind
ALL = {
    "tenth": percent(1000),
    "more_points": points(50),
    "more_back": cashback(500),
}


# ---------------------------------------------------------------- exactly as quoted


@given(
    prices=st.lists(st.integers(0, 60_000), min_size=1, max_size=6),
    departments=st.lists(st.sampled_from(["GROCERY", "PRODUCE", "MEAT"]), min_size=6, max_size=6),
    is_reserved=st.booleans(),
)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_what_is_confirmed_is_what_was_quoted(
    database: Address, prices: list[int], departments: list[str], is_reserved: bool
) -> None:
    if not await sql.fetch("SELECT id FROM members"):
        await open_shop(**ALL)
    sent = basket(*map(line, prices, departments))
    [(number,)] = await sql.fetch("SELECT COUNT(*) FROM purchases")
    if is_reserved:
        view = await reserved(sent)
        quote = view.quote
        done = await confirm(Confirmation(f"b{number}", basket_id=view.id))
    else:
        quote = await quoted(sent)
        done = await confirm(await agreed(sent, quote, f"b{number}"))
    recorded = done.purchase
    fields = ("points", "earned", "cashback", "net_minor", "eligible_minor", "offers", "tier_after")
    for name in fields:
        assert getattr(recorded, name) == getattr(quote.purchase, name), name
    for state, one in zip(
        (await purchases.lines_of([recorded.purchase_id]))[recorded.purchase_id],
        quote.evaluation.lines,
        strict=True,
    ):
        assert state.line.coupon_minor == one.discount_minor
    granted = await ledger.granted_by([recorded.purchase_id])
    offered = {one.rule: one.amount for one in granted if one.reason is ledger.Reason.OFFER}
    assert offered == {
        part.offer: part.points_total + part.cashback_total_minor
        for part in recorded.offers
        if part.points_total + part.cashback_total_minor
    }


async def test_points_and_cashback_of_offers_are_the_members(database: Address) -> None:
    anna = await open_shop(**ALL)
    before = await ledger.balances([anna], NOW)
    done = await bought(basket(line(2000)))
    after = await ledger.balances([anna], NOW)
    assert [part.offer for part in done.purchase.offers] == ["more-back", "more-points", "tenth"]
    assert done.purchase.net_minor == 1800
    gained = {
        asset: after[anna, asset].available + after[anna, asset].pending
        for asset in (POINTS, "USD")
    }
    had = {
        asset: before[anna, asset].available + before[anna, asset].pending
        for asset in (POINTS, "USD")
    }
    assert gained[POINTS] - had[POINTS] == done.purchase.points
    back = next(part for part in done.purchase.offers if part.offer == "more-back")
    assert back.cashback_total_minor == 90
    assert gained["USD"] - had["USD"] == done.purchase.cashback.accrued_minor + 90


async def test_a_repetition_is_answered_as_the_first_and_writes_nothing(database: Address) -> None:
    await open_shop(**ALL)
    sent = basket()
    wish = await agreed(sent, await quoted(sent))
    first = await confirm(wish)
    before = await dump()
    assert await confirm(wish, now=later(5)) == first
    assert changed(before, await dump()) == set()
    other = msgspec.structs.replace(wish, basket=basket(line(1)))
    with pytest.raises(ExternalIdConflict):
        await confirm(other)


async def test_an_external_id_that_a_purchase_has_is_no_baskets(database: Address) -> None:
    await open_shop()
    done = await bought()
    bare = purchases.Line("1", "GROCERY", None, None, 1, 1000, 0)
    draft = purchases.Draft("p-1", ANNA, NOW, "7", "USD", (bare,))
    async with sql.transaction():
        await purchases.record(purchases.Submission(draft, False), partner="shop", now=NOW)
    sent = basket()
    with pytest.raises(ExternalIdConflict):
        await confirm(await agreed(sent, await quoted(sent), "p-1"))
    assert done.basket.status is BasketStatus.CONFIRMED


# ---------------------------------------------------------------- differences


async def test_each_difference_of_the_basket_is_told_and_nothing_is_written(
    database: Address,
) -> None:
    await open_shop(tenth=percent(1000))
    sent = basket(line(1000), line(500, "PRODUCE", product="2"), shipping_minor=100)
    quote = await quoted(sent)
    before = await dump()
    found: list[Difference] = []
    for other, expected in (
        (basket(line(1000), shipping_minor=100), {Kind.LINES}),
        (
            basket(line(1000, product="9"), sent.lines[1], shipping_minor=100),
            {Kind.PRODUCT},
        ),
        (basket(line(1000, quantity=2), sent.lines[1], shipping_minor=100), {Kind.QUANTITY}),
        (basket(*sent.lines, shipping_minor=101), {Kind.SHIPPING}),
        (basket(*sent.lines, shipping_minor=100, store_id="8"), {Kind.PLACE}),
        (
            basket(line(1100), sent.lines[1], shipping_minor=100),
            {Kind.PRICE, Kind.DISCOUNT, Kind.OFFER_DISCOUNT},
        ),
    ):
        found = await differences(await agreed(other, quote))
        assert expected <= {one.kind for one in found}, other
    [price] = [one for one in found if one.kind is Kind.PRICE]
    assert (price.line, price.quoted, price.now) == (0, 1000, 1100)
    assert changed(before, await dump()) == set()


async def test_what_became_of_an_offer_is_told(database: Address) -> None:
    await open_shop(tenth=percent(1000), flat=amount(50))
    sent = basket(line(1000))
    quote = await quoted(sent)
    async with sql.transaction():
        await publish_offer("tenth", percent(2000), at=later(1))
    await withdraw_offer("flat", at=later(1))
    async with sql.transaction():
        await publish_offer("late", points(7), at=later(1))
    found = {
        (one.kind, one.offer) for one in await differences(await agreed(sent, quote), now=later(2))
    }
    assert {(Kind.OFFER_CHANGED, "tenth"), (Kind.OFFER_GONE, "flat"), (Kind.OFFER_NEW, "late")} <= (
        found
    )


async def test_a_used_up_limit_is_told_and_the_fresh_quote_can_be_confirmed(
    database: Address,
) -> None:
    await open_shop(once=amount(100, limits={"per_member": 1}))
    sent = basket(line(1000))
    first, second = await quoted(sent), await quoted(sent)
    await confirm(await agreed(sent, first))
    with pytest.raises(NotConfirmed) as refusal:
        await confirm(await agreed(sent, second, "b-2"))
    [gone] = [one for one in refusal.value.differences if one.kind is Kind.OFFER_GONE]
    assert (gone.offer, gone.why_not) == ("once", "member_limit")
    assert refusal.value.quote is not None
    done = await confirm(await agreed(sent, refusal.value.quote, "b-2"))
    assert (done.purchase.net_minor, done.purchase.offers) == (1000, ())


async def test_a_quote_that_is_too_old_is_told(database: Address) -> None:
    await open_shop()
    sent = basket()
    wish = await agreed(sent, await quoted(sent))
    assert [one.kind for one in await differences(wish, now=later(900))] == [Kind.EXPIRED]
    assert (await confirm(wish, now=later(899))).purchase.net_minor == 1000


async def test_points_that_a_tier_changes_are_told(database: Address) -> None:
    await open_shop()
    sent = basket(line(1000))
    quote = await quoted(sent)
    await bought(basket(line(300_000)), "big")
    found = {one.kind for one in await differences(await agreed(sent, quote))}
    assert {Kind.TIER, Kind.POINTS} <= found


@pytest.mark.parametrize("token", ["", "x", "é", "A" * 60, "=" * 50_000])
async def test_a_token_of_nobodys_is_refused(database: Address, token: str) -> None:
    await open_shop()
    with pytest.raises(InvalidInput) as refusal:
        await confirm(Confirmation("b-1", basket=basket(), token=token))
    assert refusal.value.path == ("quoteToken",)


async def test_a_token_that_was_changed_anywhere_is_refused(database: Address) -> None:
    await open_shop()
    sent = basket()
    wish = await agreed(sent, await quoted(sent))
    assert wish.token is not None
    for place in range(0, len(wish.token), 7):
        other = "A" if wish.token[place] != "A" else "B"
        forged = wish.token[:place] + other + wish.token[place + 1 :]
        with pytest.raises(InvalidInput):
            await confirm(msgspec.structs.replace(wish, token=forged))


async def test_the_token_of_the_largest_basket_is_taken_back(database: Address) -> None:
    chance = random.Random(7)
    most = 2**31 - 1

    def number() -> int:
        return chance.randint(most // 2, most)

    lines = tuple(
        QuotedLine(chance.randbytes(8), number(), number(), number(), number()) for _ in range(500)
    )
    keys = ["".join(chance.choices(string.ascii_lowercase + string.digits, k=64)) for _ in lines]
    offers = tuple(
        QuotedOffer(key, number(), number(), number(), number(), number(), "") for key in keys
    )
    largest = Quoted(2**62, ("shop",) * 4, most, lines, offers, (), most, ("A", "B"), NOW)
    token = await tokens.token_of(largest)
    assert len(token) <= tokens.MAXIMUM_LENGTH
    assert await tokens.quoted_in(token) == largest


# ---------------------------------------------------------------- reserving


def apart(tables: set[str]) -> set[str]:
    """The tables beside the basket's own, and the numbers that every change moves on."""
    return tables - {"baskets", "versions"}


async def test_a_cancelled_reservation_has_never_been(database: Address) -> None:
    await open_shop(
        **ALL,
        limited=amount(
            100,
            limits={
                "per_member": 2,
                "per_member_per_day": 2,
                "per_day": 5,
                "total": 9,
                "budget_minor": 1000,
            },
        ),
    )
    await bought()  # the counters of an offer's limits are made when it is first used
    before = await dump()
    view = await reserved()
    assert {"offer_uses"} <= changed(before, await dump())
    done = await cancelled(view.id)
    assert done.status is BasketStatus.CANCELLED
    assert apart(changed(before, await dump())) == set()
    with pytest.raises(AlreadyDecided) as refusal:
        await cancelled(view.id)
    assert refusal.value.facts["status"] == "CANCELLED"


async def test_a_reservation_is_over_exactly_when_it_was_said(database: Address) -> None:
    await open_shop(once=amount(100, limits={"total": 1}))
    view = await reserved()
    assert (await quoted(now=later(TTL_SECONDS - 1))).evaluation.applied == ()
    end = later(TTL_SECONDS)
    assert [one.offer for one in (await quoted(now=end)).evaluation.applied] == ["once"]
    for verb in (cancelled(view.id, now=end), confirm(Confirmation("b", view.id), now=end)):
        with pytest.raises(AlreadyDecided):
            await verb


async def test_what_is_reserved_stays_though_the_offer_ends(database: Address) -> None:
    await open_shop(once=amount(100, limits={"total": 1}))
    view = await reserved()
    await withdraw_offer("once", at=later(1))
    done = await confirm(Confirmation("b", basket_id=view.id), now=later(2))
    assert done.purchase.net_minor == 900
    assert [part.offer for part in done.purchase.offers] == ["once"]


async def test_a_reserved_basket_whose_points_changed_is_confirmed_by_the_newer_quote(
    database: Address,
) -> None:
    await open_shop(flat=amount(100))
    view = await reserved(basket(line(1000)))
    await bought(basket(line(300_000)), "big")
    wish = Confirmation("b", basket_id=view.id)
    with pytest.raises(NotConfirmed) as refusal:
        await confirm(wish)
    assert refusal.value.quote is not None
    newer = (await agreed(basket(), refusal.value.quote)).token
    done = await confirm(msgspec.structs.replace(wish, token=newer))
    assert done.purchase.points == refusal.value.quote.purchase.points


async def test_nobody_elses_basket_is_found(database: Address) -> None:
    await open_shop()
    for basket_id in (0, 1, 2**63):
        with pytest.raises(NotFound):
            await cancelled(basket_id)


# ---------------------------------------------------------------- many at once


async def test_64_tills_use_exactly_what_is_left_of_a_budget(database: Address) -> None:
    await open_shop(last=amount(100, limits={"budget_minor": 1000}))
    people = [await enrolled(f"m{number}") for number in range(64)]
    sents = [basket(member=msgspec.structs.replace(ANNA, external_id=f"m{at}")) for at in range(64)]
    quotes = [await quoted(sent) for sent in sents]
    wishes: list[Any] = [
        await agreed(sent, quote, f"b{at}")
        for at, (sent, quote) in enumerate(zip(sents, quotes, strict=True))
    ]

    async def one(wish: Confirmation) -> int:
        with suppress(NotConfirmed):
            return len((await confirm(wish)).purchase.offers)
        return 0

    used = await asyncio.gather(*map(one, wishes))
    assert sum(used) == 10
    offer = (await definitions.shelves()).of("offer").at("last", NOW)
    assert offer is not None
    found = await standings.standings(people[0], {"last": offer}, day=TODAY, now=NOW)
    assert (found["last"].budget_spent_minor, found["last"].uses_total) == (1000, 10)
