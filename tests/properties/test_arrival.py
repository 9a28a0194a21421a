"""What does not depend on when, and in which order, purchases reach the server.

`occurred_at` decides what counts, so for purchases that arrive in any order these come out as if
each had been recorded when it happened: eligible spend, the tier and its spend in the window, base
and category points, cashback and what the cap cut off, and how often each challenge and streak was
completed.

These may differ: the points of the tier's multiplier, because a purchase is held against the tier
that the purchases recorded before it gave on its day, and what was granted stands; how often the
tier changed; and which purchase accrues the last cashback below the cap, or is rewarded for a
challenge, hence when those become available and expire.
"""

from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from server import clock
from server.members import service as members
from server.programme import service as programme
from server.purchases.service import EarnedRule, RecordedPurchase
from server.storage.database import Address
from server.tiers import service as tiers
from tests.playing import day_of, end_of, instant, publish, record, undone
from tests.properties import trying
from tests.properties.rows import member_rows
from tests.properties.test_agreement import cuts_of, parts
from tests.reference.basket_amounts import Basket, Programme, amounts_of
from tests.reference.programme_reference import play
from tests.reference.strategies import baskets, programmes

INDEPENDENT = (
    "cashback_earned_minor",
    "cashback_capped_minor",
    "eligible_spend_minor",
    "tier",
    "weekly_visits_completed",
    "streaks_completed",
    "departments_completed",
    "month_spend_completed",
)


@st.composite
def arrivals(draw: st.DrawFn, played: list[Basket]) -> list[Basket]:
    """The purchases in any order, or most of them in order and some late."""
    if draw(st.booleans()):
        return draw(st.permutations(played))
    delays = draw(
        st.lists(st.sampled_from((0, 0, 1, 2, 8)), min_size=len(played), max_size=len(played))
    )
    places = sorted(range(len(played)), key=lambda place: place + delays[place])
    return [played[place] for place in places]


async def arrive(document: Programme, arriving: list[Basket], cuts: int) -> list[RecordedPurchase]:
    """Records the baskets in this order, in batches, each at the latest instant seen so far."""
    answers: list[RecordedPurchase] = []
    latest = min(map(instant, arriving), default=clock.Instant(0))
    for batch in parts(arriving, cuts):
        latest = max(latest, *map(instant, batch))
        answers += await record(document, batch, now=latest)
    return answers


def anonymous(answers: list[RecordedPurchase]) -> list[RecordedPurchase]:
    """The answers without the ids that the server chose."""
    return [msgspec.structs.replace(answer, purchase_id=0, member_id=0) for answer in answers]


def points_by_rule(answers: list[RecordedPurchase]) -> Counter[EarnedRule]:
    """How many points each rule gave, over all purchases."""
    points: Counter[EarnedRule] = Counter()
    for answer in answers:
        for earned in answer.earned:
            points[earned.rule] += earned.points
    return points


@trying(150)
@given(data=st.data())
async def test_the_order_of_arrival_changes_neither_spend_tier_cashback_nor_challenges(
    database: Address, data: st.DataObject
) -> None:
    document = data.draw(programmes(), label="programme")
    played = data.draw(baskets(document), label="baskets")
    arriving = data.draw(arrivals(played), label="arriving")
    cuts = data.draw(cuts_of(len(played)), label="cuts")
    expected = {row["household_id"]: row for row in play(document, played).members}
    async with undone():
        await publish(document)
        answers = await arrive(document, arriving, cuts)
        actual = await member_rows(document, expected)
        qualifying = await qualifying_spend(document, expected)
    for household, row in expected.items():
        assert {k: actual[household][k] for k in INDEPENDENT} == {k: row[k] for k in INDEPENDENT}
        assert qualifying[household] == window_spend(document, played, household)
        check_sums(actual[household])
    check_points(document, played, answers, expected)


def check_sums(row: dict[str, int]) -> None:
    """What was earned is somewhere."""
    points = ("points_redeemed", "points_expired", "points_available", "points_pending")
    assert row["points_earned"] == sum(row[name] for name in points)
    cashback = ("cashback_available_minor", "cashback_pending_minor")
    assert row["cashback_earned_minor"] == sum(row[name] for name in cashback)


def check_points(
    document: Programme,
    played: list[Basket],
    answers: list[RecordedPurchase],
    expected: dict[str, dict[str, int]],
) -> None:
    """Every rule but the tier's gave as many points as in the order in which things happened."""
    points, given_points = document["points"], points_by_rule(answers)
    [bonus] = points["category_bonus"]
    amounts = [amounts_of(document, basket) for basket in played]

    def completed(what: str) -> int:
        return sum(row[f"{what}_completed"] for row in expected.values())

    challenges = document["challenges"]
    given_points.pop(EarnedRule.TIER, None)
    assert +given_points == +Counter(
        {
            EarnedRule.WELCOME: points["welcome_bonus_points"] * len(expected),
            EarnedRule.BASE: sum(
                of_basket.eligible * points["base"]["points"] // points["base"]["per_minor"]
                for of_basket in amounts
            ),
            EarnedRule.CATEGORY: sum(
                of_basket.bonus * bonus["points"] // bonus["per_minor"] for of_basket in amounts
            ),
            EarnedRule.CHALLENGE: sum(
                challenges[what]["reward_points"] * completed(what)
                for what in ("weekly_visits", "departments", "month_spend")
            ),
            EarnedRule.STREAK: challenges["weekly_visits"]["streak"]["reward_points"]
            * completed("streaks"),
        }
    )


async def qualifying_spend(
    document: Programme, households: dict[str, dict[str, int]]
) -> dict[str, int]:
    """What counts for each member's tier at the end."""
    end = end_of(document)
    published = (await programme.rulebook()).at(end)
    ids = await members.members_by_external_id(households)
    views = await tiers.views(ids.values(), published, end) if ids else {}
    return {household: views[id_].qualifying_spend_minor for household, id_ in ids.items()}


def window_spend(document: Programme, played: list[Basket], household: str) -> int:
    """The same from the purchases."""
    last = clock.local_day(end_of(document), document["programme"]["timezone"])
    return sum(
        amounts_of(document, basket).eligible
        for basket in played
        if basket["household_id"] == household
        and day_of(document, basket) > last - document["tiers"]["window_days"]
    )


@trying(100)
@given(data=st.data())
async def test_each_purchase_is_answered_the_same_however_what_arrives_is_batched(
    database: Address, data: st.DataObject
) -> None:
    document = data.draw(programmes(), label="programme")
    played = data.draw(baskets(document, most=20), label="baskets")
    arriving = data.draw(arrivals(played), label="arriving")
    cuts = data.draw(cuts_of(len(played)), label="cuts")
    async with undone():
        await publish(document)
        one_by_one = await arrive(document, arriving, -1)
    async with undone():
        await publish(document)
        batched = await arrive(document, arriving, cuts)
    assert anonymous(batched) == anonymous(one_by_one)
