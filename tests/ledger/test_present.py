"""What is held now: told from sums of lots as it is from each of them."""

from itertools import product

import pytest

from server.clock import NEVER, Instant
from server.ledger import service as ledger
from server.ledger.rules import Holding, HoldingNow
from server.money import POINTS
from server.storage import parts, sql
from server.storage.database import Address
from tests.ledger.books import DAY, START, grant, granted, new_members

TODAY = START // DAY + 2
BEGIN, END = TODAY * DAY, (TODAY + 1) * DAY
MOMENTS = tuple(
    Instant(one)
    for one in (BEGIN - 1, BEGIN, BEGIN + 1, BEGIN + DAY // 2, END - 1, END, END + 1, END + DAY)
)
INSTANTS = tuple(one for one in MOMENTS if BEGIN <= one <= END)


async def members_with_every_lot() -> list[int]:
    """One with lots that begin and end at each of the moments, some of it on hold until noon; one
    who has an account of each asset, with nothing in it; one without any."""
    full, empty, none = await new_members(3)
    spans = [
        (start, end) for start, end in product((START, *MOMENTS), (*MOMENTS, NEVER)) if start < end
    ]
    lots = [
        granted(2**place % 997 + 1, at=START, available_at=start, expires_at=end, asset=asset)
        for place, ((start, end), asset) in enumerate(product(spans, (POINTS, "USD")))
    ]
    await grant(full, *lots, now=START)
    await grant(empty, now=START)
    async with sql.transaction(), ledger.journal([full], [POINTS], recorded_at=START) as journal:
        await ledger.hold(
            journal, full, POINTS, 700, by=full, purpose="till", expires_at=MOMENTS[3]
        )
    return [full, empty, none]


def told(found: parts.Found, asset: str, at: Instant) -> HoldingNow | None:
    """What is held, and when that changes, without the expiries."""
    now = ledger.holding_of(found, asset, at)
    return None if now is None else HoldingNow(Holding(now.holding.balance), now.changes_at)


@pytest.mark.parametrize("summed", [(POINTS,), ("USD",), (POINTS, "USD")], ids=", ".join)
async def test_sums_of_lots_tell_the_same_all_day(
    database: Address, summed: tuple[str, ...]
) -> None:
    members = await members_with_every_lot()
    whole = await parts.read(parts.Question(ledger.HOLDINGS), members)
    listed = POINTS if summed == ("USD",) else None
    asks = ledger.holdings_part(TODAY, listed=listed, summed=summed)
    found = await parts.read(parts.Question(asks), members)
    for member, asset, at in product(members, summed, INSTANTS):
        assert told(found[member], asset, at) == told(whole[member], asset, at)
    for member, at in product(members, INSTANTS):
        if listed is not None:
            listing = ledger.holding_of(found[member], listed, at)
            assert listing == ledger.holding_of(whole[member], listed, at)
    at = INSTANTS[1]
    held = ledger.holding_of(whole[members[0]], POINTS, at)
    assert held is not None
    assert (held.holding.balance.held, held.changes_at) == (700, MOMENTS[3])
