"""`python -m server staff ...`: the accounts of staff."""

from typing import Annotated

import typer

from server.command_line.running import (
    DatabaseOption,
    DataOption,
    settings_of,
    with_database,
)
from server.principal import StaffRole
from server.storage import sql

staff_cli = typer.Typer(no_args_is_help=True, help="The accounts of the operator's staff.")


@staff_cli.command("create")
def create_staff(
    email: Annotated[str, typer.Argument(help="The address to sign in with.")],
    role: Annotated[StaffRole, typer.Option(help="What they may do.")] = StaffRole.SUPPORT,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Makes an account for one of the staff; asks for the password."""
    from server.members import service as members  # noqa: PLC0415 - only these commands need it

    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)

    async def create() -> int:
        hashed = await members.hash_password(password)
        async with sql.transaction():
            return await members.create_staff(email, hashed, role)

    with_database(settings_of(data=data, database=database), create())
    typer.echo(f"{email} can sign in as {role.value}.")
