"""What the provider tells: each message once, in any order; amounts are never trusted."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.integrations import billing
from server.plans import service as plans
from server.plans.hooks import Taken, take
from server.plans.rules import facts_of
from server.storage.database import Address
from tests.api.calling import NOW, dump, enrolled
from tests.integrations.billing_server import Obliging
from tests.plans.shop import (
    PLUS,
    after,
    done,
    message,
    obliging,
    opened,
    paid,
    status,
    subscribed,
)
from tests.properties import tried


@pytest.fixture(autouse=True)
def provider() -> Any:
    with obliging():
        yield


async def _one(plan_id: int) -> plans.PlanView:
    return (await plans.find([plan_id]))[plan_id]


async def test_a_message_counts_once_for_ever(database: Address) -> None:
    plan = await subscribed(await opened(plus=PLUS))
    body = message("payment.succeeded", plan.id, NOW)
    taken = await asyncio.gather(*(take("evt-1", body, now=NOW) for _ in range(6)))
    assert sorted(one.value for one in taken) == ["done"] + ["known"] * 5
    before = await dump()
    other = message("payment.refunded", plan.id, after(1))
    assert await take("evt-1", other, now=after(400)) is Taken.KNOWN
    assert await dump() == before
    assert (await _one(plan.id)).periods == 1


@pytest.mark.parametrize("changes", [{"amount_minor": 1}, {"currency": "EUR"}])
async def test_another_amount_than_asked_for_is_held_and_shown(
    database: Address, changes: dict[str, Any]
) -> None:
    plan = await subscribed(await opened(plus=PLUS))
    assert await paid(plan.id, **changes) is Taken.DONE
    assert await status(plan.id) == "pending"
    [shown] = await plans.page(needs_review=True, before=None, limit=10)
    assert (shown.id, shown.review_count) == (plan.id, 1)
    [event] = (await plans.events([plan.id]))[plan.id]
    assert (event.review, event.payment_id) == (plans.ReviewReason.AMOUNT, "p")
    await paid(plan.id, "right")
    assert await status(plan.id) == "active"


@pytest.mark.parametrize(
    ("body", "taken"),
    [
        (b"", Taken.MALFORMED),
        (b"[]", Taken.MALFORMED),
        (b"\xff", Taken.MALFORMED),
        (b"[" * 60_000, Taken.MALFORMED),
        (message("payment.succeeded", 1, NOW, ""), Taken.MALFORMED),
        (message("payment.succeeded", 1, NOW, "a\x00"), Taken.MALFORMED),
        (message("payment.succeeded", 1, NOW, payment=None), Taken.MALFORMED),  # type: ignore[arg-type]
        (message("payment.succeeded", 1, NOW, amount_minor=None), Taken.MALFORMED),
        (message("payment.succeeded", 1, NOW, amount_minor=-1), Taken.MALFORMED),
        (message("payment.succeeded", 1, NOW, amount_minor=4.5), Taken.MALFORMED),
        (message("payment.succeeded", 1, NOW, currency="usd"), Taken.MALFORMED),
        (message("payment.succeeded", 1, after(1)), Taken.MALFORMED),
        (message("payment.succeeded", 1, after(-20_000)), Taken.MALFORMED),
        (message("payment.disputed", 1, NOW), Taken.IGNORED),
        (message("payment.succeeded", 17, NOW), Taken.IGNORED),
        (message("payment.succeeded", 1, NOW, subscription="x"), Taken.IGNORED),
        (message("payment.succeeded", 1, NOW, subscription="9" * 30), Taken.IGNORED),
        (message("payment.succeeded", 1, NOW, subscription="٣"), Taken.IGNORED),
    ],
)
async def test_what_says_nothing_here_changes_nothing(
    database: Address, body: bytes, taken: Taken
) -> None:
    await subscribed(await opened(plus=PLUS))
    before = await dump()
    assert await take("evt", body, now=NOW) is taken
    assert await dump() == before


async def test_failures_refunds_and_cancellations_are_taken_in(database: Address) -> None:
    plan = await subscribed(await opened(plus=PLUS))
    await paid(plan.id)
    await take("f", message("payment.failed", plan.id, after(31), "q"), now=after(31))
    assert ((await _one(plan.id)).failed_at, await status(plan.id, after(32))) == (
        after(31),
        "past_due",
    )
    await paid(plan.id, "q2", at=after(33))
    assert (await _one(plan.id)).failed_at is None
    await take("c", message("subscription.cancelled", plan.id, after(34)), now=after(34))
    assert await status(plan.id, after(34)) == "cancelled"
    await take("r", message("payment.refunded", plan.id, after(35), "q2"), now=after(35))
    assert await status(plan.id, after(35)) == "ended"
    assert await plans.page(needs_review=True, before=None, limit=10) == []


async def test_who_charges_after_the_end_is_told_again_to_stop(database: Address) -> None:
    told: list[tuple[str, bool, str]] = []

    class Noting(Obliging):
        async def cancel(self, subscription: str, *, at_once: bool, key: str) -> None:
            told.append((subscription, at_once, key))
            raise billing.BillingUnavailable("gone")

    plan = await subscribed(await opened(plus=PLUS))
    await paid(plan.id)
    await done("cancel", plan.id, now=after(1))
    billing.use(Noting())
    assert await paid(plan.id, "late", at=after(31)) is Taken.DONE
    assert told == [(str(plan.id), True, "again-evt-late")]
    assert ((await _one(plan.id)).periods, (await _one(plan.id)).review_count) == (1, 1)


TOLD = st.lists(
    st.tuples(
        st.integers(0, 7),
        st.sampled_from(
            [
                "payment.succeeded",
                "payment.succeeded",
                "payment.failed",
                "payment.refunded",
                "subscription.cancelled",
            ]
        ),
        st.integers(0, 70),
        st.sampled_from("abc"),
        st.sampled_from([499, 499, 499, 5]),
    ),
    unique_by=lambda one: one[0],
    min_size=1,
    max_size=7,
)


@settings(max_examples=tried(12), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=TOLD, data=st.data())
async def test_in_whatever_order_and_however_often_it_is_told_a_plan_stands_the_same(
    database: Address, told: list[tuple[int, str, int, str, int]], data: st.DataObject
) -> None:
    if not await plans.live_plans(NOW):
        await opened(plus=PLUS)
    again = data.draw(st.lists(st.sampled_from(told), max_size=5))
    views = []
    for order in (told, data.draw(st.permutations([*told, *again]))):
        plan = await subscribed(await enrolled())
        for number, kind, days, payment, amount in order:
            body = message(kind, plan.id, after(days), payment, amount_minor=amount)
            await take(f"evt-{plan.id}-{number}", body, now=after(90))
        events = [one.event for one in (await plans.events([plan.id]))[plan.id]]
        view = await _one(plan.id)
        facts = facts_of(view.terms, reversed(events))
        assert (facts.periods, facts.covered_until) == (view.periods, view.covered_until)
        assert (facts.cancelled_at, facts.ended_at) == (view.cancelled_at, view.ended_at)
        assert (facts.failed_at, len(facts.reviews)) == (view.failed_at, view.review_count)
        views.append(facts)
    first, second = views
    assert first.reviews == () or len(first.reviews) == len(second.reviews)
    assert (first.periods, first.covered_until, first.cancelled_at, first.ended_at) == (
        second.periods,
        second.covered_until,
        second.cancelled_at,
        second.ended_at,
    )
