"""Members who give to each other without a pause, through a real server: nobody waits for ever, and
no point comes or goes."""

import itertools
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.storage.database import DATABASE_FILE, Address
from tests.postgres import create_database, drop_database
from tests.serving.servers import ask, options_of, started

SECONDS = 5.0
SIGN_UP = """
    mutation ($i: SignUpInput!) { signUp(input: $i) {
        __typename ... on Session { accessToken } ... on Problem { message }
    } }
"""
GIVE = """
    mutation ($i: GivePointsInput!) { givePoints(input: $i) {
        __typename
        ... on PointsGiven { gift { points } }
        ... on InsufficientPoints { available }
        ... on Problem { message }
    } }
"""
HOME = "{ me { card { number } points { available } gifts(first: 100) { nodes { direction } } } }"


@pytest.fixture
def address(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Address]:
    """An address at which there is nothing yet."""
    if engine == "sqlite":
        yield Address("sqlite", str(tmp_path / DATABASE_FILE))
        return
    url = create_database(request.getfixturevalue("postgres_server"))
    yield Address("postgres", url)
    drop_database(url)


def signed_up(url: str, name: str) -> str:
    """The access token of a new member, who has 100 points."""
    given = {
        "idempotencyKey": str(uuid.uuid4()),
        "email": f"{name}@example.com",
        "password": "correct horse battery",
        "name": name,
    }
    return str(ask(url, SIGN_UP, {"i": given})["signUp"]["accessToken"])


def test_two_who_give_to_each_other_through_a_server(address: Address, tmp_path: Path) -> None:
    with started("--demo", "--port", "0", *options_of(address), cwd=tmp_path) as server:
        url = server.url
        tokens = [signed_up(url, name) for name in ("Ada", "Grace")]

        def me(token: str) -> Any:
            return ask(url, HOME, token=token)["me"]

        cards = [me(token)["card"]["number"] for token in tokens]
        answers: list[tuple[int, str]] = []
        moved = [0, 0]
        lock, until = threading.Lock(), time.monotonic() + SECONDS

        def run(giver: int) -> None:
            for turn in itertools.count():
                if time.monotonic() > until:
                    return
                wish = {
                    "idempotencyKey": str(uuid.uuid4()),
                    "to": {"cardNumber": cards[1 - giver]},
                    "points": 1 + turn % 5,
                }
                told = ask(url, GIVE, {"i": wish}, token=tokens[giver])["givePoints"]
                with lock:
                    answers.append((giver, told["__typename"]))
                    if told["__typename"] == "PointsGiven":
                        moved[giver] += told["gift"]["points"]

        threads = [threading.Thread(target=run, args=(number % 2,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
        kinds = {kind for _, kind in answers}
        assert kinds <= {"PointsGiven", "InsufficientPoints"}
        assert {giver for giver, kind in answers if kind == "PointsGiven"} == {0, 1}
        change = moved[1] - moved[0]
        assert [me(token)["points"]["available"] for token in tokens] == [
            100 + change,
            100 - change,
        ]
        assert server.complaints == []
