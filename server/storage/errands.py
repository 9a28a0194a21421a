"""Errands: what a command asks of the server that holds the SQLite file.

One process writes a SQLite file, so a command that has to change something while the server runs
leaves the errand in a folder beside the file; the server looks there, does it in its own database
and leaves the answer. Who may write there could as well write the database itself.

An errand is taken once, by the rename of its file, and not after `PATIENCE_SECONDS`.
"""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server import messages
from server.clock import MICROSECONDS_PER_SECOND, system_now
from server.errors import DomainError
from server.storage.database import Address, CannotOpen

PATIENCE_SECONDS = 15
_LOOKED_FOR_EVERY_SECONDS = 0.2
_ASKED, _TAKEN, _ANSWERED = ".asked", ".taken", ".answered"

Known = Mapping[str, Callable[..., Awaitable[str]]]
"""What the server does on request: each is given the errand's facts and returns what to print."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What is to be done: its name and facts that JSON can hold."""

    name: str
    facts: Mapping[str, Any]


def _folder(address: Address) -> Path:
    return Path(address.location + ".errands")


def _put(file: Path, content: Mapping[str, Any]) -> None:
    """Write the file so that nobody sees a part of it."""
    unfinished = file.with_suffix(".new")
    unfinished.write_text(json.dumps(content))
    unfinished.replace(file)


# ---------------------------------------------------------------- the command


async def ask(address: Address, errand: Errand) -> str:
    """Have the server do the errand; what it says.

    Raises CannotOpen if it refuses, or does not take the errand in `PATIENCE_SECONDS`.
    """
    folder = _folder(address)
    asked = folder / f"{secrets.token_hex(16)}{_ASKED}"
    until = system_now() + PATIENCE_SECONDS * MICROSECONDS_PER_SECOND
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        _put(asked, {"name": errand.name, "facts": dict(errand.facts), "until": until})
    except OSError as error:
        raise CannotOpen(f"can't write in the folder {folder}: {error.strerror}") from error
    answered = asked.with_suffix(_ANSWERED)
    patience_ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < patience_ends:
        if answered.exists():
            answer = json.loads(answered.read_text())
            answered.unlink()
            if "refused" in answer:
                raise CannotOpen(answer["refused"])
            return str(answer["said"])
        await asyncio.sleep(_LOOKED_FOR_EVERY_SECONDS / 4)
    try:
        asked.unlink()
    except FileNotFoundError:
        raise CannotOpen(
            f"the process that holds {address.shown} has begun and not answered in"
            f" {PATIENCE_SECONDS} s; look whether it was done"
        ) from None
    raise CannotOpen(
        f"the process that holds {address.shown} does not answer; stop it first, or run Laurel on"
        " PostgreSQL for more than one process"
    )


# ---------------------------------------------------------------- the server


@asynccontextmanager
async def taking(address: Address, known: Known) -> AsyncIterator[None]:
    """Within the block, errands for this process's open SQLite file are done; on PostgreSQL there
    are none, for commands write there themselves."""
    if address.engine != "sqlite":
        yield
        return
    for left_over in _folder(address).glob("*"):
        if left_over.suffix != _ASKED:
            left_over.unlink(missing_ok=True)
    task = asyncio.create_task(_take_again_and_again(_folder(address), known), name="errands")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _take_again_and_again(folder: Path, known: Known) -> None:
    while True:
        await asyncio.sleep(_LOOKED_FOR_EVERY_SECONDS)
        for asked in _waiting(folder):
            try:
                if (errand := _taken(asked)) is not None:
                    _put(asked.with_suffix(_ANSWERED), await _done(errand, known))
            except Exception:
                import structlog  # noqa: PLC0415 - slow to load, and hardly ever needed

                structlog.get_logger("errands").exception("errand failed")


def _waiting(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{_ASKED}"))


def _taken(asked: Path) -> Any:
    """The errand, for whoever takes it first and in time; else None."""
    taken = asked.with_suffix(_TAKEN)
    try:
        asked.rename(taken)
    except FileNotFoundError:  # its command has lost patience
        return None
    errand = json.loads(taken.read_text())
    taken.unlink()
    return errand if errand["until"] > system_now() else None


async def _done(errand: Mapping[str, Any], known: Known) -> dict[str, str]:
    work = known.get(errand["name"])
    if work is None:
        return {"refused": "the server that runs is of another version; stop it first"}
    try:
        return {"said": await work(**errand["facts"])}
    except DomainError as error:
        return {"refused": messages.text(error.reason, "en", **error.facts)}
    except Exception:
        import structlog  # noqa: PLC0415 - slow to load, and hardly ever needed

        structlog.get_logger("errands").exception("errand failed", errand=errand["name"])
        return {"refused": "the server could not do it; its log says why"}
