"""How far a replay has come: one small file, replaced as a whole before and after what counts."""

import hashlib
import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from server.replay.errors import ReplayStopped

STATE_FILE = "replay-state.json"
FOLDER_TARGET = "folder"


class PendingRedemptions(Struct, forbid_unknown_fields=True):
    """Redemptions that were decided, and perhaps sent: they are sent again as they stand.

    The balances after a part of them differ from those before, so deciding anew would be wrong.
    """

    round: int  # 1 for a member's first redemption of the run
    households: list[str]


class State(Struct, forbid_unknown_fields=True):
    """Where a replay stands. All counts are of what the server has answered."""

    replay: str  # digest of programme and baskets
    target: str  # where the server's database is
    phase: Literal["preparing", "playing", "finished"]
    api_key: str | None = None  # of the replay's own server
    baskets_done: int = 0
    runs_done: int = 0
    chunks_done: int = 0  # of the present run
    pending: PendingRedemptions | None = None
    seconds: float = 0.0  # spent on playing so far


class Start(Enum):
    """How to begin."""

    AFRESH = "afresh"  # nothing of this replay is there
    PREPARE_AGAIN = "prepare again"  # the database was being set up; nothing was played
    RESUME = "resume"  # a part was played
    RESULTS_ONLY = "results only"  # all was played into a database that is not the folder's


def how_to_start(state: State | None, *, replay: str, target: str) -> Start:
    """What a state file, or its absence, means for this replay into this target."""
    if state is None or (state.replay, state.target) != (replay, target):
        return Start.AFRESH
    if state.phase == "preparing":
        return Start.PREPARE_AGAIN
    if state.phase == "playing":
        return Start.RESUME
    return Start.AFRESH if target == FOLDER_TARGET else Start.RESULTS_ONLY


def replay_digest(*, programme: str, baskets: str) -> str:
    """What identifies a replay: its programme and its baskets."""
    return hashlib.sha256(f"{programme}:{baskets}".encode()).hexdigest()


def address_target(url: str) -> str:
    """The identity of a database or server, without user and password."""
    parts = urlsplit(url)
    place = f"{parts.scheme}://{parts.hostname}:{parts.port}{parts.path.rstrip('/')}"
    if not parts.query:
        return place
    return f"{place}?{hashlib.sha256(parts.query.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class StateFile:
    """The state in its folder."""

    path: Path

    def read(self) -> State | None:
        """The state, or None if there is none. Raises ReplayStopped if it is not readable."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=State)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise ReplayStopped(
                f"{self.path} is not the state of a replay ({error}); "
                "remove it or choose another folder."
            ) from error

    def write(self, state: State) -> None:
        """Replaces the state; when this returns, a loss of power does not undo it."""
        write_whole(self.path, msgspec.json.format(msgspec.json.encode(state), indent=1) + b"\n")


def write_whole(path: Path, content: bytes) -> None:
    """Gives `path` the content at one instant: before it the old, after it the new."""
    part = path.with_name(f"{path.name}.part")
    # The state holds an API key: nobody else reads it.
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes new names in the folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
