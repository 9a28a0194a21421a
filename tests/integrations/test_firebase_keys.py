"""Google's certificates: read seldom, by one for all, and waited for a few seconds at most."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import time_machine

from server.integrations import firebase_keys
from server.integrations.firebase import Firebase, FirebaseUnavailable
from tests.integrations.firebase_google import (
    KEY_ID,
    PROJECT,
    KeyServer,
    id_token,
    serving_keys,
    unsigned,
)
from tests.integrations.test_firebase import refused


async def test_certificates_are_read_once_for_many_tokens(
    google: KeyServer, tokens: Firebase
) -> None:
    told = await asyncio.gather(*(tokens.identity(id_token(uid=f"u{n}")) for n in range(20)))
    assert [identity.subject for identity in told] == [f"u{n}" for n in range(20)]
    assert google.hits == 1


async def test_certificates_are_read_again_when_their_server_says(
    google: KeyServer, tokens: Firebase
) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        google.headers = {"Cache-Control": "public, max-age=7200, must-revalidate", "Age": "3600"}
        await tokens.identity(id_token())
        clock.shift(3599)
        await tokens.identity(id_token())
        assert google.hits == 1
        clock.shift(1)
        await tokens.identity(id_token())
        assert google.hits == 2


async def test_certificates_without_an_age_are_kept_for_a_minute(
    google: KeyServer, tokens: Firebase
) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        google.headers = {"Cache-Control": "no-store"}
        await tokens.identity(id_token())
        clock.shift(59)
        await tokens.identity(id_token())
        assert google.hits == 1
        clock.shift(1)
        await tokens.identity(id_token())
        assert google.hits == 2


async def test_made_up_keys_ask_nobody_and_a_new_key_is_found_within_a_minute(
    google: KeyServer, tokens: Firebase
) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        await tokens.identity(id_token())
        for _ in range(5):
            assert not await refused(tokens, id_token(key="new"))
        assert google.hits == 1
        google.publish(KEY_ID, "new")
        clock.shift(60)
        assert (await tokens.identity(id_token(key="new"))).subject == "uid-1"
        assert google.hits == 2
        for number in range(5):
            assert not await refused(tokens, id_token(key=f"made up {number % 2}"))
        assert google.hits == 2


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"{}"),
        (302, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"key1": 7}'),
        (200, b'{"key1": "no certificate"}'),
        (200, b"[" * 50_000),
        (200, b" " * 200_000),
        (200, b"\xff"),
    ],
    ids=[
        "500",
        "moved",
        "HTML",
        "list",
        "nothing",
        "number",
        "text",
        "deep",
        "large",
        "not UTF-8",
    ],
)
async def test_an_answer_without_certificates_is_nobodys_fault(
    google: KeyServer, tokens: Firebase, status: int, body: bytes
) -> None:
    good = google.body
    google.status, google.body, google.headers = status, body, {"Location": google.url}
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        for _ in range(3):
            with pytest.raises(FirebaseUnavailable) as refusal:
                await tokens.identity(id_token())
            assert refusal.value.retry_after_seconds == 5
        assert google.hits == 1
        google.status, google.body = 200, good
        clock.shift(5)
        assert (await tokens.identity(id_token())).subject == "uid-1"
        assert google.hits == 2


async def test_no_server_at_all_is_nobodys_fault() -> None:
    with serving_keys() as google:
        pass
    tokens = Firebase(PROJECT, certificates_url=google.url)
    with pytest.raises(FirebaseUnavailable):
        await tokens.identity(id_token())
    assert not await refused(tokens, unsigned())


async def test_tokens_of_known_keys_are_believed_while_the_server_is_down(
    google: KeyServer, tokens: Firebase
) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        await tokens.identity(id_token())
        google.status = 500
        clock.shift(60)
        with pytest.raises(FirebaseUnavailable):
            await tokens.identity(id_token(key="new"))
        assert (await tokens.identity(id_token())).subject == "uid-1"


@pytest.fixture
async def silent(google: KeyServer) -> AsyncIterator[KeyServer]:
    """A key server that takes requests and does not answer."""
    google.answers.clear()
    yield google
    google.answers.set()


async def test_a_server_that_does_not_answer_is_waited_for_by_all_at_once_and_not_for_long(
    silent: KeyServer, tokens: Firebase, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert firebase_keys.FETCH_SECONDS <= 5
    monkeypatch.setattr(firebase_keys, "FETCH_SECONDS", 0.2)
    told = await asyncio.gather(
        *(tokens.identity(id_token()) for _ in range(200)), return_exceptions=True
    )
    assert {type(one) for one in told} == {FirebaseUnavailable}
    assert silent.hits <= 1  # a busy machine may not have got as far in time


async def test_who_stops_waiting_takes_nothing_from_the_others(
    silent: KeyServer, tokens: Firebase
) -> None:
    impatient, patient = (asyncio.create_task(tokens.identity(id_token())) for _ in range(2))
    while silent.hits == 0:  # noqa: ASYNC110 - it is asked by another thread
        await asyncio.sleep(0.01)
    impatient.cancel()
    silent.answers.set()
    assert (await patient).subject == "uid-1"
    assert silent.hits == 1
    assert impatient.cancelled()
