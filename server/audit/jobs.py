"""Auditing in the background: what has changed, again and again."""

import structlog

from server import clock
from server.audit import service
from server.audit.service import Status
from server.clock import MICROSECONDS_PER_SECOND, Instant
from server.edge.metrics import Metrics
from server.scheduling import Job

_PROBLEMS_LOGGED = 20
"""Of each run: what one fault breaks may be much."""
SHARE_PERCENT = 20
"""Of one core, at most."""
_log = structlog.get_logger("audit")


def auditing(metrics: Metrics, *, interval_seconds: int) -> tuple[Job, ...]:
    """The job that audits changes, each time so many seconds after the last; none for 0.

    Each process that works has it, and tells its own metrics of the latest audit, whoever made it:
    one audits at a time.
    """
    if not interval_seconds:
        return ()
    last = clock.system_now()

    async def is_due(_now: Instant) -> bool:
        return clock.system_now() - last >= interval_seconds * MICROSECONDS_PER_SECOND

    async def run(_now: Instant) -> int:
        nonlocal last
        try:
            status = await tick(metrics, interval_seconds=interval_seconds)
        finally:
            last = clock.system_now()
        return 0 if status is None else status.member_count

    return (Job("audit", "* * * * * *", run, lag_seconds, is_due, is_shared=True),)


async def lag_seconds(_now: Instant) -> int:
    """How long ago the ledger was audited to its end."""
    status = await service.status()
    return 0 if status is None else max(0, int(status.lag_seconds(clock.system_now())))


async def tick(metrics: Metrics, *, interval_seconds: int = 0) -> Status | None:
    """Audit what has changed, unless another process does or just did; without an interval, at full
    speed. Then tell the metrics how far the audit is, and the log what is wrong, row by row."""
    status = await service.audit_changes(
        seconds_apart=interval_seconds // 2,
        share_percent=SHARE_PERCENT if interval_seconds else 100,
    )
    if status is None:
        return None
    metrics.audit(audited_at=status.audited_at, problem_count=status.problem_count)
    for problem in status.problems[:_PROBLEMS_LOGGED]:
        _log.error(
            "audit problem",
            check=problem.check.value,
            table=problem.table,
            row_id=problem.row_id,
            member_id=problem.member_id,
            what=problem.what,
            expected=problem.expected,
            found=problem.found,
        )
    return status
