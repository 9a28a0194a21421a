"""Workers that are processes of their own keep to one quota together, in any sliding minute."""

import asyncio
from pathlib import Path

import pytest

from server.notifications import sending_rates
from server.storage import sql
from server.storage.database import Address, opened
from tests.faults.push_kills import PATIENCE_SECONDS, begin, campaign, worker
from tests.fcm import busiest, running
from tests.notifications.posting import NOON
from tests.properties import IS_THOROUGH

MINUTE_SECONDS = 60 if IS_THOROUGH else 2
"""The sliding minute; a short one is counted with the margin of the long one."""
MARGIN_SECONDS = sending_rates.COUNTED_SECONDS - 60
QUOTA = 60
LIMIT = 8
"""Deliveries in a claim: few, so that nobody takes all of the quota at once."""


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
def test_two_processes_together_never_exceed_the_quota_in_any_sliding_minute(
    database_address: Address, tmp_path: Path
) -> None:
    tokens = QUOTA * 3 // 2  # some have to wait for another minute
    asyncio.run(campaign(database_address, tokens))
    with (
        running(tmp_path, is_logged=True) as fcm,
        worker(database_address, fcm) as one,
        worker(database_address, fcm) as other,
    ):
        told = {
            "database": (database_address.engine, database_address.location),
            "credentials": str(fcm.credentials),
            "url": fcm.url,
            "lease_seconds": 60,
            "now": NOON,
            "quota": QUOTA,
            "limit": LIMIT,
            "counted_seconds": MINUTE_SECONDS + MARGIN_SECONDS,
        }
        begin(told, one, other)
        assert (one.wait(PATIENCE_SECONDS), other.wait(PATIENCE_SECONDS)) == (0, 0)
        times = sorted(line["at"] for line in fcm.lines())
    assert len(times) == tokens
    assert busiest(times, MINUTE_SECONDS) <= QUOTA
    assert busiest(times, MINUTE_SECONDS + MARGIN_SECONDS + 1) >= QUOTA, "the quota is used"
    sent = asyncio.run(_sent_by_each(database_address))
    assert (len(sent), sum(sent)) == (2, tokens), "both have sent"


async def _sent_by_each(address: Address) -> list[int]:
    async with opened(address):
        rows = await sql.fetch(
            "SELECT COUNT(*) FROM deliveries WHERE status = 'sent' GROUP BY claimed_by"
        )
        return [row[0] for row in rows]
