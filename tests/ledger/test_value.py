"""Whatever is granted, used, held, given, undone and given back: the ledger agrees with a model."""

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from server.clock import NEVER, Instant
from server.errors import InsufficientPoints
from server.ledger import service as ledger
from server.ledger.errors import HoldResolved
from server.ledger.service import (
    Balance,
    Cause,
    ExpiringValue,
    Flow,
    Reason,
    ReturnPolicy,
    Side,
    Undone,
)
from server.money import POINTS
from server.storage import sql
from server.storage.database import Address
from server.storage.ids import new_id
from tests.ledger.books import (
    DAY,
    START,
    check_books,
    granted,
    new_members,
    whole_statement,
)
from tests.ledger.value_model import Grant, Model, Purse, Reserved, TooLittle
from tests.playing import undone
from tests.properties import trying

MEMBERS = 2
VERBS = ("grant", "grant", "spend", "hold", "settle", "release", "give", "undo", "undo", "restore")


@dataclass(frozen=True)
class Order:
    """One verb; what a number means depends on it."""

    verb: str
    amount: int
    choice: int
    late: int
    span: int
    life: int | None
    policy: ReturnPolicy
    is_pooled: bool


@dataclass(frozen=True)
class Step:
    """After a while, or at the next change by time alone, one transaction for one or all."""

    wait: int | None
    member: int
    is_for_all: bool
    orders: list[Order] = field(default_factory=list)
    is_undone: bool = False
    page: int = 3


spans = st.sampled_from((0, 0, 1, DAY, 3 * DAY))
orders = st.builds(
    Order,
    st.sampled_from(VERBS),
    st.integers(1, 30),
    st.integers(0, 7),
    spans,
    spans,
    st.sampled_from((1, DAY, 2 * DAY, 5 * DAY, None)),
    st.sampled_from(ReturnPolicy),
    st.booleans(),
)
steps = st.lists(
    st.builds(
        Step,
        st.none() | st.sampled_from((0, 1, DAY // 2, DAY, 4 * DAY)),
        st.integers(0, MEMBERS - 1),
        st.booleans(),
        st.lists(orders, max_size=4),
        st.sampled_from((False, False, False, True)),
        st.integers(1, 4),
    ),
    min_size=1,
    max_size=14,
)


class _Undone(Exception):
    """Ends a transaction that is to be undone."""


@dataclass
class World:
    """The model, and by what ids the ledger knows its things."""

    model: Model
    lots: list[int] = field(default_factory=list)
    holds: list[int] = field(default_factory=list)


class Run:
    """The real ledger and the model, side by side."""

    def __init__(self, ids: list[int]) -> None:
        self.ids = ids
        self.world = World(Model(ids, START))
        self.seen: list[tuple[Instant, int, Purse]] = []
        self.statements: dict[int, list[ledger.StatementLine]] = {}

    async def step(self, step: Step) -> None:
        """Does it to both."""
        world = deepcopy(self.world)
        ahead = world.model.changes()
        now = world.model.now + (step.wait or 0)
        if step.wait is None and ahead:
            now = ahead[0]
        world.model.advance(Instant(now))
        self.world.model.advance(Instant(now))
        members = self.ids if step.is_for_all else [self.ids[step.member]]
        seen = self.seen
        try:
            async with (
                sql.transaction(),
                ledger.journal(members, [POINTS], recorded_at=Instant(now)) as journal,
            ):
                for order in step.orders:
                    await Play(self, world, journal, members).obey(order, self.ids[step.member])
                if step.is_undone:
                    raise _Undone
        except _Undone:
            self.seen = seen
            return
        self.world = world

    # ---------------------------------------------------------------- what must hold

    async def check(self, page: int) -> None:
        """Asserts that every answer is the model's, before and after time's work is booked."""
        await check_books()
        now = self.world.model.now
        self.seen = [each for each in self.seen if each[0] < now]
        before = await self.answers(now, page)
        for member_id in self.ids:
            self.seen.append((now, member_id, self.world.model.purse(member_id)))
            await self.check_member(member_id, before.statements[member_id])
        assert before.flows == self.expected_flows(before.edges)
        async with undone():
            async with sql.transaction(), ledger.journal(self.ids, [POINTS], recorded_at=now):
                pass
            await check_books()
            assert await self.answers(now, page) == before
        later = deepcopy(self.world.model)
        later.advance(Instant(now + 2 * DAY))
        holdings = await ledger.holdings(self.ids, later.now)
        for member_id in self.ids:
            assert purse(await ledger.balance_at(member_id, POINTS, later.now)) == later.purse(
                member_id
            )
            if (member_id, POINTS) in holdings:
                check_holding(holdings[member_id, POINTS], later, member_id)

    async def answers(self, now: Instant, page: int) -> "Answers":
        """What the ledger says, in as many ways as it can be asked."""
        edges = [Instant(START + day * DAY) for day in (-2, -1, 0, 1, 2, 3)]
        edges = sorted({*edges, now, Instant(now + 1), Instant(now + DAY)})
        holdings = await ledger.holdings(self.ids, now)
        for key in [
            key for key, holding in holdings.items() if holding == ledger.Holding(Balance())
        ]:
            del holdings[key]
        return Answers(
            holdings,
            {id_: await ledger.balance_at(id_, POINTS, now) for id_ in self.ids},
            {id_: await whole_statement(id_, at=now, size=page) for id_ in self.ids},
            {id_: await whole_activity(id_, now, page) for id_ in self.ids},
            edges,
            await ledger.flows(edges),
        )

    async def check_member(self, member_id: int, lines: list[ledger.StatementLine]) -> None:
        """Asserts that a member's balance and statement are right, and were."""
        model = self.world.model
        holdings = await ledger.holdings([member_id], model.now)
        if holdings:
            check_holding(holdings[member_id, POINTS], model, member_id)
        for at, of, had in self.seen[-8:]:
            if of == member_id:
                assert purse(await ledger.balance_at(member_id, POINTS, at)) == had
        shown = self.statements.get(member_id, [])
        assert lines[len(lines) - len(shown) :] == shown
        self.statements[member_id] = lines
        after = 0
        for line in reversed(lines):
            after += line.amount
            assert line.balance_after == after
        assert after == model.worth(member_id)
        activity = await whole_activity(member_id, model.now, 50)
        assert sum(line.amount for line in activity) == after
        assert [line.sequence for line in activity] == sorted(
            {line.sequence for line in activity}, reverse=True
        )

    def expected_flows(self, edges: list[Instant]) -> dict[tuple[str, int], Flow]:
        """What the model says has happened in each span; expiries to come are foreseen."""
        model = deepcopy(self.world.model)
        model.advance(edges[-1])
        flows: dict[int, Counter[str]] = {}
        for at, kind, amount in model.events:
            span = sum(edge <= at for edge in edges)
            if span < len(edges):
                flows.setdefault(span, Counter())[kind] += amount
        return {(POINTS, n): Flow(**flow) for n, flow in flows.items() if any(flow.values())}


class Answers(msgspec.Struct):
    """What the ledger says at an instant."""

    holdings: dict[tuple[int, str], ledger.Holding]
    balances: dict[int, Balance]
    statements: dict[int, list[ledger.StatementLine]]
    activities: dict[int, list[ledger.StatementLine]]
    edges: list[Instant]
    flows: dict[tuple[str, int], Flow]


def purse(balance: Balance) -> Purse:
    return balance.available, balance.pending, balance.held, balance.owed


def check_holding(holding: ledger.Holding, model: Model, member_id: int) -> None:
    balance = holding.balance
    assert purse(balance) == model.purse(member_id)
    assert balance.available >= 0 or balance.owed
    totals = {
        "granted": balance.granted_total,
        "redeemed": balance.redeemed_total,
        "expired": balance.expired_total,
        "reversed": balance.reversed_total,
        "moved": balance.moved_total,
    }
    assert totals == {kind: model.totals[member_id, kind] for kind in totals}
    assert balance.available + balance.pending + balance.held == (
        totals["granted"]
        - totals["redeemed"]
        - totals["expired"]
        - totals["reversed"]
        + totals["moved"]
    )
    assert holding.expiring == tuple(
        ExpiringValue(at, amount) for at, amount in model.expiring(member_id)
    )


async def whole_activity(member_id: int, at: Instant, size: int) -> list[ledger.StatementLine]:
    lines: list[ledger.StatementLine] = []
    while True:
        before = lines[-1].sequence if lines else None
        found = await ledger.activities([member_id], POINTS, at=at, before=before, limit=size)
        page = found[member_id].lines
        lines += page
        if len(page) < size:
            return lines


@dataclass
class Play:
    """One transaction: each order is obeyed by both."""

    run: Run
    world: World
    journal: ledger.Journal
    members: list[int]

    async def obey(self, order: Order, member: int) -> None:
        """Does one thing to both; what the one refuses the other refuses."""
        worth = {id_: self.world.model.worth(id_) for id_ in self.run.ids}
        await getattr(self, f"_{order.verb}")(order, member)
        if order.verb == "undo":
            assert all(self.world.model.worth(id_) <= worth[id_] for id_ in worth)
        elif order.verb in ("hold", "release"):
            assert all(
                self.world.model.worth(id_) <= worth[id_] for id_ in worth
            )  # less what lapses

    def _spenders(self, order: Order, member: int) -> list[int]:
        if order.is_pooled and not self.world.model.is_ambiguous(self.members):
            return self.members
        return [member]

    async def _grant(self, order: Order, member: int) -> None:
        now = self.world.model.now
        earned = Instant(now - order.late)
        made = granted(
            order.amount,
            at=earned,
            available_at=Instant(earned + order.span),
            expires_at=NEVER if order.life is None else Instant(earned + order.life),
            reference=new_id(),
        )
        self.world.model.grant(
            member,
            order.amount,
            earned=earned,
            available=made.available_at,
            expires=made.expires_at,
        )
        lot_id = self.journal.grant(member, made)
        assert lot_id is not None
        self.world.lots.append(lot_id)
        # What was seen from then on was seen without it.
        self.run.seen = [each for each in self.run.seen if each[0] < earned]

    async def _spend(self, order: Order, member: int) -> None:
        spenders, reference, model = self._spenders(order, member), new_id(), self.world.model
        cause = Cause(Reason.REDEMPTION, "voucher", reference)
        usable = model.available(spenders)
        try:
            model.spend(spenders, order.amount, reference)
        except TooLittle:
            with pytest.raises(InsufficientPoints) as caught:
                await self.journal.spend(spenders, POINTS, order.amount, cause=cause)
            assert (caught.value.available, caught.value.required) == (usable, order.amount)
            return
        left = await self.journal.spend(spenders, POINTS, order.amount, cause=cause)
        assert left == model.available(spenders)

    async def _hold(self, order: Order, member: int) -> None:
        spenders, model = self._spenders(order, member), self.world.model
        until = Instant(model.now + (order.life or 9 * DAY))

        async def reserve() -> ledger.HoldView:
            return await ledger.hold(
                self.journal,
                spenders,
                POINTS,
                order.amount,
                by=member,
                purpose="till",
                expires_at=until,
            )

        try:
            model.hold(spenders, order.amount, until)
        except TooLittle:
            with pytest.raises(InsufficientPoints):
                await reserve()
            return
        self.world.holds.append((await reserve()).id)

    def _chosen_hold(self, order: Order) -> tuple[Reserved, int] | None:
        model = self.world.model
        if not model.holds:
            return None
        number = -1 - order.choice % len(model.holds)
        hold = model.holds[number]
        if any(pile.owner not in self.members for pile, _ in hold.parts):
            return None
        return hold, self.world.holds[number]

    async def _settle(self, order: Order, member: int) -> None:
        if (chosen := self._chosen_hold(order)) is None:
            return
        hold, hold_id = chosen
        amount = min(order.amount, sum(amount for _, amount in hold.parts))
        reference = new_id()

        async def settle() -> ledger.HoldView:
            cause = Cause(Reason.PAYMENT, "payment", reference)
            return await ledger.settle(
                self.journal, hold_id, amount, side=Side.REDEEMED, cause=cause
            )

        if hold.outcome != "open":
            with pytest.raises(HoldResolved):
                await settle()
            return
        self.world.model.settle(hold, amount, reference)
        view = await settle()
        assert (view.settled_amount, view.resolution) == (amount, "settled")
        assert (await ledger.find_holds([hold_id]))[hold_id] == view

    async def _release(self, order: Order, member: int) -> None:
        if (chosen := self._chosen_hold(order)) is None:
            return
        hold, hold_id = chosen
        if hold.outcome != "open":
            with pytest.raises(HoldResolved) as caught:
                await ledger.release(self.journal, hold_id)
            assert caught.value.facts["status"] == hold.outcome.upper()
            return
        self.world.model.release(hold)
        await ledger.release(self.journal, hold_id)

    async def _give(self, order: Order, member: int) -> None:
        receivers = [id_ for id_ in self.members if id_ != member]
        if not receivers:
            return
        amount = order.amount
        try:
            gifts = self.world.model.give(member, receivers[0], amount)
        except TooLittle:
            with pytest.raises(InsufficientPoints):
                await ledger.give(
                    self.journal, member, receivers[0], POINTS, amount, reference=new_id()
                )
            return
        left = await ledger.give(
            self.journal, member, receivers[0], POINTS, amount, reference=new_id()
        )
        assert left == self.world.model.available([member])
        known = set(self.world.lots)
        received = self.journal.account(receivers[0], POINTS).lots.values()
        fresh = [lot.id for lot in received if lot.reason == "gift_received"]
        fresh = sorted(id_ for id_ in fresh if id_ not in known)[-len(gifts) :]
        self.world.lots += fresh

    async def _undo(self, order: Order, member: int) -> None:
        model = self.world.model
        if not model.grants:
            return
        number = -1 - order.choice % len(model.grants)
        grant = model.grants[number]
        if grant.owner not in self.members:
            return
        amount = grant.amount if order.is_pooled else order.amount
        found = await undo(
            self.journal, grant, self.world.lots[number], amount, policy=order.policy
        )
        expected = model.undo(grant, amount, order.policy)
        assert found == Undone(sum(expected), *expected)

    async def _restore(self, order: Order, member: int) -> None:
        model = self.world.model
        open_uses = [
            (reference, used)
            for reference, used in model.uses.items()
            if used and all(pile.owner in self.members for pile, _ in used)
        ]
        if not open_uses:
            return
        # What this transaction itself has used is not written yet.
        reference, used = open_uses[-1 - order.choice % len(open_uses)]
        if not await ledger.users(reference):
            return
        assert await ledger.users(reference) == sorted({pile.owner for pile, _ in used})
        amount = min(order.amount, sum(amount for _, amount in used))
        grace = Instant(model.now + DAY + order.span)
        restored = await ledger.restore(
            self.journal,
            reference,
            amount,
            side=Side.REDEEMED,
            rule="voucher",
            restored_by=reference,
            grace_expires_at=grace,
        )
        with_grace = model.restore(reference, amount, grace)
        assert restored == ledger.Restored(amount, with_grace)


async def undo(
    journal: ledger.Journal, grant: Grant, lot_id: int, amount: int, *, policy: ReturnPolicy
) -> Undone:
    return await ledger.undo(
        journal,
        grant.owner,
        POINTS,
        lot_id,
        amount,
        policy=policy,
        rule="return",
        reference=new_id(),
    )


@trying(60)
@given(plan=steps)
async def test_every_answer_is_the_models_after_every_step(
    database: Address, plan: list[Step]
) -> None:
    async with undone():
        run = Run(await new_members(MEMBERS))
        for step in plan:
            note(f"{run.world.model.now}: {step}")
            await run.step(step)
            await run.check(step.page)
