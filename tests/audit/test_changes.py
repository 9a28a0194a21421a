"""The audit in the background: what has changed is audited, what is wrong stays in mind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from server import clock
from server.audit import jobs, service
from server.audit.service import Check, Status
from server.clock import Instant
from server.edge.metrics import Metrics
from server.principal import StaffRole
from server.storage import ids, sql
from server.storage.database import Address
from tests.api.calling import Api
from tests.audit.life import ANNA, BOB, lively, member_id
from tests.purchases.baskets import at, draft, recorded

LATER = Instant(600 * clock.MICROSECONDS_PER_SECOND)
"""By so much the watermark is moved on, past the overlap: nothing has changed since."""


async def ticked(metrics: Metrics | None = None) -> Status:
    status = await jobs.tick(metrics or Metrics())
    assert status is not None
    return status


async def nothing_has_changed() -> None:
    """Put the watermark after everything that was written so far."""
    through = ids.first_id_at(Instant(clock.system_now() + LATER))
    async with sql.transaction():
        await sql.execute("UPDATE audit_runs SET through_id = $1", through)


async def everything_has() -> None:
    """Put the watermark before everything but the members themselves."""
    async with sql.transaction():
        await sql.execute("UPDATE audit_runs SET through_id = $1", ids.first_id_at(Instant(0)) + 1)


async def set_level(external_id: str, level: str) -> None:
    async with sql.transaction():
        member = await member_id(external_id)
        await sql.execute("UPDATE tier_states SET level = $1 WHERE member_id = $2", level, member)


async def figures(metrics: Metrics) -> dict[str, float]:
    lines = metrics.exposed().decode().splitlines()
    return {
        name: float(value)
        for name, value in (line.split(" ") for line in lines if line.startswith("laurel_audit"))
    }


async def test_the_first_time_everybody_is_audited_then_who_has_changed(database: Address) -> None:
    await lively()
    first = await ticked()
    assert (first.member_count, first.problem_count, first.first_problem) == (5, 0, None)
    assert first.lag_seconds(clock.system_now()) < 60
    await nothing_has_changed()
    assert (await ticked()).member_count == 0
    rows = await sql.fetch("SELECT scope, member_count FROM audit_runs")
    assert [tuple(row) for row in rows] == [("changes", 0)], "a quiet minute leaves no row"


async def test_rows_that_were_made_shortly_before_the_last_time_are_looked_at_again(
    database: Address,
) -> None:
    await lively()
    await ticked()
    assert (await ticked()).member_count == 5, "they may have been committed since"


async def test_the_tampering_of_a_member_who_changed_is_found_told_and_kept_in_mind(
    database: Address,
) -> None:
    await lively()
    metrics = Metrics()
    await ticked(metrics)
    assert (await figures(metrics))["laurel_audit_problems"] == 0
    await nothing_has_changed()
    await set_level(BOB, "Gold")
    assert (await ticked(metrics)).problem_count == 0, "who did not change is not looked at"
    await everything_has()
    with capture_logs() as logs:
        found = await ticked(metrics)
    assert [problem.check for problem in found.problems] == [Check.TIERS]
    assert found.first_problem is not None
    assert "tiers: tier_states" in found.first_problem
    assert {entry["log_level"] for entry in logs} == {"error"}
    assert logs[0]["table"] == "tier_states"
    assert logs[0]["member_id"] == await member_id(BOB)
    assert (await figures(metrics))["laurel_audit_problems"] == 1
    await nothing_has_changed()
    again = await ticked(metrics)
    assert (again.member_count, again.problem_count) == (1, 1), "it is wrong still"
    await set_level(BOB, "Bronze")
    await nothing_has_changed()
    assert (await ticked(metrics)).problem_count == 0
    assert (await figures(metrics))["laurel_audit_problems"] == 0


async def test_a_purchase_makes_its_member_changed(database: Address) -> None:
    await lively()
    await ticked()
    past = ids.first_id_at(Instant(clock.system_now() + LATER // 5))
    async with sql.transaction():
        # Just so far that the overlap reaches back to now.
        await sql.execute("UPDATE audit_runs SET through_id = $1", past)
    await asyncio.sleep(0.005)
    await recorded(draft("one more", "2026-11-21", 700, household=ANNA))
    assert (await ticked()).member_count == 1


@asynccontextmanager
async def another_process_audits() -> AsyncIterator[None]:
    async with sql.alone(service.AUDITING_KEY) as is_alone:
        assert is_alone
        yield


async def test_one_process_audits_at_a_time(database: Address, engine: str) -> None:
    if engine == "sqlite":
        pytest.skip("one process serves a SQLite database")
    await lively()
    async with another_process_audits():
        assert await jobs.tick(Metrics()) is None
    first = await ticked()
    async with another_process_audits():
        assert (await ticked()).last_run_at == first.last_run_at
    assert (await ticked()).last_run_at > first.last_run_at


async def test_what_another_process_has_just_audited_is_left_to_it(database: Address) -> None:
    await lively()
    first = await ticked()
    again = await service.audit_changes(seconds_apart=30)
    assert again is not None
    assert again.last_run_at == first.last_run_at


async def test_the_job_is_due_so_many_seconds_after_the_last_and_never_without_an_interval(
    database: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lively()
    seconds = [1_000]
    start = clock.system_now()

    def moved() -> Instant:
        return Instant(start + seconds[0] * clock.MICROSECONDS_PER_SECOND)

    monkeypatch.setattr(clock, "system_now", moved)
    metrics = Metrics()
    [job] = jobs.auditing(metrics, interval_seconds=60)
    assert job.is_due is not None
    dues = []
    for after in (1_059, 1_060, 1_061):
        seconds[0] = after
        dues.append(await job.is_due(moved()))
    assert dues == [False, True, True]
    assert await job.run(moved()) == 5
    assert (await figures(metrics))["laurel_audit_problems"] == 0
    assert not await job.is_due(moved())
    seconds[0] += 60
    assert await job.is_due(moved())
    assert jobs.auditing(metrics, interval_seconds=0) == ()


async def test_an_audit_that_fails_is_due_again_after_the_interval(
    database: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    [job] = jobs.auditing(Metrics(), interval_seconds=1)
    start = clock.system_now()
    monkeypatch.setattr(clock, "system_now", lambda: Instant(start + 2_000_000))

    async def fails(*_arguments: object, **_named: object) -> None:
        raise LookupError("a fault")

    monkeypatch.setattr(jobs, "tick", fails)
    assert job.is_due is not None
    assert await job.is_due(start)
    with pytest.raises(LookupError):
        await job.run(start)
    assert not await job.is_due(start)


STATUS = "{ auditStatus { lastRunAt lagSeconds problemCount firstProblem } }"


async def test_staff_see_how_far_it_is_and_what_is_wrong(api: Api) -> None:
    auditor = await api.staff(StaffRole.AUDITOR)
    assert await api.data(STATUS, caller=auditor) == {"auditStatus": None}
    await recorded(draft("b-1", at("2026-03-04"), 900, household=ANNA))
    await set_level(ANNA, "Gold")
    await ticked()
    status = (await api.data(STATUS, caller=auditor))["auditStatus"]
    assert status["problemCount"] == 1
    assert "expected Bronze, found Gold" in status["firstProblem"]
    assert 0 <= status["lagSeconds"] < 60
