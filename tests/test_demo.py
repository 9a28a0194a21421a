"""The demonstration's data, whatever the day on which it is made."""

import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from server import clock, demo
from server.demo import Held
from server.demo_credentials import TILL_KEY
from server.members import service as members
from server.principal import PrincipalKind
from server.storage import sql
from server.storage.database import DATABASE_FILE, Address, opened

DAY = 86_400 * clock.MICROSECONDS_PER_SECOND


@pytest.fixture
async def place(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[None]:
    """A migrated, empty database, open; one engine, since subprocess tests make it on both."""
    shutil.copyfile(sqlite_template, tmp_path / DATABASE_FILE)
    async with opened(Address("sqlite", str(tmp_path / DATABASE_FILE))):
        yield


async def count(table: str) -> int:
    """The number of rows."""
    [[rows]] = await sql.fetch(f"SELECT COUNT(*) FROM {table}")  # noqa: S608 - a name of ours
    return int(rows)


@pytest.mark.parametrize(
    "now",
    [
        datetime(2027, 3, 1, 0, 0, 1, tzinfo=UTC),  # a Monday and a month begin
        datetime(2028, 2, 29, 8, 59, 59, tzinfo=UTC),  # before the samples' shops open
        datetime(2026, 11, 1, 23, 59, 59, tzinfo=UTC),  # the clocks went back at the shop's
    ],
    ids=["beginning", "leap day", "end"],
)
@pytest.mark.usefixtures("place")
async def test_it_is_plausible_on_any_day(now: datetime) -> None:
    instant = clock.instant_of(now)
    assert await demo.held() is Held.NOTHING
    with clock.moved_to(instant):
        await demo.make()
    assert await demo.held() is Held.DEMONSTRATION

    assert await count("members") == 5
    purchases = await sql.fetch(
        "SELECT member_id, COUNT(*), MIN(occurred_at), MAX(occurred_at) FROM purchases"
        " GROUP BY member_id"
    )
    assert len(purchases) == 5
    assert all(8 <= number <= 45 for _, number, _, _ in purchases)
    assert instant - 57 * DAY <= min(first for *_, first, _ in purchases)
    assert instant - 2 * DAY < max(last for *_, last in purchases) <= instant
    assert await count("vouchers") == 1


@pytest.mark.usefixtures("place")
async def test_it_is_made_as_a_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_redeem_sample", interrupted)
    with pytest.raises(KeyboardInterrupt):
        await demo.make()
    assert await demo.held() is Held.NOTHING
    for table in ("members", "purchases", "api_keys", "postings"):
        assert await count(table) == 0


@pytest.mark.usefixtures("place")
async def test_its_till_key_works() -> None:
    await demo.make()
    principal = await members.authenticate(f"Bearer {TILL_KEY}")
    assert principal.kind is PrincipalKind.KEY
    assert principal.partner == demo.PARTNER
