"""Callers remembered, each for as long as the database says that nothing of them has changed.

What is remembered is told apart by the SHA-256 of what was shown: nobody who sees the memory of the
process finds a token in it that works. Credentials that are refused are not remembered.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary

from tortoise.connection import get_connections

from server.clock import MICROSECONDS_PER_SECOND, Instant
from server.members.tokens import AccessClaims
from server.principal import Principal

CALLERS = 10_000
"""So many are remembered at least, if so many call, and twice as many at most; each takes 900 B."""
REMEMBERED_MICROSECONDS = 600 * MICROSECONDS_PER_SECOND
"""As long as an access token lives; longer only keys would be."""


@dataclass(slots=True)
class Known:
    """A caller whose credentials were checked, and what that hangs on."""

    principal: Principal
    ids: tuple[int, ...]  # of the versions
    versions: tuple[int, ...]  # as they were when all of this was read
    since: Instant
    until: Instant
    claims: AccessClaims | None = None  # of an access token
    last_used_at: Instant | None = None  # of a key


class Callers:
    """The callers of one database. Bounded: those who did not call for longest are forgotten, half
    of them at a time, which costs nothing per request."""

    def __init__(self, capacity: int = CALLERS) -> None:
        self._capacity = capacity
        self._recent: dict[bytes, Known] = {}
        self._former: dict[bytes, Known] = {}

    def __len__(self) -> int:
        return len(self._recent.keys() | self._former.keys())

    def find(self, mark: bytes) -> Known | None:
        """The caller with the mark."""
        known = self._recent.get(mark)
        if known is None and (known := self._former.get(mark)) is not None:
            self.remember(mark, known)
        return known

    def remember(self, mark: bytes, known: Known) -> None:
        """Remember the caller by the mark."""
        if len(self._recent) >= self._capacity:
            self._former, self._recent = self._recent, {}
        self._recent[mark] = known

    def forget(self, mark: bytes) -> None:
        """Remember the caller no longer."""
        self._recent.pop(mark, None)
        self._former.pop(mark, None)


_callers: WeakKeyDictionary[Any, Callers] = WeakKeyDictionary()  # by the database they call


def callers() -> Callers:
    """Those of the database that is open."""
    connections = get_connections()
    found = _callers.get(connections)
    if found is None:
        found = _callers[connections] = Callers()
    return found


def mark_of(credential: str) -> bytes:
    """What the credential is remembered by."""
    return sha256(credential.encode()).digest()
