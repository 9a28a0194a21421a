"""What is kept for how long."""

from datetime import UTC, datetime

import pytest

from server import clock
from server.clock import Instant
from server.scheduling import Job
from server.storage import sql
from server.storage.ids import first_id_at
from server.work import retention, runs
from tests.notifications.posting import draft, members, written

NOW = clock.instant_of(datetime(2027, 6, 1, tzinfo=UTC))
DAY = 86_400_000_000


def job(*purges: retention.Purge) -> Job:
    """The daily one."""
    return retention.jobs(purges)[0]


async def numbers(table: str) -> list[int]:
    rows = await sql.fetch(f"SELECT id FROM {table} ORDER BY id")  # noqa: S608 - a name of ours
    return [row[0] for row in rows]


@pytest.mark.usefixtures("database")
async def test_what_is_older_than_its_days_goes_and_the_rest_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 2)
    [member_id] = await members(1)
    ages_days = (402, 401, 400, 399, 180)
    for days in ages_days:
        await written([draft(member_id, topic=f"t:{days}")])
    notifications, deliveries = await numbers("notifications"), await numbers("deliveries")
    async with sql.transaction():
        # As if they had been made so many days ago, and a minute more.
        for days, old, sent in zip(ages_days, notifications, deliveries, strict=True):
            at = Instant(NOW - days * DAY - 60_000_000)
            await sql.execute(
                "UPDATE notifications SET id = $1, created_at = $2 WHERE id = $3",
                first_id_at(at), at, old,
            )  # fmt: skip
            await sql.execute(
                "UPDATE deliveries SET id = $1, settled_at = $2 WHERE id = $3",
                first_id_at(at), at, sent,
            )  # fmt: skip
        # Of campaigns that are paused for ever: of use still, and not any more.
        for days, expired in ((402, NOW - 401 * DAY), (401, NOW - 399 * DAY)):
            await sql.execute(
                "UPDATE deliveries SET settled_at = NULL, expires_at = $1 WHERE id = $2",
                expired, first_id_at(Instant(NOW - days * DAY - 60_000_000)),
            )  # fmt: skip
        for second in (NOW // 1_000_000 - 86_401, NOW // 1_000_000 - 60):
            await sql.execute("INSERT INTO send_rates (id, sent) VALUES ($1, 1)", second)
    for name, days in (("gone", 91), ("known", 89)):
        at = Instant(NOW - days * DAY)
        await runs.succeeded(name, started_at=at, ended_at=at, done=1)
    purged: list[Instant] = []

    async def purge(now: Instant) -> int:
        purged.append(now)
        return 100

    # Deliveries of 402 and 400 days, notifications of 402, 401 and 400, a rate, a job.
    assert await job(purge).run(NOW) == 2 + 3 + 1 + 1 + 100
    assert purged == [NOW]
    assert len(await numbers("deliveries")) == 3
    assert len(await numbers("notifications")) == 2
    assert await numbers("send_rates") == [NOW // 1_000_000 - 60]
    assert list(await runs.all_fared()) == ["known"]
    assert await job().run(NOW) == 0
