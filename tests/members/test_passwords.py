"""Passwords: hashed beside the loop, by today's parameters, a bounded number at a time."""

import asyncio
import os
import sys
import threading

import pytest
from argon2 import extract_parameters
from argon2.low_level import Type

from server.errors import InvalidInput
from server.members import passwords
from server.members.errors import TooManySignIns
from tests.members.people import OLD_PASSWORD_HASH, PASSWORD, PASSWORD_HASH


def test_hashes_are_argon2id_with_19_mib_2_passes_and_1_lane() -> None:
    for password_hash in (asyncio.run(passwords.hash_password(PASSWORD)), passwords.DUMMY_HASH):
        made = extract_parameters(password_hash)
        assert (made.type, made.memory_cost, made.time_cost, made.parallelism) == (
            Type.ID,
            19 * 1024,
            2,
            1,
        )
        assert not passwords.needs_rehash(password_hash)
    assert passwords.needs_rehash(OLD_PASSWORD_HASH)


async def test_a_hash_matches_its_password_alone() -> None:
    assert await passwords.matches(PASSWORD_HASH, PASSWORD)
    assert not await passwords.matches(PASSWORD_HASH, PASSWORD + " ")
    assert not await passwords.matches(PASSWORD_HASH, "")


async def test_the_same_password_is_hashed_differently_each_time() -> None:
    assert await passwords.hash_password(PASSWORD) != await passwords.hash_password(PASSWORD)


async def test_composed_and_decomposed_are_one_password() -> None:
    password_hash = await passwords.hash_password("pa\u0308sswo\u0308rd")
    assert await passwords.matches(password_hash, "p\u00e4ssw\u00f6rd")


async def test_a_password_that_is_too_short_is_refused_before_any_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passwords, "_in_pool", None)
    with pytest.raises(InvalidInput):
        await passwords.hash_password("1234567")


@pytest.mark.parametrize(
    ("password_hash", "password"),
    [(None, PASSWORD), (PASSWORD_HASH, "x" * 129), (PASSWORD_HASH, "\ud800")],
)
async def test_without_anything_to_match_the_dummy_hash_is_checked_and_says_no(
    monkeypatch: pytest.MonkeyPatch, password_hash: str | None, password: str
) -> None:
    checked: list[str] = []

    def matches_all(against: str, _password: str) -> bool:
        checked.append(against)
        return True

    monkeypatch.setattr(passwords, "_verify", matches_all)
    assert not await passwords.matches(password_hash, password)
    assert checked == [passwords.DUMMY_HASH]


CAPACITY = passwords.THREADS + passwords.WAITING_LIMIT


def test_one_processor_stays_free_of_hashing_and_200_sign_ins_find_a_place() -> None:
    processors = len(os.sched_getaffinity(0))
    assert max(1, processors - 1) == passwords.THREADS
    assert passwords._pool._max_workers == passwords.THREADS
    assert passwords.WAITING_LIMIT == 256


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a niceness on Linux alone")
async def test_whoever_else_wants_a_processor_goes_before_the_hashing() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert await passwords._in_pool(niceness) == min(19, niceness() + passwords.NICENESS)


async def test_256_wait_and_the_next_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = threading.Event()
    started = threading.Semaphore(0)
    running: list[str] = []

    def slow(_hash: str, _password: str) -> bool:
        running.append(threading.current_thread().name)
        started.release()
        opened.wait()
        return True

    monkeypatch.setattr(passwords, "_verify", slow)
    waiting = [
        asyncio.create_task(passwords.matches(PASSWORD_HASH, PASSWORD)) for _ in range(CAPACITY)
    ]
    try:
        await asyncio.sleep(0)
        for _ in range(passwords.THREADS):
            await asyncio.to_thread(started.acquire)
        with pytest.raises(TooManySignIns) as caught:
            await passwords.matches(PASSWORD_HASH, PASSWORD)
        assert caught.value.retry_after_seconds == 3
        assert len(running) == passwords.THREADS
    finally:
        opened.set()
    assert await asyncio.gather(*waiting) == [True] * CAPACITY
    assert all(name.startswith("passwords") for name in running)
    assert await passwords.matches(PASSWORD_HASH, PASSWORD)  # there is room again


async def test_nobody_waits_longer_than_is_bearable(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = threading.Event()
    monkeypatch.setattr(passwords, "_verify", lambda _hash, _password: opened.wait())
    monkeypatch.setattr(passwords, "WAITING_SECONDS", 0)
    try:
        with pytest.raises(TooManySignIns):
            await passwords.matches(PASSWORD_HASH, PASSWORD)
    finally:
        opened.set()
    monkeypatch.setattr(passwords, "WAITING_SECONDS", 30)
    assert await passwords.matches(PASSWORD_HASH, PASSWORD)


async def test_who_stops_waiting_gives_the_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = threading.Event()
    monkeypatch.setattr(passwords, "_verify", lambda _hash, _password: opened.wait())
    tasks = [
        asyncio.create_task(passwords.matches(PASSWORD_HASH, PASSWORD)) for _ in range(CAPACITY)
    ]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    opened.set()
    assert await passwords.matches(PASSWORD_HASH, PASSWORD)
    assert (
        await asyncio.gather(*(passwords.matches(PASSWORD_HASH, PASSWORD) for _ in range(60)))
        == [True] * 60
    )
