"""`python -m server documents ...`: what apps may ask for by its id."""

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

documents_cli = typer.Typer(
    no_args_is_help=True, help="The documents that apps may ask for by their ids."
)


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

    settings = settings_of(data=data, database=database)
    try:
        documents = trusted.read(manifest, schema_of(joined))
    except trusted.ManifestRefused as error:
        raise refuse(str(error)) from None
    if dry_run:
        typer.echo(f"{len(documents)} documents could be published")
        return
    facts = {"documents": [[one.body, one.label] for one in documents]}
    errand = Errand(trusted.PUBLISH, facts)
    typer.echo(with_database(settings, trusted.publish(**facts), errand=errand))


@documents_cli.command("list")
def list_documents(data: DataOption = None, database: DatabaseOption = None) -> None:
    """Lists the documents, withdrawn ones included."""
    from server.edge import trusted_commands as trusted  # noqa: PLC0415 - only these commands need it

    settings = settings_of(data=data, database=database)
    typer.echo(with_database(settings, trusted.listed(), writable=False))


@documents_cli.command("withdraw")
def withdraw_document(
    document_id: Annotated[str, typer.Argument(help="Its id: the SHA-256 of its text.")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Publishes a document no longer; servers that run stop answering it within a minute."""
    from server.edge import trusted_commands as trusted  # noqa: PLC0415 - only these commands need it
    from server.storage.errands import Errand  # noqa: PLC0415 - same

    settings = settings_of(data=data, database=database)
    facts = {"sha256": document_id.removeprefix("sha256:").lower()}
    errand = Errand(trusted.WITHDRAW, facts)
    typer.echo(with_database(settings, trusted.withdraw(**facts), errand=errand))
