"""Writers who are made to wait for another on PostgreSQL, so that a race has one course."""

import asyncio
from collections.abc import Awaitable, Callable

from server.errors import DomainError
from server.storage import sql

WAITING = (
    "SELECT COUNT(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
PATIENCE_SECONDS = 30
Work = Callable[[], Awaitable[object]]


async def behind(first: Work, *others: Work, meanwhile: Work | None = None) -> list[object]:
    """The first has done its work and commits it only when all others wait for its locks; what each
    of the others answered, or its refusal. Each is one transaction, tried again if it lost a race.
    `meanwhile` happens while all wait, outside of their transactions.
    """
    done, may_end = asyncio.Event(), asyncio.Event()

    async def lead() -> None:
        async with sql.transaction():
            await first()
            done.set()
            await may_end.wait()

    async def follow(work: Work) -> object:
        async def attempt() -> object:
            async with sql.transaction():
                return await work()

        try:
            return await sql.retried(attempt)
        except DomainError as refusal:
            return refusal

    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(lead())
        await done.wait()
        following = [group.create_task(follow(work)) for work in others]
        # The database tells nobody who waits for whom.
        while (await sql.fetch(WAITING))[0][0] < len(others):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        if meanwhile is not None:
            await meanwhile()
        may_end.set()
    return [one.result() for one in following]
