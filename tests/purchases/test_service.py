"""Recording purchases: exactly once, in any order, and no refusal spoils another."""

from typing import Any

import pytest

from server.clock import Instant
from server.errors import DomainError, ExternalIdConflict, InvalidInput, NotFound
from server.ledger import service as ledger
from server.ledger.rules import MAXIMUM_BALANCE
from server.members import service as members
from server.money import POINTS
from server.purchases import service as purchases
from server.purchases.rules import MAXIMUM_PURCHASES
from server.purchases.service import EarnedRule, RecordedPurchase, Submission
from server.storage import sql
from server.storage.database import Address
from tests.ledger.books import check_books
from tests.purchases.baskets import Changes, accepted, at, draft, line, publish, recorded, send

LEVELS = ("tiers", "levels")
FAST_TIERS: Changes = {
    ("tiers", "window_days"): 10,
    LEVELS: [
        {"name": "Bronze", "min_spend_minor": 0, "multiplier_percent": 100},
        {"name": "Silver", "min_spend_minor": 1000, "multiplier_percent": 150},
    ],
}
GENEROUS: Changes = {
    ("cashback", "rate_basis_points"): 10_000,
    ("cashback", "monthly_cap_minor"): 10**12,
}


def earned(answer: RecordedPurchase) -> dict[str, int]:
    return {one.rule.value: one.points for one in answer.earned}


async def everything() -> dict[str, list[tuple[Any, ...]]]:
    tables = (
        "members", "cards", "ledger_accounts", "lots", "postings", "tier_states", "tier_days",
        "cashback_months", "challenge_progress", "challenge_totals", "purchases",
        "purchase_lines",
    )  # fmt: skip
    return {
        table: [tuple(row) for row in await sql.fetch(f"SELECT * FROM {table} ORDER BY id")]  # noqa: S608
        for table in tables
    }


async def test_the_same_purchase_again_is_answered_as_the_first_time_and_changes_nothing(
    database: Address,
) -> None:
    await publish()
    first = draft("1", "2017-03-01", 1000)
    [answer] = await recorded(first)
    before = await everything()
    assert await recorded(first, now=at("2017-06-01")) == [answer]
    assert await recorded(first, first, now=at("2017-06-01")) == [answer, answer]
    assert await everything() == before


async def test_an_external_id_with_other_content_is_refused_and_changes_nothing(
    database: Address,
) -> None:
    await publish()
    await recorded(draft("1", "2017-03-01", 1000))
    before = await everything()
    for other in (
        draft("1", "2017-03-01", 1001),
        draft("1", "2017-03-02", 1000),
        draft("1", "2017-03-01", 1000, household="2"),
        draft("1", "2017-03-01", line("GROCERY", 1000, product="2")),
    ):
        [answer] = await send(other, now=at("2017-03-03"))
        assert isinstance(answer, ExternalIdConflict)
        assert (answer.external_id, answer.path) == ("1", ("externalId",))
    assert await everything() == before


async def test_of_one_external_id_twice_in_a_batch_the_first_counts(database: Address) -> None:
    await publish()
    first, other = draft("1", "2017-03-01", 1000), draft("1", "2017-03-01", 2000)
    answers = await send(first, other, first)
    assert isinstance(answers[0], RecordedPurchase)
    assert isinstance(answers[1], ExternalIdConflict)
    assert answers[2] == answers[0]
    assert len((await everything())["purchases"]) == 1


async def test_another_partner_may_use_the_same_external_id(database: Address) -> None:
    await publish()
    [first] = await recorded(draft("1", "2017-03-01", 1000))
    async with sql.transaction():
        second = await purchases.record(
            Submission(draft("1", "2017-03-01", 1000), True),
            partner="other",
            now=at("2017-03-01"),
        )
    assert second.member_id == first.member_id
    assert second.purchase_id != first.purchase_id
    assert not second.enrolled


async def test_a_refused_purchase_spoils_no_other_of_its_batch(database: Address) -> None:
    await publish()
    answers = await send(
        draft("1", "2017-03-01", 1000),
        draft("2", "2017-03-01", 1000, currency="EUR"),
        draft("3", "2017-03-01"),
        draft("4", "2017-03-01", line("GROCERY", -1)),
        draft("5", "2017-03-01", 1000, household="\n"),
        draft("6", "2017-03-01", 1000, household="2"),
    )
    reasons = [answer.reason if isinstance(answer, DomainError) else None for answer in answers]
    assert reasons[0] is reasons[5] is None
    assert reasons[1:4] == ["purchase.currency", "purchase.lines", "input.range"]
    refusal = answers[4]
    assert isinstance(refusal, InvalidInput)
    assert refusal.path == ("member", "externalId")
    refusal = answers[3]
    assert isinstance(refusal, InvalidInput)
    assert refusal.path == ("lines", 0, "salesMinor")
    rows = await everything()
    assert (len(rows["members"]), len(rows["purchases"])) == (2, 2)


async def test_an_unknown_member_is_enrolled_only_if_the_till_says_so(database: Address) -> None:
    await publish()
    async with sql.transaction():
        with pytest.raises(NotFound) as caught:
            await purchases.record(
                Submission(draft("1", "2017-03-01", 1000), False),
                partner="shop",
                now=at("2017-03-01"),
            )
    assert caught.value.path == ("member", "externalId")
    assert (await everything())["members"] == []
    [answer] = await recorded(draft("1", "2017-03-01", 1000))
    assert answer.enrolled
    assert earned(answer) == {"WELCOME": 100, "BASE": 100}


async def test_a_batch_has_at_least_one_purchase_and_not_too_many(database: Address) -> None:
    await publish()
    submission = Submission(draft("1", "2017-03-01", 1000), True)
    for count in (0, MAXIMUM_PURCHASES + 1):
        with pytest.raises(InvalidInput) as caught:
            await purchases.record_many([submission] * count, partner="shop", now=at("2017-03-01"))
        assert caught.value.reason == "purchase.count"
    answers = await recorded(
        *(draft(str(number), "2017-03-01", 1) for number in range(MAXIMUM_PURCHASES))
    )
    assert len({answer.purchase_id for answer in answers}) == MAXIMUM_PURCHASES


async def test_a_batch_takes_the_same_number_of_statements_whatever_its_size(
    database: Address,
) -> None:
    await publish()
    await recorded(draft("0", "2017-03-01", 1000), draft("00", "2017-03-01", 5, household="2"))
    counts = set()
    for number, size in enumerate((2, 50)):
        drafts = [
            draft(f"{number}-{each}", "2017-03-02", 10, household=str(each % 2 + 1))
            for each in range(size)
        ]
        with sql.counted_statements() as statements:
            await recorded(*drafts)
        counts.add(len(statements))
    assert len(counts) == 1


async def test_a_purchase_is_held_against_the_tier_before_it(database: Address) -> None:
    await publish(FAST_TIERS)
    answers = await recorded(
        draft("1", "2017-03-01", 999),
        draft("2", "2017-03-02", 1),
        draft("3", "2017-03-03", 10_000),
    )
    assert [(answer.tier_before, answer.tier_after) for answer in answers] == [
        ("Bronze", "Bronze"),
        ("Bronze", "Silver"),
        ("Silver", "Silver"),
    ]
    assert [earned(answer).get("TIER") for answer in answers] == [None, None, 500]


async def test_a_purchase_that_arrives_late_is_held_against_the_tier_of_its_own_day(
    database: Address,
) -> None:
    await publish(FAST_TIERS)
    await recorded(draft("1", "2017-03-01", 1000))
    await recorded(draft("2", "2017-03-20", 10))  # the first has left the window
    late = await recorded(
        draft("3", "2017-03-10", 100),  # the last day with the first in the window
        draft("4", "2017-03-11", 100),
        now=at("2017-03-20"),
    )
    assert [(answer.tier_before, answer.tier_after) for answer in late] == [
        ("Silver", "Bronze"),
        ("Bronze", "Bronze"),
    ]


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in two"])
async def test_purchases_of_a_batch_in_the_wrong_order_are_held_against_the_right_tier(
    database: Address, together: bool
) -> None:
    await publish(FAST_TIERS)
    await recorded(draft("1", "2017-03-01", 1000))
    later, earlier = draft("2", "2017-03-05", 10), draft("3", "2017-03-04", 1000)
    if together:
        answers = await recorded(later, earlier)
    else:
        answers = await recorded(later) + await recorded(earlier, now=later.occurred_at)
    assert [answer.tier_before for answer in answers] == ["Silver", "Silver"]
    assert earned(answers[1])["TIER"] == 50


async def test_a_lot_of_a_purchase_waits_from_its_day_however_late_it_arrives(
    database: Address,
) -> None:
    await publish()
    await recorded(draft("1", "2017-03-01", 1000))
    [answer] = await recorded(draft("2", "2017-03-02", 1000), now=at("2017-06-01"))
    [base] = answer.earned
    assert (base.available_at, base.expires_at) == (
        at("2017-03-05T00:00"),
        at("2017-08-29T00:00"),
    )
    balance = await ledger.balances([answer.member_id], at("2017-06-01"))
    assert balance[answer.member_id, POINTS].available == 300


async def test_a_member_who_can_hold_no_more_points_is_refused_alone(database: Address) -> None:
    per_cent: Changes = {("points", "base"): {"points": 1, "per_minor": 1}}
    await publish(per_cent)
    most = MAXIMUM_BALANCE // 2  # at the highest tier half as much again, and rewards
    [first] = await recorded(draft("1", "2017-03-01", most))
    before = await ledger.balances([first.member_id], at("2017-03-01"))
    refusal, other = await send(
        draft("2", "2017-03-02", most), draft("3", "2017-03-02", most, household="2")
    )
    assert isinstance(refusal, InvalidInput)
    assert (refusal.reason, refusal.path) == ("ledger.balance_limit", ("lines",))
    assert isinstance(other, RecordedPurchase)
    assert await ledger.balances([first.member_id], at("2017-03-01")) == before
    await check_books()


async def test_a_member_who_can_hold_no_more_cashback_is_refused_alone(
    database: Address,
) -> None:
    await publish(GENEROUS)
    [first] = await recorded(draft("1", "2017-03-01", line("MEAT", MAXIMUM_BALANCE)))
    assert first.cashback.accrued_minor == MAXIMUM_BALANCE
    before = await everything()
    refusal, other = await send(
        draft("2", "2017-03-02", line("MEAT", 1)),
        draft("3", "2017-03-02", line("MEAT", 1), household="2"),
    )
    assert isinstance(refusal, InvalidInput)
    assert (refusal.reason, refusal.path) == ("ledger.balance_limit", ("lines",))
    assert isinstance(other, RecordedPurchase)
    after = await everything()
    for table in ("lots", "tier_days", "cashback_months", "challenge_progress"):
        own = [row for row in after[table] if first.member_id in row]
        assert own == before[table]
    await check_books()
    # What earns no cashback goes on.
    assert await recorded(draft("4", "2017-03-03", 1000))


async def test_whoever_is_enrolled_by_a_batch_is_enrolled_by_a_purchase_that_counts(
    database: Address,
) -> None:
    all_there_is: Changes = {
        ("points", "base"): {"points": 1, "per_minor": 1},
        ("tiers", "levels", 1, "multiplier_percent"): 100,
        ("tiers", "levels", 2, "multiplier_percent"): 100,
        ("points", "welcome_bonus_points"): 1000,
    }
    await publish(all_there_is)
    rewards = 1000 + 50 + 200 + 100 + 150
    first = draft("1", "2017-03-01", MAXIMUM_BALANCE - rewards)
    answers = await send(first, draft("2", "2017-03-01", 1))
    assert isinstance(answers[0], RecordedPurchase)
    assert answers[0].enrolled
    assert isinstance(answers[1], InvalidInput)
    assert isinstance(
        (await send(draft("3", "2017-03-01", first.lines[0].sales_minor + 1, household="2")))[0],
        InvalidInput,
    )
    assert len((await everything())["members"]) == 1


async def test_a_till_may_be_a_minute_ahead_of_the_server_and_no_more(database: Address) -> None:
    await publish()
    now = at("2017-03-01")
    minute = 60_000_000
    ahead = draft("1", Instant(now + minute), 1000)
    too_far = draft("2", Instant(now + minute + 1), 1000)
    past, oldest = draft("3", Instant(-1), 1000), draft("4", Instant(0), 1000)
    answers = await send(ahead, too_far, past, oldest, now=now)
    reasons = [answer.reason if isinstance(answer, DomainError) else None for answer in answers]
    assert reasons == [None, "purchase.future", "purchase.past", None]


async def test_points_at_once_of_a_purchase_ahead_of_the_server_are_pending_until_then(
    database: Address,
) -> None:
    await publish()
    now = at("2017-03-01")
    ahead = Instant(now + 30_000_000)
    [answer] = await recorded(draft("1", ahead, 1000), now=now)
    key = (answer.member_id, POINTS)
    assert (await ledger.balances([key[0]], now))[key].available == 0
    assert (await ledger.balances([key[0]], ahead))[key].available == 100


async def test_rewards_are_given_in_the_programmes_order(database: Address) -> None:
    await publish(
        {
            ("challenges", "weekly_visits", "visit_days"): 1,
            ("challenges", "weekly_visits", "streak", "consecutive_weeks"): 1,
            ("challenges", "departments", "distinct_departments"): 1,
            ("challenges", "month_spend", "spend_minor"): 1,
        }
    )
    [answer] = await recorded(draft("1", "2017-03-01", line("PRODUCE", 1000)))
    assert [(one.rule, one.challenge, one.points) for one in answer.earned] == [
        (EarnedRule.WELCOME, None, 100),
        (EarnedRule.BASE, None, 100),
        (EarnedRule.CATEGORY, None, 100),
        (EarnedRule.CHALLENGE, "weekly_visits", 50),
        (EarnedRule.STREAK, "weekly_visits", 200),
        (EarnedRule.CHALLENGE, "departments", 100),
        (EarnedRule.CHALLENGE, "month_spend", 150),
    ]
    assert answer.points == 800


async def test_each_purchase_is_held_against_the_version_of_its_own_instant(
    database: Address,
) -> None:
    await publish()
    doubled: Changes = {("points", "base"): {"points": 20, "per_minor": 100}}
    await publish(doubled, at=at("2017-03-02T00:00"))
    answers = await recorded(
        draft("1", Instant(at("2017-03-02T00:00") - 1), 1000),
        draft("2", at("2017-03-02T00:00"), 1000),
    )
    assert [answer.programme_version for answer in answers] == [1, 2]
    assert [earned(answer)["BASE"] for answer in answers] == [100, 200]


async def test_a_purchase_of_nothing_that_counts_enrols_and_earns_only_the_welcome(
    database: Address,
) -> None:
    await publish()
    [answer] = await recorded(draft("1", "2017-03-01", line("FUEL", 5000)))
    assert (answer.net_minor, answer.eligible_minor) == (5000, 0)
    assert earned(answer) == {"WELCOME": 100}
    assert (answer.cashback.accrued_minor, answer.cashback.capped_minor) == (0, 0)


async def test_a_member_who_joined_at_the_app_is_known_at_the_till(database: Address) -> None:
    await publish()
    [first] = await recorded(draft("1", "2017-03-01", 1000))
    ids = await members.members_by_external_id(["1"])
    assert ids == {"1": first.member_id}
    assert accepted(await send(draft("2", "2017-03-01", 1)))[0].member_id == first.member_id


async def test_what_a_purchase_did_can_be_asked_again(database: Address) -> None:
    await publish()
    answers = await recorded(draft("1", "2017-03-01", 1000), draft("2", "2017-03-02", 500))
    ids = [answer.purchase_id for answer in answers]
    assert await purchases.outcomes([*ids, 1]) == dict(zip(ids, answers, strict=True))
    assert await purchases.outcomes([]) == {}
