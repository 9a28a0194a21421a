"""Members with accounts for tests of the ledger, and the checks that hold for every account."""

from collections import Counter
from collections.abc import Sequence

from server.clock import NEVER, Instant
from server.ledger import queries
from server.ledger.rules import GENESIS_HASH, OWN_SIDES, chained_hash
from server.ledger.service import Cause, Grant, Journal, Reason, StatementLine, journal, statement
from server.members import service as members
from server.members.service import NewMember
from server.money import POINTS
from server.storage import sql

START = Instant(1_700_000_000_000_000)
SECOND = 1_000_000
DAY = 86_400 * SECOND
ASSETS = (POINTS, "USD")


async def new_members(count: int) -> list[int]:
    """Members without accounts."""
    people = [NewMember(enrolled_at=START, enrolled_local_month=202311) for _ in range(count)]
    async with sql.transaction():
        return await members.register_members(people)


def granted(
    amount: int,
    *,
    at: Instant,
    available_at: Instant | None = None,
    expires_at: Instant = NEVER,
    asset: str = POINTS,
    reference: int | None = None,
) -> Grant:
    """A grant, available at once and for ever unless said otherwise."""
    return Grant(
        asset=asset,
        amount=amount,
        earned_at=at,
        available_at=at if available_at is None else available_at,
        expires_at=expires_at,
        reason=Reason.PURCHASE,
        rule="purchase",
        programme_version=1,
        reference=reference,
    )


async def grant(member_id: int, *grants: Grant, now: Instant) -> None:
    """Makes the lots in one transaction."""
    async with (
        sql.transaction(),
        journal([member_id], ASSETS, recorded_at=now) as opened,
    ):
        for one in grants:
            opened.grant(member_id, one)


async def spend(member_id: int, amount: int, *, now: Instant, asset: str = POINTS) -> int:
    """Spends in a transaction of its own; what is available afterwards."""
    async with sql.transaction(), journal([member_id], [asset], recorded_at=now) as opened:
        return await take(opened, member_id, amount, asset)


async def take(opened: Journal, member_id: int, amount: int, asset: str = POINTS) -> int:
    """Spends in an open journal."""
    return await opened.spend(
        member_id, asset, amount, cause=Cause(Reason.REDEMPTION, "voucher", None)
    )


async def book(*member_ids: int, now: Instant) -> None:
    """Posts what has expired."""
    async with sql.transaction(), journal(member_ids, [POINTS], recorded_at=now):
        pass


async def whole_statement(
    member_id: int, asset: str = POINTS, *, at: Instant, size: int = 1000
) -> list[StatementLine]:
    """All lines, read in pages of the size."""
    lines: list[StatementLine] = []
    while True:
        before = lines[-1].sequence if lines else None
        page = await statement(member_id, asset, at=at, before=before, limit=size)
        assert len(page) <= size
        lines += page
        if len(page) < size:
            return lines


async def everything() -> dict[str, Sequence[sql.Row]]:
    """All rows of the ledger."""
    return {
        table: await sql.fetch(f"SELECT * FROM {table} ORDER BY id")  # noqa: S608 (fixed names)
        for table in ("ledger_accounts", "lots", "postings")
    }


async def check_books() -> None:
    """Asserts that accounts, lots and journals say the same, and that every chain holds."""
    accounts = await sql.fetch(f"SELECT {queries.ACCOUNT_COLUMNS} FROM ledger_accounts")  # noqa: S608
    postings = await sql.fetch(
        f"SELECT {queries.POSTING_COLUMNS} FROM postings ORDER BY account_id, sequence"  # noqa: S608
    )
    lots = await sql.fetch(f"SELECT {queries.LOT_COLUMNS} FROM lots")  # noqa: S608
    for account in accounts:
        own_lots = [lot for lot in lots if lot[2] == account[0]]
        own = [posting for posting in postings if posting[2] == account[0]]
        _check_account(account, own_lots, own)
        for lot in own_lots:
            _check_lot(lot, [posting for posting in own if posting[8] == lot[0]])


def _check_account(account: sql.Row, lots: Sequence[sql.Row], postings: Sequence[sql.Row]) -> None:
    _, member_id, _, last_sequence, last_hash, balance, held, owed, *totals, due = account
    assert [posting[3] for posting in postings] == list(range(1, last_sequence + 1))
    sides: Counter[str] = Counter()
    previous = GENESIS_HASH
    for posting in postings:
        sides[posting[4]] -= posting[6]
        sides[posting[5]] += posting[6]
        previous = chained_hash(previous, posting[1:-1])
        worth = sum(sides[side] for side in OWN_SIDES)
        assert (posting[1], posting[7], posting[15]) == (member_id, worth, previous)
        assert OWN_SIDES & {posting[4], posting[5]}
    assert sum(sides.values()) == 0
    assert (sum(sides[side] for side in OWN_SIDES), previous) == (balance, last_hash)
    assert (sides["held"], -sides["owed"]) == (held, owed)
    assert sides["member"] == sum(lot[5] for lot in lots) == balance - held + owed
    written = max((posting[14] for posting in postings), default=0)
    is_any_alive = any(lot[5] and lot[8] > written for lot in lots)
    assert not (owed and is_any_alive), "what is owed is filled before anything can be spent"
    granted, redeemed, expired, taken_back, moved = totals
    assert (granted, redeemed, expired, taken_back) == (
        -sides["issued"],
        sides["redeemed"],
        sides["expired"],
        sides["reversed"],
    )
    assert balance == granted - redeemed - expired - taken_back + moved
    assert all(due <= lot[8] for lot in lots if lot[5])


def _check_lot(lot: sql.Row, postings: Sequence[sql.Row]) -> None:
    made = postings[0]
    assert (made[3], made[5], made[6]) == (lot[3], "member", lot[4])
    left = 0
    for posting in postings:
        left += posting[6] * ((posting[5] == "member") - (posting[4] == "member"))
        assert 0 <= left <= lot[4]
    assert lot[5] == left
