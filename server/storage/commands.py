"""What `python -m server migrate` does, as text for a terminal and exit codes for scripts."""

from pathlib import Path

from server.storage import migrate
from server.storage.database import Address, CannotOpen, opened

DONE = 0
TO_DO = 1
"""Something is left to do, or could not be done."""


async def migrate_database(address: Address, *, apply: bool, report: migrate.Report = print) -> int:
    """Say which migrations the database lacks, and with `apply` apply them; the exit code.

    1 means that migrations are pending still, that the database is newer than this code, or that
    it can't be opened.
    """
    if not apply and _is_missing(address):
        return _announce(migrate.steps(), address, report)  # looking must not create the file
    try:
        async with opened(address, writable=apply):
            if newer := await migrate.unknown():
                report(f"{address.shown} is newer than this code: it has {', '.join(newer)}.")
                return TO_DO
            steps = await migrate.pending()
            if not steps:
                report(f"Nothing to do: {address.shown} is up to date.")
                return DONE
            if not apply:
                return _announce(steps, address, report)
            await migrate.apply_pending(report)
            report(f"{address.shown} is up to date.")
            return DONE
    except CannotOpen as error:
        report(f"{error}")
        return TO_DO


def _is_missing(address: Address) -> bool:
    return address.engine == "sqlite" and not Path(address.location).exists()


def _announce(steps: list[migrate.Step], address: Address, report: migrate.Report) -> int:
    report(f"To be applied to {address.shown}, all in one transaction:")
    for step in steps:
        report(f"  {step}")
    report("Nothing is changed yet: make a backup, then run it again with --yes.")
    return TO_DO


async def show_drift(report: migrate.Report = print) -> int:
    """Say whether the migrations make what the models declare; the exit code. Needs no database."""
    missing = await migrate.drift()
    if not missing:
        report("The migrations agree with the models.")
        return DONE
    report("The models have changed without a migration. It would be:\n")
    report(missing)
    return TO_DO


async def refusal(address: Address) -> str | None:
    """Why a command can't work on the open database, or None: it lacks migrations or is newer."""
    if newer := await migrate.unknown():
        return f"the database {address.shown} is newer than this code: it has {newer[0]}"
    if steps := await migrate.pending():
        return (
            f"the database {address.shown} lacks {len(steps)} migration(s): run"
            " `python -m server migrate --yes` first"
        )
    return None
