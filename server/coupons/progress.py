"""What the generation of codes says on standard error: a bar at a terminal, else lines."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def counting(total: int, console: Console) -> Iterator[Callable[[int], None]]:
    """Shows how `total` codes are reached; the block calls the answer with how many are made."""
    if not console.is_terminal:
        yield _lines(total, console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Generating", total=total)
        yield lambda made: progress.update(task, completed=made)


def _lines(total: int, console: Console) -> Callable[[int], None]:
    last = time.monotonic()

    def advance(made: int) -> None:
        nonlocal last
        if made == total or time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            console.print(f"Generating: {made:,} of {total:,} codes")

    return advance
