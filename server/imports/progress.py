"""What an import says while it works, on standard error: a bar at a terminal, else lines."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def counting(what: str, *, total: int, console: Console) -> Iterator[Callable[[int], None]]:
    """Shows how `total` lines are reached; the block calls the answer with how many are done."""
    if not console.is_terminal:
        yield _lines(what, total, console)
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


def _lines(what: str, total: int, console: Console) -> Callable[[int], None]:
    last = time.monotonic()

    def advance(done: int) -> None:
        nonlocal last
        if done == total or time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            console.print(f"{what}: {done:,} of {total:,} lines")

    return advance
