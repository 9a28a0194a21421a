import threading
from collections.abc import Iterator

import pytest

from server.replay.prefetch import prefetched


def test_items_come_in_order_and_the_thread_ends() -> None:
    with prefetched(iter(range(100))) as ready:
        assert list(ready) == list(range(100))
    assert "prefetch" not in {thread.name for thread in threading.enumerate()}


def test_what_the_maker_raises_reaches_the_reader_after_the_items_before_it() -> None:
    def made() -> Iterator[int]:
        yield 1
        raise ValueError("no second")

    with prefetched(made()) as ready:
        assert next(ready) == 1
        with pytest.raises(ValueError, match="no second"):
            next(ready)


def test_a_reader_that_stops_early_stops_the_maker() -> None:
    closed = threading.Event()

    def made() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    with prefetched(made()) as ready:
        next(ready)
    assert closed.is_set()
