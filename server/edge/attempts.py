"""How often something may be tried, counted for all processes in the database.

Each limit is the generic cell rate algorithm: `burst` attempts at once, given back evenly over
`period_seconds`. All that it needs is one instant a name, and the names are kept as keyed hashes:
the table says nothing of whose attempts they were.

Where trying is expensive, as with passwords, `counted` takes an attempt beforehand and gives it
back after a success. Where only guessing right matters, as with codes, `counting_failures` takes
one after a failure.
"""

import asyncio
import hmac
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

import structlog
from tortoise import fields
from tortoise.models import Model

from server.clock import MICROSECONDS_PER_SECOND, system_now
from server.edge.refusing import RequestRefused
from server.storage import sql
from server.storage.fields import InstantField
from server.storage.secrets import shared_secret

MAXIMUM_WAITING = 256
"""How many attempts under one name wait, in one process, for those under way."""
FORGOTTEN_EVERY = 100
"""Of the attempts of one process, which one also forgets rows that limit nothing any more."""
FORGOTTEN_AT_ONCE = 1_000

_SECRET = "idempotency"  # noqa: S105 - the name of the secret that callers' names are hashed with
_CONTEXT = b"laurel attempts 1:"
_IPV6_NETWORK_BITS = 64  # what one household or machine is given whole
_RETRY_WHEN_FULL_SECONDS = 3
_Answer = TypeVar("_Answer")
_log = structlog.get_logger("attempts")


class AttemptLimit(Model):
    """What has been tried under one name, as the one instant of the generic cell rate algorithm."""

    name_hash = fields.CharField(64, primary_key=True)  # keyed hash of what is limited
    used_up_until = InstantField()  # when all that was tried will have been given back

    class Meta:
        """Table."""

        table = "attempt_limits"
        indexes = (("used_up_until",),)


_TAKE = """
    INSERT INTO attempt_limits (name_hash, used_up_until) VALUES ($1, $2)
    ON CONFLICT (name_hash) DO UPDATE SET used_up_until =
        CASE WHEN attempt_limits.used_up_until > $3
             THEN attempt_limits.used_up_until + $4 ELSE excluded.used_up_until END
    WHERE attempt_limits.used_up_until <= $5
"""
_FIND = "SELECT used_up_until FROM attempt_limits WHERE name_hash = $1"
_FORGET_ONE = "DELETE FROM attempt_limits WHERE name_hash = $1 AND used_up_until <= $2"
_GIVE_BACK = "UPDATE attempt_limits SET used_up_until = used_up_until - $1 WHERE name_hash = $2"
_FORGIVE = "DELETE FROM attempt_limits WHERE name_hash = $1"
_FORGET = """
    DELETE FROM attempt_limits WHERE name_hash IN (
        SELECT name_hash FROM attempt_limits
        WHERE used_up_until <= $1 ORDER BY used_up_until LIMIT $2{skipping_locked}
    )
"""


@dataclass(frozen=True, slots=True)
class AttemptRule:
    """So many attempts at once, given back evenly over the period."""

    name: str
    burst: int
    period_seconds: int

    @property
    def _period(self) -> int:
        return self.period_seconds * MICROSECONDS_PER_SECOND

    @property
    def _each(self) -> int:
        return self._period // self.burst

    @property
    def _latest(self) -> int:
        """How far ahead of now the instant may lie before another attempt is taken."""
        return self._each * (self.burst - 1)


class TooManyAttempts(RequestRefused):
    """Too much was tried; nothing was done. It may be tried again after `retry_after_seconds`."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(
            "TOO_MANY_ATTEMPTS",
            "attempts.too_many",
            status=429,
            headers={"Retry-After": str(retry_after_seconds)},
            extensions={"retryAfterSeconds": retry_after_seconds},
            seconds=retry_after_seconds,
        )
        self.retry_after_seconds = retry_after_seconds


def client_of(address: str) -> str | None:
    """What stands for the client behind a network address: itself, or of IPv6 its /64 network.

    None for none, which can't be limited.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address or None
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_NETWORK_BITS), strict=False))


async def _name_hash(rule: AttemptRule, whom: str) -> str:
    name = f"{rule.name}:{whom}".encode("utf-8", "surrogatepass")
    return hmac.digest(await shared_secret(_SECRET), _CONTEXT + name, "sha256").hex()


# ---------------------------------------------------------------- single attempts


async def take(rule: AttemptRule, whom: str) -> None:
    """Count one attempt, in a transaction of its own. Raises TooManyAttempts, counting nothing."""
    await _take(rule, await _name_hash(rule, whom))


async def _take(rule: AttemptRule, name_hash: str) -> None:
    assert not sql.in_a_transaction(), "an attempt counts whatever becomes of the transaction"
    await _check(rule, name_hash)  # reads alone: who is refused costs no write
    now = system_now()
    async with sql.transaction():
        taken = await sql.execute(
            _TAKE, name_hash, now + rule._each, now, rule._each, now + rule._latest
        )
    if next(_taken) % FORGOTTEN_EVERY == 0:
        await forget()
    if not taken:
        await _check(rule, name_hash)
        raise TooManyAttempts(1)  # it was given back a moment ago


async def give_back(rule: AttemptRule, whom: str) -> None:
    """Undo one `take`, after a success."""
    await _give_back(rule, await _name_hash(rule, whom))


async def _give_back(rule: AttemptRule, name_hash: str) -> None:
    async with sql.transaction():
        await sql.execute(_GIVE_BACK, rule._each, name_hash)
        await sql.execute(_FORGET_ONE, name_hash, system_now())


async def check(rule: AttemptRule, whom: str) -> None:
    """Raise TooManyAttempts if another attempt would not be taken; counts nothing."""
    await _check(rule, await _name_hash(rule, whom))


async def _check(rule: AttemptRule, name_hash: str) -> None:
    row = await sql.fetch_one(_FIND, name_hash)
    over = 0 if row is None else row[0] - rule._latest - system_now()
    if over > 0:
        raise TooManyAttempts(-(-over // MICROSECONDS_PER_SECOND))


async def forgive(rule: AttemptRule, whom: str) -> None:
    """Give back all that was tried under the name."""
    name_hash = await _name_hash(rule, whom)
    async with sql.transaction():
        await sql.execute(_FORGIVE, name_hash)


_taken = count(1)


async def forget() -> int:
    """Delete rows that limit nothing any more, a bounded number; how many there were."""
    skipping_locked = "" if sql.engine() == "sqlite" else " FOR UPDATE SKIP LOCKED"
    statement = _FORGET.format(skipping_locked=skipping_locked)
    async with sql.transaction():
        return await sql.execute(statement, system_now(), FORGOTTEN_AT_ONCE)


# ---------------------------------------------------------------- attempts with an outcome


@dataclass
class Attempt:
    """One attempt under way."""

    is_given_back: bool = False

    def give_back(self) -> None:
        """Say that it succeeded, or that nothing was tried: it does not count."""
        self.is_given_back = True


@asynccontextmanager
async def counted(*limits: tuple[AttemptRule, str | None]) -> AsyncIterator[Attempt]:
    """Within the block one attempt is made, which counts unless the block gives it back.

    It's taken of each limit in turn; a limit of None is none. Of attempts under one name at most
    `burst` are under way at once in this process, and the next ones wait to see how these end: many
    successes at once are no reason to refuse. Raises TooManyAttempts: what was taken of limits
    before the one that is used up stays taken.
    """
    attempt = Attempt()
    async with AsyncExitStack() as stack:
        taken = []
        for rule, whom in limits:
            if whom is None:
                continue
            name_hash = await _name_hash(rule, whom)
            await stack.enter_async_context(_under_way(rule, name_hash))
            await _take(rule, name_hash)
            taken.append((rule, name_hash))
        try:
            yield attempt
        except asyncio.CancelledError:
            attempt.give_back()  # whoever tried was told nothing
            raise
        finally:
            if attempt.is_given_back:
                await _give_back_quietly(taken)


async def _give_back_quietly(taken: list[tuple[AttemptRule, str]]) -> None:
    # What succeeded has succeeded, whatever happens here: at worst an attempt counts too many.
    try:
        for rule, name_hash in taken:
            await _give_back(rule, name_hash)
    except Exception as error:
        _log.warning("attempt not given back", error=type(error).__name__)


@dataclass
class _Gate:
    places: asyncio.Semaphore
    users: int = field(default=0)


_gates: dict[str, _Gate] = {}  # of the names under which something is under way


@asynccontextmanager
async def _under_way(rule: AttemptRule, name_hash: str) -> AsyncIterator[None]:
    gate = _gates.setdefault(name_hash, _Gate(asyncio.Semaphore(rule.burst)))
    if gate.users >= rule.burst + MAXIMUM_WAITING:
        raise TooManyAttempts(_RETRY_WHEN_FULL_SECONDS)
    gate.users += 1
    try:
        async with gate.places:
            yield
    finally:
        gate.users -= 1
        if not gate.users:
            _gates.pop(name_hash, None)


async def counting_failures(
    rule: AttemptRule,
    whom: str | None,
    attempt: Callable[[], Awaitable[_Answer]],
    *,
    is_failure: Callable[[_Answer], bool],
) -> _Answer:
    """What the attempt answers, of which only failures count, and only as many are told.

    Raises TooManyAttempts in place of an attempt, or of its failure, that is one too many. Whom is
    None for a caller who can't be told from others: nothing counts.
    """
    if whom is None:
        return await attempt()
    await check(rule, whom)
    answer = await attempt()
    if is_failure(answer):
        await take(rule, whom)
    return answer
