"""Having a membership plan: subscribing, the trial, cancelling, changing, and what it brings."""

import asyncio
from typing import Any

import pytest

from server.clock import NEVER
from server.definitions import service as definitions
from server.definitions.errors import InvalidDefinition
from server.errors import AlreadyDecided, DomainError, InvalidInput, NotAllowed, NotFound
from server.integrations import billing
from server.plans import service as plans
from server.storage import sql
from server.storage.database import Address
from tests.api.calling import NOW, enrolled
from tests.baskets.shopping import basket, line, quoted
from tests.plans.shop import (
    PLUS,
    TRIED,
    YEARLY,
    after,
    done,
    obliging,
    opened,
    paid,
    publish_plan,
    status,
    subscribed,
)


@pytest.fixture(autouse=True)
def provider() -> Any:
    with obliging():
        yield


async def _refused(expected: type[DomainError], coroutine: Any) -> Any:
    with pytest.raises(expected) as refused:
        await coroutine
    return refused.value


async def test_a_plan_runs_from_its_first_payment_to_the_same_day_of_the_next_month(
    database: Address,
) -> None:
    member = await opened(plus=PLUS)
    plan = await subscribed(member)
    assert (plan.price_minor, plan.currency, plan.digits) == (499, "USD", 2)
    assert await status(plan.id) == "pending"
    assert await plans.active_plans(member, NOW) == frozenset()
    await paid(plan.id, at=after(0))
    found = (await plans.find([plan.id]))[plan.id]
    assert (found.periods, found.covered_until) == (1, after(31))
    assert await plans.active_plans(member, NOW) == {"plus"}
    assert [await status(plan.id, after(days)) for days in (30, 31, 37, 38)] == [
        "active",
        "past_due",
        "past_due",
        "ended",
    ]
    assert await plans.active_plans(member, after(38)) == frozenset()


async def test_a_trial_begins_at_once_and_is_had_once_for_ever(database: Address) -> None:
    member = await opened(plus=TRIED)
    plan = await subscribed(member)
    assert (await status(plan.id), plan.covered_until) == ("trialing", after(30))
    assert await plans.active_plans(member, NOW) == {"plus"}
    cancelled = (await done("cancel", plan.id)).plan
    assert cancelled.ends_at == after(30)
    again = await subscribed(member, now=after(31))
    assert (again.is_trial, again.status(after(31)).value) == (False, "pending")


async def test_who_is_still_to_pay_goes_on_and_who_has_a_plan_is_told_so(
    database: Address,
) -> None:
    member = await opened(plus=PLUS, yearly=YEARLY)
    plan = await subscribed(member)
    assert (await subscribed(member)).id == plan.id
    await paid(plan.id)
    for key in ("plus", "yearly"):
        refused = await _refused(AlreadyDecided, subscribed(member, key))
        assert (refused.status, refused.path) == ("ACTIVE", ("planKey",))
    assert (await _refused(NotFound, subscribed(member, "none"))).path == ("planKey",)


async def test_another_plan_takes_the_place_of_one_that_was_never_paid(
    database: Address,
) -> None:
    member = await opened(plus=PLUS, yearly=YEARLY)
    plan = await subscribed(member)
    yearly = await subscribed(member, "yearly")
    assert (await status(plan.id), await status(yearly.id)) == ("ended", "pending")


async def test_many_requests_at_once_make_one_plan(database: Address) -> None:
    member = await opened(plus=TRIED)
    made = await asyncio.gather(*(subscribed(member) for _ in range(8)))
    assert len({plan.id for plan in made}) == 1


async def test_what_costs_money_needs_a_provider_and_what_costs_none_does_not(
    database: Address,
) -> None:
    member = await opened(plus=PLUS, open={**PLUS, "price_minor": 0})
    billing.use(billing.NoBilling())
    refused = await _refused(NotAllowed, subscribed(member))
    assert refused.reason == "plan.no_provider"
    plan = await subscribed(member, "open")
    assert (await status(plan.id, after(4_000)), plan.ends_at) == ("active", NEVER)


async def test_cancelling_and_resuming_keep_what_is_paid_for(database: Address) -> None:
    member = await opened(plus=PLUS)
    plan = await subscribed(member)
    await paid(plan.id)
    other = await enrolled("bert")
    assert isinstance(await _refused(NotFound, done("cancel", plan.id, of_member=other)), NotFound)
    changed = await done("cancel", plan.id, of_member=member)
    assert [(one.what, one.at_once) for one in changed.asked] == [("cancel", False)]
    assert (await status(plan.id), await status(plan.id, after(31))) == ("cancelled", "ended")
    assert (await _refused(AlreadyDecided, done("cancel", plan.id))).status == "CANCELLED"
    resumed = await done("resume", plan.id, now=after(1))
    assert [one.what for one in resumed.asked] == ["resume"]
    assert await status(plan.id, after(31)) == "past_due"
    assert (await _refused(AlreadyDecided, done("resume", plan.id))).status == "ACTIVE"


async def test_a_policy_may_end_a_plan_at_once(database: Address) -> None:
    member = await opened(plus={**PLUS, "cancellation": "at_once"})
    plan = await subscribed(member)
    await paid(plan.id)
    [asked] = (await done("cancel", plan.id, now=after(1))).asked
    assert (asked.at_once, await status(plan.id, after(1))) == (True, "ended")


async def test_another_plan_follows_at_the_end_of_what_is_paid_for(database: Address) -> None:
    member = await opened(plus=PLUS, yearly={**YEARLY, "benefits": {}})
    plan = await subscribed(member)
    await paid(plan.id)
    changed = await done("change", plan.id, "yearly", of_member=member, now=after(3))
    follows = changed.plan
    assert (follows.first_period_at, follows.price_minor) == (after(31), 4900)
    assert [(one.what, one.subscription_id) for one in changed.asked] == [("cancel", plan.id)]
    assert await plans.active_plans(member, after(30)) == {"plus"}
    current = (await plans.current_plans([member], after(30)))[member]
    assert current is not None
    assert current.id == plan.id
    await paid(follows.id, "y", at=after(31), amount_minor=4900)
    assert await plans.active_plans(member, after(31)) == {"yearly"}
    found = (await plans.find([follows.id]))[follows.id]
    assert found.covered_until == after(31 + 365)


async def test_resuming_gives_up_what_was_to_follow(database: Address) -> None:
    member = await opened(plus=PLUS, yearly=YEARLY)
    plan = await subscribed(member)
    await paid(plan.id)
    follows = (await done("change", plan.id, "yearly")).plan
    assert (await _refused(AlreadyDecided, done("change", plan.id, "yearly"))).status == "CANCELLED"
    asked = (await done("resume", plan.id)).asked
    assert [(one.what, one.subscription_id) for one in asked] == [
        ("cancel", follows.id),
        ("resume", plan.id),
    ]
    assert (await status(follows.id), await status(plan.id)) == ("ended", "active")
    assert (await _refused(NotAllowed, done("change", plan.id, "plus"))).reason == "plan.same"


async def test_staff_grant_and_end_plans_and_say_why(database: Address) -> None:
    member = await opened(plus=PLUS)
    granted = (
        await done("grant", member, "plus", " for the delay ", expires_at=after(10), by=7)
    ).plan
    assert (granted.reason, granted.granted_by, granted.price_minor) == ("for the delay", 7, 0)
    assert [await status(granted.id, after(days)) for days in (9, 10)] == ["active", "ended"]
    assert isinstance(
        await _refused(AlreadyDecided, done("grant", member, "plus", "again", by=7)),
        AlreadyDecided,
    )
    for reason in ("", " ", "a\nb", "x" * 201):
        assert (await _refused(InvalidInput, done("end", granted.id, reason))).path == ("reason",)
    changed = await done("end", granted.id, "no longer", now=after(1))
    assert (changed.asked, await status(granted.id, after(1))) == ((), "ended")
    [event] = (await plans.events([granted.id]))[granted.id]
    assert (event.note, event.recorded_by, event.occurred_at) == ("no longer", "test", after(1))


async def test_the_benefits_are_on_every_basket_of_who_has_the_plan(database: Address) -> None:
    member = await opened(plus=PLUS)
    sent = basket(line(2000, quantity=2), line(500, product="9"), shipping_minor=490)
    before = await quoted(sent)
    assert before.evaluation.applied == ()
    plan = await subscribed(member)
    await paid(plan.id)
    quote = await quoted(sent)
    given = {
        one.offer: (one.discount_minor, one.shipping_minor, one.points)
        for one in quote.evaluation.applied
    }
    base = before.purchase.points
    assert given["plan-plus-price-1"] == (400, 0, 0)  # 2 units for 8.00 each
    assert given["plan-plus-shipping"] == (0, 490, 0)
    assert set(given) == {"plan-plus-price-1", "plan-plus-shipping", "plan-plus-points"}
    assert given["plan-plus-points"][2] > 0
    assert quote.purchase.points > base
    assert (await quoted(sent, now=after(40))).evaluation.applied == ()


async def test_a_new_version_changes_the_benefits_and_a_withdrawn_plan_keeps_them(
    database: Address,
) -> None:
    member = await opened(plus=PLUS)
    plan = await subscribed(member)
    await paid(plan.id)
    lean = {**PLUS, "price_minor": 999, "benefits": {"free_shipping": True}}
    await publish_plan("plus", lean, at=after(1))
    sent = basket(line(1000), shipping_minor=490)
    applied = (await quoted(sent, now=after(1))).evaluation.applied
    assert [one.offer for one in applied] == ["plan-plus-shipping"]
    assert (await plans.find([plan.id]))[plan.id].price_minor == 499
    async with sql.transaction():
        await definitions.withdraw("plan", "plus", by="test", now=after(2))
    assert await plans.live_plans(after(2)) == {}
    applied = (await quoted(sent, now=after(2))).evaluation.applied
    assert [one.offer for one in applied] == ["plan-plus-shipping"]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"default_language": "de"}, "default_language"),
        ({"price_minor": 0, "trial_days": 3}, "trial_days"),
        (
            {"benefits": {"guarantee": {"days": 3, "texts": {"lt": "Taip"}}}},
            "benefits.guarantee.texts",
        ),
        (
            {
                "benefits": {
                    "member_prices": [
                        {"products": ["1", "2"], "price_minor": 5},
                        {"products": ["2"], "price_minor": 6},
                    ]
                }
            },
            "benefits.member_prices[1].products[0]",
        ),
    ],
)
async def test_a_plan_that_does_not_fit_is_refused_with_its_place(
    database: Address, changes: dict[str, Any], path: str
) -> None:
    await opened()
    refused = await _refused(InvalidDefinition, publish_plan("plus", {**PLUS, **changes}))
    shown = "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" for step in refused.problems[0].path
    )
    assert shown.removeprefix(".") == path


async def test_reading_the_plans_of_many_costs_one_statement(database: Address) -> None:
    member = await opened(plus=TRIED)
    others = [await enrolled(f"m{number}") for number in range(20)]
    for one in (member, *others):
        await subscribed(one)
    with sql.counted_statements() as statements:
        found = await plans.plans_of([member, *others], after(1))
    assert len(statements) == 1
    assert set(found.values()) == {frozenset({"plus"})}
