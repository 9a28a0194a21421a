"""The command line: `python -m server COMMAND`; `--help` lists the commands."""

import asyncio
import json
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import typer

from server.errors import DomainError, InvalidInput
from server.principal import KEY_SCOPES, KeyKind, Scope, StaffRole
from server.settings import InvalidSettings, Mode, Settings, read
from server.storage import commands, database, sql
from server.storage.database import CannotOpen, InUse

cli = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
programme_cli = typer.Typer(no_args_is_help=True, help="The programme's rules.")
keys_cli = typer.Typer(
    no_args_is_help=True, help="The keys of tills and shops, and those that tokens are signed with."
)
staff_cli = typer.Typer(no_args_is_help=True, help="The accounts of the operator's staff.")
import_cli = typer.Typer(no_args_is_help=True, help="What is brought along from another system.")
cli.add_typer(programme_cli, name="programme")
cli.add_typer(keys_cli, name="keys")
cli.add_typer(staff_cli, name="staff")
cli.add_typer(import_cli, name="import")
documents_cli = typer.Typer(
    no_args_is_help=True, help="The documents that apps may ask for by their ids."
)
cli.add_typer(documents_cli, name="documents")

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


def _refuse(message: str) -> typer.Exit:
    typer.echo(f"laurel: {message}", err=True)
    return typer.Exit(EXIT_REFUSED)


def _settings(**given: object) -> Settings:
    try:
        settings = read(**given)
        _ = settings.address
    except (InvalidSettings, CannotOpen) as error:
        raise _refuse(str(error)) from None
    return settings


def _with_database(
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
        raise _refuse(str(error)) from None
    except DomainError as error:
        from server import messages  # noqa: PLC0415 - only refusals need it

        said = messages.text(error.reason, "en", **error.facts)
        if isinstance(error, InvalidInput):
            said = f"{said} Accepted: {messages.told(error.accepted, 'en')}"
        raise _refuse(said) from None
    finally:
        work.close()


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
    settings = _settings(
        port=port, host=host, metrics_port=metrics_port, data=data, database=database
    )
    if demo:
        if settings.mode is Mode.PRODUCTION:
            raise _refuse("--demo is refused in production (LAUREL_MODE=production)")
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
        raise _refuse(str(error)) from None


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
    settings = _settings(data=data, database=database)
    try:
        raise typer.Exit(asyncio.run(commands.migrate_database(settings.address, apply=yes)))
    except CannotOpen as error:
        raise _refuse(str(error)) from None


@cli.command()
def schema() -> None:
    """Prints the GraphQL schema."""
    from server.schema import schema as joined  # noqa: PLC0415 - the schema takes a while to load

    typer.echo(joined.as_str())


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

    settings = _settings(data=data, database=database)
    typer.echo(_with_database(settings, programme.publish(file, effective)))


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

    settings = _settings(data=data, database=database)
    typer.echo(_with_database(settings, programme.show(version), writable=False))


@programme_cli.command("diff")
def diff(
    old: Annotated[str, typer.Argument(help="A version's number, or a file.")],
    new: Annotated[str, typer.Argument(help="A version's number, or a file.")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Prints what differs between two programmes, a line each."""
    from server.programme import commands as programme  # noqa: PLC0415 - only these commands need it

    settings = _settings(data=data, database=database)
    typer.echo(_with_database(settings, programme.diff(old, new), writable=False))


@keys_cli.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="Whose key it is, for your own lists.")],
    kind: Annotated[
        KeyKind | None,
        typer.Option("--for", help="What it is for: the usual scopes of such a key."),
    ] = None,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="Instead of --for: what it may do; may be repeated."),
    ] = None,
    partner: Annotated[str, typer.Option(help="Whose shops it records purchases of.")] = "house",
    expires_in_days: Annotated[
        int, typer.Option(min=0, max=3650, help="When it expires; never for 0.")
    ] = 365,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Makes an API key and prints it, this once; the server may run meanwhile."""
    if (kind is None) == (not scope):
        raise _refuse("say with --for what the key is for, or with --scope what it may do")
    from server.members import api_keys  # noqa: PLC0415 - only these commands need it
    from server.members import commands as members  # noqa: PLC0415 - same

    granted = KEY_SCOPES[kind] if kind is not None else scope or ()
    key = api_keys.new_key()
    facts = {
        "name": name,
        "partner": partner,
        "scopes": sorted(granted),
        "expires_in_days": expires_in_days,
        "key_hash": api_keys.hash_of(key),
    }
    key_id = _wrote(members.KEY_CREATE, facts, data, database)
    if as_json:
        typer.echo(json.dumps({"id": key_id, "key": key}))
    else:
        typer.echo(f"{key}\nKeep it now: it can't be shown again.")


@keys_cli.command("list")
def list_keys(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Lists the API keys, ended ones included, the newest first; never the keys themselves."""
    from server.members import commands as members  # noqa: PLC0415 - only these commands need it

    settings = _settings(data=data, database=database)
    typer.echo(_with_database(settings, members.key_list(as_json=as_json), writable=False))


@keys_cli.command("replace")
def replace_key(
    key_id: Annotated[int, typer.Argument(metavar="ID", help="Which key, as `keys list` says.")],
    overlap_hours: Annotated[
        int, typer.Option(min=0, max=720, help="How long the former key is accepted still.")
    ] = 24,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Makes a key with another's name, partner, scopes and lifetime and prints it, this once; the
    other is accepted for some hours more."""
    from server.members import api_keys  # noqa: PLC0415 - only these commands need it
    from server.members import commands as members  # noqa: PLC0415 - same

    key = api_keys.new_key()
    facts = {"key_id": key_id, "overlap_hours": overlap_hours, "key_hash": api_keys.hash_of(key)}
    said = json.loads(_wrote(members.KEY_REPLACE, facts, data, database))
    if as_json:
        typer.echo(json.dumps({**said, "key": key}))
    else:
        typer.echo(
            f"{key}\nKeep it now: it can't be shown again. The former key is accepted until"
            f" {said['formerExpiresAt']}."
        )


@keys_cli.command("revoke")
def revoke_key(
    key_id: Annotated[int, typer.Argument(metavar="ID", help="Which key, as `keys list` says.")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Ends an API key at once; the server may run meanwhile."""
    from server.members import commands as members  # noqa: PLC0415 - only these commands need it

    typer.echo(_wrote(members.KEY_REVOKE, {"key_id": key_id}, data, database))


def _wrote(name: str, facts: dict[str, object], data: Path | None, location: str | None) -> str:
    """Do an errand of the keys: here, or in the server that holds the database."""
    from server.members import commands as members  # noqa: PLC0415 - only these commands need it
    from server.storage.errands import Errand  # noqa: PLC0415 - same

    settings = _settings(data=data, database=location)
    return _with_database(settings, members.ERRANDS[name](**facts), errand=Errand(name, facts))


@keys_cli.command("rotate")
def rotate_signing_key(
    is_compromised: Annotated[
        bool,
        typer.Option(
            "--now", help="A key may have been stolen: the new one signs now, all others end."
        ),
    ] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Makes the next key that access tokens are signed with; the servers may run meanwhile.

    It is published at once and signs two minutes later; older keys count until the last token that
    they signed has expired.
    """
    from server.members import commands as members  # noqa: PLC0415 - only these commands need it
    from server.storage.errands import Errand  # noqa: PLC0415 - same

    work = members.rotate_signing_key(is_compromised=is_compromised)
    errand = Errand(members.ROTATE, {"is_compromised": is_compromised})
    settings = _settings(data=data, database=database)
    typer.echo(_with_database(settings, work, errand=errand))


@keys_cli.command("signing")
def signing_keys(data: DataOption = None, database: DatabaseOption = None) -> None:
    """Lists the keys that access tokens are signed with, in the order in which they sign."""
    from server.members import commands as members  # noqa: PLC0415 - only these commands need it

    settings = _settings(data=data, database=database)
    typer.echo(_with_database(settings, members.list_signing_keys(), writable=False))


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

    _with_database(_settings(data=data, database=database), create())
    typer.echo(f"{email} can sign in as {role.value}.")


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

    settings = _settings(data=data, database=database)
    options = imports.ImportOptions(file, dry_run, enrol, report, batch)
    if not _with_database(settings, imports.import_balances(options)):
        raise typer.Exit(EXIT_REFUSED)


@documents_cli.command("publish")
def publish_documents(
    manifest: Annotated[
        Path,
        typer.Argument(
            help="Apollo's persisted query manifest, or a JSON object of documents by their"
            " SHA-256, as Relay and graphql-codegen write it."
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check every document and publish none.")
    ] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Publishes all documents of a manifest, or none if one of them is not valid; the server may
    run meanwhile, and answers them at once."""
    from server.edge import trusted_commands as trusted  # noqa: PLC0415 - only these commands need it
    from server.edge.executing import schema_of  # noqa: PLC0415 - same
    from server.schema import schema as joined  # noqa: PLC0415 - the schema takes a while to load
    from server.storage.errands import Errand  # noqa: PLC0415 - same

    settings = _settings(data=data, database=database)
    try:
        documents = trusted.read(manifest, schema_of(joined))
    except trusted.ManifestRefused as error:
        raise _refuse(str(error)) from None
    if dry_run:
        typer.echo(f"{len(documents)} documents could be published")
        return
    facts = {"documents": [[one.body, one.label] for one in documents]}
    errand = Errand(trusted.PUBLISH, facts)
    typer.echo(_with_database(settings, trusted.publish(**facts), errand=errand))


@documents_cli.command("list")
def list_documents(data: DataOption = None, database: DatabaseOption = None) -> None:
    """Lists the documents, withdrawn ones included."""
    from server.edge import trusted_commands as trusted  # noqa: PLC0415 - only these commands need it

    settings = _settings(data=data, database=database)
    typer.echo(_with_database(settings, trusted.listed(), writable=False))


@documents_cli.command("withdraw")
def withdraw_document(
    document_id: Annotated[str, typer.Argument(help="Its id: the SHA-256 of its text.")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Publishes a document no longer; servers that run stop answering it within a minute."""
    from server.edge import trusted_commands as trusted  # noqa: PLC0415 - only these commands need it
    from server.storage.errands import Errand  # noqa: PLC0415 - same

    settings = _settings(data=data, database=database)
    facts = {"sha256": document_id.removeprefix("sha256:").lower()}
    errand = Errand(trusted.WITHDRAW, facts)
    typer.echo(_with_database(settings, trusted.withdraw(**facts), errand=errand))


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
        settings = _settings(data=data, database=database)
    except typer.Exit:
        raise typer.Exit(audit.EXIT_CANNOT_OPEN) from None
    raise typer.Exit(audit.audit(settings.address, as_json=as_json))


@cli.command()
def replay(
    programme: Annotated[Path, typer.Option(help="The programme file (YAML).")],
    out: Annotated[Path, typer.Option(help="The folder for results, state and database.")],
    baskets: Annotated[
        Path | None, typer.Option(help="The baskets (JSON Lines, plain or gzip).")
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Play the sample grocery data instead.")
    ] = False,
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
