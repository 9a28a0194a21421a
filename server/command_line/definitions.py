"""`python -m server definitions ...`: what the shop writes down."""

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
from server.definitions.formats import FileFormat

definitions_cli = typer.Typer(
    no_args_is_help=True, help="Offers, segments and what else the shop writes down."
)


KindOption = Annotated[
    list[str] | None, typer.Option("--kind", help="Only of this kind; may be repeated.")
]
FormatOption = Annotated[
    FileFormat | None, typer.Option("--format", help="YAML unless the file's name ends in .csv.")
]


@definitions_cli.command("export")
def export_definitions(
    file: Annotated[
        Path | None, typer.Argument(help="The file to write; standard output if left out.")
    ] = None,
    kind: KindOption = None,
    file_format: FormatOption = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Writes what counts now, and what is scheduled, as a file that `import` takes."""
    from server.definitions import commands as definitions  # noqa: PLC0415 - only these commands need it

    register_kinds()
    settings = settings_of(data=data, database=database)
    work = definitions.export(file, kind or [], file_format)
    typer.echo(with_database(settings, work, writable=False))


@definitions_cli.command("import")
def import_definitions(
    file: Annotated[Path, typer.Argument(help="A file that `export` wrote, or one like it.")],
    file_format: FormatOption = None,
    drafts: Annotated[
        bool, typer.Option("--drafts", help="As drafts, to count for nobody.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and write nothing.")
    ] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Publishes what stands in a file: all of it, or nothing if anything in it is wrong.

    What counts already makes no version, so that a file can be taken again.
    """
    from rich.console import Console  # noqa: PLC0415 - only this command needs it

    from server.definitions import commands as definitions  # noqa: PLC0415 - same
    from server.imports.progress import counting  # noqa: PLC0415 - same

    register_kinds()
    console = Console(stderr=True)
    work = definitions.bring_in(
        file,
        file_format,
        as_drafts=drafts,
        is_dry_run=dry_run,
        counting=lambda total: counting("Checked", total=total, console=console),
    )
    typer.echo(with_database(settings_of(data=data, database=database), work))


@definitions_cli.command("list")
def list_definitions(
    kind: KindOption = None, data: DataOption = None, database: DatabaseOption = None
) -> None:
    """Lists what counts now, a line each."""
    from server.definitions import commands as definitions  # noqa: PLC0415 - only these commands need it

    register_kinds()
    settings = settings_of(data=data, database=database)
    typer.echo(with_database(settings, definitions.listed(kind or []), writable=False))


@definitions_cli.command("history")
def show_history(
    kind: Annotated[str, typer.Argument(help="What it is, such as offer.")],
    key: Annotated[str, typer.Argument(help="Which one.")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Lists all versions of one thing, the newest first."""
    from server.definitions import commands as definitions  # noqa: PLC0415 - only these commands need it

    register_kinds()
    settings = settings_of(data=data, database=database)
    typer.echo(with_database(settings, definitions.history(kind, key), writable=False))
