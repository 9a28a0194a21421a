"""What a quote of a basket costs the processor, and whether that grows with the members.

The app answers in this process on SQLite, called as uvicorn calls it, one request after the other:
each quotes another basket of another member, so that nothing is answered from memory. What is
counted is the processor's time of the whole process, the database's threads included. Each basket
is quoted several times, and the lowest counts: whatever else the machine does only adds to it. How
long a known sum takes at the same time says how fast the processor is just then.
"""

import asyncio
import gc
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from msgspec.structs import replace
from rich.console import Console

from bench import archetypes, offering
from bench.figures import quantile
from bench.seeding import ISSUER
from server import clock
from server import settings as server_settings
from server.baskets.quoting import MAXIMUM_NOT_APPLIED
from server.clock import Instant
from server.definitions import importing
from server.definitions import service as definitions
from server.definitions.bundles import Item
from server.enrolment import service as enrolment
from server.members import service as members
from server.offers.documents import Activation
from server.offers.engine import evaluate, facts_wanted, prepared, segments_wanted, wanted
from server.offers.evaluation import Basket
from server.offers.kinds import OFFER
from server.programme import service as programme
from server.segments.kinds import SEGMENT
from server.storage import database, migrate, sql
from server.storage.database import Address
from server.storage.ids import new_ids

ASKED_MILLISECONDS = 5.0
ASKED_RATIO = 1.3
ACTIVATIONS = 100_000
_BUYERS = 200
"""So many members shopped before, and are those whose baskets are quoted."""
_BATCH = 5_000
_WARM_UP = 30
QUERY = """
query Quote($basket: ShoppingBasketInput!) { quoteBasket(basket: $basket) {
  __typename
  ... on BasketQuote {
    applied {
      offer title times points discount { amount } shippingDiscount { amount }
      cashback { amount } gift { name } lines { number discount { amount } }
    }
    notApplied { offer title reason message shortfall { amount } availableAt }
    lines { number before { amount } discount { amount } after { amount } }
    total { amount } points tierAfter quoteToken expiresAt
  }
  ... on Problem { message }
} }
"""
_ADD_ACTIVATION = sql.insert("offer_activations", "id, member_id, offer, activated_at")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    members: Sequence[int] = (1_000, 10_000, 100_000)
    offers: int = 1_000
    quotes: int = 300
    rounds: int = 3  # that each basket is quoted


@dataclass(frozen=True, slots=True)
class Measured:
    """The processor's milliseconds of each quote among so many members."""

    members: int
    milliseconds: Sequence[float]  # of the whole request, the lowest of its rounds
    engine_milliseconds: Sequence[float]  # of the engine alone, for other baskets of the kind
    applied: float  # offers that applied, on average
    statements: int
    yardstick_microseconds: float  # of the sum that is known

    @property
    def median(self) -> float:
        """Of the whole request."""
        return quantile(self.milliseconds, 500)


def measure(plan: Plan, console: Console) -> list[Measured]:
    """Measure among each number of members, in a database of its own that is removed again."""
    found = []
    with tempfile.TemporaryDirectory(prefix="laurel-quote-") as folder:
        seeded = Path(folder) / "seeded.db"
        asyncio.run(_seed(seeded, plan, console))
        for count in plan.members:
            copied = Path(folder) / f"{count}.db"
            shutil.copyfile(seeded, copied)
            found.append(asyncio.run(_among(count, plan, copied, console)))
            copied.unlink()
            console.print(f"quote, among {count:,} members: {found[-1].median:.2f} ms")
    return found


async def _among(count: int, plan: Plan, file: Path, console: Console) -> Measured:
    random = Random(count)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(database.opened(Address("sqlite", str(file))))
        await _register(max(0, count - _BUYERS))
        await _activate(random, clock.now())
        console.print(f"quote: {count:,} members are in the database")
        settings = server_settings.read(
            mode="production",
            issuer=ISSUER,
            database=f"sqlite://{file}",
            operation_log="none",
            cost_budget_percent="0",
            audit_interval_seconds="0",
        )
        from server import logs  # noqa: PLC0415 - slow to load
        from server.app import create_app  # noqa: PLC0415 - same

        logs.configure(with_operations=False)
        app = create_app(settings, opens_database=False)
        await stack.enter_async_context(app.router.lifespan_context(app))
        bodies = _bodies(plan.quotes + _WARM_UP, random)
        for _ in range(_WARM_UP):
            await _asked(app, next(bodies))
        gc.freeze()  # as `server.serving` does
        gc.set_threshold(10_000, 20, 50)
        taken, applied, yardsticks = [], 0, [_yardstick()]
        for body in bodies:
            rounds = [await _asked(app, body) for _ in range(plan.rounds)]
            taken.append(min(milliseconds for milliseconds, _answer in rounds))
            applied += len(rounds[0][1]["applied"])
            yardsticks.append(_yardstick())
        with sql.counted_statements() as statements:
            await _asked(app, next(_bodies(1, random)))
        alone = await _engine_alone(plan.quotes, random)
    yardstick = quantile(yardsticks, 500)
    return Measured(count, taken, alone, applied / plan.quotes, len(statements), yardstick)


def _yardstick() -> float:
    """The processor's microseconds for a sum that is always the same."""
    taken = []
    for _ in range(5):
        start = time.process_time_ns()
        sum(range(1000))
        taken.append((time.process_time_ns() - start) / 1000)
    return min(taken)


# ---------------------------------------------------------------- what is in the database


async def _seed(file: Path, plan: Plan, console: Console) -> None:
    """The demo programme, members who shopped, segments and offers: the same for all sizes."""
    async with database.opened(Address("sqlite", str(file))):
        await migrate.apply_pending()
        await members.prepare_keys(issuer=ISSUER)
        await archetypes.make(min(*plan.members, _BUYERS))
        async with sql.transaction():
            await importing.bring_in(
                list(_definitions(plan)), by=definitions.COMMAND_LINE, now=clock.now()
            )
    console.print(f"quote: {plan.offers:,} offers are published")


def _definitions(plan: Plan) -> Iterator[Item]:
    for number, name in enumerate(offering.SEGMENTS):
        condition = f"visits_365 >= {number % 12} || spend_365_minor > {number * 2_000}"
        segment = {"name": name, "members": {"kind": "live", "condition": condition}}
        yield Item(SEGMENT.name, name, None, segment)
    for key, document in offering.offers(plan.offers, Random(1)):
        yield Item(OFFER.name, key, None, document)


async def _register(count: int) -> None:
    published = (await programme.rulebook()).at(clock.now())
    currency = published.programme.programme.currency
    for first in range(0, count, _BATCH):
        newcomers = [
            enrolment.newcomer(clock.now(), published, external_id=f"other-{number}")
            for number in range(first, min(count, first + _BATCH))
        ]
        async with sql.transaction():
            await enrolment.register(newcomers, [currency])


async def _activate(random: Random, now: Instant) -> None:
    """So many activations of offers, by all members alike; the buyers have half of theirs each."""
    live = (await definitions.shelves()).of(OFFER.name).live(now).by_key
    keys = [key for key, one in live.items() if one.document.activation is Activation.CLIP]
    rows = await sql.fetch("SELECT id, external_id FROM members ORDER BY id")
    buyers = [int(row[0]) for row in rows if str(row[1]).startswith("archetype-")]
    pairs = {(one, key) for one in buyers for key in random.sample(keys, len(keys) // 2)}
    everybody = [int(row[0]) for row in rows]
    most = min(ACTIVATIONS, len(everybody) * len(keys) * 3 // 4)
    while len(pairs) < most:
        pairs.add((random.choice(everybody), random.choice(keys)))
    ordered = sorted(pairs)
    for first in range(0, len(ordered), _BATCH):
        some = ordered[first : first + _BATCH]
        async with sql.transaction():
            await sql.execute_many(
                _ADD_ACTIVATION,
                [
                    (id_, member, key, now)
                    for id_, (member, key) in zip(new_ids(len(some)), some, strict=True)
                ],
            )


# ---------------------------------------------------------------- what is asked


def _bodies(count: int, random: Random) -> Iterator[bytes]:
    """Requests, each for another basket; the members take turns."""
    for number in range(count):
        bought = offering.basket(random, clock.now())
        variables = {"basket": _input(bought, f"archetype-{number % _BUYERS}")}
        yield json.dumps({"query": QUERY, "variables": variables}).encode()


def _input(bought: Basket, external_id: str) -> dict[str, Any]:
    return {
        "member": {"externalId": external_id},
        "storeId": bought.store_id,
        "currencyCode": bought.currency,
        "shippingMinor": str(bought.shipping_minor),
        "lines": [
            {
                "productId": one.product_id,
                "department": one.department,
                "productCategory": one.product_category,
                "productType": one.product_type,
                "brand": one.brand,
                "quantity": str(one.quantity),
                "salesMinor": str(one.sales_minor),
            }
            for one in bought.lines
        ],
    }


async def _asked(app: Any, body: bytes) -> tuple[float, dict[str, Any]]:
    """Call the app as uvicorn does; the processor's milliseconds, and the quote that it answers."""
    headers = {
        "host": "bench.example",
        "content-type": "application/json",
        "accept": "application/graphql-response+json",
        "authorization": f"Bearer {archetypes.TILL_KEY}",
    }
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "state": {},
    }
    answer = bytearray()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        answer.extend(message.get("body", b""))

    start = time.process_time()
    await app(scope, receive, send)
    milliseconds = (time.process_time() - start) * 1000
    found = json.loads(answer)
    quoted = (found.get("data") or {}).get("quoteBasket") or {}
    if quoted.get("__typename") != "BasketQuote":
        raise RuntimeError(f"the answer is wrong: {bytes(answer[:500])!r}")
    return milliseconds, dict(quoted)


async def _engine_alone(count: int, random: Random) -> list[float]:
    """The engine's part: which offers are wanted, what is to be known for them, and the answer."""
    now = clock.now()
    rules = (await programme.rulebook()).at(now).programme
    live = prepared(await definitions.shelves(), rules, now)
    taken = []
    for _ in range(count):
        bought, shopper = offering.basket(random, now), offering.shopper(random, now)
        standings = {
            key: offering.ACTIVATED
            for key in wanted(live, bought, (), now)
            if random.random() < 0.5
        }
        rounds = []
        for _ in range(3):
            again = replace(bought)  # as if it were seen for the first time
            start = time.process_time()
            keys = wanted(live, again, (), now)
            segments_wanted(live, keys)
            facts_wanted(live, keys)
            evaluate(
                live,
                again,
                shopper,
                standings,
                (),
                rules=rules,
                now=now,
                most_refused=MAXIMUM_NOT_APPLIED,
            )
            rounds.append((time.process_time() - start) * 1000)
        taken.append(min(rounds))
    return taken


# ---------------------------------------------------------------- what is told


def as_text(results: Sequence[Measured], plan: Plan) -> str:
    """The result for a terminal."""
    lines = [
        f"quote: {offering.LINES} lines, {plan.offers:,} live offers of all kinds, up to"
        f" {ACTIVATIONS:,} activations; milliseconds of the processor for each quoteBasket, in one"
        " process on SQLite, each of another basket.",
    ]
    for one in results:
        lines.append(
            f"  {one.members:>9,} members: median {one.median:.2f} ms, p90"
            f" {quantile(one.milliseconds, 900):.2f} ms; of it the engine"
            f" {quantile(one.engine_milliseconds, 500):.2f} ms; {one.applied:.0f} offers apply,"
            f" {one.statements} statements; a sum of 1,000 numbers takes"
            f" {one.yardstick_microseconds:.1f} us"
        )
    first, last = results[0], results[-1]
    most, ratio = max(one.median for one in results), last.median / first.median
    alone = max(quantile(one.engine_milliseconds, 500) for one in results)
    lines.append(
        f"  the slowest median is {most:.2f} ms, {most / ASKED_MILLISECONDS:.2f} of the"
        f" {ASKED_MILLISECONDS:g} ms asked at most: {_said(most <= ASKED_MILLISECONDS)}"
    )
    lines.append(
        f"  the engine alone is {alone:.2f} ms, {alone / ASKED_MILLISECONDS:.2f} of them:"
        f" {_said(alone <= ASKED_MILLISECONDS)}"
    )
    lines.append(
        f"  {last.members / first.members:,.0f} times the members: {ratio:.2f} times as long, asked"
        f" at most {ASKED_RATIO}: {_said(ratio <= ASKED_RATIO)}"
    )
    return "\n".join(lines)


def _said(is_reached: bool) -> str:
    return "reached" if is_reached else "NOT reached"


def as_json(results: Sequence[Measured], plan: Plan) -> dict[str, Any]:
    """The same for programs."""
    return {
        "offers": plan.offers,
        "lines": offering.LINES,
        "askedMilliseconds": ASKED_MILLISECONDS,
        "among": [
            {
                "members": one.members,
                "p50Milliseconds": one.median,
                "p90Milliseconds": quantile(one.milliseconds, 900),
                "engineP50Milliseconds": quantile(one.engine_milliseconds, 500),
                "offersApplied": one.applied,
                "statements": one.statements,
                "yardstickMicroseconds": one.yardstick_microseconds,
            }
            for one in results
        ],
    }
