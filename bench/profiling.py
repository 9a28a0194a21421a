"""Where the time of an operation goes: its statements, and the share of each layer.

The app answers in this process, called as uvicorn calls it, one request after the other. Each
request is timed; meanwhile a timer looks a thousand times a second what is being done, and counts
it for the layer whose code runs, or that called the library's code which runs. Reading HTTP from
the socket is uvicorn's and not in it; the loop is asyncio's own, where waiting can be seen.
"""

import asyncio
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from bench import shots
from bench.figures import quantile
from bench.seeding import ISSUER
from bench.servers import laurel_settings
from bench.shots import Kind
from server import settings as server_settings
from server.members import service as members
from server.storage import database, sql
from server.storage.database import Address

REQUESTS = 1_000
_WARM_UP = 60
_WAIT = "waiting for the database"
_OTHER = "other"
_LOOP = "the event loop"
_LAYERS = (  # the first that a file's path matches
    ("the database's driver and SQL", r"asyncpg|tortoise|aiosqlite|server/storage/"),
    (
        "authentication",
        r"jwt/|cryptography|server/principal|server/members/(auth|tok|key|api_k|ses)",
    ),
    ("encoding", r"msgspec|json/|orjson"),
    (
        "parsing, validating, planning",
        r"graphql/(language|validation|type|utilities)|"
        r"server/edge/(plan|documents|trusted|scann|siz|estimat|validat|limits|budgets|compiling)",
    ),
    ("executing", r"graphql|strawberry|server/edge/(execut|nodes|fields|pages|scalars|permiss)"),
    ("HTTP and the edge", r"starlette|uvicorn|httptools|server/(edge|app|serving|logs)"),
    ("messages and formats", r"server/messages|babel|server/edge/scalars"),
    ("rules and verbs", r"server/"),
    (_LOOP, r"/asyncio/|/selectors\.py"),
)
_EVERY_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Profile:
    """What was seen of one operation."""

    kind: Kind
    milliseconds: Sequence[float]  # of each request, without the profiler
    statements: list[tuple[str, int]]  # of one request, with how often
    layers: list[tuple[str, float]]  # milliseconds of each request
    functions: list[tuple[str, float]]  # same, the heaviest ones


@dataclass(slots=True)
class _Seen:
    """What the timer saw."""

    layers: Counter[str] = field(default_factory=Counter)
    functions: Counter[str] = field(default_factory=Counter)

    def note(self, _number: int, frame: FrameType | None) -> None:
        """Count what is done just now."""
        if frame is None:
            return
        code = frame.f_code
        self.functions[f"{'/'.join(code.co_filename.split('/')[-2:])} {code.co_name}"] += 1
        if code.co_name == "select" and code.co_filename.endswith("selectors.py"):
            self.layers[_WAIT] += 1
            return
        self.layers[_layer_at(frame)] += 1

    def milliseconds(self, counts: Counter[str], most: int, each: float) -> list[tuple[str, float]]:
        """The most frequent ones as shares of what each request took."""
        total = max(1, sum(self.layers.values()))
        return [(name, count / total * each) for name, count in counts.most_common(most)]


def _layer_at(frame: FrameType) -> str:
    """The layer whose code runs, or called what runs; the loop's only if no other one did."""
    found = _OTHER
    caller: FrameType | None = frame
    while caller is not None:
        layer = layer_of(caller.f_code.co_filename)
        if layer not in (_OTHER, _LOOP):
            return layer
        found = _LOOP if layer == _LOOP else found
        caller = caller.f_back
    return found


@contextmanager
def _watched() -> Iterator[_Seen]:
    seen = _Seen()
    before = signal.signal(signal.SIGALRM, seen.note)
    signal.setitimer(signal.ITIMER_REAL, _EVERY_SECONDS, _EVERY_SECONDS)
    try:
        yield seen
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def measure(kind: Kind, url: str, *, requests: int = REQUESTS) -> Profile:
    """Profile the operation on the seeded database."""
    return asyncio.run(profiled(kind, url, requests=requests))


async def profiled(kind: Kind, url: str, *, requests: int) -> Profile:
    """The same, in a loop that runs."""
    people = await shots.people_of(url)
    ready = shots.shots(kind, people, seed=1, ready_count=requests + _WARM_UP + 1)
    names = {name.removeprefix("LAUREL_").lower(): v for name, v in laurel_settings(url).items()}
    settings = server_settings.read(**names)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(database.opened(Address("postgres", url), pool_size=10))
        await members.prepare_keys(issuer=ISSUER)
        from server import logs  # noqa: PLC0415 - slow to load
        from server.app import create_app  # noqa: PLC0415 - same

        logs.configure(with_operations=False)
        app = create_app(settings, opens_database=False)
        await stack.enter_async_context(app.router.lifespan_context(app))
        for _ in range(_WARM_UP):
            await _called(app, next(ready), kind)
        with sql.counted_statements() as statements:
            await _called(app, next(ready), kind)
        taken = []
        with _watched() as seen:
            for _ in range(requests):
                start = time.perf_counter()
                await _called(app, next(ready), kind)
                taken.append((time.perf_counter() - start) * 1000)
    each = sum(taken) / requests
    return Profile(
        kind,
        taken,
        Counter(_short(one) for one in statements).most_common(),
        seen.milliseconds(seen.layers, len(_LAYERS) + 2, each),
        seen.milliseconds(seen.functions, 20, each),
    )


async def _called(app: Any, shot: bytes, kind: Kind) -> None:
    """Call the app as uvicorn does; what it answers must be good."""
    head, _, content = shot.partition(b"\r\n\r\n")
    lines = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
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
        "headers": [(name.lower(), value) for name, value in lines],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "state": {},
    }
    answer = bytearray()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        answer.extend(message.get("body", b""))

    await app(scope, receive, send)
    if kind.expects not in answer or b'"errors"' in answer:
        raise RuntimeError(f"the answer is wrong: {bytes(answer[:500])!r}")


def _short(statement: str) -> str:
    return " ".join(statement.split())[:100]


def layer_of(path: str) -> str:
    """Which layer a file belongs to."""
    found = (name for name, pattern in _LAYERS if re.search(pattern, path.replace("\\", "/")))
    return next(found, _OTHER)


def as_text(result: Profile) -> str:
    """The result for a terminal."""
    total = sum(milliseconds for _, milliseconds in result.layers)
    lines = [
        f"profile of {result.kind.value}: one request after the other, in one process.",
        f"  a request takes {quantile(result.milliseconds, 500):.2f} ms (p99"
        f" {quantile(result.milliseconds, 990):.2f} ms, mean {total:.2f} ms);",
        f"  it takes {sum(count for _, count in result.statements)} statements:",
        *(f"    {count} x {statement}" for statement, count in result.statements),
        "  by layer (milliseconds of the mean, share):",
        *(
            f"    {name:<32} {milliseconds:7.3f} ms {milliseconds / total:6.1%}"
            for name, milliseconds in result.layers
        ),
        "  the heaviest functions:",
        *(f"    {milliseconds:7.3f} ms  {name}" for name, milliseconds in result.functions),
    ]
    return "\n".join(lines)


def as_json(result: Profile) -> dict[str, Any]:
    """The same for programs."""
    return {
        "operation": result.kind.value,
        "p50Milliseconds": quantile(result.milliseconds, 500),
        "statements": [{"count": count, "text": text} for text, count in result.statements],
        "layersMilliseconds": dict(result.layers),
        "functionsMilliseconds": dict(result.functions),
    }
