"""Workers that are killed (SIGKILL) while they deliver webhooks: every event arrives all the same,
under its own id, and each member's in their order."""

import asyncio
import json
import random
import sys
from asyncio.subprocess import PIPE, Process
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from itertools import product

from server.storage.database import Address, opened
from server.webhooks import claiming
from tests.api.calling import NOW
from tests.properties import IS_THOROUGH
from tests.serving.servers import CHECKOUT, environment
from tests.webhooks.living import event, published, secret_of, statuses, subscribed, told
from tests.webhooks.receiver import Receiver, Request, answer, receiving

KILLS = 20 if IS_THOROUGH else 3
MEMBERS, EVENTS_OF_EACH = 12, 40 if IS_THOROUGH else 8
PATHS = ("/crm", "/shop")
HELD_SECONDS = 2
PATIENCE_SECONDS = 120


async def test_every_event_arrives_in_order_however_often_its_workers_are_killed(
    database_address: Address,
) -> None:
    count = MEMBERS * EVENTS_OF_EACH * len(PATHS)
    moments = moments_of(count)
    working: list[Process] = []
    taken: list[Request] = []
    refused: set[str] = set()

    def behave(request: Request) -> bytes | None:
        number = len(shop.requests)
        if number % 11 == 0 and number not in moments and request.message_id not in refused:
            refused.add(request.message_id)
            return answer(503)
        taken.append(request)
        if number not in moments:
            return answer()
        for one in working:  # it was taken, and whoever sent it never learns of it
            with suppress(ProcessLookupError):
                one.kill()
        return None

    async with receiving(behave) as shop:
        secrets = await prepared(database_address, shop)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await worked(database_address, working)
    async with opened(database_address):
        assert await statuses() == ["delivered"] * count

    firsts: dict[tuple[str, str], Request] = {}
    of_members: dict[tuple[str, str], list[int]] = defaultdict(list)
    for request in taken:
        assert request.is_signed_with(secrets[request.path])
        first = firsts.setdefault((request.path, request.message_id), request)
        assert request.body == first.body
        if request is first:
            data = request.message["data"]
            of_members[request.path, data["memberId"]].append(data["times"])
    assert len(firsts) == count
    assert len(of_members) == MEMBERS * len(PATHS)
    assert set(map(tuple, of_members.values())) == {tuple(range(1, EVENTS_OF_EACH + 1))}
    repeated = len(taken) - count
    assert KILLS <= repeated <= KILLS * claiming.PER_ENDPOINT * len(PATHS)


def moments_of(count: int) -> set[int]:
    """After how many requests workers are killed: by chance, but never again before what the dead
    had on the wire has arrived."""
    chance, step = random.Random(7), count // (KILLS + 1)
    return {number * step + chance.randrange(step // 3) for number in range(1, KILLS + 1)}


async def prepared(address: Address, shop: Receiver) -> dict[str, str]:
    """Two subscriptions and what happened to members; the secrets, by path."""
    async with opened(address):
        await published()
        made = {path: await subscribed(shop.url.replace("/hooks", path)) for path in PATHS}
        numbers, members = range(1, EVENTS_OF_EACH + 1), range(1, MEMBERS + 1)
        await told(
            *(
                event("challenge.completed", member, times=number)
                for member, number in product(members, numbers)
            )
        )
        return {path: await secret_of(one) for path, one in made.items()}


async def worked(address: Address, working: list[Process]) -> None:
    """Workers have delivered everything, each time some were killed by others: one on SQLite, two
    at once on PostgreSQL."""
    at_once = 1 if address.engine == "sqlite" else 2
    waiting = await asyncio.gather(*(ready() for _ in range((KILLS + 1) * at_once)))
    try:
        for begin in range(0, len(waiting), at_once):
            working[:] = waiting[begin : begin + at_once]
            is_last = begin + at_once == len(waiting)
            ends = await ended(address, working)
            assert all(code == 0 if is_last else code < 0 for code in ends)
    finally:
        for one in waiting:
            if one.returncode is None:
                one.kill()
            await one.wait()


async def ready() -> Process:
    """A worker that has loaded what it needs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "tests.faults.webhook_worker"),
        cwd=CHECKOUT,
        env=environment(),
        stdin=PIPE,
        stdout=PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


async def ended(address: Address, workers: Sequence[Process]) -> list[int]:
    """How the workers have ended, once they were told to begin."""
    told_ = {
        "database": (address.engine, address.location),
        "held_seconds": HELD_SECONDS,
        "now": NOW,
    }
    for one in workers:
        assert one.stdin is not None
        one.stdin.write(json.dumps(told_).encode() + b"\n")
    return list(await asyncio.gather(*(one.wait() for one in workers)))
