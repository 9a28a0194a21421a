"""How soon a prepared installation answers, imports counted, and the memory of a process."""

import asyncio
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from bench import cores, operations, shots
from bench.arena import Arena
from bench.cluster import free_port
from bench.figures import Spread
from bench.servers import ROOT, CannotServe, Peer, environment, laurel_settings
from bench.shots import Kind
from server import demo_credentials

TIMES = 5
ASKED_SECONDS = 1.0
ASKED_MIB = 150
_KINDS = (Kind.HOME, Kind.BALANCE, Kind.PURCHASE, Kind.BATCH)
_READY = re.compile(r"^Ready: (\S+)$", re.MULTILINE)
_SIGN_IN = """
    mutation ($input: SignInInput!) { signIn(input: $input) { ... on Session { accessToken } } }
"""


@dataclass(slots=True)
class Started:
    """What was seen."""

    postgres_seconds: list[float] = field(default_factory=list)
    sqlite_seconds: list[float] = field(default_factory=list)
    peak_mib: float = 0.0  # after all operations at full load


def measure(arena: Arena) -> Started:
    """Measure. Raises CannotServe and Answered."""
    result = Started()
    people = asyncio.run(shots.people_of(arena.url))
    command = [sys.executable, "-P", "-m", "server", "serve"]
    for number in range(TIMES):
        shot = operations.request(operations.body(operations.BALANCE), people.token(number))
        result.postgres_seconds.append(_first(command, laurel_settings(arena.url), shot))
    arena.say("starts on PostgreSQL measured")
    with tempfile.TemporaryDirectory() as folder:
        command += ["--demo", "--data", folder]
        shot = operations.request(operations.body(operations.BALANCE), _prepared(command))
        shot = shot.replace(operations.HOST.encode(), b"127.0.0.1")
        for _ in range(TIMES):
            result.sqlite_seconds.append(_first(command, {}, shot))
    arena.say("starts on SQLite measured")
    with arena.serving(Peer.LAUREL) as server:
        for number, kind in enumerate(_KINDS):
            arena.ask(kind, [server], seed=7000 + number)
        result.peak_mib = server.peak_mib
    return result


def _first(command: Sequence[str], settings: dict[str, str], shot: bytes) -> float:
    """Seconds from the start of the process to its first right answer."""
    port = free_port()
    start = time.perf_counter()
    with _process([*command, "--port", str(port)], settings) as process:
        answer = _answer(port, shot, process)
        taken = time.perf_counter() - start
    if b'"available"' not in answer or b" 200 " not in answer[:20]:
        raise CannotServe(f"the first answer is wrong: {answer[:500]!r}")
    return taken


@contextmanager
def _process(command: Sequence[str], settings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(  # noqa: S603 - the product itself
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={**environment(), **settings},
    )
    cores.pin(process.pid, cores.SERVER_CORE)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _answer(port: int, shot: bytes, process: subprocess.Popen[bytes]) -> bytes:
    while process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                connection.sendall(shot)
                answer = b""
                while b'"available"' not in answer and (more := connection.recv(65_536)):
                    answer += more
                return answer
        except ConnectionRefusedError:
            time.sleep(0.002)
    raise CannotServe("the server ended before it answered")


def _prepared(command: Sequence[str]) -> str:
    """An access token of the demonstration's member, made by a first start."""
    with _process([*command, "--port", "0"], {}) as process:
        printed = ""
        assert process.stdout is not None
        while not (ready := _READY.search(printed)):
            line = process.stdout.readline().decode()
            if not line:
                raise CannotServe(f"the demonstration did not start: {printed}")
            printed += line
        given = {
            "email": demo_credentials.MEMBER_EMAIL,
            "password": demo_credentials.MEMBER_PASSWORD,
            "idempotencyKey": "bench",
        }
        asked = {"query": _SIGN_IN, "variables": {"input": given}}
        answer = httpx2.post(f"{ready[1]}/graphql", json=asked, timeout=30).json()
    try:
        return str(answer["data"]["signIn"]["accessToken"])
    except (KeyError, TypeError):
        raise CannotServe(f"nobody can sign in: {answer}") from None


def as_text(result: Started) -> str:
    """The result for a terminal."""
    lines = ["start: from the start of the process to its first right answer, imports counted."]
    for name, seconds in (
        ("PostgreSQL", result.postgres_seconds),
        ("SQLite", result.sqlite_seconds),
    ):
        one = Spread.of(seconds)
        said = "reached" if one.median <= ASKED_SECONDS else "NOT reached"
        lines.append(
            f"  {name:<12} {one.median:.2f} s ({one.least:.2f} to {one.most:.2f})"
            f"   asked {ASKED_SECONDS:.1f} s: {said}"
        )
    said = "reached" if result.peak_mib < ASKED_MIB else "NOT reached"
    lines.append(
        f"  peak memory after H, B, P and batches at full load: {result.peak_mib:,.0f} MiB"
        f"   asked below {ASKED_MIB}: {said}"
    )
    return "\n".join(lines)


def as_json(result: Started) -> dict[str, Any]:
    """The same for programs."""
    return {
        "postgresSeconds": result.postgres_seconds,
        "sqliteSeconds": result.sqlite_seconds,
        "peakMib": result.peak_mib,
        "askedSeconds": ASKED_SECONDS,
        "askedMib": ASKED_MIB,
        "peakIsAfter": [kind.value for kind in _KINDS],
    }
