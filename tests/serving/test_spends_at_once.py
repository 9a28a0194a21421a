"""Sixty-four tills spend one balance at once, over HTTP: just so many succeed as it allows."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from server.principal import Scope
from server.storage import sql
from server.storage.database import Address, opened
from tests.api.calling import Caller, Json, dump
from tests.api.redeeming import rich
from tests.conftest import run_apart
from tests.faults.apps import app, prepared
from tests.faults.calls import posted, serving
from tests.ledger.books import check_books

TILLS = 64
POINTS = 1000
AFFORDABLE = 23
WELCOME = 100
MEMBER = {"externalId": "member"}


async def _prepare(address: Address, tills: list[Caller]) -> None:
    async with app(address) as api:
        await prepared(api, "signOut")
        await rich(api, "member", POINTS * AFFORDABLE + POINTS // 2 - WELCOME)
        tills.append(await api.key(*Scope))


async def _assert_spent(address: Address) -> None:
    async with opened(address):
        await check_books()
        assert len((await dump())["vouchers"]) == AFFORDABLE
        [(balance, redeemed)] = await sql.fetch(
            "SELECT balance, redeemed_total FROM ledger_accounts"
            " WHERE asset = 'POINTS' AND redeemed_total > 0"
        )
        assert (balance, redeemed) == (POINTS // 2, POINTS * AFFORDABLE)


def test_of_sixty_four_spends_at_once_just_the_affordable_ones_succeed(
    database_address: Address, tmp_path: Path
) -> None:
    tills: list[Caller] = []
    run_apart(_prepare(database_address, tills))
    together = Barrier(TILLS)
    with serving(database_address, tmp_path) as server, ThreadPoolExecutor(TILLS) as callers:

        def spend(number: int) -> Json:
            together.wait()
            wish = {"idempotencyKey": f"till {number}", "member": MEMBER, "points": POINTS}
            return posted(server.url, "redeemPoints", wish, tills[0])

        answers = [told["data"]["answer"] for told in callers.map(spend, range(TILLS))]
        assert server.stop() == 0
    redeemed = [one for one in answers if one["__typename"] == "PointsRedeemed"]
    refused = [one for one in answers if one["__typename"] == "InsufficientPoints"]
    assert (len(redeemed), len(refused)) == (AFFORDABLE, TILLS - AFFORDABLE)
    assert sorted(one["pointsAvailableAfter"] for one in redeemed) == [
        POINTS // 2 + POINTS * left for left in range(AFFORDABLE)
    ]
    assert {(one["available"], one["required"], one["shortBy"]) for one in refused} == {
        (POINTS // 2, POINTS, POINTS // 2)
    }
    run_apart(_assert_spent(database_address))
