"""Reads of many requests, asked together: one statement for all who ask while another is under way.

What somebody asks for is always read after they asked: who comes while a statement runs waits for
the next one. So a gathered read is exactly as fresh as one of one's own, and the busier the server
is, the fewer statements each request costs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from itertools import islice
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from server.storage import sql

KEYS_PER_STATEMENT = 256
STATEMENTS_AT_ONCE = 2

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_Load = Callable[[Collection[_Key]], Awaitable[Mapping[_Key, _Value]]]


class _Round(Generic[_Key, _Value]):
    """The keys that the next statement is to read, and who waits for them.

    Each waits for a future of their own, so that nobody's cancellation ends what others wait for.
    """

    __slots__ = ("keys", "waiting")

    def __init__(self) -> None:
        self.keys: set[_Key] = set()
        self.waiting: list[asyncio.Future[Mapping[_Key, _Value]]] = []

    def answer(self, found: Mapping[_Key, _Value]) -> None:
        """Give it to all who still wait."""
        for waiter in self.waiting:
            if not waiter.done():
                waiter.set_result(found)

    def fail(self, error: BaseException) -> None:
        """Likewise."""
        for waiter in self.waiting:
            if not waiter.done():
                waiter.set_exception(error)
                waiter.exception()  # whoever asked may have gone


class _Queue(Generic[_Key, _Value]):
    """What is under way on one event loop."""

    def __init__(self, load: _Load[_Key, _Value], loop: asyncio.AbstractEventLoop) -> None:
        self._load = load
        self._loop = loop
        self._next: _Round[_Key, _Value] | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._is_called = False

    def ask(self, keys: Collection[_Key]) -> asyncio.Future[Mapping[_Key, _Value]]:
        """What the round that reads these keys will answer."""
        if self._next is None:
            self._next = _Round()
            self._call()
        answered: asyncio.Future[Mapping[_Key, _Value]] = self._loop.create_future()
        self._next.keys.update(keys)
        self._next.waiting.append(answered)
        return answered

    def _call(self) -> None:
        is_free = not self._is_called and len(self._running) < STATEMENTS_AT_ONCE
        if is_free and self._next is not None:
            # At the end of this turn of the loop: until then others may join.
            self._is_called = True
            self._loop.call_soon(self._start)

    def _start(self) -> None:
        self._is_called = False
        begun, self._next = self._next, None
        assert begun is not None, "it is taken away here alone"
        task = self._loop.create_task(self._run(begun), context=sql.without_transaction())
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._call()

    async def _run(self, begun: _Round[_Key, _Value]) -> None:
        try:
            found: dict[_Key, _Value] = {}
            wanted = iter(begun.keys)
            while some := list(islice(wanted, KEYS_PER_STATEMENT)):
                found.update(await self._load(some))
        except BaseException as error:
            begun.fail(error)
            if not isinstance(error, Exception):
                raise
        else:
            begun.answer(found)


class Gathering(Generic[_Key, _Value]):
    """A look-up that concurrent requests share.

    `load` reads the values of some keys, up to KEYS_PER_STATEMENT of them, in one statement; keys
    that it leaves out have none. Its failure is the failure of all who asked with it.
    """

    def __init__(self, load: _Load[_Key, _Value]) -> None:
        self._load = load
        self._queues: WeakKeyDictionary[asyncio.AbstractEventLoop, _Queue[_Key, _Value]] = (
            WeakKeyDictionary()
        )

    async def read(self, keys: Collection[_Key]) -> Mapping[_Key, _Value]:
        """The values of the keys, and perhaps of others, as they are from now on.

        Inside a transaction or snapshot they are those that it sees.
        """
        if sql.in_a_transaction():
            return await self._load(keys)
        loop = asyncio.get_running_loop()
        queue = self._queues.get(loop)
        if queue is None:
            queue = self._queues[loop] = _Queue(self._load, loop)
        return await queue.ask(keys)
