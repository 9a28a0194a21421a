"""`python -m server partners ...`: what partners pay and are owed."""

from pathlib import Path
from typing import Annotated

import typer

from server.command_line.running import DatabaseOption, DataOption, settings_of, with_database

partners_cli = typer.Typer(no_args_is_help=True, help="What partners pay and are owed.")


@partners_cli.callback()
def _group() -> None:
    """A group, also while it has one command."""


@partners_cli.command("settlement")
def settlement(
    month: Annotated[str, typer.Argument(help="The local month, such as 2026-01.")],
    out: Annotated[Path, typer.Option(help="The file (CSV) to write.")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Writes who pays for what of the rewards of a month, exact to the minor unit."""
    from server.partners import commands as partners  # noqa: PLC0415 - only this command needs it

    settings = settings_of(data=data, database=database)
    typer.echo(with_database(settings, partners.settlement(month, out), writable=False))
