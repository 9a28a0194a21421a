"""`python -m server segments ...`: who is in the segments."""

from pathlib import Path
from typing import Annotated

import typer

from server.command_line.running import (
    DatabaseOption,
    DataOption,
    register_kinds,
    settings_of,
    with_database,
)

segments_cli = typer.Typer(no_args_is_help=True, help="Who is in the segments.")


@segments_cli.command("evaluate")
def evaluate_segment(
    key: Annotated[str, typer.Argument(help="The segment's key.")],
    out: Annotated[
        Path | None, typer.Option(help="A file to write the members to, as CSV.")
    ] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Counts who is in a segment now, going through all members; the server may run meanwhile."""
    from server.segments import commands as segments  # noqa: PLC0415 - only these commands need it

    settings = settings_of(data=data, database=database)
    typer.echo(with_database(settings, segments.evaluate(key, out), writable=False))


@segments_cli.command("freeze")
def freeze_segments(data: DataOption = None, database: DatabaseOption = None) -> None:
    """Lists the rest of the members of frozen segments, which a running server does by itself."""
    from server.segments import commands as segments  # noqa: PLC0415 - only these commands need it

    register_kinds()
    settings = settings_of(data=data, database=database)
    typer.echo(with_database(settings, segments.freeze()))
