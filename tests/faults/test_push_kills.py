"""A worker that is killed (SIGKILL) in the middle of a campaign: nobody gets it twice, and what
nobody knows of is counted."""

from pathlib import Path

from server.notifications.sending import WINDOWS_AT_ONCE
from server.notifications.sending_windows import WINDOW
from server.storage.database import Address
from tests.faults.push_kills import killed_again_and_again
from tests.properties import IS_THOROUGH

TOKENS, KILLS = (100_000, 20) if IS_THOROUGH else (3_000, 5)


def test_nobody_gets_a_campaign_twice_however_often_its_worker_is_killed(
    database_address: Address, tmp_path: Path
) -> None:
    outcome = killed_again_and_again(
        database_address, tmp_path / "fcm", tokens=TOKENS, kills=KILLS, seed=7
    )
    assert max(outcome.shown.values()) == 1
    assert outcome.statuses.keys() <= {"sent", "in_doubt"}
    assert sum(outcome.statuses.values()) == TOKENS
    assert outcome.in_doubt <= KILLS * WINDOW * (WINDOWS_AT_ONCE + 1)
    assert TOKENS - len(outcome.shown) <= KILLS * 2 * WINDOW
    assert len(outcome.shown) + outcome.in_doubt >= TOKENS
    if IS_THOROUGH:
        assert outcome.attempted_percent >= 99.9
