"""Thousands of requests, each sent several times, while the server is killed and started again:
each key has one effect and one answer.

The number of requests is LAUREL_TEST_DUPLICATES, 400 without it.
"""

import os
import random
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from server.principal import Scope
from server.storage import sql
from server.storage.database import Address, opened
from tests.api.calling import Caller, Json, dump, purchase_input
from tests.api.redeeming import rich
from tests.conftest import run_apart
from tests.faults.apps import app, prepared
from tests.faults.calls import SILENT, posted, serving

REQUESTS = int(os.environ.get("LAUREL_TEST_DUPLICATES", "400"))
TIMES_EACH = 5
KILLS = 2
CALLERS = 8
MEMBERS = [f"member {number}" for number in range(10)]
POINTS = 1000


@dataclass(frozen=True)
class Wish:
    """A request; all of one key are equal."""

    mutation: str
    input: Json

    @property
    def key(self) -> str:
        key: str = self.input["idempotencyKey"]
        return key


@cache
def wishes() -> tuple[Wish, ...]:
    """Every request, in no order: half of them purchases, half redemptions."""
    made = []
    for number in range(REQUESTS // TIMES_EACH):
        member = {"externalId": MEMBERS[number % len(MEMBERS)]}
        key = {"idempotencyKey": f"key {number}"}
        if number // len(MEMBERS) % 2:
            purchase = purchase_input(member=member)
            wish = Wish("recordPurchase", {**key, "purchase": purchase})
        else:
            wish = Wish("redeemPoints", {**key, "member": member, "points": POINTS})
        made += [wish] * TIMES_EACH
    random.Random(1).shuffle(made)
    return tuple(made)


@dataclass
class Answers:
    """What each key was answered, every time."""

    by_key: dict[str, list[Json]] = field(default_factory=lambda: defaultdict(list))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, key: str, told: Json) -> int:
        """Keep an answer; how many there are now."""
        with self._lock:
            self.by_key[key].append(told)
            return sum(map(len, self.by_key.values()))


async def _prepare(address: Address, tills: list[Caller]) -> None:
    async with app(address) as api:
        await prepared(api, "signOut")
        for name in MEMBERS:
            await rich(api, name, POINTS * REQUESTS)
        tills.append(await api.key(*Scope))


def send_all(address: Address, folder: Path, till: Caller, *, kill_at: int | None) -> Answers:
    """Starts a server and sends it everything; it's killed after so many answers."""
    answers = Answers()
    with serving(address, folder) as server, ThreadPoolExecutor(CALLERS) as callers:
        url = server.url

        def send(wish: Wish) -> None:
            try:
                told = posted(url, wish.mutation, wish.input, till)
            except SILENT:
                return
            told.pop("extensions", None)  # what is left of the till's budget is another thing
            if answers.note(wish.key, told) == kill_at:
                server.process.kill()

        list(callers.map(send, wishes()))
        if kill_at is None:
            assert server.stop() == 0
            assert server.complaints == []
    return answers


def test_each_key_has_one_effect_and_one_answer_however_often_the_server_dies(
    database_address: Address, tmp_path: Path
) -> None:
    tills: list[Caller] = []
    run_apart(_prepare(database_address, tills))
    rounds = [
        send_all(database_address, tmp_path, tills[0], kill_at=(kill + 1) * REQUESTS // 4)
        for kill in range(KILLS)
    ]
    assert all(sum(map(len, one.by_key.values())) < REQUESTS for one in rounds)
    rounds.append(send_all(database_address, tmp_path, tills[0], kill_at=None))
    assert all(len(told) == TIMES_EACH for told in rounds[-1].by_key.values())
    for key, answers in rounds[-1].by_key.items():
        every = [told for one in rounds for told in one.by_key.get(key, ())]
        assert all(told == answers[0] for told in every), key
        assert "errors" not in answers[0]
    run_apart(_assert_one_effect_each(database_address, list(rounds[-1].by_key.values())))


async def _assert_one_effect_each(address: Address, told: list[list[Json]]) -> None:
    answers = [one[0]["data"]["answer"] for one in told]
    redemptions = [one for one in answers if one["__typename"] == "PointsRedeemed"]
    purchases = [one for one in answers if one["__typename"] == "RecordedPurchase"]
    assert len(redemptions) + len(purchases) == len(answers) == REQUESTS // TIMES_EACH
    async with opened(address):
        rows = await dump()
        assert len(rows["vouchers"]) == len(redemptions)
        assert len(rows["purchases"]) == len(purchases)
        assert len({one["voucher"]["id"] for one in redemptions}) == len(redemptions)
        redeemed = await sql.fetch(
            "SELECT SUM(redeemed_total), SUM(balance) FROM ledger_accounts WHERE asset = 'POINTS'"
        )
        left = await sql.fetch(
            "SELECT SUM(l.remaining) FROM lots l JOIN ledger_accounts a ON a.id = l.account_id"
            " WHERE a.asset = 'POINTS'"
        )
        assert int(redeemed[0][0]) == POINTS * len(redemptions)
        assert int(redeemed[0][1]) == int(left[0][0])
