"""What `python -m server audit` does: an audit with a bar, its result as text or JSON."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from server.audit import service
from server.audit.service import Report
from server.storage import commands, database
from server.storage.database import Address, CannotOpen

EXIT_CLEAN = 0
EXIT_PROBLEMS = 1
EXIT_CANNOT_OPEN = 2


def audit(address: Address, *, as_json: bool) -> int:
    """Audit the database, which may be in use, and print what was found; the exit code."""
    try:
        report = asyncio.run(_audit(address))
    except CannotOpen as error:
        typer.echo(f"laurel: {error}", err=True)
        return EXIT_CANNOT_OPEN
    typer.echo(_as_json(report) if as_json else _as_text(report))
    return EXIT_PROBLEMS if report.problem_count else EXIT_CLEAN


async def _audit(address: Address) -> Report:
    if refusal := await commands.refusal(address):
        raise CannotOpen(refusal)
    async with database.opened(address, writable=False, pool_size=1):
        with database.failures_told(address), _bar() as progress:
            return await service.audit_all(progress=progress)


@contextmanager
def _bar() -> Iterator[service.Progress | None]:
    """A bar on standard error, if that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("Auditing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("members, {task.fields[problems]} problems"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=None, problems=0)

        def advance(done: int, total: int, problems: int) -> None:
            progress.update(task, completed=done, total=total, problems=problems)

        yield advance


def _looked_at(report: Report) -> str:
    return (
        f"{report.member_count:,} members, {report.account_count:,} accounts,"
        f" {report.posting_count:,} postings and {report.purchase_count:,} purchases"
    )


def _as_text(report: Report) -> str:
    if not report.problem_count:
        return f"Clean: {_looked_at(report)}; everything follows from the journal."
    counts = ", ".join(f"{check} {count:,}" for check, count in report.counts.items())
    lines = [problem.line for problem in report.firsts]
    last = f"{report.problem_count:,} problems in {_looked_at(report)}: {counts}."
    return "\n".join([*lines, last])


def _as_json(report: Report) -> str:
    shown = {
        "members": report.member_count,
        "accounts": report.account_count,
        "postings": report.posting_count,
        "purchases": report.purchase_count,
        "problems": report.problem_count,
        "counts": report.counts,
        "first": [
            {
                "check": problem.check.value,
                "table": problem.table,
                "rowId": str(problem.row_id),
                "memberId": str(problem.member_id),
                "what": problem.what,
                "expected": problem.expected,
                "found": problem.found,
            }
            for problem in report.firsts
        ],
    }
    return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()
