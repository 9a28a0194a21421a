"""`python -m server import ...`: what is brought along."""

from pathlib import Path
from typing import Annotated

import typer

from server.command_line.running import (
    EXIT_REFUSED,
    DatabaseOption,
    DataOption,
    settings_of,
    with_database,
)

import_cli = typer.Typer(no_args_is_help=True, help="What is brought along from another system.")


@import_cli.command("balances")
def import_balances(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV in UTF-8 with the columns external_id, points, points_expire_on, cashback"
            " and name; only the first and a balance are needed."
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check every line and write nothing.")
    ] = False,
    enrol: Annotated[
        bool,
        typer.Option("--enrol", help="Enrol who is unknown, without welcome points."),
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write what became of each line to this file (CSV).")
    ] = None,
    batch: Annotated[
        int, typer.Option(min=1, max=5000, help="How many lines one transaction takes.")
    ] = 500,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Takes opening balances, each line once; exit code 0 only if no line was refused.

    Killed in the middle and started again with the same file, it goes on where it was.
    """
    from server.imports import commands as imports  # noqa: PLC0415 - only this command needs it

    settings = settings_of(data=data, database=database)
    options = imports.ImportOptions(file, dry_run, enrol, report, batch)
    if not with_database(settings, imports.import_balances(options)):
        raise typer.Exit(EXIT_REFUSED)
