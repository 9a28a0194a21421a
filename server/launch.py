"""Starting the server: the database looked at and brought up to date, then serving."""

import asyncio

from server import demo, demo_credentials
from server.app import create_app
from server.members import service as members
from server.serving import CannotListen, listening_socket, run
from server.settings import Mode, Settings
from server.storage import database, migrate
from server.storage.database import CannotOpen


class CannotServe(Exception):
    """The server can't start; the message says why in one line."""


def launch(settings: Settings, *, applies_migrations: bool, stops_with_stdin: bool) -> None:
    """Serve until asked to stop. Raises CannotServe, having changed nothing."""
    try:
        listening = listening_socket(settings.host, settings.port)
        with listening:
            asyncio.run(_prepare(settings, applies_migrations=applies_migrations))
            host, port = listening.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            started = run(
                create_app(settings),
                listening,
                announce=lambda: _announce(settings, f"http://{shown}:{port}"),
                stops_with_stdin=stops_with_stdin,
            )
    except (CannotListen, CannotOpen) as error:
        raise CannotServe(str(error)) from error
    if not started:
        raise CannotServe("the server did not start; the lines above say why")
    print("Stopped.", flush=True)


async def _prepare(settings: Settings, *, applies_migrations: bool) -> None:
    address = settings.address
    async with database.opened(address):
        if newer := await migrate.unknown():
            raise CannotOpen(
                f"the database {address.shown} is newer than this code (it has {newer[0]});"
                " update Laurel first"
            )
        steps = await migrate.pending()
        if steps and not applies_migrations:
            raise CannotOpen(
                f"the database {address.shown} lacks {len(steps)} migration(s); look with"
                " `python -m server migrate`, then serve with --migrate"
            )
        if steps:
            await migrate.apply_pending(print)
        await members.prepare_keys(issuer=settings.token_issuer, audience=settings.audience)
        if settings.mode is Mode.DEMO:
            print("Making the sample members ...", flush=True)
            await demo.prepare()


def _announce(settings: Settings, url: str) -> None:
    print(f"Ready: {url}", flush=True)
    if settings.mode is Mode.DEMO:
        print(
            f"""
  GraphiQL       {url}/graphql?example=home&as=member
  as a member    {demo_credentials.MEMBER_EMAIL}, password {demo_credentials.MEMBER_PASSWORD}
  as staff       {demo_credentials.STAFF_EMAIL}, password {demo_credentials.STAFF_PASSWORD}
  as a till      Authorization: Bearer {demo_credentials.TILL_KEY}

  Everybody knows these credentials: this is a demonstration, not for real members.
  Ctrl-C stops it.""",
            flush=True,
        )
