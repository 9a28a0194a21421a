"""A balance at any instant is explained by its lots, and every number adds up."""

from hypothesis import given
from hypothesis import strategies as st

from server.clock import Instant
from server.explanations import service as explanations
from server.explanations.service import ExplainedLot, LotState
from server.ledger import service as ledger
from server.ledger.service import Cause, Reason, Side
from server.money import POINTS
from server.storage import sql
from server.storage.database import Address
from tests.ledger.books import DAY, START, granted, new_members
from tests.properties import trying


async def lots_of(
    member: int, at: Instant, *, before: int | None = None, limit: int = 10
) -> list[ExplainedLot]:
    found = await explanations.lots([member], POINTS, at, before=before, limit=limit)
    return found[member]


def after(days: int) -> Instant:
    return Instant(START + days * DAY)


async def play(member: int) -> None:
    """Forty granted, thirty granted; fifty used; ten held and partly settled; some lapses."""
    async with sql.transaction(), ledger.journal([member], [POINTS], recorded_at=START) as journal:
        journal.grant(member, granted(40, at=START, expires_at=after(10), reference=7))
        journal.grant(
            member, granted(30, at=START, available_at=after(2), expires_at=after(20), reference=8)
        )
    async with (
        sql.transaction(),
        ledger.journal([member], [POINTS], recorded_at=after(3)) as journal,
    ):
        await journal.spend(member, POINTS, 50, cause=Cause(Reason.REDEMPTION, "voucher", 99))
    async with (
        sql.transaction(),
        ledger.journal([member], [POINTS], recorded_at=after(4)) as journal,
    ):
        held = await ledger.hold(
            journal,
            member,
            POINTS,
            10,
            by=member,
            partner="shop",
            purpose="till",
            expires_at=after(6),
        )
    async with (
        sql.transaction(),
        ledger.journal([member], [POINTS], recorded_at=after(5)) as journal,
    ):
        cause = Cause(Reason.PAYMENT, "payment", 100)
        await ledger.settle(journal, held.id, 4, side=Side.REDEEMED, cause=cause)


def told(lot: ExplainedLot) -> tuple[LotState, int, int, list[tuple[Reason, int]]]:
    return (
        lot.state,
        lot.remaining,
        lot.held,
        [(one.reason, one.amount) for one in lot.movements],
    )


async def test_each_lot_says_what_used_it_by_the_instant(database: Address) -> None:
    [member] = await new_members(1)
    await play(member)
    used = [(Reason.REDEMPTION, -40)]
    part = [(Reason.REDEMPTION, -10)]
    expected = {
        0: [(LotState.PENDING, 30, 0, []), (LotState.AVAILABLE, 40, 0, [])],
        2: [(LotState.AVAILABLE, 30, 0, []), (LotState.AVAILABLE, 40, 0, [])],
        3: [(LotState.AVAILABLE, 20, 0, part), (LotState.USED, 0, 0, used)],
        4: [
            (LotState.AVAILABLE, 10, 10, [*part, (Reason.HOLD, -10)]),
            (LotState.USED, 0, 0, used),
        ],
    }
    for day, lots in expected.items():
        found = (await explanations.lots([member], POINTS, after(day), before=None, limit=10))[
            member
        ]
        assert [told(lot) for lot in found] == lots, day
    [open_lot, _] = (await explanations.lots([member], POINTS, after(5), before=None, limit=10))[
        member
    ]
    assert (open_lot.remaining, open_lot.held) == (16, 0)
    assert sum(one.amount for one in open_lot.movements) == -14
    [lapsed, _] = (await explanations.lots([member], POINTS, after(20), before=None, limit=10))[
        member
    ]
    assert (lapsed.state, lapsed.remaining) == (LotState.EXPIRED, 0)
    assert lapsed.movements[-1].reason is Reason.EXPIRY
    assert lapsed.movements[-1].occurred_at == after(20)


async def test_a_page_goes_on_where_the_one_before_ended(database: Address) -> None:
    [member] = await new_members(1)
    await play(member)
    [newest] = await lots_of(member, after(5), before=None, limit=1)
    [older] = (
        await explanations.lots([member], POINTS, after(5), before=newest.sequence, limit=1)
    )[member]
    assert (newest.reference, older.reference) == (8, 7)
    assert (await explanations.lots([member], POINTS, after(5), before=older.sequence, limit=1))[
        member
    ] == []


@trying(30)
@given(day=st.integers(-1, 25), microseconds=st.sampled_from((-1, 0, 1)))
async def test_the_lots_add_up_to_the_balance_at_every_instant(
    database: Address, day: int, microseconds: int
) -> None:
    [member] = await new_members(1)
    await play(member)
    at = Instant(after(day) + microseconds)
    found = await lots_of(member, at)
    balance = (await explanations.balances([member], POINTS, at))[member].balance
    assert (
        sum(lot.remaining for lot in found if lot.state is LotState.AVAILABLE) - balance.owed,
        sum(lot.remaining for lot in found if lot.state is LotState.PENDING),
        sum(lot.held for lot in found),
    ) == (balance.available, balance.pending, balance.held)
    for lot in found:
        assert lot.amount + sum(one.amount for one in lot.movements) == lot.remaining
