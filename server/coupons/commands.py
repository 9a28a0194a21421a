"""`python -m server coupons generate KEY --number N --out FILE`: single-use codes into a file.

The command assumes an open, migrated database. The codes are random and stand in the file alone;
the database has their keyed hashes. They count only when all of them are in the database and the
file is on the disk: a run that is cut short leaves a batch that never counts, and the next run for
the coupon clears it away. Nothing can tell the codes a second time.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import asyncpg
from rich.console import Console
from tortoise.exceptions import IntegrityError

from server import clock
from server.coupons import codes, models, rules, stock
from server.coupons.progress import counting
from server.coupons.stock import Hasher
from server.definitions.service import COMMAND_LINE
from server.programme.commands import CommandRefused
from server.storage import sql

CODES_DRAWN = 1_000_000
CODES_AT_ONCE = 50_000
DELETED_AT_ONCE = 20_000
MAXIMUM_DRAWS = 3
"""Two equal codes come once in ten thousand batches of a million; a third draw never does."""
HEADER = "code"
_TAKEN = (IntegrityError, sqlite3.IntegrityError, asyncpg.UniqueViolationError)
_LOCK = 0x636F75706F6E  # in every process the same: one batch is made at a time


async def generate(coupon: str, number: int, out: Path) -> str:
    """Make the codes and write them to a new file that its owner alone may read; what there is to
    say of it. Raises CommandRefused, NotFound or InvalidInput, having made nothing."""
    if not 1 <= number <= rules.MAXIMUM_BATCH:
        raise CommandRefused(f"--number takes 1 to {rules.MAXIMUM_BATCH:,}")
    await stock.single_use_terms(coupon, clock.now())
    async with sql.alone(_LOCK) as is_alone:
        if not is_alone:
            raise CommandRefused("another command generates codes; wait for its end")
        cleared = await _clear_away(coupon)
        with _new_file(out) as file:
            batch_id = await _make(coupon, number, file)
    said = f"{number:,} codes of {coupon} are in {out}, and nowhere else (batch {batch_id})."
    if cleared:
        said += f" Cleared away: {cleared} unfinished batch{'es' if cleared > 1 else ''}."
    return said


@contextmanager
def _new_file(path: Path) -> Iterator[IO[str]]:
    """A file that was not there before; it goes again if the block raises."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandRefused(
            f"{path} is there: codes are written once, into a new file. If a run was cut short, its"
            " codes never count, and the file can be removed"
        ) from None
    except OSError as error:
        raise CommandRefused(f"can't write {path}: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise


async def _make(coupon: str, number: int, file: IO[str]) -> int:
    """The batch, ready, with its codes in the file; void if that can't be."""
    async with sql.transaction(shares_commit=False):
        batch = await stock.begin(coupon, number, by=COMMAND_LINE, now=clock.now())
    is_whole = False
    try:
        await _fill(batch.id, number, file)
        file.flush()
        os.fsync(file.fileno())
        is_whole = True
    finally:
        async with sql.transaction(shares_commit=False):
            await stock.finish(batch.id, is_whole=is_whole, now=clock.now())
    return batch.id


async def _fill(batch_id: int, number: int, file: IO[str]) -> None:
    errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    hashing = await stock.hasher()
    done = 0
    file.write(f"{HEADER}\n")
    with counting(number, errors) as advance:
        while done < number:
            drawn = _drawn(min(CODES_DRAWN, number - done), hashing)
            for start in range(0, len(drawn), CODES_AT_ONCE):
                made = await _added(batch_id, drawn[start : start + CODES_AT_ONCE], hashing)
                file.write("".join([f"{codes.shown(code)}\n" for code in made]))
                done += len(made)
                advance(done)


def _drawn(count: int, hashing: Hasher) -> list[str]:
    """New codes in the order of their hashes, so that the index grows at its end."""
    return sorted(codes.new_codes(count), key=hashing.hash_of)


async def _added(batch_id: int, drawn: list[str], hashing: Hasher) -> list[str]:
    """The codes, or as many others should one of them be taken, with their hashes in the
    database."""
    for draw in range(1, MAXIMUM_DRAWS + 1):
        try:
            async with sql.transaction(shares_commit=False):
                await stock.add(batch_id, map(hashing.hash_of, drawn))
        except _TAKEN:
            if draw == MAXIMUM_DRAWS:
                raise
            drawn = _drawn(len(drawn), hashing)
        else:
            return drawn
    raise AssertionError("the last draw returns or raises")


async def _clear_away(coupon: str) -> int:
    """Void what was never finished, and delete its codes; how many batches."""
    unfinished = await models.unfinished(coupon)
    for batch_id in unfinished:
        after: int | None = batch_id  # codes are made after their batch
        while after is not None:
            async with sql.transaction(shares_commit=False):
                after = await models.delete_codes(batch_id, after, DELETED_AT_ONCE)
        async with sql.transaction(shares_commit=False):
            await stock.finish(batch_id, is_whole=False, now=clock.now())
    return len(unfinished)
