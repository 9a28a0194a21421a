"""Whatever tills do in whatever order: the books are in order, and undoing everything undoes it."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from server.clock import Instant
from server.errors import DomainError
from server.storage import sql
from server.storage.database import Address
from tests.api.calling import NOW
from tests.households.living import SPENDER, founded
from tests.ledger.books import check_books
from tests.payments.tills import (
    SECOND,
    available,
    balance,
    cancel,
    cancel_redemption,
    hold,
    later,
    member_with,
    more_points,
    pay_with_cashback,
    pay_with_points,
    pay_with_voucher,
    publish,
    redeem,
    release,
    settle,
)
from tests.playing import undone
from tests.properties import trying

ACTS = ("pay", "pool", "cash", "hold", "settle", "release", "redeem", "voucher", "cancel", "wait")


@dataclass
class Tills:
    """What has happened so far."""

    members: list[int]
    now: Instant = NOW
    payments: list[int] = field(default_factory=list)
    holds: list[int] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)

    async def act(self, name: str, number: int) -> None:
        """One act, as far as it is possible."""
        member = self.members[number % len(self.members)]
        if name == "wait":
            self.now = Instant(self.now + number * SECOND)
        elif name in ("pay", "pool", "cash", "voucher"):
            await self._pay(name, member, number)
        elif name == "hold":
            held = await hold(
                member, number, ttl=number, now=self.now, from_household=bool(number % 2)
            )
            self.holds.append(held.hold.id)
        elif name == "redeem":
            redeemed = await redeem(member, 1000, now=self.now, from_household=bool(number % 2))
            self.codes.append(redeemed.voucher.code)
        elif name == "settle" and self.holds:
            chosen = self.holds[number % len(self.holds)]
            paid = await settle(chosen, points=number, now=self.now)
            self.payments.append(paid.payment.id)
        elif name == "release" and self.holds:
            await release(self.holds[number % len(self.holds)], now=self.now)
        elif name == "cancel" and self.payments:
            await cancel(self.payments[number % len(self.payments)], now=self.now)

    async def _pay(self, name: str, member: int, number: int) -> None:
        if name == "voucher":
            if not self.codes:
                return
            code = self.codes[number % len(self.codes)]
            paid = await pay_with_voucher(code, number, now=self.now)
        elif name == "cash":
            paid = await pay_with_cashback(member, number, now=self.now)
        else:
            paid = await pay_with_points(
                member, number, now=self.now, from_household=name == "pool"
            )
        self.payments.append(paid.payment.id)

    async def tried(self, name: str, number: int) -> None:
        """One act, which may be refused."""
        try:
            async with sql.transaction():
                await self.act(name, number)
        except DomainError:
            pass

    async def undo(self) -> None:
        """Everything is cancelled or released."""
        for payment in self.payments:
            await _ignoring(cancel(payment, now=self.now))
        for code in self.codes:
            await _ignoring(cancel_redemption(code, now=self.now))
        for one in self.holds:
            await _ignoring(release(one, now=self.now))


async def _ignoring(work: object) -> None:
    try:
        async with sql.transaction():
            await work  # type: ignore[misc] # any coroutine
    except DomainError:
        pass


@trying(40)
@given(
    st.lists(st.tuples(st.sampled_from(ACTS), st.integers(1, 400)), min_size=1, max_size=14),
    st.sampled_from([(1, 1), (7, 3), (3, 7)]),
)
async def test_all_that_was_done_can_be_undone(
    database: Address, acts: list[tuple[str, int]], rate: tuple[int, int]
) -> None:
    async with undone():
        await publish({("paying_with_points",): {"points": rate[0], "worth_minor": rate[1]}})
        anna, bob = await member_with(900, cashback=300), await member_with(800, cashback=200)
        for member in (anna, bob):
            await more_points(member, 200, expires_at=later(seconds=600))
        await founded(anna, (bob, SPENDER))
        tills = Tills([anna, bob])
        for name, number in acts:
            await tills.tried(name, number)
            await check_books()
        await tills.undo()
        await check_books()
        for member, points, cash in ((anna, 1100, 300), (bob, 1000, 200)):
            after = await balance(member, at=tills.now)
            # Nothing is gone but what lapsed while nobody had taken it.
            assert after.available + after.expired_total == points
            assert (after.redeemed_total, after.held, after.owed) == (0, 0, 0)
            assert await available(member, "USD", at=tills.now) == cash
