"""Batched look-ups of one request: whatever is asked for at once is read at once.

What is known already (`prime`) is given at once, without a task or a turn of the event loop: so a
screen that was read in one statement is shown by plain functions alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from types import CoroutineType
from typing import Any, Generic, TypeVar, cast

MAXIMUM_BATCH = 500
_UNKNOWN: Any = object()
_LATER = (asyncio.Future, CoroutineType)

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_Shown = TypeVar("_Shown")


class Loader(Generic[_Key, _Value]):
    """One batching look-up: `load(keys, *bound)` answers a value for each key, in their order.

    A value that is an exception is raised to those who asked for that key alone.
    """

    __slots__ = ("_bound", "_known", "_load", "_running", "_wanted")

    def __init__(
        self, load: Callable[..., Awaitable[Sequence[_Value]]], bound: tuple[Any, ...] = ()
    ) -> None:
        self._load = load
        self._bound = bound
        self._known: dict[_Key, _Value | asyncio.Future[_Value]] = {}
        self._wanted: list[tuple[_Key, asyncio.Future[_Value]]] = []
        self._running: set[asyncio.Task[None]] = set()  # the loop itself would let go of them

    def prime(self, key: _Key, value: _Value) -> None:
        """From now on the key has this value."""
        self._known[key] = value

    def knows(self, key: _Key) -> bool:
        """Whether the value of the key was given, or is being looked up."""
        return key in self._known

    def get(self, key: _Key) -> _Value | Awaitable[_Value]:
        """The value if it is known, or else what to await: one call of `load` reads what is asked
        for in one turn of the event loop."""
        found = self._known.get(key, _UNKNOWN)
        if found is _UNKNOWN or (isinstance(found, asyncio.Future) and found.cancelled()):
            return self._asked(key)
        known: _Value | asyncio.Future[_Value] = found
        return known

    async def load(self, key: _Key) -> _Value:
        """The value of the key."""
        found = self.get(key)
        return await found if isinstance(found, asyncio.Future) else cast(_Value, found)

    def _asked(self, key: _Key) -> "asyncio.Future[_Value]":
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[_Value] = loop.create_future()
        self._known[key] = answered
        if not self._wanted:
            # A turn later, so that others may join.
            loop.call_soon(self._called)
        self._wanted.append((key, answered))
        return answered

    def _called(self) -> None:
        self._start(self._dispatch())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _dispatch(self) -> None:
        wanted, self._wanted = self._wanted, []
        for start in range(MAXIMUM_BATCH, len(wanted), MAXIMUM_BATCH):
            self._start(self._answer(wanted[start : start + MAXIMUM_BATCH]))
        await self._answer(wanted[:MAXIMUM_BATCH])

    async def _answer(self, wanted: list[tuple[_Key, "asyncio.Future[_Value]"]]) -> None:
        if all(answered.cancelled() for _key, answered in wanted):
            return
        try:
            values = await self._load([key for key, _answered in wanted], *self._bound)
            assert len(values) == len(wanted), "a value for each key"
        except BaseException as error:
            for _key, answered in wanted:
                _fail(answered, error)
            if not isinstance(error, Exception):
                raise
            return
        for (key, answered), value in zip(wanted, values, strict=True):
            if isinstance(value, BaseException):
                _fail(answered, value)
            elif not answered.done():
                answered.set_result(value)
                self._known[key] = value


def _fail(answered: "asyncio.Future[Any]", error: BaseException) -> None:
    if answered.done():
        return
    if not isinstance(error, Exception):
        answered.cancel()
        return
    answered.set_exception(error)
    answered.exception()  # whoever asked may have gone


def shown(
    found: "_Value | Awaitable[_Value]", show: Callable[[_Value], _Shown | Awaitable[_Shown]]
) -> _Shown | Awaitable[_Shown]:
    """What `show` makes of a value that is known, or will make of one that is being looked up."""
    if isinstance(found, _LATER):
        return _shown_later(found, show)
    return show(cast(_Value, found))


async def _shown_later(
    found: Awaitable[_Value], show: Callable[[_Value], _Shown | Awaitable[_Shown]]
) -> _Shown:
    answer = show(await found)
    if isinstance(answer, _LATER):
        return cast(_Shown, await answer)
    return cast(_Shown, answer)
