"""`python -m server work` and `jobs`: doing the background work, and how it fares."""

from contextlib import ExitStack
from typing import Annotated

import typer

from server.command_line.running import (
    DatabaseOption,
    DataOption,
    refuse,
    settings_of,
    with_database,
)
from server.settings import InvalidSettings
from server.storage.database import CannotOpen


def work(
    metrics_port: Annotated[
        int | None, typer.Option(help="The port for /metrics [default: no metrics].")
    ] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Does the background work: messages, webhooks, reminders, audits. On PostgreSQL any number of
    processes may do it; on SQLite the server does it itself."""
    from server.serving import CannotListen, listening_socket  # noqa: PLC0415 - slow to load
    from server.work.process import work as work_on  # noqa: PLC0415 - same

    settings = settings_of(metrics_port=metrics_port, data=data, database=database)
    try:
        with ExitStack() as stack:
            metrics_socket = None
            if settings.metrics_port is not None:
                metrics_socket = stack.enter_context(
                    listening_socket(
                        settings.metrics_host,
                        settings.metrics_port,
                        host_option="LAUREL_METRICS_HOST",
                        port_option="--metrics-port",
                    )
                )
            work_on(settings, metrics_socket=metrics_socket, say=typer.echo)
    except (CannotListen, CannotOpen, InvalidSettings) as error:
        raise refuse(str(error)) from None


def jobs(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Shows each job: when it runs, when it last did, for how long what is due has waited, and
    what failed last; workers and servers may run meanwhile."""
    from server.work import showing  # noqa: PLC0415 - only this command needs it

    settings = settings_of(data=data, database=database)
    shown = with_database(settings, showing.all_shown(settings), writable=False)
    typer.echo(showing.as_json(shown) if as_json else showing.as_table(shown), nl=as_json)
