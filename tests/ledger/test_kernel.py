"""Whatever is granted, spent, left to expire and undone: the ledger agrees with a simple model."""

from copy import deepcopy
from dataclasses import dataclass, field

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from server.clock import NEVER, Instant
from server.errors import InsufficientPoints, InvalidInput
from server.ledger import service as ledger
from server.ledger.rules import MAXIMUM_BALANCE
from server.ledger.service import Balance, ExpiringValue, Holding, Journal
from server.storage import sql
from server.storage.database import Address
from tests.ledger.books import (
    ASSETS,
    DAY,
    SECOND,
    START,
    check_books,
    granted,
    new_members,
    take,
    whole_statement,
)
from tests.ledger.model import ModelAccount, TooLittle, TooMuch
from tests.playing import undone
from tests.properties import trying

MEMBERS = 2
WAITS = (0, 1, SECOND, DAY // 2, DAY, 3 * DAY, 40 * DAY)


@dataclass(frozen=True)
class Give:
    """A grant; it may arrive late, even after its expiry."""

    asset: str
    amount: int
    late: int = 0
    pending: int = 0
    life: int | None = None  # None: never expires


@dataclass(frozen=True)
class Take:
    """A spending: so many thousandths of what is available, and so much more."""

    asset: str
    thousandths: int
    more: int = 0


@dataclass(frozen=True)
class Step:
    """After a while, one transaction for a member, which may be undone.

    With `to_edge`, the while ends just at (or a microsecond before) the next change by time alone.
    """

    wait: int
    to_edge: int | None  # how long before the edge
    member: int
    orders: list[Give | Take] = field(default_factory=list)
    is_undone: bool = False
    page: int = 3


assets = st.sampled_from((ASSETS[0], ASSETS[0], ASSETS[1]))
amounts = st.integers(0, 1000) | st.sampled_from((1, MAXIMUM_BALANCE, MAXIMUM_BALANCE - 500))
spans = st.sampled_from((0, 0, 1, DAY, 3 * DAY, 10 * DAY))
lives = st.sampled_from((1, DAY, 2 * DAY, 5 * DAY, 30 * DAY, None))
gives = st.builds(Give, assets, amounts, spans, spans, lives)
takes = st.builds(Take, assets, st.integers(0, 1000), st.sampled_from((0, 0, 0, 1, 500)))
steps = st.lists(
    st.builds(
        Step,
        st.sampled_from(WAITS),
        st.none() | st.sampled_from((0, 1)),
        st.integers(0, MEMBERS - 1),
        st.lists(gives | takes, max_size=4),
        st.sampled_from((False, False, False, True)),
        st.integers(1, 4),
    ),
    min_size=1,
    max_size=14,
)


class _Undone(Exception):
    """Ends a transaction that is to be undone."""


Snapshot = tuple[Instant, tuple[int, str], tuple[int, int]]


class Run:
    """The real ledger and the model, side by side."""

    def __init__(self, ids: list[int]) -> None:
        self.ids = ids
        self.now = START
        self.model = {(id_, asset): ModelAccount() for id_ in ids for asset in ASSETS}
        self.opened: set[int] = set()
        self.snapshots: list[Snapshot] = []
        self.statements: dict[tuple[int, str], list[tuple[int, int, int, str, Instant]]] = {}

    async def step(self, step: Step) -> None:
        """Does it to both."""
        self.pass_time(step)
        member_id = self.ids[step.member]
        copies = {asset: deepcopy(self.model[member_id, asset]) for asset in ASSETS}
        try:
            async with (
                sql.transaction(),
                ledger.journal([member_id], ASSETS, recorded_at=self.now) as opened,
            ):
                for account in copies.values():
                    account.book(self.now)
                for order in step.orders:
                    await self.obey(order, opened, member_id, copies)
                if step.is_undone:
                    raise _Undone
        except _Undone:
            return
        self.opened.add(member_id)
        self.model |= {(member_id, asset): account for asset, account in copies.items()}

    def pass_time(self, step: Step) -> None:
        """Moves the clock."""
        self.now = Instant(self.now + step.wait)
        edges = {edge for account in self.model.values() for edge in account.edges()}
        ahead = min((edge for edge in edges if self.now < edge < NEVER), default=None)
        if step.to_edge is not None and ahead is not None:
            self.now = Instant(max(self.now, ahead - step.to_edge))

    async def obey(
        self, order: Give | Take, opened: Journal, member_id: int, copies: dict[str, ModelAccount]
    ) -> None:
        """Does one thing to both; what the one refuses the other refuses."""
        account = copies[order.asset]
        if isinstance(order, Take):
            amount = account.now(self.now)[0] * order.thousandths // 1000 + order.more
            if amount == 0:
                return
            try:
                left = account.spend(amount, self.now)
            except TooLittle:
                usable = account.now(self.now)[0]
                with pytest.raises(InsufficientPoints) as caught:
                    await take(opened, member_id, amount, order.asset)
                facts = (caught.value.available, caught.value.required, caught.value.short_by)
                assert facts == (usable, amount, amount - usable)
                return
            assert await take(opened, member_id, amount, order.asset) == left
        else:
            self.give(order, opened, member_id, account)

    def give(self, order: Give, opened: Journal, member_id: int, account: ModelAccount) -> None:
        """Grants to both."""
        earned_at = Instant(self.now - order.late)
        grant = granted(
            order.amount,
            at=earned_at,
            available_at=Instant(earned_at + order.pending),
            expires_at=NEVER if order.life is None else Instant(earned_at + order.life),
            asset=order.asset,
        )
        try:
            account.grant(
                grant.amount,
                earned_at=earned_at,
                available_at=grant.available_at,
                expires_at=grant.expires_at,
            )
        except TooMuch:
            with pytest.raises(InvalidInput):
                opened.grant(member_id, grant)
            return
        assert (opened.grant(member_id, grant) is None) == (grant.amount == 0)
        if order.amount:  # what was seen from then on was seen without it
            self.snapshots = [seen for seen in self.snapshots if seen[0] < earned_at]

    async def check(self, page: int) -> None:
        """Asserts that every answer is the model's."""
        await check_books()
        holdings = await ledger.holdings(self.ids, self.now)
        balances = await ledger.balances(self.ids, self.now)
        assert (
            set(holdings) == set(balances) == {key for key in self.model if key[0] in self.opened}
        )
        self.snapshots = [seen for seen in self.snapshots if seen[0] < self.now]
        for key, account in self.model.items():
            if key in holdings:
                assert holdings[key] == expected_holding(account, self.now)
                assert holdings[key].balance == balances[key]
            self.snapshots.append((self.now, key, account.now(self.now)))
            await self.check_statement(key, account, page)
            await self.check_other_times(key, account)

    async def check_statement(self, key: tuple[int, str], account: ModelAccount, page: int) -> None:
        """All lines are there in pages of any size, and no line that was shown has changed."""
        lines = [
            (line.sequence, line.amount, line.balance_after, line.reason.value, line.occurred_at)
            for line in await whole_statement(*key, at=self.now, size=page)
        ]
        assert lines == account.statement(self.now)
        before = self.statements.get(key, [])
        assert lines[len(lines) - len(before) :] == before
        self.statements[key] = lines

    async def check_other_times(self, key: tuple[int, str], account: ModelAccount) -> None:
        """The past as it was, the future as it will be if nothing happens."""
        for at, of, seen in self.snapshots[-6:]:
            if of == key:
                assert pair(await ledger.balance_at(*key, at)) == seen
        edges = account.edges()
        for edge in [*edges[:2], *edges[-3:]]:
            for at in map(Instant, (edge - 1, edge, edge + DAY // 3)):
                if at < NEVER:
                    assert pair(await ledger.balance_at(*key, at)) == account.as_of(at), at
        later = Instant(self.now + 2 * DAY)
        if key[0] in self.opened:
            projected = (await ledger.balances([key[0]], later))[key]
            assert pair(projected) == pair(await ledger.balance_at(*key, later))
            assert pair(projected) == account.now(later)


def pair(balance: Balance) -> tuple[int, int]:
    return balance.available, balance.pending


def expected_holding(account: ModelAccount, now: Instant) -> Holding:
    """What the model holds, booked or not."""
    expiring: dict[Instant, int] = {}
    for lot in account.lots:
        if lot.left and now < lot.expires_at < NEVER:
            expiring[lot.expires_at] = expiring.get(lot.expires_at, 0) + lot.left
    balance = Balance(
        *account.now(now),
        granted_total=account.total("purchase"),
        redeemed_total=account.total("redemption"),
        expired_total=account.total("expiry") + account.unbooked(now),
    )
    return Holding(balance, tuple(ExpiringValue(at, expiring[at]) for at in sorted(expiring)))


@trying(300)
@given(plan=steps)
async def test_every_answer_is_the_models_after_every_step(
    database: Address, plan: list[Step]
) -> None:
    async with undone():
        run = Run(await new_members(MEMBERS))
        for step in plan:
            await run.step(step)
            note(f"{run.now}: {step}")
            await run.check(step.page)
