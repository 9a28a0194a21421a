"""What members hold now, from the rows of one question."""

from server.clock import Instant
from server.ledger import rules
from server.ledger.rules import HoldingNow, OpenValue, Totals
from server.ledger.shown_queries import ACCOUNTS, LOTS, PORTIONS
from server.storage.parts import FIRST_COLUMN, Ask, Found
from server.storage.sql import Row

HOLDINGS: tuple[Ask, ...] = ((ACCOUNTS, ()), (LOTS, ()), (PORTIONS, ()))
"""What `holdings_of` is made from."""


def holdings_of(found: Found, at: Instant) -> dict[str, HoldingNow]:
    """What the member has of each asset at an instant that is not before the last posting; and the
    first instant at which time alone changes it."""
    asset_at = found.text_at
    lots: dict[str, list[Row]] = {}
    for row in found.rows(LOTS):
        lots.setdefault(row[asset_at], []).append(row[FIRST_COLUMN : FIRST_COLUMN + 3])
    portions: dict[str, list[OpenValue]] = {}
    for row in found.rows(PORTIONS):
        remaining, releases_at, expires_at, number = row[FIRST_COLUMN : FIRST_COLUMN + 4]
        value = OpenValue(remaining, releases_at, expires_at, releases_at, number)
        portions.setdefault(row[asset_at], []).append(value)
    return {
        row[asset_at]: _holding(
            at,
            Totals(*row[FIRST_COLUMN : FIRST_COLUMN + 6]),
            lots.get(row[asset_at], []),
            portions.get(row[asset_at]),
        )
        for row in found.rows(ACCOUNTS)
    }


def _holding(
    at: Instant, totals: Totals, lots: list[Row], portions: list[OpenValue] | None
) -> HoldingNow:
    if portions is None:
        return rules.holding_now(at, totals, free=lots, held=0, owed=totals.owed)
    free, held, owed = rules.released(at, portions, owed=totals.owed)
    now = rules.holding_now(at, totals, free=[*lots, *free], held=held, owed=owed)
    releases = (value.available_at for value in portions if value.available_at > at)
    return HoldingNow(now.holding, min((now.changes_at, *releases)))
