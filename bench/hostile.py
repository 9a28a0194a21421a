"""The claim: hostile requests are refused at once, tell nothing, and hurt nobody else.

A server of its own answers members' apps at a steady rate, first alone and then while thousands of
hostile documents, bodies and frames are sent to it as fast as a few clients can.
"""

import asyncio
import json
import multiprocessing
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from bench.figures import quantile
from bench.hostility import FRAME, HTTP, MESSAGE, Attack, attacks
from server import demo_credentials
from server.examples import HOME_SCREEN

Say = Callable[[str], None]
LEAKS = re.compile(
    rb"Traceback|File \"|\.py\b|sqlite|asyncpg|SELECT |strawberry|object at 0x|site-packages"
)
ANSWER_SECONDS = 20
_READY = re.compile(r"^Ready: (\S+)$", re.MULTILINE)
_MEMBERS = 10
_SIGN_UP = """
    mutation ($input: SignUpInput!) { signUp(input: $input) { ... on Session { accessToken } } }
"""
_UPGRADE = (
    b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)


class CannotMeasure(Exception):
    """The server can't be started; the message says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    count: int
    clients: int
    seed: int
    normal_per_second: int
    quiet_seconds: int


@dataclass(slots=True)
class Result:
    """What was seen."""

    plan: Plan
    refusals_seconds: list[float] = field(default_factory=list)  # HTTP alone
    slowest: list[tuple[float, str]] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    closes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)  # 5xx, leaks, silence
    alone_seconds: list[float] = field(default_factory=list)
    together_seconds: list[float] = field(default_factory=list)
    normal_failures: int = 0
    memory_kib: list[int] = field(default_factory=list)  # as the attacks went on
    seconds: float = 0.0

    @property
    def refusal_p99_milliseconds(self) -> float:
        """What 99 in 100 refusals were answered in."""
        return quantile(self.refusals_seconds, 990) * 1000

    @property
    def ratio(self) -> float:
        """The p99 of normal traffic among attacks over that without."""
        return quantile(self.together_seconds, 990) / quantile(self.alone_seconds, 990)

    @property
    def growth_kib(self) -> int:
        """By how much the server's memory grew from the first fifth of the attacks to the end."""
        return self.memory_kib[-1] - self.memory_kib[len(self.memory_kib) // 5]

    @property
    def holds(self) -> bool:
        """Whether the claim does."""
        return (
            not self.failures
            and not self.normal_failures
            and self.refusal_p99_milliseconds < 20
            and self.ratio <= 2
            and self.growth_kib < 20 * 1024
        )


# ---------------------------------------------------------------- the server


@contextmanager
def _serving() -> Iterator[tuple[str, int]]:
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(  # noqa: S603 - the product itself
            [
                *(sys.executable, "-P", "-m", "server", "serve", "--demo", "--port", "0"),
                *("--data", folder, "--stop-with-stdin"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            printed = ""
            assert process.stdout is not None
            while not (ready := _READY.search(printed)):
                line = process.stdout.readline()
                if not line:
                    raise CannotMeasure(f"the server did not start: {printed}")
                printed += line
            yield ready[1], process.pid
        finally:
            process.terminate()
            process.wait(30)


def _memory_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0])


def _sign_up(url: str, number: int) -> str:
    """The access token of a new member."""
    given = {
        "email": f"member{number}@bench.example",
        "password": "not a secret here",
        "name": f"Member {number}",
        "idempotencyKey": str(number),
    }
    answer = httpx2.post(
        f"{url}/graphql",
        json={"query": _SIGN_UP, "variables": {"input": given}},
        timeout=ANSWER_SECONDS,
    ).json()
    if "errors" in answer:
        raise CannotMeasure(f"nobody can sign up: {answer['errors']}")
    return str(answer["data"]["signUp"]["accessToken"])


# ---------------------------------------------------------------- normal traffic


def _normal(url: str, tokens: Sequence[str], per_second: int, pipe: Connection) -> None:
    """Ask for members' home screens at a steady rate until told to stop; each phase's seconds."""
    members = cycle({"Authorization": f"Bearer {token}"} for token in tokens)
    body = {"query": HOME_SCREEN}
    with httpx2.Client(timeout=ANSWER_SECONDS) as client:
        taken: list[float] = []
        failures = 0
        due = time.perf_counter()
        while True:
            if pipe.poll():
                word = pipe.recv()
                pipe.send((taken, failures))
                if word == "stop":
                    return
                taken, failures, due = [], 0, time.perf_counter()
            due += 1 / per_second
            time.sleep(max(0.0, due - time.perf_counter()))
            start = time.perf_counter()
            answer = client.post(f"{url}/graphql", json=body, headers=next(members))
            # From when it was due, so that a stall counts for all who came in it.
            taken.append(time.perf_counter() - min(due, start))
            failures += answer.status_code != 200 or "errors" in answer.json()


# ---------------------------------------------------------------- attacks


class _Attacker:
    """One hostile client, with a connection for requests and one for messages."""

    def __init__(self, url: str, result: Result) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._result = result
        self._http: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._socket: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, attack: Attack) -> None:
        """Send it and see what becomes of it."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if attack.transport == MESSAGE:
                    await self._message(attack)
                elif attack.transport == FRAME:
                    await self._frame(attack)
                else:
                    await self._request(attack)
        except TimeoutError:
            self._result.failures.append(f"{attack.kind}: no answer in {ANSWER_SECONDS} s")
            self._http = self._socket = None

    async def _request(self, attack: Attack) -> None:
        is_fresh = self._http is None or attack.transport != HTTP
        reader, writer = await asyncio.open_connection(*self._address) if is_fresh else self._http  # type: ignore[misc] # not None
        writer.write(attack.payload)
        start = time.perf_counter()
        try:
            status, headers, body = await _response(reader, attack.payload.startswith(b"HEAD"))
        except (asyncio.IncompleteReadError, ConnectionError):
            self._http = None
            if not is_fresh:  # it was closed in between: not what this attack did
                await self._request(attack)
                return
            self._result.statuses["closed"] += 1
            return
        taken = time.perf_counter() - start
        self._seen(attack, status, body, taken)
        if headers.get("connection") == "close" or attack.transport != HTTP:
            writer.close()
            self._http = None
        else:
            self._http = (reader, writer)

    def _seen(self, attack: Attack, status: int, body: bytes, taken: float) -> None:
        result = self._result
        result.statuses[str(status)] += 1
        result.refusals_seconds.append(taken)
        result.slowest = sorted([*result.slowest, (taken, attack.kind)], reverse=True)[:10]
        if status >= 500:
            result.failures.append(f"{attack.kind}: status {status}: {body[:200]!r}")
        self._check(attack, body)
        with suppress(ValueError, AttributeError, TypeError):
            for error in json.loads(body).get("errors", []):
                result.codes[error["extensions"]["code"]] += 1

    def _check(self, attack: Attack, body: bytes) -> None:
        if leak := LEAKS.search(body):
            around = body[max(0, leak.start() - 80) : leak.end() + 80]
            self._result.failures.append(f"{attack.kind}: leak {around!r}")
        if b'"INTERNAL"' in body:
            self._result.failures.append(f"{attack.kind}: INTERNAL {body[:300]!r}")

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self._address)
        writer.write(_UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_text_frame(b'{"type": "connection_init"}'))
        await _frame_of(reader)
        return reader, writer

    async def _message(self, attack: Attack) -> None:
        if self._socket is None:
            self._socket = await self._opened()
        reader, writer = self._socket
        try:
            writer.write(_text_frame(attack.payload))
            # What is answered to a ping comes after the answer to the message.
            writer.write(_text_frame(b'{"type": "ping", "payload": {"after": "it"}}'))
            while True:
                opcode, payload = await _frame_of(reader)
                if opcode == 8:
                    self._closed(attack, payload)
                    self._socket = None
                    return
                self._check(attack, payload)
                if b'"after"' in payload:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            self._result.closes["without a close frame"] += 1
            self._socket = None

    async def _frame(self, attack: Attack) -> None:
        reader, writer = await self._opened()
        try:
            writer.write(attack.payload)
            writer.write_eof()
            while True:
                opcode, payload = await _frame_of(reader)
                if opcode == 8:
                    self._closed(attack, payload)
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            self._result.closes["end of stream"] += 1
        finally:
            writer.close()

    def _closed(self, attack: Attack, payload: bytes) -> None:
        code = int.from_bytes(payload[:2], "big") if payload else 1005
        self._result.closes[str(code)] += 1
        if code in (1006, 1011, 4500):
            self._result.failures.append(f"{attack.kind}: closed with {code}: {payload[2:]!r}")


async def _response(
    reader: asyncio.StreamReader, is_head: bool
) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    status = int(head[0].split()[1])
    length = int(headers.get("content-length", "0"))
    is_empty = is_head or status in (204, 304)
    if headers.get("transfer-encoding") == "chunked":
        return status, headers, await _chunks(reader)
    return status, headers, b"" if is_empty else await reader.readexactly(length)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readline()
    return body


def _text_frame(payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        head = bytes((0x81, 0x80 | size))
    elif size < 65_536:
        head = bytes((0x81, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x81, 0xFF)) + size.to_bytes(8, "big")
    return head + b"\0\0\0\0" + payload  # a mask of zeros


async def _frame_of(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size == 126:
        size = int.from_bytes(await reader.readexactly(2), "big")
    elif size == 127:
        size = int.from_bytes(await reader.readexactly(8), "big")
    return first & 0x0F, await reader.readexactly(size)


async def _attack(url: str, pid: int, result: Result, credentials: tuple[str, ...]) -> None:
    waiting = iter(attacks(result.plan.count, result.plan.seed, credentials))
    every = max(1, result.plan.count // 50)
    done = 0

    async def client() -> None:
        nonlocal done
        attacker = _Attacker(url, result)
        for attack in waiting:
            await attacker.send(attack)
            done += 1
            if done % every == 0:
                result.memory_kib.append(_memory_kib(pid))

    async with asyncio.TaskGroup() as group:
        for _ in range(result.plan.clients):
            group.create_task(client())


def measure(plan: Plan, say: Say) -> Result:
    """Measure. Raises CannotMeasure."""
    result = Result(plan)
    with _serving() as (url, pid):
        *tokens, hostile = (_sign_up(url, number) for number in range(_MEMBERS + 1))
        ours, theirs = multiprocessing.Pipe()
        normal = multiprocessing.Process(
            target=_normal, args=(url, tokens, plan.normal_per_second, theirs), daemon=True
        )
        normal.start()
        time.sleep(2)  # to warm up
        ours.send("next")
        ours.recv()
        say(f"normal traffic alone for {plan.quiet_seconds} s ...")
        time.sleep(plan.quiet_seconds)
        ours.send("next")
        result.alone_seconds, failures = ours.recv()
        result.normal_failures += failures
        say(f"{plan.count:,} attacks ...")
        start = time.perf_counter()
        asyncio.run(_attack(url, pid, result, (hostile, demo_credentials.TILL_KEY)))
        result.seconds = time.perf_counter() - start
        ours.send("stop")
        result.together_seconds, failures = ours.recv()
        result.normal_failures += failures
        normal.join()
    return result


def text(result: Result) -> str:
    """The result for a terminal."""
    alone, together = result.alone_seconds, result.together_seconds

    def milliseconds(values: list[float], per_mille: int) -> str:
        return f"{quantile(values, per_mille) * 1000:.1f} ms"

    def counted(counter: Counter[str]) -> str:
        return ", ".join(f"{name} {count:,}" for name, count in counter.most_common(14))

    lines = [
        f"{result.plan.count:,} attacks by {result.plan.clients} clients in {result.seconds:.0f} s,"
        f" seed {result.plan.seed}; {result.plan.normal_per_second} home screens a second beside.",
        f"  statuses          {counted(result.statuses)}",
        f"  codes             {counted(result.codes)}",
        f"  sockets closed    {counted(result.closes)}",
        f"  refused in        p50 {milliseconds(result.refusals_seconds, 500)},"
        f" p99 {milliseconds(result.refusals_seconds, 990)},"
        f" most {milliseconds(result.refusals_seconds, 1000)}"
        f" ({result.slowest[0][1]})",
        f"  home screen alone p50 {milliseconds(alone, 500)}, p99 {milliseconds(alone, 990)}",
        f"  among attacks     p50 {milliseconds(together, 500)}, p99 {milliseconds(together, 990)}",
        f"  RATIO of p99      {result.ratio:.2f} (claim: at most 2)",
        f"  memory            {result.memory_kib[0] / 1024:.0f} MiB to"
        f" {result.memory_kib[-1] / 1024:.0f} MiB; since the first fifth"
        f" {result.growth_kib / 1024:+.1f} MiB",
        f"  failures          {len(result.failures)} among attacks, {result.normal_failures} among"
        " home screens",
        *(f"    {failure}" for failure in result.failures[:20]),
        f"The claim {'holds' if result.holds else 'DOES NOT hold'}.",
    ]
    return "\n".join(lines)
