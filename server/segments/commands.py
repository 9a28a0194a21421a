"""`python -m server segments ...`: going through all members, with a bar.

Each command assumes an open, migrated database and returns the text to print.
"""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from server import clock
from server.members import service as members
from server.segments import service

COLUMNS = ("memberId", "externalId", "name")


async def evaluate(key: str, out: Path | None = None) -> str:
    """How many members are in the segment now; with `out` they are written there as CSV.

    Raises NotFound if there is no such segment.
    """
    total = await service.member_count()
    looked_at = found = 0
    with _writing(out) as write, _bar(f"segment {key}", total) as advance:
        async for count, page in service.members_of(key, clock.now()):
            looked_at += count
            found += len(page)
            await write(page)
            advance(looked_at)
    said = f"{key}: {found:,} of {looked_at:,} members"
    return said if out is None else f"{said}, written to {out}"


async def freeze() -> str:
    """List the rest of all frozen segments that were published, as the server does by itself."""
    total = await service.member_count()
    with _bar("freezing", total) as advance:
        count = await service.finish_listings(advance)
    return f"{count:,} frozen segments were listed to the end"


class _Writer:
    """Writes members as CSV, or nothing without a file."""

    def __init__(self, file: TextIO | None) -> None:
        self._rows = None if file is None else csv.writer(file)
        if self._rows is not None:
            self._rows.writerow(COLUMNS)

    async def __call__(self, member_ids: list[int]) -> None:
        if self._rows is None:
            return
        for profile in (await members.profiles(member_ids)).values():
            self._rows.writerow((profile.id, profile.external_id or "", profile.name or ""))


@contextmanager
def _writing(out: Path | None) -> Iterator[_Writer]:
    if out is None:
        yield _Writer(None)
        return
    with out.open("w", encoding="utf-8", newline="") as file:
        yield _Writer(file)


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, if that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _done: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
