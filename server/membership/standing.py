"""How members stand, asked together: one statement for all who ask at the same moment."""

import asyncio
from collections.abc import Collection
from itertools import islice
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from server import clock
from server.clock import NEVER, Instant
from server.membership import queries

MEMBERS_PER_STATEMENT = 512


class Standing(NamedTuple):
    """What tells whether anything of a member has changed, and when time alone will change it."""

    mark: int = 0  # differs from that of before if something has changed
    next_at: Instant = NEVER


_UNKNOWN = Standing()


class _Asked:
    """The members who are asked for at one moment of one event loop."""

    def __init__(self) -> None:
        self.member_ids: set[int] = set()
        self.answer: asyncio.Task[dict[int, Standing]] | None = None


_asked: "WeakKeyDictionary[asyncio.AbstractEventLoop, _Asked]" = WeakKeyDictionary()


async def standings(member_ids: Collection[int]) -> dict[int, Standing]:
    """How the members stand now, those who exist.

    Thousands who ask within one turn of the event loop cost one statement for each
    MEMBERS_PER_STATEMENT different members together.
    """
    loop = asyncio.get_running_loop()
    asked = _asked.get(loop)
    if asked is None:
        asked = _asked[loop] = _Asked()
        asked.answer = loop.create_task(_answered(loop, asked))
        # Whoever asked may have gone when it fails.
        asked.answer.add_done_callback(_retrieved)
    asked.member_ids |= set(member_ids)
    assert asked.answer is not None, "it is made with the rest"
    found = await asyncio.shield(asked.answer)  # others wait for it too
    return {member_id: found.get(member_id, _UNKNOWN) for member_id in member_ids}


def _retrieved(answer: "asyncio.Task[Any]") -> None:
    if not answer.cancelled():
        answer.exception()


async def _answered(loop: asyncio.AbstractEventLoop, asked: _Asked) -> dict[int, Standing]:
    del _asked[loop]  # who asks from now on asks anew
    wanted = iter(sorted(asked.member_ids))
    found: dict[int, Standing] = {}
    while batch := list(islice(wanted, MEMBERS_PER_STATEMENT)):
        for member_id, *values in await queries.standings(batch, clock.now()):
            moments = [at for at in values[: queries.MOMENT_COUNT] if at is not None]
            mark = hash(tuple(values[queries.MOMENT_COUNT :]))
            found[member_id] = Standing(mark, Instant(min(moments, default=NEVER)))
    return found
