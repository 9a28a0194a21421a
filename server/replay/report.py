"""What the replay says while it works: lines, and a bar where there is a terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

SECONDS_BETWEEN_LINES = 5.0


class Advance(Protocol):
    """Says how many are done by now, up to where that is, and of how many if that was unknown."""

    def __call__(self, count: int, place: str = "", total: int | None = None) -> None:
        """Called as often as there is something new."""


class Report:
    """Lines for a person, or for a log when nobody watches."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, markup=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Writes one line."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def counting(self, what: str, *, total: int | None = None, done: int = 0) -> Iterator[Advance]:
        """Shows how `total` baskets are reached, of which `done` are there already."""
        if self._console.is_terminal:
            with self._bar(what, total, done) as advance:
                yield advance
        else:
            lines = _Lines(self.say, what, total=total, done=done)
            yield lines.advance
            lines.finish()

    @contextmanager
    def _bar(self, what: str, total: int | None, done: int) -> Iterator[Advance]:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[place]}"),
            _Speed(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task(what, total=total, completed=done, place="")

            def advance(count: int, place: str = "", total: int | None = None) -> None:
                progress.update(task, completed=count, place=place, total=total)

            yield advance


class _Speed(ProgressColumn):
    """Baskets per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} baskets/s")


class _Lines:
    """A line now and then, for logs."""

    def __init__(
        self, say: Callable[[str], None], what: str, *, total: int | None, done: int
    ) -> None:
        self._say, self._what, self._total = say, what, total or 0
        self._done_at_start = self._done = self._said = done
        self._place = ""
        self._began = self._last_line = time.monotonic()

    def advance(self, count: int, place: str = "", total: int | None = None) -> None:
        self._done, self._place, self._total = count, place, total or self._total
        if time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._line()

    def finish(self) -> None:
        """The last line, if the last figure was not said yet."""
        if self._done != self._said:
            self._line()

    def _line(self) -> None:
        now = time.monotonic()
        self._last_line, self._said = now, self._done
        text = f"{self._what}: {self._done:,} of {self._total:,} baskets"
        if self._place:
            text += f", up to {self._place}"
        seconds = now - self._began
        speed = (self._done - self._done_at_start) / seconds if seconds > 0 else 0.0
        if speed > 0:
            left = (self._total - self._done) / speed
            text += f", {speed:,.0f} baskets/s, {duration(left)} left"
        self._say(text)


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s"
