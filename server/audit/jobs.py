"""Auditing in the background of a server: what has changed, again and again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from server.audit import service
from server.audit.service import Status
from server.edge.metrics import Metrics
from server.storage import sql

_PROBLEMS_LOGGED = 20
"""Of each run: what one fault breaks may be much."""
SHARE_PERCENT = 20
"""Of one core, at most."""
_log = structlog.get_logger("audit")


@asynccontextmanager
async def auditing(metrics: Metrics, *, interval_seconds: int) -> AsyncIterator[None]:
    """Within the block changes are audited, each time so many seconds after the last; 0 is never.

    It ends with the block at once: an audit under way is given up, and made again next time.
    """
    if not interval_seconds:
        yield
        return
    task = asyncio.create_task(_again_and_again(metrics, interval_seconds), name="audit")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _again_and_again(metrics: Metrics, interval_seconds: int) -> None:
    while True:
        await asyncio.sleep(interval_seconds)
        try:
            await tick(metrics, interval_seconds=interval_seconds)
        except Exception as error:
            # Whatever it is, the server goes on, the lag grows, and the next time may succeed.
            if sql.is_unavailable(error):
                _log.warning("audit postponed: the database does not answer")
            else:
                _log.exception("audit failed")


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
