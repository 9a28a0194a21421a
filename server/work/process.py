"""Processes that work: the one that serves as well, and those of `python -m server work`."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

from server import logs
from server.app import guard_webhooks, mailing, pushing
from server.edge.metrics import Metrics
from server.members import service as members
from server.scheduling import Job
from server.serving import asked_to_stop, metrics_shown, run
from server.settings import OperationLog, Settings
from server.storage import database
from server.storage.database import CannotOpen, InUse
from server.storage.looking import look
from server.work import relay
from server.work.figures import Figures
from server.work.working import working

WORKING_STATEMENT_SECONDS = 120
"""Nobody waits for the statements of jobs as callers do for those of requests."""
Say = Callable[[str], None]


def working_here(
    settings: Settings, metrics: Metrics, *, beginning: asyncio.Event
) -> AbstractAsyncContextManager[asyncio.Event]:
    """Within the block, which has the database open and letters and push messages sent, this
    process does the background work, from `beginning` on; the event tells since when."""
    guard_webhooks(settings)

    def load() -> Sequence[Job]:
        from server.work import registry  # noqa: PLC0415 - what sends is slow to load

        relay.use(registry.followers())
        return registry.all_jobs(settings, metrics)

    return working(
        load, address=settings.address, figures=Figures(metrics.registry), beginning=beginning
    )


def work(settings: Settings, *, metrics_socket: socket.socket | None, say: Say) -> None:
    """Work until asked to stop; runs under way are finished first. Raises CannotOpen."""
    run(_work(settings, metrics_socket, say))
    say("Stopped.")


async def _work(settings: Settings, metrics_socket: socket.socket | None, say: Say) -> None:
    await _refuse_what_is_not_ready(settings)
    logs.configure(with_operations=settings.operation_log is OperationLog.ALL)
    patience = database.Patience(statement_seconds=WORKING_STATEMENT_SECONDS)
    metrics, beginning = Metrics(), asyncio.Event()
    try:
        async with database.opened(
            settings.address, pool_size=settings.pool_size, patience=patience
        ):
            await members.prepare_keys(issuer=settings.token_issuer, audience=settings.audience)
            async with (
                nullcontext() if metrics_socket is None else metrics_shown(metrics, metrics_socket),
                mailing(settings),
                pushing(settings, say=say) as begin_pushing,
                working_here(settings, metrics, beginning=beginning) as has_begun,
                asked_to_stop() as stop,
            ):
                begin_pushing()
                beginning.set()
                saying = asyncio.create_task(_say_begun(has_begun, settings, say))
                await stop.wait()
                saying.cancel()
    except InUse as error:
        raise CannotOpen(
            f"{error.args[0].split(';')[0]}; a server on SQLite does this work itself"
        ) from None


async def _say_begun(has_begun: asyncio.Event, settings: Settings, say: Say) -> None:
    await has_begun.wait()
    say(f"Working on {settings.address.shown}")


async def _refuse_what_is_not_ready(settings: Settings) -> None:
    seen = await look(settings.address)
    if seen.newer:
        raise CannotOpen(f"the database {settings.address.shown} is newer than this code")
    if seen.lacking:
        raise CannotOpen(
            f"the database {settings.address.shown} lacks {len(seen.lacking)} migration(s): run"
            " `python -m server migrate --yes` first"
        )
