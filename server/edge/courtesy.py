"""Whose turn it is: what recurs goes before what has to be made ready first.

Members' apps send the same few documents over and over. Making another one ready takes some
milliseconds in which nothing else happens, and each operation under way would wait for several.
"""

import asyncio

PATIENCE_SECONDS = 0.008
"""How long a new document gives way at most, so that it's still answered at once."""


class Courtesy:
    """The turns of one process."""

    def __init__(self, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        self._running = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def running(self) -> "_Running":
        """Within the block an operation runs that others give way to."""
        return _Running(self)

    def begin(self) -> None:
        """One more runs."""
        self._running += 1

    def end(self) -> None:
        """One less does."""
        self._running -= 1
        if not self._running:
            for waiting in self._waiting:
                if not waiting.done():
                    waiting.set_result(None)

    async def give_way(self) -> None:
        """Wait until no such operation runs, but not for long."""
        if not self._running:
            return
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            async with asyncio.timeout(self._patience_seconds):
                await waiting
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(waiting)


class _Running:
    """A block, entered once."""

    __slots__ = ("_courtesy",)

    def __init__(self, courtesy: Courtesy) -> None:
        self._courtesy = courtesy

    def __enter__(self) -> None:
        self._courtesy.begin()

    def __exit__(self, *_raised: object) -> None:
        self._courtesy.end()
