"""The next step is made ready while the server works on the present one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Full, Queue
from typing import Generic, TypeVar

Item = TypeVar("Item")

ITEMS_AHEAD = 2
SECONDS_BETWEEN_LOOKS = 0.1


class _Failure:
    """What the iterator raised, on its way to the reader."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class _End:
    """There is no more."""


class _Ahead(Generic[Item]):
    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items
        self._queue: Queue[Item | _Failure | _End] = Queue(maxsize=ITEMS_AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._fill, name="prefetch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _fill(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    return
            self._put(_End())
        except BaseException as error:
            self._put(_Failure(error))
        finally:
            close = getattr(self._items, "close", None)
            if close is not None:
                close()

    def _put(self, item: Item | _Failure | _End) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=SECONDS_BETWEEN_LOOKS)
            except Full:
                continue
            return True
        return False

    def __iter__(self) -> Iterator[Item]:
        while True:
            try:
                item = self._queue.get(timeout=SECONDS_BETWEEN_LOOKS)
            except Empty:  # a wait without end could not be interrupted everywhere
                continue
            if isinstance(item, _End):
                return
            if isinstance(item, _Failure):
                raise item.error
            yield item


@contextmanager
def prefetched(items: Iterator[Item]) -> Iterator[Iterator[Item]]:
    """The items in order, a few of them made in advance by a thread that ends with the block."""
    ahead = _Ahead(items)
    try:
        yield iter(ahead)
    finally:
        ahead.stop()
