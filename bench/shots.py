"""What the clients send: endless requests of members drawn at random, made ahead if possible."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import cycle
from typing import Any

import asyncpg

from bench import operations
from bench.archetypes import TILL_KEY
from bench.load import CONNECTIONS
from bench.operations import BATCH, LINES, Draw
from bench.seeding import ISSUER
from server.clock import MICROSECONDS_PER_SECOND, system_now
from server.members import keys, tokens
from server.members.keys import KeyRing
from server.members.tokens import OpenedSession
from server.storage.database import Address, opened

RETURNING = 200
"""How many members come back again and again."""
_TOKEN_SECONDS = 240
"""How long a token is used; it would be taken for ten minutes."""
_PRICE = 7_000_000  # marks the places of the prices in the templates
_MEMBERS = """
    SELECT m.id, m.external_id, a.id, s.id FROM members m
    JOIN accounts a ON a.member_id = m.id JOIN sessions s ON s.account_id = a.id ORDER BY m.id
"""


class Kind(StrEnum):
    """What is asked for."""

    HOME = "home"
    BALANCE = "balance"
    PURCHASE = "purchase"
    BATCH = "batch"
    HOME_RETURNING = "home of returning members"
    BALANCE_RETURNING = "balance of returning members"

    @property
    def expects(self) -> bytes:
        """What stands in every good answer."""
        return b'"RecordedPurchase"' if self in (Kind.PURCHASE, Kind.BATCH) else b'"me"'

    @property
    def connections(self) -> int:
        """How many clients ask for it at once: 32, or 8 with batches, which are 800 purchases."""
        return 8 if self is Kind.BATCH else CONNECTIONS

    @property
    def weight(self) -> int:
        """How many purchases, or answers, one request counts for."""
        return BATCH if self is Kind.BATCH else 1


@dataclass(frozen=True, slots=True)
class Person:
    """A seeded member, and the session of their phone."""

    member_id: int
    external_id: str
    account_id: int
    session_id: int


class People:
    """All members of a database, with tokens that are made when they're first needed."""

    def __init__(self, people: Sequence[Person], ring: KeyRing) -> None:
        self.people = people
        self._ring = ring
        self._tokens: dict[int, tuple[int, str]] = {}  # by position, with when it was made
        self.run = f"{system_now():x}"  # no purchase of another run has its name

    def token(self, position: int) -> str:
        """An access token of the member at the position, as a sign-in would give it now."""
        now = system_now()
        made = self._tokens.get(position)
        if made is None or made[0] < now - _TOKEN_SECONDS * MICROSECONDS_PER_SECOND:
            one = self.people[position]
            facts = OpenedSession(
                one.account_id, one.session_id, 1, now, one.member_id, None, opened_at=now
            )
            made = self._tokens[position] = (now, tokens.access_token(self._ring, facts))
        return made[1]


async def people_of(url: str) -> People:
    """The members of the database, and the keys that their tokens are signed with."""
    async with opened(Address("postgres", url)):
        await keys.prepare(issuer=ISSUER)
        ring = await keys.ring()
    connection: Any = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(_MEMBERS)
    finally:
        await connection.close()
    return People([Person(*row) for row in rows], ring)


def shots(
    kind: Kind, people: People, *, seed: int, ready_count: int, is_once: bool = False
) -> Iterator[bytes]:
    """Requests without end; the first `ready_count` are made at once where they are the same each
    time, so that making them takes nothing from the measurement. Once: of each member one."""
    chance = random.Random(seed)
    if kind is Kind.PURCHASE:
        return _purchases(people.people, chance, f"shot-{people.run}-{seed}")
    if kind is Kind.BATCH:
        return _batches(people.people, chance, f"shot-{people.run}-{seed}")
    is_home = kind in (Kind.HOME, Kind.HOME_RETURNING)
    content = operations.body(operations.HOME if is_home else operations.BALANCE)
    count = len(people.people)
    if kind in (Kind.HOME, Kind.BALANCE):
        positions = chance.sample(range(count), min(count, ready_count))
    else:
        positions = chance.sample(range(count), min(count, RETURNING))
    ready = [operations.request(content, people.token(one)) for one in positions]
    return iter(ready) if is_once else cycle(ready)


def _purchases(people: Sequence[Person], chance: random.Random, name: str) -> Iterator[bytes]:
    template = _template(operations.one_purchase(_marks(), "@id@", _just_now()))
    number = 0
    while True:
        number += 1
        content = template % _values(people, chance, f"{name}-{number}", ids=2)
        yield operations.request(content.encode(), TILL_KEY)


def _batches(people: Sequence[Person], chance: random.Random, name: str) -> Iterator[bytes]:
    whole = operations.many_purchases([_marks()], "@id@", _just_now()).decode()
    start = whole.index("[{") + 1
    end = whole.rindex("}]") + 1
    one = _template(whole[start:end].encode())
    number = 0
    while True:
        number += 1
        key = f"{name}-{number}"
        items = ",".join(one % _values(people, chance, key, ids=1, n=n) for n in range(BATCH))
        content = f"{whole[:start]}{items}{whole[end:]}".replace("@id@", key)
        yield operations.request(content.encode(), TILL_KEY)


def _just_now() -> datetime:
    return datetime.fromtimestamp(system_now() / MICROSECONDS_PER_SECOND, UTC) - timedelta(
        seconds=5
    )


def _marks() -> Draw:
    return Draw("@member@", [_PRICE + number for number in range(LINES)])


def _template(content: bytes) -> str:
    text = content.decode().replace("%", "%%").replace("@id@-0", "@id@")
    text = text.replace("@id@", "%s").replace("@member@", "%s")
    for number in range(LINES):
        text = text.replace(str(_PRICE + number), "%d")
    return text


def _values(
    people: Sequence[Person], chance: random.Random, key: str, *, ids: int, n: int | None = None
) -> tuple[object, ...]:
    """What fills a template: the id (twice, where it is the idempotency key too), the member, the
    prices."""
    member = people[int(chance.random() * len(people))].external_id
    external_id = key if n is None else f"{key}-{n}"
    prices = [199 + int(chance.random() * 1800) for _ in range(LINES)]
    return (*[external_id] * ids, member, *prices)
