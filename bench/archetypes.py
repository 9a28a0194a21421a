"""The members that all seeded members are copies of, made by the product itself.

A few hundred members enrol and shop for some weeks by the demo programme, with everything that
follows from that: lots, postings, tiers, challenges, cashback, now and then a voucher.
"""

import random
from collections.abc import Sequence
from datetime import timedelta

from bench.operations import PARTNER
from server import clock, demo
from server.cards.service import MemberReference
from server.clock import Instant
from server.enrolment import service as enrolment
from server.members import service as members
from server.principal import Scope
from server.programme import service as programme
from server.purchases import service as purchases
from server.purchases.service import Draft, Line, Submission
from server.rewards import service as rewards
from server.storage import sql

TILL_KEY = "laurel_bench_till_key_of_no_deployment"
PURCHASES = 12
"""Of each member, on average; about 23 postings come of them."""
_WEEKS = 12
_DAY = 86_400 * clock.MICROSECONDS_PER_SECOND
_BATCH = 500
_SHELVES = (  # department, category, type, lowest and highest price in cents
    ("GROCERY", "BREAD", "SANDWICH BREAD", 199, 1549),
    ("DELI", "SALADS", "POTATO SALAD", 299, 1799),
    ("PRODUCE", "FRUIT", "APPLES", 129, 1699),
    ("PASTRY", "CAKES", "MUFFINS", 249, 1699),
    ("DRUG GM", "HOUSEHOLD", "PAPER TOWELS", 399, 2299),
)


async def make(count: int, *, purchases_each: int = PURCHASES) -> None:
    """Publish the demo programme, make the till's key and so many members with accounts, sessions
    and a history. Assumes a migrated database that holds nothing."""
    chance = random.Random(count)
    now = clock.now()
    start = _start(now)
    async with sql.transaction():
        document = demo.PROGRAMME_FILE.read_text(encoding="utf-8")
        published = await programme.publish(document, published_by=PARTNER)
        await members.create_api_key(
            "Bench till",
            PARTNER,
            [Scope.PURCHASES_WRITE, Scope.MEMBERS_ENROL, Scope.MEMBERS_READ],
            key=TILL_KEY,
        )
        password_hash = await members.hash_password("the same for all")
        ids = []
        for number in range(count):
            newcomer = enrolment.newcomer(
                Instant(start + number),
                published,
                external_id=f"archetype-{number}",
                name=f"Member {number}",
                locale="en-US",
            )
            ids.append(await enrolment.enrol(newcomer))
            account = await members.create_account(
                ids[-1], f"archetype{number}@bench.example", password_hash
            )
            await members.open_session(account)
    await _shop(ids, start, now, purchases_each, chance)
    await _redeem(ids[::4], now)


def _start(now: Instant) -> Instant:
    first = clock.datetime_of(now) - timedelta(weeks=_WEEKS)
    return clock.instant_of(first.replace(hour=14, minute=0, second=0, microsecond=0))


async def _shop(
    ids: Sequence[int], start: Instant, now: Instant, each: int, chance: random.Random
) -> None:
    bought: list[Submission] = []
    for number, member_id in enumerate(ids):
        for visit in range(max(2, each + chance.randint(-each // 4, each // 4))):
            day = chance.randrange(_WEEKS * 7)
            at = start + day * _DAY + chance.randrange(6 * 3600) * clock.MICROSECONDS_PER_SECOND
            if at < now:
                bought.append(_purchase(f"{number}-{visit}", member_id, Instant(at), chance))
    bought.sort(key=lambda one: one.draft.occurred_at)
    for first in range(0, len(bought), _BATCH):
        batch = bought[first : first + _BATCH]
        with clock.moved_to(batch[-1].draft.occurred_at):
            async with sql.transaction():
                await purchases.record_many(batch, partner=PARTNER, now=clock.now())


def _purchase(external_id: str, member_id: int, at: Instant, chance: random.Random) -> Submission:
    lines = tuple(
        Line(
            product_id=str(100 + shelf),
            department=_SHELVES[shelf][0],
            product_category=_SHELVES[shelf][1],
            product_type=_SHELVES[shelf][2],
            quantity=chance.randint(1, 3),
            sales_minor=chance.randint(*_SHELVES[shelf][3:]),
            coupon_minor=0,
        )
        for shelf in sorted(chance.sample(range(len(_SHELVES)), chance.choice((1, 1, 2, 3))))
    )
    draft = Draft(external_id, MemberReference(id=member_id), at, "1", "USD", lines)
    return Submission(draft, enrol_if_unknown=False)


async def _redeem(ids: Sequence[int], now: Instant) -> None:
    """Let some members buy a voucher just now, as far as their points reach."""
    points = (await programme.rulebook()).at(now).programme.redemption_policy.redeem_points
    with clock.moved_to(now):
        async with sql.transaction():
            wishes = [rewards.Redemption(MemberReference(id=one), points) for one in ids]
            await rewards.redeem_many(wishes, now=now)
