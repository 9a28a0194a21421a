import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from server.storage.ids import new_id


def test_ids_increase_strictly() -> None:
    made = [new_id() for _ in range(20_000)]
    assert all(first < second for first, second in pairwise(made))


def test_ids_of_many_threads_are_unique_and_increase_in_each() -> None:
    with ThreadPoolExecutor(8) as executor:
        threads = list(executor.map(lambda _: [new_id() for _ in range(5_000)], range(8)))
    assert len({made for thread in threads for made in thread}) == 40_000
    for thread in threads:
        assert all(first < second for first, second in pairwise(thread))


def test_ids_increase_when_the_clock_stands_still_or_goes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = new_id()
    monkeypatch.setattr(time, "time_ns", lambda: 1_600_000_000_000_000_000)
    made = [new_id() for _ in range(10_000)]
    assert first < made[0]
    assert all(first < second for first, second in pairwise(made))


def test_ids_fit_a_signed_64_bit_column() -> None:
    assert 0 < new_id() < 2**63
