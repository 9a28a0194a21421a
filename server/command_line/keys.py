"""`python -m server keys ...`: the keys of tills and shops, and of tokens."""

import json
from pathlib import Path
from typing import Annotated

import typer

from server.command_line.running import (
    DatabaseOption,
    DataOption,
    refuse,
    settings_of,
    with_database,
)
from server.principal import KEY_SCOPES, KeyKind, Scope

keys_cli = typer.Typer(
    no_args_is_help=True, help="The keys of tills and shops, and those that tokens are signed with."
)


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
        raise refuse("say with --for what the key is for, or with --scope what it may do")
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

    settings = settings_of(data=data, database=database)
    typer.echo(with_database(settings, members.key_list(as_json=as_json), writable=False))


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

    settings = settings_of(data=data, database=location)
    return with_database(settings, members.ERRANDS[name](**facts), errand=Errand(name, facts))


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
    settings = settings_of(data=data, database=database)
    typer.echo(with_database(settings, work, errand=errand))


@keys_cli.command("signing")
def signing_keys(data: DataOption = None, database: DatabaseOption = None) -> None:
    """Lists the keys that access tokens are signed with, in the order in which they sign."""
    from server.members import commands as members  # noqa: PLC0415 - only these commands need it

    settings = settings_of(data=data, database=database)
    typer.echo(with_database(settings, members.list_signing_keys(), writable=False))
