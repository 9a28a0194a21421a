"""What members hold now, from the rows of one question."""

from typing import NamedTuple

from server.clock import NEVER, Instant
from server.ledger import rules
from server.ledger.rules import Holding, OpenValue, Totals
from server.ledger.shown_queries import ACCOUNTS, LOTS, PORTIONS
from server.storage.parts import FIRST_COLUMN, Ask, Found

HOLDINGS: tuple[Ask, ...] = ((ACCOUNTS, ()), (LOTS, ()), (PORTIONS, ()))
"""What `holdings_of` is made from."""


class HoldingNow(NamedTuple):
    """What is held of an asset, and the first instant at which time alone changes it."""

    holding: Holding
    changes_at: Instant


def holdings_of(found: Found, at: Instant) -> dict[str, HoldingNow]:
    """What the member has of each asset at an instant that is not before the last posting."""
    asset_at = found.text_at
    values: dict[str, list[OpenValue]] = {}
    for row in found.rows(LOTS):
        remaining, available_at, expires_at = row[FIRST_COLUMN : FIRST_COLUMN + 3]
        value = OpenValue(remaining, available_at, expires_at)
        values.setdefault(row[asset_at], []).append(value)
    for row in found.rows(PORTIONS):
        remaining, releases_at, expires_at, number = row[FIRST_COLUMN : FIRST_COLUMN + 4]
        value = OpenValue(remaining, releases_at, expires_at, releases_at, number)
        values.setdefault(row[asset_at], []).append(value)
    held: dict[str, HoldingNow] = {}
    for row in found.rows(ACCOUNTS):
        own = values.get(row[asset_at], [])
        totals = Totals(*row[FIRST_COLUMN : FIRST_COLUMN + 6])
        held[row[asset_at]] = HoldingNow(rules.holding(at, totals, values=own), changing(own, at))
    return held


def changing(values: list[OpenValue], at: Instant) -> Instant:
    """The first instant after `at` at which something becomes available, lapses or is released."""
    moments = [
        moment
        for _remaining, available_at, expires_at, releases_at, _number in values
        for moment in (available_at, expires_at, releases_at)
        if moment is not None and moment > at
    ]
    return min(moments, default=NEVER)
