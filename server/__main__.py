"""The command line: `python -m server COMMAND`; `--help` lists the commands."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from server.command_line.coupons import coupons_cli
from server.command_line.definitions import definitions_cli
from server.command_line.documents import documents_cli
from server.command_line.imports import import_cli
from server.command_line.keys import keys_cli
from server.command_line.partners import partners_cli
from server.command_line.programme import programme_cli
from server.command_line.running import (
    EXIT_REFUSED,
    DatabaseOption,
    DataOption,
    refuse,
    settings_of,
    with_database,
)
from server.command_line.segments import segments_cli
from server.command_line.staff import staff_cli
from server.command_line.work import jobs, work
from server.settings import Mode
from server.storage import commands
from server.storage.database import CannotOpen

cli = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
cli.add_typer(programme_cli, name="programme")
cli.add_typer(keys_cli, name="keys")
cli.add_typer(staff_cli, name="staff")
cli.add_typer(import_cli, name="import")
cli.add_typer(documents_cli, name="documents")
cli.add_typer(definitions_cli, name="definitions")
cli.add_typer(segments_cli, name="segments")
cli.add_typer(coupons_cli, name="coupons")
cli.add_typer(partners_cli, name="partners")
cli.command("work")(work)
cli.command("jobs")(jobs)


@cli.command()
def serve(
    port: Annotated[int | None, typer.Option(help="The port; 0 for a free one.")] = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="The port for /metrics [default: no metrics].")
    ] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo", help="With sample members and known credentials; implies --migrate."
        ),
    ] = False,
    apply_migrations: Annotated[
        bool, typer.Option("--migrate", help="Apply pending migrations first.")
    ] = False,
    stop_with_stdin: Annotated[
        bool, typer.Option("--stop-with-stdin", help="Stop when standard input ends.")
    ] = False,
) -> None:
    """Serves the API, on the database that the options or LAUREL_DATABASE and LAUREL_DATA name."""
    settings = settings_of(
        port=port, host=host, metrics_port=metrics_port, data=data, database=database
    )
    if demo:
        if settings.mode is Mode.PRODUCTION:
            raise refuse("--demo is refused in production (LAUREL_MODE=production)")
        settings = settings.model_copy(update={"mode": Mode.DEMO})
    from server.launch import CannotServe, launch  # noqa: PLC0415 - the schema takes a while to load

    try:
        launch(
            settings,
            applies_migrations=demo or apply_migrations,
            stops_with_stdin=stop_with_stdin,
            say=typer.echo,
        )
    except CannotServe as error:
        raise refuse(str(error)) from None


@cli.command("migrate")
def migrate_command(
    yes: Annotated[bool, typer.Option("--yes", help="Apply them.")] = False,
    drift: Annotated[
        bool, typer.Option("--drift", help="Instead, compare the migrations with the models.")
    ] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Says which migrations the database lacks, and with --yes applies them."""
    if drift:
        raise typer.Exit(asyncio.run(commands.show_drift()))
    settings = settings_of(data=data, database=database)
    try:
        raise typer.Exit(asyncio.run(commands.migrate_database(settings.address, apply=yes)))
    except CannotOpen as error:
        raise refuse(str(error)) from None


@cli.command()
def schema() -> None:
    """Prints the GraphQL schema."""
    from server.schema import schema as joined  # noqa: PLC0415 - the schema takes a while to load

    typer.echo(joined.as_str())


@cli.command("audit")
def audit_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Proves that every balance follows from the journal, and tiers, challenges and cashback from
    the purchases; the server may run meanwhile.

    Exit code 0: all is well. 1: something is not; the first row of each check that is wrong is
    printed. 2: the database can't be opened.
    """
    from server.audit import commands as audit  # noqa: PLC0415 - only this command needs it

    try:
        settings = settings_of(data=data, database=database)
    except typer.Exit:
        raise typer.Exit(audit.EXIT_CANNOT_OPEN) from None
    raise typer.Exit(audit.audit(settings.address, as_json=as_json))


@cli.command("publish-campaigns", hidden=True)
def publish_campaigns(
    file: Annotated[Path, typer.Argument(help="The definitions, as a replay writes them.")],
    at: Annotated[int, typer.Option(help="From when on they count: microseconds since 1970.")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Publishes a replay's offers so that they count from the replay's first instant."""
    from server.replay import publishing  # noqa: PLC0415 - only this command needs it
    from server.storage.errands import Errand  # noqa: PLC0415 - same

    facts = {"file": str(file.resolve()), "at": at}
    errand = Errand(publishing.PUBLISH, facts)
    settings = settings_of(data=data, database=database)
    typer.echo(
        with_database(settings, publishing.publish(file=str(file.resolve()), at=at), errand=errand)
    )


@cli.command()
def replay(  # noqa: PLR0913, PLR0917 - each is an option of the command
    programme: Annotated[Path, typer.Option(help="The programme file (YAML).")],
    out: Annotated[Path, typer.Option(help="The folder for results, state and database.")],
    baskets: Annotated[
        Path | None, typer.Option(help="The baskets (JSON Lines, plain or gzip).")
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Play the sample grocery data instead.")
    ] = False,
    offers: Annotated[
        Path | None,
        typer.Option(
            help="The folder with the tables of the programme's offers: campaigns.jsonl,"
            " coupons.jsonl and coupon_redemptions.jsonl [default: those of the sample data]."
        ),
    ] = None,
    households: Annotated[
        int | None, typer.Option(min=1, help="With --demo: only so many households.")
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="An empty PostgreSQL database instead of a SQLite file.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="A server that runs already, instead of one of its own.")
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(envvar="LAUREL_API_KEY", help="With --url: the API key to use."),
    ] = None,
) -> None:
    """Plays baskets through a programme and writes what became of every member.

    Killed in the middle and started again with the same options, it continues where it was.
    """
    from server.replay.command import ReplayOptions, run  # noqa: PLC0415 - only it needs them

    options = ReplayOptions(
        programme=programme,
        out=out,
        baskets=baskets,
        demo=demo,
        offers=offers,
        households=households,
        database=database,
        url=url,
        api_key=api_key,
    )
    raise typer.Exit(run(options))


if __name__ == "__main__":
    try:
        cli()
    except BrokenPipeError:
        os._exit(EXIT_REFUSED)  # the reader of our output is gone; there is no one to tell
