"""What every command does alike: its options, its database, its refusals."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import typer

from server.errors import DomainError, InvalidInput
from server.settings import InvalidSettings, Settings, read
from server.storage import commands, database
from server.storage.database import CannotOpen, InUse

DataOption = Annotated[
    Path | None, typer.Option(help="The folder of the SQLite database [default: data].")
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(help="A database's URL instead, such as postgres://user@host:5432/name."),
]
if TYPE_CHECKING:
    from server.storage.errands import Errand

EXIT_REFUSED = 1
_Answer = TypeVar("_Answer")


def refuse(message: str) -> typer.Exit:
    """What ends a command that can't do what was asked, after saying why in one line."""
    typer.echo(f"laurel: {message}", err=True)
    return typer.Exit(EXIT_REFUSED)


def settings_of(**given: object) -> Settings:
    """The settings with these options. Raises what `refuse` makes of those that are not valid."""
    try:
        settings = read(**given)
        _ = settings.address
    except (InvalidSettings, CannotOpen) as error:
        raise refuse(str(error)) from None
    return settings


def with_database(
    settings: Settings,
    work: Coroutine[Any, Any, _Answer],
    *,
    writable: bool = True,
    errand: "Errand | None" = None,
) -> _Answer:
    """Run the coroutine with the database open; what can't be done ends in one line and exit 1.

    `errand` is the same work, for the server that may hold the database.
    """
    from server.programme.commands import CommandRefused  # noqa: PLC0415 - only these commands need it

    async def run() -> _Answer:
        if refusal := await commands.refusal(settings.address):
            raise CannotOpen(refusal)
        try:
            from server.integrations.live_postgres import announcing  # noqa: PLC0415 - slow to load

            async with (
                database.opened(settings.address, writable=writable),
                announcing(settings.address),
            ):
                with database.failures_told(settings.address):
                    return await work
        except InUse:
            if errand is None:
                raise
            from server.storage import errands  # noqa: PLC0415 - only then is it needed

            return cast(_Answer, await errands.ask(settings.address, errand))

    try:
        return asyncio.run(run())
    except (CannotOpen, CommandRefused) as error:
        raise refuse(str(error)) from None
    except DomainError as error:
        from server import messages  # noqa: PLC0415 - only refusals need it

        said = messages.text(error.reason, "en", **error.facts)
        if isinstance(error, InvalidInput):
            said = f"{said} Accepted: {messages.told(error.accepted, 'en')}"
        raise refuse(said) from None
    finally:
        work.close()


def register_kinds() -> None:
    """Make the kinds of all domains known."""
    import server.schema  # noqa: F401, PLC0415 - joins the domains, which is slow, and each has its kinds
