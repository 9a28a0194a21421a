"""Starting the server: the database looked at and brought up to date, then serving."""

import asyncio
import socket
from enum import Enum, auto

from server import demo, demo_credentials
from server.app import create_app
from server.members import service as members
from server.serving import CannotListen, cancelled_by_signals, listening_socket, server_for
from server.settings import Mode, Settings
from server.storage import database, migrate
from server.storage.database import CannotOpen
from server.storage.looking import look


class CannotServe(Exception):
    """The server can't start; the message says why in one line."""


def launch(settings: Settings, *, applies_migrations: bool, stops_with_stdin: bool) -> None:
    """Serve until asked to stop. Raises CannotServe, having changed nothing.

    What can be in the way is looked at first: the port, then the database, and only what is found
    free and fit is touched.
    """
    try:
        with listening_socket(settings.host, settings.port) as listening:
            server = server_for(stops_with_stdin=stops_with_stdin)
            serving = _serve(settings, listening, applies_migrations=applies_migrations)
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(serving)
    except (CannotListen, CannotOpen) as error:
        raise CannotServe(str(error)) from error
    print("Stopped.", flush=True)
