"""The work that is measured: clients that record purchases of members as `recordPurchase` does."""

import random
import time
from collections.abc import Sequence

from bench.conditions import CREATE_BALANCES, OPEN_BALANCE
from server import clock, demo
from server.cards.service import MemberReference
from server.edge import idempotency
from server.money import POINTS
from server.programme import service as programme
from server.purchases import service as purchases
from server.purchases.service import Draft, Line, RecordedPurchase, Submission
from server.storage import sql

PARTNER = "bench"
LINES = 5
CURRENCY = "USD"
_DEPARTMENTS = ("GROCERY", "PRODUCE", "MEAT", "DELI", "PASTRY", "DRUG GM", "SEAFOOD")
_BATCH = 500


def submission(member: MemberReference, external_id: str, chance: random.Random) -> Submission:
    """A basket of some lines, bought now."""
    lines = tuple(
        Line(
            product_id=str(100 + number),
            department=chance.choice(_DEPARTMENTS),
            product_category="CATEGORY",
            product_type="TYPE",
            quantity=chance.randint(1, 3),
            sales_minor=chance.randint(199, 1999),
            coupon_minor=0,
        )
        for number in range(LINES)
    )
    draft = Draft(external_id, member, clock.now(), "1", CURRENCY, lines)
    return Submission(draft, enrol_if_unknown=True)


async def prepare(members: int) -> None:
    """Publish the demo programme, enrol the members with a purchase each, and make the tables
    that only the measurement needs. Assumes a migrated database that holds nothing."""
    chance = random.Random(members)
    async with sql.transaction():
        document = demo.PROGRAMME_FILE.read_text(encoding="utf-8")
        await programme.publish(document, published_by=PARTNER)
        await sql.execute(CREATE_BALANCES)
        await sql.execute("CREATE TABLE bare_commits (id BIGINT PRIMARY KEY)")
        for asset in (POINTS, CURRENCY):
            await sql.execute(OPEN_BALANCE, asset, 0, 0)
    for start in range(0, members, _BATCH):
        batch = [
            submission(MemberReference(external_id=f"m-{number}"), f"first-{number}", chance)
            for number in range(start, min(start + _BATCH, members))
        ]
        async with sql.transaction():
            await purchases.record_many(batch, partner=PARTNER, now=clock.now())
    await idempotency.content_hash(None)  # makes the secret, which is shared by all processes


async def member_ids() -> list[int]:
    """All members."""
    return [row[0] for row in await sql.fetch("SELECT id FROM members ORDER BY id")]


async def account_assets() -> dict[int, str]:
    """The asset of each account."""
    rows = await sql.fetch("SELECT id, asset FROM ledger_accounts")
    return {row[0]: row[1] for row in rows}


async def shop(client: int, members: Sequence[int], until: float) -> list[float]:
    """Record purchases of the members, one after the other, until the instant of
    `time.monotonic()`; the seconds that each took which was answered by then."""
    chance = random.Random(client)
    taken: list[float] = []
    while (start := time.monotonic()) < until:
        external_id = f"{client}-{time.monotonic_ns()}"
        bought = submission(MemberReference(id=chance.choice(members)), external_id, chance)
        await _record(bought, key=external_id)
        end = time.monotonic()
        if end < until:
            taken.append(end - start)
    return taken


async def _record(bought: Submission, *, key: str) -> None:
    async def work() -> RecordedPurchase:
        return await purchases.record(bought, partner=PARTNER, now=clock.now())

    await idempotency.once(
        scope=f"{PARTNER}/recordPurchase",
        key=key,
        content=await idempotency.content_hash({"idempotencyKey": key, "purchase": bought}),
        work=work,
        result=RecordedPurchase,
    )
