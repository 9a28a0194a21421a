"""`python -m server coupons ...`: the codes of coupons."""

from pathlib import Path
from typing import Annotated

import typer

from server.command_line.running import (
    DatabaseOption,
    DataOption,
    settings_of,
    with_database,
)

coupons_cli = typer.Typer(no_args_is_help=True, help="The codes of coupons that work once.")


@coupons_cli.command("generate")
def generate_coupons(
    key: Annotated[str, typer.Argument(help="The coupon's key; its codes are single-use.")],
    number: Annotated[int, typer.Option(help="How many codes: 1 to 10,000,000.")],
    out: Annotated[Path, typer.Option(help="The new file (CSV) that they are written to.")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Generates single-use codes into a file, this once: the database keeps hashes alone.

    Killed in the middle, none of them ever counts. A server on SQLite must not run meanwhile.
    """
    from server.coupons import commands as coupons  # noqa: PLC0415 - only this command needs it

    settings = settings_of(data=data, database=database)
    typer.echo(with_database(settings, coupons.generate(key, number, out)))
