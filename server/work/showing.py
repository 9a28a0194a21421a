"""How the jobs fare, for a terminal and for programs."""

import io
from collections.abc import Sequence
from datetime import timedelta

import msgspec
from rich.console import Console
from rich.table import Table

from server import clock
from server.clock import MICROSECONDS_PER_SECOND, Instant
from server.edge.metrics import Metrics
from server.settings import Settings
from server.work import registry, runs

_WIDTH = 160


class JobShown(msgspec.Struct, frozen=True, rename="camel"):
    """How one job fares now."""

    name: str
    cron: str
    last_run_at: str | None
    last_success_at: str | None
    duration_seconds: float | None
    done: int
    lag_seconds: int
    last_failure_at: str | None
    last_error: str | None


async def all_shown(settings: Settings) -> list[JobShown]:
    """How all jobs fare, in the order of the registry."""
    fared, now = await runs.all_fared(), clock.system_now()
    nothing = runs.Fared("", None, None, None, None, 0, 0)
    shown = []
    for job in registry.all_jobs(settings, Metrics()):
        one = fared.get(job.name, nothing)
        shown.append(
            JobShown(
                name=job.name,
                cron=job.cron,
                last_run_at=_iso(one.started_at),
                last_success_at=_iso(one.succeeded_at),
                duration_seconds=None
                if one.started_at is None
                else round(one.duration_microseconds / MICROSECONDS_PER_SECOND, 3),
                done=one.done_count,
                lag_seconds=await runs.lag_seconds(job, fared.get(job.name), now),
                last_failure_at=_iso(one.failed_at),
                last_error=one.error,
            )
        )
    return shown


def _iso(instant: Instant | None) -> str | None:
    if instant is None:
        return None
    return clock.datetime_of(instant).isoformat(timespec="seconds").replace("+00:00", "Z")


def as_json(shown: Sequence[JobShown]) -> str:
    """The jobs as a JSON list."""
    return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()


def as_table(shown: Sequence[JobShown]) -> str:
    """The jobs as a table, with the times as they are at UTC."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("job", "runs at (UTC)", "last run", "last success"):
        table.add_column(title, no_wrap=True)
    for title in ("took", "done", "lag"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("last failure")
    for one in shown:
        took = "" if one.duration_seconds is None else f"{one.duration_seconds:.2f} s"
        failure = "" if one.last_error is None else f"{one.last_failure_at} {one.last_error}"
        table.add_row(
            one.name,
            one.cron,
            one.last_run_at or "never",
            one.last_success_at or "never",
            took,
            f"{one.done:,}",
            str(timedelta(seconds=one.lag_seconds)),
            failure,
        )
    written = io.StringIO()
    Console(file=written, width=_WIDTH).print(table)
    return written.getvalue()
