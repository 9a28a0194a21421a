"""Passwords, as Argon2id hashes that are made and checked beside the event loop.

The parameters are OWASP's first choice for Argon2id. A check takes tens of milliseconds of a
processor and 19 MiB, so few run at a time: one processor stays free for everything else, and all
else goes first on the others. A bounded number waits for a bounded time, and the rest is refused.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from server.errors import Path
from server.members import rules
from server.members.errors import TooManySignIns

MEMORY_KIB = 19 * 1024
ITERATIONS = 2
LANES = 1
WAITING_LIMIT = 256
WAITING_SECONDS = 30
"""How long a password waits to be checked, the check included."""
NICENESS = 10
"""By how much the threads that hash are nicer than the others, on Linux, where each has its own."""


def _usable_processors() -> int:
    own = getattr(os, "sched_getaffinity", None)
    return len(own(0)) if own is not None else os.cpu_count() or 1


THREADS = max(1, _usable_processors() - 1)

DUMMY_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$hUWezqAHpH55kIvWhsvWAA"
    "$MQFyRP7HQaP6vvlq/lCPW/7EH3d+hVZ+FRdSoYWeHt4"
)
"""The hash of a random password that nobody kept: checked where there is no account, so that an
unknown address takes as long to refuse as a wrong password."""

_Answer = TypeVar("_Answer")

_hasher = PasswordHasher(time_cost=ITERATIONS, memory_cost=MEMORY_KIB, parallelism=LANES)


def _be_nice() -> None:
    if sys.platform == "linux":
        thread = threading.get_native_id()
        own = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, min(19, own + NICENESS))


_pool = ThreadPoolExecutor(
    max_workers=THREADS, thread_name_prefix="passwords", initializer=_be_nice
)
_places = threading.BoundedSemaphore(THREADS + WAITING_LIMIT)


async def _in_pool(work: Callable[[], _Answer]) -> _Answer:
    if not _places.acquire(blocking=False):
        raise TooManySignIns
    try:
        future = _pool.submit(work)
    except BaseException:
        _places.release()
        raise
    # The place is free when the work ends, even if the one who asked for it has gone.
    future.add_done_callback(lambda _future: _places.release())
    try:
        async with asyncio.timeout(WAITING_SECONDS):
            return await asyncio.wrap_future(future)  # given up, it is not begun any more
    except TimeoutError:
        raise TooManySignIns from None


async def hash_password(password: str, *, path: Path = ("password",)) -> str:
    """The hash to store for a new password.

    Raises InvalidInput if the password is too short or too long, and TooManySignIns. Call it
    before the transaction: it takes long enough to keep other writers waiting.
    """
    normal = rules.valid_password(password, path=path)
    return await _in_pool(lambda: _hasher.hash(normal))


async def rehash(password: str) -> str:
    """The hash, by today's parameters, of a password that an older hash matched."""
    normal = rules.normal_password(password) or password
    return await _in_pool(lambda: _hasher.hash(normal))


async def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password is the one hashed. Without a hash it takes as long and says no.

    Raises TooManySignIns.
    """
    normal = rules.normal_password(password)
    against = DUMMY_HASH if password_hash is None or normal is None else password_hash
    matched = await _in_pool(lambda: _verify(against, normal or ""))
    return matched and against is not DUMMY_HASH


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except VerifyMismatchError:
        return False


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)
