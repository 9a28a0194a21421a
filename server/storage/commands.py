"""What `python -m server migrate` does, as text for a terminal and exit codes for scripts."""

from collections.abc import Sequence

from server.storage import migrate
from server.storage.database import Address, failures_told, opened
from server.storage.looking import look

DONE = 0
TO_DO = 1
"""Something is left to do, or could not be done."""


async def migrate_database(address: Address, *, apply: bool, report: migrate.Report = print) -> int:
    """Say which migrations the database lacks, and with `apply` apply them; the exit code.

    1 means that migrations are pending still or that the database is newer than this code. Raises
    CannotOpen.
    """
    seen = await look(address)
    if seen.newer:
        report(f"{address.shown} is newer than this code: it has {', '.join(seen.newer)}.")
        return TO_DO
    if not seen.lacking:
        report(f"Nothing to do: {address.shown} is up to date.")
        return DONE
    if not apply:
        return _announce(seen.lacking, address, report)
    async with opened(address):
        with failures_told(address):
            await migrate.apply_pending(report)
    report(f"{address.shown} is up to date.")
    return DONE


def _announce(steps: Sequence[migrate.Step], address: Address, report: migrate.Report) -> int:
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
    """Why a command can't work on the database, or None: it lacks migrations or is newer.

    Raises CannotOpen.
    """
    seen = await look(address)
    if seen.newer:
        return f"the database {address.shown} is newer than this code: it has {seen.newer[0]}"
    if seen.lacking:
        return (
            f"the database {address.shown} lacks {len(seen.lacking)} migration(s): run"
            " `python -m server migrate --yes` first"
        )
    return None
