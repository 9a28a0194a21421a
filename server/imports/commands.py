"""`python -m server import balances FILE.csv`: a file of opening balances, taken line by line.

The command assumes an open, migrated database. Lines are taken in batches, each one transaction
that also notes which lines it took: killed at any moment and started again, the command goes on
where it was.
"""

import csv
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from rich.console import Console

from server import clock, messages
from server.clock import Instant
from server.errors import DomainError, InvalidInput
from server.imports import reading, rules, service
from server.imports.progress import counting
from server.imports.reading import FileRefused, Row, Survey
from server.imports.rules import Line
from server.imports.service import AlreadyTaken, Answer, KnownImport, TakenLine
from server.programme import service as programme
from server.programme.commands import NOTHING_PUBLISHED, CommandRefused
from server.programme.errors import NoProgramme
from server.storage import sql

if TYPE_CHECKING:
    from _csv import Writer

REFUSALS_SHOWN = 20
"""How many refused lines are printed; the report has all of them."""
REPORT_COLUMNS = ("number", "external_id", "status", "detail")
_AGAIN = "had an opening balance from an earlier import"


@dataclass(frozen=True)
class ImportOptions:
    """What to import, and how."""

    file: Path
    is_dry_run: bool = False
    enrols: bool = False
    report: Path | None = None
    batch_lines: int = 500


class _Undone(Exception):
    """Rolls a dry run's batch back."""


@dataclass
class _Result:
    """What became of the lines so far."""

    counts: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)  # the first of them, in words
    repeated: int = 0  # lines of members with an opening balance from another import
    points: int = 0
    cashback_minor: int = 0


async def import_balances(options: ImportOptions) -> bool:
    """Take the file, saying on the way what happens; whether no line was refused.

    Raises CommandRefused, having written nothing, if the file as a whole is not accepted.
    """
    said = Console(highlight=False, markup=False, soft_wrap=True)
    errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    try:
        now = clock.now()
        identity = (await programme.rulebook()).at(now).programme.programme
        with reading.opened(options.file) as file, _reported(options.report) as report:
            surveyed = reading.survey(file)
            before = await service.known(surveyed.digest)
            if before is not None and before.finished_at is not None:
                said.print(_finished(before))
                return True
            run = _Run(options, surveyed, identity.minor_unit_digits, report)
            result = await run.run(file, errors)
    except FileRefused as refusal:
        raise CommandRefused(str(refusal)) from refusal
    except NoProgramme as refusal:
        raise CommandRefused(NOTHING_PUBLISHED) from refusal
    _say(result, surveyed, options, said)
    return not result.counts["refused"]


async def _begin(options: ImportOptions, surveyed: Survey, now: Instant) -> KnownImport:
    """The import of this content; begun with the first transaction that takes lines of it."""
    return await service.begin(surveyed.digest, options.file.name, surveyed.line_count, now=now)


def _finished(begun: KnownImport) -> str:
    moment = clock.datetime_of(begun.finished_at or begun.started_at)
    return (
        f"Nothing to do: all lines of this content were taken before, as {begun.file_name}, by"
        f" {moment:%Y-%m-%d %H:%M} UTC."
    )


@contextmanager
def _reported(path: Path | None) -> "Iterator[Writer | None]":
    """The report to write lines to, with its header, if one is wanted."""
    if path is None:
        yield None
        return
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(REPORT_COLUMNS)
            yield writer
    except OSError as error:
        raise FileRefused(f"can't write {path}: {error.strerror or error}") from error


class _Run:
    """One run over the file."""

    def __init__(
        self,
        options: ImportOptions,
        surveyed: Survey,
        digits: int,
        report: "Writer | None",
    ) -> None:
        self._options = options
        self._surveyed = surveyed
        self._digits = digits
        self._report = report
        self._result = _Result()

    async def run(self, file: BinaryIO, errors: Console) -> _Result:
        """Take everything that is left; what became of it."""
        what = "Checking" if self._options.is_dry_run else "Taking"
        total = self._surveyed.line_count
        with counting(what, total=total, console=errors) as advance:
            for batch in _batches(reading.rows(file), self._options.batch_lines):
                for row, answer in zip(batch, await self._answers(batch), strict=True):
                    self._note(row, answer)
                advance(batch[-1].number)
        if not self._options.is_dry_run and not self._result.counts["refused"]:
            async with sql.transaction(shares_commit=False):
                now = clock.now()
                begun = await _begin(self._options, self._surveyed, now)
                await service.finish(begun.id, now=now)
        return self._result

    async def _answers(self, batch: Sequence[Row]) -> list[Answer]:
        """Take the batch in one transaction; an answer for each line."""
        parsed = [self._parsed(row) for row in batch]
        lines = [one for one in parsed if isinstance(one, Line)]
        done = iter(await self._take(lines) if lines else ())
        return [one if isinstance(one, DomainError) else next(done) for one in parsed]

    def _parsed(self, row: Row) -> Line | DomainError:
        if row.refusal is not None:
            return row.refusal
        try:
            return rules.line_of(row.number, row.values, digits=self._digits)
        except DomainError as refusal:
            return refusal

    async def _take(self, lines: Sequence[Line]) -> list[Answer]:
        answers: list[Answer] = []

        async def work() -> list[Answer]:
            async with sql.transaction(shares_commit=False):
                now = clock.now()
                begun = await _begin(self._options, self._surveyed, now)
                answers[:] = await service.take(
                    begun.id, lines, enrols=self._options.enrols, now=now
                )
                if self._options.is_dry_run:
                    raise _Undone
            return answers

        try:
            return await sql.retried(work)
        except _Undone:
            return answers

    def _note(self, row: Row, answer: Answer) -> None:
        status, detail = self._told(answer)
        result = self._result
        result.counts[status] += 1
        external_id = row.values.get(rules.EXTERNAL_ID, "").strip()
        if status == "refused" and len(result.refused) < REFUSALS_SHOWN:
            result.refused.append(f"line {row.number} ({_readable(external_id)}): {detail}")
        if self._report is not None:
            self._report.writerow((row.number, _readable(external_id), status, detail))

    def _told(self, answer: Answer) -> tuple[str, str]:
        """The status of a line, and what there is to say about it."""
        if isinstance(answer, AlreadyTaken):
            return "already taken", ""
        if isinstance(answer, TakenLine):
            self._result.points += answer.points
            self._result.cashback_minor += answer.cashback_minor
            self._result.repeated += answer.had_opening_balance
            status = "enrolled" if answer.enrolled else "taken"
            return status, _AGAIN if answer.had_opening_balance else ""
        return "refused", refusal_in_words(answer)


def refusal_in_words(refusal: DomainError) -> str:
    """Which column is refused, why, and what would be accepted, in English."""
    said = messages.text(refusal.reason, "en", **refusal.facts)
    column = "".join(f"{step}: " for step in refusal.path)
    given = accepted = ""
    if isinstance(refusal, InvalidInput):
        if refusal.value is not None:
            given = f" Given: {_readable(messages.told(refusal.value, 'en'))}."
        accepted = f" Accepted: {messages.told(refusal.accepted, 'en')}."
    elif refusal.reason == "import.unknown_member":
        accepted = " Accepted: the id of a member, or any new id with --enrol."
    return f"{column}{said}{given}{accepted}"


def _readable(text: str) -> str:
    """The text with what can't be printed, or is no UTF-8, as escapes."""
    if text.isprintable():
        return text
    return text.encode("unicode_escape", "backslashreplace").decode("ascii")


def _batches(lines: Iterable[Row], size: int) -> Iterator[list[Row]]:
    iterator = iter(lines)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _say(result: _Result, surveyed: Survey, options: ImportOptions, said: Console) -> None:
    """The summary, and the first of what was refused."""
    for line in result.refused:
        said.print(line)
    refused = result.counts["refused"]
    if refused > len(result.refused):
        more = refused - len(result.refused)
        said.print(f"... and {more:,} more refused; --report FILE writes all of them")
    if result.repeated:
        said.print(
            f"Warning: {result.repeated:,} lines are of members who {_AGAIN}: if this file is a"
            " correction of one that was taken before, they have both balances."
        )
    counts = ", ".join(
        f"{result.counts[status]:,} {status}"
        for status in ("taken", "enrolled", "already taken", "refused")
    )
    said.print(f"{surveyed.line_count:,} lines: {counts}.")
    said.print(f"Brought along: {result.points:,} points, {result.cashback_minor:,} minor units.")
    if options.is_dry_run:
        said.print("A dry run: nothing was written.")
