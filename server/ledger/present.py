"""What members hold now, from the rows of one question."""

from collections.abc import Collection

from server import clock
from server.clock import Instant
from server.ledger import rules
from server.ledger.rules import HoldingNow, OpenValue, Totals
from server.ledger.shown_queries import ACCOUNTS, LOTS, LOTS_OF, PORTIONS, SUMS
from server.storage.parts import FIRST_COLUMN, Ask, Found

HOLDINGS: tuple[Ask, ...] = ((ACCOUNTS, ()), (LOTS, ()), (PORTIONS, ()))
"""What `holdings_of` is made from, with every expiry of every asset."""
DAY_MICROSECONDS = 86_400 * clock.MICROSECONDS_PER_SECOND
_END = FIRST_COLUMN + 3  # of what a lot's row begins with


def holdings_part(day: int, *, listed: str | None, summed: Collection[str] = ()) -> tuple[Ask, ...]:
    """What `holding_of` is made from at any instant of a day of UTC, counted from 1970 on: of the
    asset `listed` with its expiries, of up to two other assets without."""
    asks: list[Ask] = [(ACCOUNTS, ()), (PORTIONS, ())]
    if listed is not None:
        asks.append((LOTS_OF, (listed,)))
    if summed:
        starts_at = day * DAY_MICROSECONDS
        ends_at = starts_at + DAY_MICROSECONDS
        asks.append((SUMS, (min(summed), max(summed), starts_at, ends_at)))
    return tuple(asks)


def holdings_of(found: Found, at: Instant) -> dict[str, HoldingNow]:
    """What the member has of each asset at an instant that is not before the last posting; and the
    first instant at which time alone changes it."""
    asset_at = found.text_at
    held = {row[asset_at]: holding_of(found, row[asset_at], at) for row in found.rows(ACCOUNTS)}
    return {asset: now for asset, now in held.items() if now is not None}


def holding_of(found: Found, asset: str, at: Instant) -> HoldingNow | None:
    """What the member has of an asset that the question was about; None without an account."""
    asset_at = found.text_at
    for row in found.rows(ACCOUNTS):
        if row[asset_at] == asset:
            return _holding(found, asset, at, Totals(*row[FIRST_COLUMN : FIRST_COLUMN + 6]))
    return None


def _holding(found: Found, asset: str, at: Instant, totals: Totals) -> HoldingNow:
    asset_at = found.text_at
    lots = [
        row[FIRST_COLUMN:_END]
        for branch in (LOTS, LOTS_OF, SUMS)
        if branch in found
        for row in found.rows(branch)
        if row[asset_at] == asset
    ]
    held, owed, portions = 0, totals.owed, _portions(found, asset)
    if portions:
        free, held, owed = rules.released(at, portions, owed=owed)
        lots += [value[:3] for value in free]
    now = rules.holding_now(at, totals, free=lots, held=held, owed=owed)
    if portions:
        releases = (value.available_at for value in portions if value.available_at > at)
        return HoldingNow(now.holding, min((now.changes_at, *releases)))
    return now


def _portions(found: Found, asset: str) -> list[OpenValue]:
    asset_at = found.text_at
    return [
        OpenValue(row[2], row[3], row[4], row[3], row[5])
        for row in found.rows(PORTIONS)
        if row[asset_at] == asset
    ]
