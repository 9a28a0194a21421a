"""A replay's way to its server: which database, from which point, with which key."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from server import clock
from server.demo_credentials import REPLAY_KEY
from server.replay import databases
from server.replay.checkpoint import (
    FOLDER_TARGET,
    Start,
    State,
    address_target,
    how_to_start,
)
from server.replay.client import Client, instant_text
from server.replay.errors import ReplayStopped
from server.replay.folder import Folder
from server.replay.operations import PROGRAMME
from server.replay.programme_file import ProgrammeFile
from server.replay.server_process import OwnServer, RemoteServer

Say = Callable[[str], None]


@dataclass(frozen=True)
class Where:
    """Which database or server to play into; neither: a SQLite database in the folder."""

    database: str | None = None
    url: str | None = None
    api_key: str | None = None

    @property
    def target(self) -> str:
        """Its identity, without secrets."""
        address = self.url or self.database
        return FOLDER_TARGET if address is None else address_target(address)


@dataclass(frozen=True)
class Session:
    """A client of a server that is ready, and where the replay stands there."""

    client: Client
    state: State
    publish: Callable[[Path, clock.Instant], None] | None = None  # on a server of its own


@contextmanager
def opened(
    where: Where, programme: ProgrammeFile, replay: str, folder: Folder, say: Say
) -> Iterator[Session]:
    """The session with a server on a fresh database, or on one that has a part of this replay."""
    before = folder.state.read()
    start = how_to_start(before, replay=replay, target=where.target)
    if start is Start.RESUME and where.target == FOLDER_TARGET and not folder.database.exists():
        say(f"{folder.database} is gone.")
        start = Start.AFRESH
    _announce(start, before, replay, say)
    if before is not None and start in (Start.RESUME, Start.RESULTS_ONLY):
        state = before
    else:
        state = State(replay=replay, target=where.target, phase="preparing")
    if where.url is not None:
        with _running(where.url, where.api_key, programme, folder, state) as session:
            yield session
    else:
        with _own(where, start, programme, folder, state, say) as session:
            yield session


def _announce(start: Start, before: State | None, replay: str, say: Say) -> None:
    if start is Start.RESUME and before is not None:
        say(f"Continuing after {before.baskets_done:,} baskets.")
    elif start is Start.RESULTS_ONLY:
        say("This replay was played to its end; its results are written again.")
    elif before is not None and before.phase != "finished" and start is Start.AFRESH:
        same = before.replay == replay
        say(
            "Starting afresh: the folder's unfinished replay is "
            + ("in another database." if same else "of other baskets or another programme.")
        )


@contextmanager
def _running(
    url: str, api_key: str | None, programme: ProgrammeFile, folder: Folder, state: State
) -> Iterator[Session]:
    """A session with a server that runs already and applies the same programme."""
    with Client(RemoteServer(url), api_key or REPLAY_KEY) as client:
        _check_programme(client, programme)
        if state.phase == "preparing":
            state.phase = "playing"
            folder.state.write(state)
        yield Session(client, state)


def _check_programme(client: Client, programme: ProgrammeFile) -> None:
    """Raises ReplayStopped unless the server applies the file's programme at its first instant."""
    at = programme.starts_at
    variables = msgspec.json.encode({"at": instant_text(at)})
    answer = client.execute(PROGRAMME, variables, at=at, about="Programme")
    if answer.programme.digest != programme.digest:
        raise ReplayStopped(
            f"The server applies another programme on {programme.first_date} than "
            f"{programme.path}; publish this one there, or replay without --url."
        )


@contextmanager
def _own(
    where: Where,
    start: Start,
    programme: ProgrammeFile,
    folder: Folder,
    state: State,
    say: Say,
) -> Iterator[Session]:
    """A session with a server of the replay's own, which ends with the session."""
    location = (
        ("--data", str(folder.database))
        if where.database is None
        else ("--database", where.database)
    )
    server = OwnServer(location, log=folder.log, lock=folder.server_lock, say=say)
    if state.phase == "preparing":
        _prepare(where, start, server, programme, folder, state, say)
    if state.api_key is None:
        raise ReplayStopped(f"{folder.state.path} has no API key; remove it to start afresh.")
    say("Starting the server.")
    with server, Client(server, state.api_key) as client:
        yield Session(client, state, server.publish_campaigns)


def _prepare(
    where: Where,
    start: Start,
    server: OwnServer,
    programme: ProgrammeFile,
    folder: Folder,
    state: State,
    say: Say,
) -> None:
    """Sets up a fresh database. From the first write on, the state says whose database it is."""
    if where.database is None:
        databases.make_folder_fresh(folder.database)
    elif start is Start.AFRESH:
        databases.refuse_unless_empty(where.database)
    folder.state.write(state)
    say("Setting up the database.")
    server.migrate()
    server.publish(programme.path)
    state.api_key = server.create_key()
    state.phase = "playing"
    folder.state.write(state)
