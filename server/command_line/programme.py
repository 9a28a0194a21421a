"""`python -m server programme ...`: the rules."""

from pathlib import Path
from typing import Annotated

import typer

from server.command_line.running import (
    DatabaseOption,
    DataOption,
    settings_of,
    with_database,
)

programme_cli = typer.Typer(no_args_is_help=True, help="The programme's rules.")


@programme_cli.command("publish")
def publish(
    file: Annotated[Path, typer.Argument(help="The programme as a YAML file.")],
    effective: Annotated[
        str | None,
        typer.Option(help="From when on it counts: a date or an instant; now if left out."),
    ] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Publishes a programme as the next version."""
    from server.programme import commands as programme  # noqa: PLC0415 - only these commands need it

    settings = settings_of(data=data, database=database)
    typer.echo(with_database(settings, programme.publish(file, effective)))


@programme_cli.command("show")
def show(
    version: Annotated[
        int | None, typer.Argument(help="The version; the present one if left out.")
    ] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Prints a version of the programme as YAML."""
    from server.programme import commands as programme  # noqa: PLC0415 - only these commands need it

    settings = settings_of(data=data, database=database)
    typer.echo(with_database(settings, programme.show(version), writable=False))


@programme_cli.command("diff")
def diff(
    old: Annotated[str, typer.Argument(help="A version's number, or a file.")],
    new: Annotated[str, typer.Argument(help="A version's number, or a file.")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Prints what differs between two programmes, a line each."""
    from server.programme import commands as programme  # noqa: PLC0415 - only these commands need it

    settings = settings_of(data=data, database=database)
    typer.echo(with_database(settings, programme.diff(old, new), writable=False))
