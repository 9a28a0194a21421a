"""`python -m server definitions ...`: files of definitions out and in, and what there is.

Each command assumes an open, migrated database and returns the text to print.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from server import clock
from server.definitions import bundles, exporting, importing, service
from server.definitions.bundles import shown_instant
from server.definitions.errors import InvalidDefinition
from server.definitions.formats import FileFormat
from server.definitions.importing import Import, Outcome
from server.definitions.kinds import in_order
from server.errors import InvalidInput
from server.programme.commands import CommandRefused, text_of
from server.storage import sql

Counting = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""Shows how so many items are reached."""


def _quietly(_total: int) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda _done: None)


def format_of(file: Path | None, chosen: FileFormat | None) -> FileFormat:
    """The format that was chosen, or that of the file's name, or YAML."""
    if chosen is not None:
        return chosen
    is_table = file is not None and file.suffix.lower() == ".csv"
    return FileFormat.CSV if is_table else FileFormat.YAML


def _chosen(names: Sequence[str]) -> list[service.Kind] | None:
    try:
        return [service.kind_of(name) for name in dict.fromkeys(names)] or None
    except InvalidInput as error:
        known = ", ".join(sorted(kind.name for kind in service.kinds()))
        raise CommandRefused(f"there is no kind {error.value}: the kinds are {known}") from error


async def export(file: Path | None, names: Sequence[str], file_format: FileFormat | None) -> str:
    """What counts now and what is scheduled, of these kinds or of all: the file's text, or what was
    written to `file`."""
    items = await exporting.exported(clock.now(), _chosen(names))
    text = bundles.written(items, format_of(file, file_format))
    if file is None:
        return text.removesuffix("\n")
    _write(file, text)
    return f"{len(items):,} definition{'s' * (len(items) != 1)} written to {file}"


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise CommandRefused(f"can't write {file}: {error.strerror or error}") from error


async def bring_in(
    file: Path,
    file_format: FileFormat | None,
    *,
    as_drafts: bool,
    is_dry_run: bool,
    counting: Counting = _quietly,
) -> str:
    """Take a file in one transaction; a line for each item that changes anything, and a sum."""
    text = text_of(file)
    try:
        items = bundles.read(text, format_of(file, file_format))

        async def work() -> Import:
            with counting(len(items)) as told:
                async with sql.transaction(shares_commit=False):
                    return await importing.bring_in(
                        items,
                        as_drafts=as_drafts,
                        is_dry_run=is_dry_run,
                        by=service.COMMAND_LINE,
                        now=clock.now(),
                        told=told,
                    )

        return _report(await sql.retried(work), is_dry_run=is_dry_run)
    except InvalidDefinition as error:
        count = len(error.problems)
        raise CommandRefused(
            f"{file}: {count} problem{'s' * (count != 1)}, nothing was written\n{error.lines}"
        ) from error


def _report(done: Import, *, is_dry_run: bool) -> str:
    lines = [
        f"{item.outcome.value}: {item.kind} {item.key}, version {item.version}"
        + ("" if item.effective_at is None else f", from {shown_instant(item.effective_at)}")
        for item in done.items
        if item.outcome is not Outcome.UNCHANGED
    ]
    counts = ", ".join(f"{done.count(outcome):,} {outcome.value}" for outcome in Outcome)
    return "\n".join([*lines, counts + (" (nothing was written)" if is_dry_run else "")])


async def listed(names: Sequence[str]) -> str:
    """What counts now, a line each."""
    now = clock.now()
    known = await service.shelves()
    lines = [
        f"{kind.name} {one.key}: version {one.version}, from {shown_instant(one.effective_at)}"
        for kind in in_order(_chosen(names) or service.kinds())
        for one in known.of(kind.name).live(now).by_key.values()
    ]
    return "\n".join(lines) or "(nothing is published)"


async def history(kind: str, key: str) -> str:
    """All versions of one thing, the newest first, a line each."""
    _chosen([kind])
    found = await service.history(kind, key)
    if not found:
        raise CommandRefused(f"there is no {kind} {key}")
    return "\n".join(_line(version) for version in found)


def _line(version: service.Version) -> str:
    what = "withdrawal" if version.withdraws else version.digest[:12]
    line = f"version {version.version}: {version.status.value}, {what}"
    if version.effective_at is not None:
        line += f", from {shown_instant(version.effective_at)}"
    line += f", written {shown_instant(version.written_at)} by {version.written_by}"
    if version.decided_by is not None:
        line += f", decided by {version.decided_by}"
    return line + (f": {version.note}" if version.note else "")
