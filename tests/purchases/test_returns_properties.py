"""Whatever is bought, used and returned, in parts and in any order: nothing is minted."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from server import clock
from server.cards.service import MemberReference
from server.clock import Instant
from server.errors import DomainError, InsufficientPoints
from server.money import POINTS
from server.payments import service as payments
from server.payments.service import Basket
from server.purchases import service as purchases
from server.purchases.rules import Line
from server.purchases.service import (
    LineReturn,
    PurchaseReference,
    ReturnDraft,
    ReturnedPurchase,
)
from server.storage import sql
from server.storage.database import Address
from tests.playing import undone
from tests.properties import trying
from tests.purchases.baskets import PARTNER, Changes, at, draft, publish, recorded
from tests.purchases.returns import balance, spend, take_back

FIRST = at("2017-03-01T10:00")
DAY = 86_400 * clock.MICROSECONDS_PER_SECOND
DEPARTMENTS = ("PRODUCE", "GROCERY", "MEAT", "FUEL", "COUPON", None)
RULES: Changes = {
    ("points", "expiry_days"): 3000,
    ("tiers", "window_days"): 20,
    ("tiers", "levels"): [
        {"name": "Bronze", "min_spend_minor": 0, "multiplier_percent": 100},
        {"name": "Silver", "min_spend_minor": 1000, "multiplier_percent": 133},
        {"name": "Gold", "min_spend_minor": 2500, "multiplier_percent": 207},
    ],
    ("points", "base"): {"points": 7, "per_minor": 9},
    ("cashback", "rate_basis_points"): 333,
    ("cashback", "monthly_cap_minor"): 60,
    ("challenges", "weekly_visits", "visit_days"): 1,
    ("challenges", "weekly_visits", "streak", "consecutive_weeks"): 2,
    ("challenges", "departments", "distinct_departments"): 2,
    ("challenges", "month_spend", "spend_minor"): 900,
}

lines = st.builds(
    lambda department, quantity, sales, coupon: Line(
        "1", department, "CATEGORY", "TYPE", quantity, sales, coupon
    ),
    st.sampled_from(DEPARTMENTS),
    st.integers(0, 4),
    st.integers(0, 1500),
    st.just(0) | st.integers(0, 400),
)
baskets = st.lists(lines, min_size=1, max_size=5)


@st.composite
def wishes(draw: st.DrawFn, left: Sequence[Any]) -> list[LineReturn] | None:
    """What of the lines is returned: at most what is left."""
    if draw(st.integers(0, 5)) == 0:
        return None
    chosen: list[LineReturn] = []
    for number, state in enumerate(left):
        if draw(st.booleans()):
            continue
        if state.quantity_left and draw(st.booleans()):
            chosen.append(LineReturn(number, quantity=draw(st.integers(1, state.quantity_left))))
        elif state.minor_left > 0:
            chosen.append(LineReturn(number, amount_minor=draw(st.integers(1, state.minor_left))))
    return chosen


async def worth(when: Instant, asset: str = POINTS) -> int:
    """What the member has in all, less what is owed."""
    has = await balance("1", when, asset)
    return has.available + has.pending + has.held


class Story:
    """One member's purchases and returns, one after the other."""

    def __init__(self) -> None:
        self.now = FIRST
        self.numbers = itertools.count(1)
        self.bought: dict[int, str] = {}
        self.spent = 0

    async def buy(self, basket: Sequence[Line], days_ago: int, points: int) -> None:
        at_ = Instant(max(FIRST, self.now - days_ago * DAY))
        number = str(next(self.numbers))
        ids: tuple[int, ...] = ()
        net = sum(line.sales_minor - line.coupon_minor for line in basket)
        if self.bought and points and net > 0:
            ids = await self.pay(points, net)
        one = draft(number, at_, *basket)
        one = msgspec.structs.replace(one, payment_ids=ids)
        [answer] = await recorded(one, now=self.now)
        self.bought[answer.purchase_id] = number

    async def pay(self, points: int, net: int) -> tuple[int, ...]:
        try:
            async with sql.transaction():
                with clock.moved_to(self.now):
                    paid = await payments.pay_with_points(
                        MemberReference(external_id="1"),
                        Basket(net, "USD"),
                        points=points,
                        partner=PARTNER,
                        now=self.now,
                    )
        except DomainError:
            return ()
        return (paid.payment.id,)

    async def spend(self, points: int) -> None:
        try:
            await spend("1", points, self.now)
        except InsufficientPoints:
            return
        self.spent += points

    async def left(self, purchase_id: int) -> list[Any]:
        return (await purchases.lines_of([purchase_id]))[purchase_id]

    async def give(
        self, purchase_id: int, chosen: list[LineReturn] | None
    ) -> ReturnedPurchase | None:
        """Returns, if there is anything to; it never makes the member richer."""
        left = await self.left(purchase_id)
        if chosen == [] or not any(state.is_left for state in left):
            return None
        before = await worth(self.now), await worth(self.now, "USD")
        answer = await take_back(
            ReturnDraft(
                f"r{next(self.numbers)}",
                PurchaseReference(id=purchase_id),
                self.now,
                None if chosen is None else tuple(chosen),
            ),
            now=self.now,
            partner=None,
        )
        after = await worth(self.now), await worth(self.now, "USD")
        assert after[0] <= before[0] + answer.restored.points
        assert after[1] <= before[1] + answer.restored.cashback_minor
        for first, last, streaks in await sql.fetch(
            "SELECT first_period, last_period, streak_count FROM challenge_runs"
        ):
            assert streaks == ((last - first) // 7 + 1) // 2
        return answer


async def state_of_all() -> dict[str, list[tuple[Any, ...]]]:
    """What must not depend on the order of returns."""
    statements = {
        "tier": "SELECT level, window_spend_minor, lifetime_spend_minor, next_drop_day"
        " FROM tier_states",
        "days": "SELECT local_day, spend_minor FROM tier_days",
        "cashback": "SELECT local_month, accrued_minor, capped_minor FROM cashback_months",
        "progress": "SELECT challenge, period_start, progress, counted, completed_at"
        " FROM challenge_progress",
        "runs": "SELECT challenge, first_period, last_period, streak_count FROM challenge_runs",
        "totals": "SELECT challenge, completion_count, streak_count, kept_points"
        " FROM challenge_totals",
        "purchases": "SELECT id, returned_net_minor, returned_eligible_minor FROM purchases",
        "lines": "SELECT purchase_id, number, returned_quantity, returned_minor"
        " FROM purchase_lines",
        "accounts": "SELECT asset, balance, owed, reversed_total FROM ledger_accounts",
    }
    return {
        name: sorted(tuple(row) for row in await sql.fetch(statement))
        for name, statement in statements.items()
    }


async def play(story: Story, data: st.DataObject, *, steps: int, returns: bool) -> None:
    await story.buy(data.draw(baskets), 0, 0)
    for _ in range(data.draw(st.integers(1, steps), label="steps")):
        what = data.draw(st.sampled_from("bbbrrsd" if returns else "bbbsd"), label="what")
        if what == "b":
            await story.buy(
                data.draw(baskets), data.draw(st.integers(0, 9)), data.draw(st.integers(0, 900))
            )
        elif what == "s":
            await story.spend(data.draw(st.integers(1, 2000), label="points"))
        elif what == "d":
            story.now = Instant(story.now + data.draw(st.integers(1, 9)) * DAY)
        else:
            purchase_id = data.draw(st.sampled_from(sorted(story.bought)))
            left = await story.left(purchase_id)
            await story.give(purchase_id, data.draw(wishes(left)))


@dataclass(frozen=True)
class Part:
    """A part of what is returned of one line of one purchase."""

    purchase_id: int
    wish: LineReturn


async def drawn_parts(story: Story, data: st.DataObject) -> list[Part]:
    """For each line some units, or some of its net, in parts; of some purchases all that cost."""
    parts: list[Part] = []
    for purchase_id in sorted(story.bought):
        whole = data.draw(st.booleans(), label="whole")
        for number, state in enumerate(await story.left(purchase_id)):
            kind = "minor"
            if not whole:
                kind = data.draw(st.sampled_from(("units", "minor", "nothing")), label="kind")
            most = {"units": state.quantity_left, "minor": max(0, state.minor_left)}.get(kind, 0)
            left = most if whole else data.draw(st.integers(0, most), label="how much")
            while left:
                size = data.draw(st.just(left) | st.integers(1, left), label="part")
                left -= size
                wish = (
                    LineReturn(number, quantity=size)
                    if kind == "units"
                    else LineReturn(number, amount_minor=size)
                )
                parts.append(Part(purchase_id, wish))
    return parts


def together(parts: Sequence[Part]) -> list[tuple[int, list[LineReturn]]]:
    """All parts of one purchase in one return."""
    wanted: dict[int, dict[int, LineReturn]] = {}
    for part in parts:
        of_purchase = wanted.setdefault(part.purchase_id, {})
        before = of_purchase.get(part.wish.number, LineReturn(part.wish.number))
        of_purchase[part.wish.number] = LineReturn(
            part.wish.number,
            quantity=None
            if part.wish.quantity is None
            else part.wish.quantity + (before.quantity or 0),
            amount_minor=None
            if part.wish.amount_minor is None
            else part.wish.amount_minor + (before.amount_minor or 0),
        )
    return [(purchase_id, list(lines.values())) for purchase_id, lines in wanted.items()]


class _Back(Exception):
    """Ends a way, so that another can be tried from the same place."""


async def after(story: Story, returns: Sequence[tuple[int, list[LineReturn]]]) -> dict[str, Any]:
    """How everything stands after these returns, of which nothing stays."""
    found: dict[str, Any] = {}
    try:
        async with sql.transaction():
            for purchase_id, wanted in returns:
                await story.give(purchase_id, wanted)
            found = await state_of_all()
            raise _Back
    except _Back:
        pass
    return found


@trying(25)
@given(data=st.data())
async def test_neither_the_order_of_returns_matters_nor_in_how_many_parts_they_come(
    database: Address, data: st.DataObject
) -> None:
    async with undone():
        await publish(RULES)
        story = Story()
        await play(story, data, steps=8, returns=False)
        parts = await drawn_parts(story, data)
        shuffled = data.draw(st.permutations(parts), label="order")
        ways = [[(part.purchase_id, [part.wish]) for part in way] for way in (parts, shuffled)]
        first, *others = [await after(story, way) for way in (*ways, together(parts))]
        for other in others:
            assert other == first


@trying(25)
@given(data=st.data(), policy=st.sampled_from(("only_pending", "within_balance")))
async def test_challenges_completed_again_never_mint_whatever_the_policy(
    database: Address, data: st.DataObject, policy: str
) -> None:
    async with undone():
        await publish(
            RULES
            | {
                ("returns",): {"policy": policy},
                ("points", "base"): {"points": 0, "per_minor": 1},
                ("points", "category_bonus", 0, "points"): 0,
            }
        )
        story = Story()
        await play(story, data, steps=14, returns=True)
        await check_rewards()
        for purchase_id in data.draw(st.permutations(sorted(story.bought)), label="order"):
            await story.give(purchase_id, None)
            await check_rewards()


async def check_rewards() -> None:
    """What a challenge has given and nobody took back is what its completions are worth now, and
    what the member has kept."""
    worth_of = {"weekly_visits": 50, "departments": 100, "month_spend": 150}
    totals = await sql.fetch(
        "SELECT challenge, completion_count, streak_count, kept_points FROM challenge_totals"
    )
    for challenge, completions, streaks, kept in totals:
        rows = await sql.fetch(
            "SELECT COALESCE(SUM(amount - undone), 0) FROM lots WHERE rule = $1", challenge
        )
        taken = await sql.fetch(
            "SELECT COALESCE(SUM(amount), 0) FROM lots WHERE rule = $1", challenge
        )
        recovered = await sql.fetch(
            "SELECT COALESCE(SUM(amount), 0) FROM postings WHERE rule = $1 AND credit = 'reversed'",
            challenge,
        )
        standing = worth_of[challenge] * completions + 200 * streaks
        assert taken[0][0] - recovered[0][0] == standing + kept
        assert rows[0][0] <= standing


@trying(25)
@given(data=st.data())
async def test_when_everything_is_returned_nothing_is_left_of_it(
    database: Address, data: st.DataObject
) -> None:
    async with undone():
        await publish(RULES)
        story = Story()
        await play(story, data, steps=12, returns=True)
        for purchase_id in data.draw(st.permutations(sorted(story.bought)), label="order"):
            await story.give(purchase_id, None)
        assert await worth(story.now) == 100 - story.spent
        assert await worth(story.now, "USD") == 0
        left = await state_of_all()
        assert all(row[0] == "Bronze" and row[1:3] == (0, 0) for row in left["tier"])
        assert not any(row[1] for row in left["days"])
        assert not any(row[1] or row[2] for row in left["cashback"])
        assert all(row[2:] == (0, "", None) for row in left["progress"])
        assert left["runs"] == []
        assert all(row[1:] == (0, 0, 0) for row in left["totals"])
