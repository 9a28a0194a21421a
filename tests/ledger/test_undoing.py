"""What a return takes back and what it gives back, case by case and as properties."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.clock import NEVER, Instant
from server.errors import InsufficientPoints, InvalidInput
from server.ledger import service as ledger
from server.ledger.rules import MAXIMUM_BALANCE
from server.ledger.service import (
    Balance,
    Cause,
    Flow,
    Reason,
    Restored,
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
    book,
    check_books,
    everything,
    granted,
    new_members,
    whole_statement,
)
from tests.playing import undone
from tests.properties import trying


def after(days: float) -> Instant:
    return Instant(START + round(days * DAY))


async def lot_of(member_id: int, grant: ledger.Grant, *, now: Instant = START) -> int:
    async with sql.transaction(), ledger.journal([member_id], [POINTS], recorded_at=now) as journal:
        lot_id = journal.grant(member_id, grant)
    assert lot_id is not None
    return lot_id


async def use(member_id: int, amount: int, *, now: Instant = START) -> int:
    """Spends; by what reference it can be given back."""
    reference = new_id()
    cause = Cause(Reason.REDEMPTION, "voucher", reference)
    async with sql.transaction(), ledger.journal([member_id], [POINTS], recorded_at=now) as journal:
        await journal.spend(member_id, POINTS, amount, cause=cause)
    return reference


async def hold(member_id: int, amount: int, *, now: Instant = START, until: Instant) -> int:
    async with sql.transaction(), ledger.journal([member_id], [POINTS], recorded_at=now) as journal:
        made = await ledger.hold(
            journal, member_id, POINTS, amount, by=member_id, purpose="till", expires_at=until
        )
    return made.id


async def undo(
    member_id: int,
    lot_id: int,
    *parts: int,
    policy: ReturnPolicy = ReturnPolicy.INTO_NEGATIVE,
    now: Instant = START,
) -> Undone:
    """Undoes in parts, in one transaction."""
    total = Undone()
    async with sql.transaction(), ledger.journal([member_id], [POINTS], recorded_at=now) as journal:
        for part in parts:
            total += await ledger.undo(
                journal,
                member_id,
                POINTS,
                lot_id,
                part,
                policy=policy,
                rule="return",
                reference=new_id(),
            )
    return total


async def give_back(reference: int, amount: int, *, now: Instant, grace: Instant) -> Restored:
    users = await ledger.users(reference)
    async with sql.transaction(), ledger.journal(users, [POINTS], recorded_at=now) as journal:
        return await ledger.restore(
            journal,
            reference,
            amount,
            side=Side.REDEEMED,
            rule="voucher",
            restored_by=reference,
            grace_expires_at=grace,
        )


async def balance(member_id: int, at: Instant) -> Balance:
    return (await ledger.balances([member_id], at))[member_id, POINTS]


async def worth(member_id: int, at: Instant) -> int:
    found = await balance(member_id, at)
    return found.available + found.pending + found.held


# ---------------------------------------------------------------- cases


async def test_what_lapses_in_the_same_transaction_is_not_taken_again(database: Address) -> None:
    [member] = await new_members(1)
    lot_id = await lot_of(member, granted(10, at=START, expires_at=after(1)))
    await lot_of(member, granted(50, at=START))
    assert await undo(member, lot_id, 10, now=after(2)) == Undone(10, lapsed=10)
    assert await worth(member, after(2)) == 50
    await check_books()


async def test_several_parts_in_one_transaction_know_of_each_other(database: Address) -> None:
    [member] = await new_members(1)
    lot_id = await lot_of(member, granted(10, at=START))
    await use(member, 4)
    expected = Undone(10, from_lot=6, owed=4)
    assert await undo(member, lot_id, 3, 3, 3, 3) == expected
    assert await worth(member, START) == -4
    await check_books()


async def test_a_hold_is_settled_or_released_in_the_transaction_that_made_it(
    database: Address,
) -> None:
    [member] = await new_members(1)
    async with sql.transaction(), ledger.journal([member], [POINTS], recorded_at=START) as journal:
        journal.grant(member, granted(10, at=START))
        for settled in (4, 0):
            made = await ledger.hold(
                journal, member, POINTS, 5, by=member, purpose="till", expires_at=after(1)
            )
            if settled:
                cause = Cause(Reason.PAYMENT, "payment", new_id())
                await ledger.settle(journal, made.id, settled, side=Side.REDEEMED, cause=cause)
            else:
                await ledger.release(journal, made.id)
    for at in (START, after(2)):
        found = await balance(member, at)
        assert (found.available, found.held, found.redeemed_total) == (6, 0, 4)
    await book(member, now=after(2))
    await check_books()


async def test_what_a_hold_gives_back_fills_what_is_owed_though_its_lot_has_lapsed(
    database: Address,
) -> None:
    [member] = await new_members(1)
    lot_id = await lot_of(member, granted(10, at=START, expires_at=after(1)))
    await hold(member, 10, until=after(3))
    assert await undo(member, lot_id, 10, now=after(2)) == Undone(10, owed=10)
    for _ in range(2):
        found = await balance(member, after(3))
        assert found == Balance(granted_total=10, reversed_total=10)
        assert await ledger.balance_at(member, POINTS, after(3)) == Balance()
        assert await ledger.flows([after(1), after(2.5), after(9)]) == {
            (POINTS, 0): Flow(granted=10),
            (POINTS, 1): Flow(reversed=10),
        }
        await book(member, now=after(3))
    await check_books()


async def test_giving_back_in_parts_with_grace_gives_back_once(database: Address) -> None:
    [member] = await new_members(1)
    await lot_of(member, granted(10, at=START, expires_at=after(1)))
    reference = await use(member, 10)
    for part, left in ((4, 6), (6, 0)):
        given = await give_back(reference, part, now=after(2), grace=after(9))
        assert given == Restored(part, part)
        assert await ledger.users(reference) == ([member] if left else [])
    lines = [
        (line.amount, line.balance_after) for line in await whole_statement(member, at=after(2))
    ]
    assert lines == [(6, 10), (4, 4), (-10, 0), (10, 10)]
    assert (await balance(member, after(2))).redeemed_total == 0
    assert await worth(member, after(9)) == 0
    await check_books()


async def test_the_grant_is_undone_where_its_value_went_on(database: Address) -> None:
    [member] = await new_members(1)
    lot_id = await lot_of(member, granted(10, at=START, expires_at=after(1)))
    reference = await use(member, 7)
    await give_back(reference, 5, now=after(2), grace=after(9))
    assert await undo(member, lot_id, 10, now=after(3)) == Undone(10, from_lot=5, lapsed=3, owed=2)
    await check_books()


async def test_a_duplicates_value_comes_back_to_the_survivor_less_what_the_duplicate_owed(
    database: Address,
) -> None:
    duplicate, survivor = await new_members(2)
    kept = await lot_of(duplicate, granted(10, at=START))
    lapsing = await lot_of(duplicate, granted(20, at=START, expires_at=after(1)))
    reference = await use(duplicate, 30)
    assert await undo(duplicate, kept, 3) == Undone(3, owed=3)
    async with (
        sql.transaction(),
        ledger.journal([duplicate, survivor], [POINTS], recorded_at=after(2)) as journal,
    ):
        restored = await ledger.restore(
            journal,
            reference,
            30,
            side=Side.REDEEMED,
            rule="voucher",
            restored_by=reference,
            grace_expires_at=after(9),
            heirs={duplicate: survivor},
        )
    assert restored == Restored(30, 20)
    assert await ledger.users(reference) == []
    assert await worth(duplicate, after(2)) == 0
    assert await worth(survivor, after(2)) == 27
    assert await worth(survivor, after(9)) == 7
    for member in (duplicate, survivor):
        lines = await whole_statement(member, at=after(2))
        assert sum(line.amount for line in lines) == await worth(member, after(2))
    await check_books()
    # The duplicate's grant is found at the survivor.
    async with (
        sql.transaction(),
        ledger.journal([duplicate, survivor], [POINTS], recorded_at=after(3)) as journal,
    ):
        found = await ledger.undo(
            journal,
            survivor,
            POINTS,
            lapsing,
            20,
            policy=ReturnPolicy.WITHIN_BALANCE,
            rule="return",
            reference=new_id(),
        )
    assert found == Undone(20, from_lot=20)
    assert await worth(survivor, after(3)) == 7
    await check_books()


@pytest.mark.parametrize(
    ("policy", "expected", "left"),
    [
        (ReturnPolicy.ONLY_PENDING, Undone(10, not_recovered=10), 3),
        (ReturnPolicy.WITHIN_BALANCE, Undone(10, 1, 0, 2, 0, 7), 0),
        (ReturnPolicy.INTO_NEGATIVE, Undone(10, 1, 0, 2, 7, 0), -7),
    ],
)
async def test_each_policy_takes_what_it_says(
    database: Address, policy: ReturnPolicy, expected: Undone, left: int
) -> None:
    [member] = await new_members(1)
    lot_id = await lot_of(member, granted(10, at=START, expires_at=after(5)))
    await lot_of(member, granted(2, at=START, available_at=after(1)))
    await use(member, 9)
    assert await undo(member, lot_id, 10, policy=policy) == expected
    assert await worth(member, START) == left
    assert await undo(member, lot_id, 10) == Undone()
    await check_books()


async def test_what_is_pending_is_taken_under_every_policy(database: Address) -> None:
    for policy in ReturnPolicy:
        [member] = await new_members(1)
        lot_id = await lot_of(member, granted(10, at=START, available_at=after(1)))
        assert await undo(member, lot_id, 4, policy=policy) == Undone(4, from_lot=4)
        later = await undo(member, lot_id, 6, policy=policy, now=after(1))
        if policy is ReturnPolicy.ONLY_PENDING:
            assert later == Undone(6, not_recovered=6)
        else:
            assert later == Undone(6, from_lot=6)


async def test_what_is_owed_is_filled_by_what_comes_in_pending_ones_included(
    database: Address,
) -> None:
    [member] = await new_members(1)
    lot_id = await lot_of(member, granted(10, at=START))
    await use(member, 10)
    await undo(member, lot_id, 10)
    with pytest.raises(InsufficientPoints) as caught:
        await use(member, 1)
    assert (caught.value.available, caught.value.short_by) == (-10, 11)
    await lot_of(member, granted(4, at=START, available_at=after(1)))
    assert await balance(member, START) == Balance(
        available=-6, owed=6, granted_total=14, redeemed_total=10, reversed_total=10
    )
    await lot_of(member, granted(9, at=START))
    assert (await balance(member, START)).available == 3
    await check_books()


async def test_an_account_that_is_full_takes_nothing_back_and_nothing_changes(
    database: Address,
) -> None:
    [member] = await new_members(1)
    await lot_of(member, granted(MAXIMUM_BALANCE, at=START))
    reference = await use(member, 5)
    await lot_of(member, granted(4, at=START))
    before = await everything()
    with pytest.raises(InvalidInput) as caught:
        await give_back(reference, 5, now=START, grace=after(1))
    assert caught.value.reason == "ledger.balance_limit"
    assert await everything() == before
    assert await give_back(reference, 1, now=START, grace=after(1)) == Restored(1)


async def test_a_debt_has_a_limit_too(database: Address) -> None:
    [member] = await new_members(1)
    first = await lot_of(member, granted(MAXIMUM_BALANCE, at=START))
    await use(member, MAXIMUM_BALANCE)
    second = await lot_of(member, granted(1, at=START))
    await use(member, 1)
    await undo(member, first, MAXIMUM_BALANCE)
    assert await worth(member, START) == -MAXIMUM_BALANCE
    before = await everything()
    with pytest.raises(InvalidInput):
        await undo(member, second, 1)
    assert await everything() == before


# ---------------------------------------------------------------- properties


@dataclass(frozen=True)
class Use:
    """Something that a member does with points of a grant, and how long afterwards nothing."""

    verb: str
    amount: int
    wait: int


uses = st.lists(
    st.builds(
        Use,
        st.sampled_from(("spend", "hold", "settle", "restore", "grant")),
        st.integers(1, 40),
        st.sampled_from((0, DAY // 3, DAY, 2 * DAY)),
    ),
    max_size=8,
)
parts = st.lists(st.integers(1, 60), max_size=4)


class Story:
    """A member who uses one grant and a hoard that never lapses."""

    def __init__(self, member: int, hoard: int) -> None:
        self.member, self.hoard, self.now = member, hoard, START
        self.holds: list[tuple[int, int]] = []
        self.used: list[tuple[int, int]] = []

    async def begin(self, grant: ledger.Grant) -> int:
        if self.hoard:
            await lot_of(self.member, granted(self.hoard, at=START))
        return await lot_of(self.member, grant)

    async def play(self, use_: Use) -> None:
        usable = max(0, (await balance(self.member, self.now)).available)
        amount = min(use_.amount, usable)
        if use_.verb == "grant":
            await lot_of(self.member, granted(use_.amount, at=self.now), now=self.now)
            self.hoard += use_.amount
        elif use_.verb == "spend" and amount:
            self.used.append((await use(self.member, amount, now=self.now), amount))
        elif use_.verb == "hold" and amount:
            until = Instant(self.now + DAY // 2)
            hold_id = await hold(self.member, amount, now=self.now, until=until)
            self.holds.append((hold_id, amount))
        elif use_.verb == "settle" and self.holds:
            await self.settle(use_.amount)
        elif use_.verb == "restore" and self.used:
            reference, amount = self.used.pop()
            back = min(amount, use_.amount)
            await give_back(reference, back, now=self.now, grace=Instant(self.now + DAY))
            if back < amount:
                self.used.append((reference, amount - back))
        self.now = Instant(self.now + use_.wait)

    async def settle(self, amount: int) -> None:
        hold_id, held = self.holds.pop()
        view = (await ledger.find_holds([hold_id]))[hold_id]
        if view.status(self.now) is not ledger.HoldStatus.OPEN:
            return
        cause, settled = Cause(Reason.PAYMENT, "payment", new_id()), min(amount, held)
        async with (
            sql.transaction(),
            ledger.journal([self.member], [POINTS], recorded_at=self.now) as journal,
        ):
            await ledger.settle(journal, hold_id, settled, side=Side.REDEEMED, cause=cause)
        assert cause.reference is not None
        self.used.append((cause.reference, settled))

    @property
    def without_the_grant(self) -> int:
        """What the member would have if the grant had never been made."""
        return self.hoard - sum(amount for _, amount in self.used)


grants = st.tuples(
    st.integers(1, 60), st.sampled_from((0, 0, DAY)), st.sampled_from((DAY, 2 * DAY, 4 * DAY, None))
)


@trying(60)
@given(grant=grants, hoard=st.sampled_from((0, 15, 200)), before=uses, after_=uses, cuts=parts)
async def test_a_grant_undone_into_negative_leaves_the_member_as_if_it_had_never_been(
    database: Address,
    grant: tuple[int, int, int | None],
    hoard: int,
    before: list[Use],
    after_: list[Use],
    cuts: list[int],
) -> None:
    amount, pending, life = grant
    async with undone():
        story = Story((await new_members(1))[0], hoard)
        lot_id = await story.begin(
            granted(
                amount,
                at=START,
                available_at=Instant(START + pending),
                expires_at=NEVER if life is None else Instant(START + life),
            )
        )
        for one in before:
            await story.play(one)
        # No hold is open any more: what is held when it is undone is made up for from other lots,
        # and lapses with its own lot.
        story.now = Instant(story.now + DAY // 2)
        for cut in cuts:
            worth_before = await worth(story.member, story.now)
            await undo(story.member, lot_id, cut, now=story.now)
            assert await worth(story.member, story.now) <= worth_before
        story.now = Instant(story.now + DAY)
        await undo(story.member, lot_id, amount, now=story.now)
        assert await worth(story.member, story.now) == story.without_the_grant
        for one in after_:
            if one.verb in ("spend", "grant"):
                await story.play(one)
        assert await worth(story.member, story.now) == story.without_the_grant
        assert await undo(story.member, lot_id, amount, now=story.now) == Undone()
        await check_books()


@trying(60)
@given(
    grant=grants,
    hoard=st.sampled_from((0, 15, 200)),
    before=uses,
    cuts=parts,
    policy=st.sampled_from(ReturnPolicy),
)
async def test_a_grant_undone_in_parts_is_undone_as_at_once(
    database: Address,
    grant: tuple[int, int, int | None],
    hoard: int,
    before: list[Use],
    cuts: list[int],
    policy: ReturnPolicy,
) -> None:
    amount, pending, life = grant
    async with undone():
        story = Story((await new_members(1))[0], hoard)
        lot_id = await story.begin(
            granted(
                amount,
                at=START,
                available_at=Instant(START + pending),
                expires_at=NEVER if life is None else Instant(START + life),
            )
        )
        for one in before:
            await story.play(one)
        found: list[tuple[Undone, ledger.Holding]] = []
        for is_apart in (False, True):
            for pieces in ([amount], [*cuts, amount], [*cuts[::-1], amount]):
                async with undone():
                    total = Undone()
                    for group in [[piece] for piece in pieces] if is_apart else [pieces]:
                        total += await undo(
                            story.member, lot_id, *group, policy=policy, now=story.now
                        )
                    key = (story.member, POINTS)
                    holding = (await ledger.holdings([story.member], story.now))[key]
                    found.append((total, holding))
        assert all(one == found[0] for one in found)


async def test_what_a_return_let_go_is_taken_when_its_use_is_undone(database: Address) -> None:
    [member] = await new_members(1)
    async with sql.transaction(), ledger.journal([member], [POINTS], recorded_at=START) as opened:
        lot = opened.grant(member, granted(100, at=START))
        await opened.spend(member, POINTS, 100, cause=Cause(Reason.REDEMPTION, "voucher", 7))
    assert lot is not None
    async with sql.transaction(), ledger.journal([member], [POINTS], recorded_at=START) as opened:
        taken_back = await ledger.undo(
            opened,
            member,
            POINTS,
            lot,
            60,
            policy=ReturnPolicy.WITHIN_BALANCE,
            rule="return",
            reference=8,
        )
    assert (taken_back.amount, taken_back.not_recovered) == (60, 60)
    async with sql.transaction(), ledger.journal([member], [POINTS], recorded_at=START) as opened:
        back = await ledger.restore(
            opened,
            7,
            100,
            side=Side.REDEEMED,
            rule="voucher",
            restored_by=9,
            grace_expires_at=NEVER,
        )
    assert (back.amount, back.withheld) == (100, 60)
    balance = (await ledger.balances([member], START))[member, POINTS]
    assert (balance.available, balance.reversed_total) == (40, 60)
    await check_books()
