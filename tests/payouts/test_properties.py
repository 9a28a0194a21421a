"""Whatever happens in whatever order, nothing is lost, doubled or paid twice."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.clock import Instant
from server.errors import AlreadyDecided, InsufficientCashback, InsufficientPoints, NotAllowed
from server.ledger import service as ledger
from server.payouts import service as payouts
from server.payouts.service import PayoutStatus, PayoutView
from server.storage import sql
from server.storage.database import Address
from tests.ledger.books import check_books, grant, granted, spend
from tests.payouts.paying import DAY, NOW, balance, change, later, member_with, published, request
from tests.playing import undone
from tests.properties import trying

CHANGES = [status for status in PayoutStatus if status is not PayoutStatus.REQUESTED]
GRACE_DAYS = 3
Step = tuple[str, int, int]

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("grant"), st.integers(1, 500), st.sampled_from([0, 2, 5])),
        st.tuples(st.just("request"), st.integers(0, 400), st.just(0)),
        st.tuples(st.just("change"), st.integers(0, 5), st.sampled_from(range(len(CHANGES)))),
        st.tuples(st.just("change"), st.integers(0, 5), st.sampled_from(range(len(CHANGES)))),
        st.tuples(st.just("spend"), st.integers(1, 200), st.just(0)),
        st.tuples(st.just("owe"), st.integers(1, 50), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 2), st.just(0)),
    ),
    max_size=14,
)


@dataclass
class Story:
    """One member's payouts, and what must be true of them."""

    member: int
    now: Instant = NOW
    accrued: int = 0
    spent: int = 0
    taken_back: int = 0
    made: list[PayoutView] = field(default_factory=list)

    async def take(self, step: Step) -> None:
        name, first, second = step
        verbs: dict[str, Callable[[int, int], Awaitable[None]]] = {
            "grant": self.grant,
            "request": self.request,
            "change": self.change,
            "spend": self.spend,
            "owe": self.owe,
            "wait": self.wait,
        }
        await verbs[name](first, second)

    async def grant(self, amount: int, days: int) -> None:
        made = granted(amount, at=self.now, asset="USD")
        if days:
            expiry = Instant(self.now + days * DAY)
            made = granted(amount, at=self.now, asset="USD", expires_at=expiry)
        await grant(self.member, made, now=self.now)
        self.accrued += amount

    async def request(self, amount: int, _: int) -> None:
        available = (await balance(self.member, now=self.now)).available
        wanted = amount or None  # 0 stands for everything
        if available < (amount or 1):
            with pytest.raises(InsufficientCashback) as refused:
                await request(self.member, wanted, now=self.now)
            assert refused.value.available == available
            return
        self.made.append(await request(self.member, wanted, now=self.now))
        assert self.made[-1].amount_minor == (amount or available)

    async def change(self, number: int, to: int) -> None:
        if not self.made:
            return
        at = number % len(self.made)
        payout, status = self.made[at], CHANGES[to]
        try:
            self.made[at] = await change(status, self.member, now=self.now)(payout.id)
        except (AlreadyDecided, NotAllowed):
            found = await payouts.find_payouts([payout.id])
            assert found[payout.id] == payout

    async def spend(self, amount: int, _: int) -> None:
        try:
            await spend(self.member, amount, now=self.now, asset="USD")
        except InsufficientPoints:
            return
        self.spent += amount

    async def owe(self, amount: int, _: int) -> None:
        """A return takes back what is not there."""
        async with (
            sql.transaction(),
            ledger.journal([self.member], ["USD"], recorded_at=self.now) as journal,
        ):
            await journal.load_lots([self.member], "USD")
            if any(lot.remaining for lot in journal.account(self.member, "USD").lots.values()):
                return
            cause = ledger.Cause(ledger.Reason.RECALL, "test", None)
            journal.owe(self.member, "USD", amount, version=1, cause=cause)
        self.taken_back += amount

    async def wait(self, days: int, _: int) -> None:
        self.now = Instant(self.now + days * DAY)

    async def check(self) -> None:
        """The books are right, and everything that was accrued is somewhere."""
        await check_books()
        has = await balance(self.member, now=self.now)
        paid = sum(one.amount_minor for one in self.made if one.status is PayoutStatus.PAID)
        under_way = sum(
            one.amount_minor
            for one in self.made
            if one.status in (PayoutStatus.REQUESTED, PayoutStatus.APPROVED)
        )
        assert (has.held, has.moved_total, has.redeemed_total) == (under_way, -paid, self.spent)
        assert (has.granted_total, has.reversed_total) == (self.accrued, self.taken_back)
        assert self.accrued == (
            has.available
            + has.pending
            + has.held
            + self.spent
            + paid
            + has.expired_total
            + self.taken_back
        )


@trying(60)
@given(steps=STEPS)
async def test_everything_that_was_accrued_is_somewhere(
    database: Address, steps: list[Step]
) -> None:
    async with undone():
        await published({("returns",): {"grace_days": GRACE_DAYS}})
        story = Story(await member_with(0))
        for step in steps:
            await story.take(step)
            await story.check()
        story.now = later(365)
        await story.check()
