"""A process without chance: its clock stands still, its ids and random bytes follow from a seed.

Two processes of one seed that do the same to equal databases leave equal bytes, so that what a
crash may have changed is found by comparing, not by guessing which differences are allowed.
"""

import hashlib
import os
import random
from types import SimpleNamespace

from server import clock
from server.storage import ids

_SEED_SPACE = 1 << 40


class _Numbers:
    """Ids of one seed: greater than all that the machine's clock has made, and than those of
    smaller seeds."""

    def __init__(self, seed: int) -> None:
        self._next = (1 << 51) + seed * _SEED_SPACE

    def next(self) -> int:
        self._next += 1
        return self._next

    def next_many(self, count: int) -> range:
        first = self._next + 1
        self._next += count
        return range(first, first + count)


def determine(seed: int, *, now_ns: int) -> None:
    """From here on this process has the ids and the random bytes of `seed`, and the instant
    `now_ns` (nanoseconds since 1970). There is no way back: for processes that end soon."""
    drawn = 0

    def urandom(count: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return hashlib.shake_256(f"{seed}/{drawn}".encode()).digest(count)

    os.urandom = urandom
    random._urandom = urandom  # type: ignore[attr-defined] # what `secrets` draws from
    ids._ticks = _Numbers(seed)  # type: ignore[assignment]
    ids._NODE = 0
    vars(clock)["time"] = SimpleNamespace(time_ns=lambda: now_ns)
