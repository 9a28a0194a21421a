"""`python -m server partners ...`: the settlement of a month by hand.

Each command assumes an open, migrated database and returns the text to print.
"""

import asyncio
import re
from pathlib import Path

from server.partners import service
from server.programme.commands import CommandRefused

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


async def settlement(month: str, out: Path) -> str:
    """Write the settlement of the month, YYYY-MM, to a CSV file; one line of what was written.

    Raises CommandRefused for another text, or a file that can't be written.
    """
    found = _MONTH.fullmatch(month)
    if found is None:
        raise CommandRefused(f"{month!r} is not accepted: a month, such as 2026-01")
    local_month = int(found[1]) * 100 + int(found[2])
    parties = await service.settlement(local_month)
    try:
        await asyncio.to_thread(
            out.write_text, service.csv_of(local_month, parties), encoding="utf-8", newline=""
        )
    except OSError as error:
        raise CommandRefused(f"can't write {out}: {error.strerror or error}") from error
    lines = sum(len(party.lines) for party in parties)
    return f"{out}: {lines} lines of {len(parties)} parties for {month}"
