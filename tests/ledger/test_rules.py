"""The ledger's arithmetic, case by case."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.clock import NEVER, Instant
from server.ledger.rules import (
    GENESIS_HASH,
    Balance,
    ExpiringValue,
    OpenLot,
    OpenValue,
    available,
    chained_hash,
    holding,
    takes,
)


def lot(sequence: int, remaining: int, available_at: int = 0, expires_at: int = NEVER) -> OpenLot:
    return OpenLot(
        id=100 + sequence,
        sequence=sequence,
        remaining=remaining,
        available_at=Instant(available_at),
        expires_at=Instant(expires_at),
        rule="purchase",
        programme_version=1,
    )


def taken(lots: list[OpenLot], amount: int, at: int) -> list[tuple[int, int]]:
    return [(take.lot.sequence, take.amount) for take in takes(lots, amount, Instant(at))]


@pytest.mark.parametrize(
    ("at", "usable"), [(9, False), (10, True), (11, True), (19, True), (20, False), (21, False)]
)
def test_a_lot_is_available_from_its_first_instant_until_just_before_its_expiry(
    at: int, usable: bool
) -> None:
    assert lot(1, 5, 10, 20).is_available(Instant(at)) is usable
    assert available([lot(1, 5, 10, 20)], Instant(at)) == 5 * usable


def test_what_never_expires_is_available_at_the_last_instant_there_is() -> None:
    assert lot(1, 5).is_available(Instant(NEVER - 1))


def test_what_expires_first_is_spent_first_then_what_was_made_first() -> None:
    lots = [lot(1, 10), lot(2, 10, 0, 50), lot(3, 10, 0, 40), lot(4, 10, 0, 40)]
    assert taken(lots, 35, 30) == [(3, 10), (4, 10), (2, 10), (1, 5)]
    assert taken(lots[::-1], 35, 30) == [(3, 10), (4, 10), (2, 10), (1, 5)]


def test_spending_skips_what_is_pending_or_expired() -> None:
    lots = [lot(1, 10, 31, 35), lot(2, 10, 0, 30), lot(3, 10, 30, 60), lot(4, 10, 0, 31)]
    assert taken(lots, 20, 30) == [(4, 10), (3, 10)]


def test_spending_takes_no_more_lots_than_it_needs() -> None:
    lots = [lot(1, 10), lot(2, 10)]
    assert taken(lots, 10, 0) == [(1, 10)]
    assert taken(lots, 0, 0) == []


@given(
    lots=st.lists(
        st.tuples(st.integers(1, 50), st.integers(0, 20), st.integers(1, 30)), max_size=8
    ),
    at=st.integers(0, 30),
    share=st.integers(0, 100),
)
def test_what_is_taken_adds_up_and_leaves_nothing_that_would_have_expired_before(
    lots: list[tuple[int, int, int]], at: int, share: int
) -> None:
    open_lots = [
        lot(number, remaining, available_at, available_at + life)
        for number, (remaining, available_at, life) in enumerate(lots, start=1)
    ]
    amount = available(open_lots, Instant(at)) * share // 100
    chosen = takes(open_lots, amount, Instant(at))
    assert sum(take.amount for take in chosen) == amount
    assert all(0 < take.amount <= take.lot.remaining for take in chosen)
    assert all(take.lot.is_available(Instant(at)) for take in chosen)
    emptied = {take.lot.id for take in chosen if take.amount == take.lot.remaining}
    if chosen:
        last = chosen[-1].lot
        for each in open_lots:
            comes_before = (each.expires_at, each.sequence) < (last.expires_at, last.sequence)
            if each.is_available(Instant(at)) and comes_before:
                assert each.id in emptied


def test_a_holding_tells_available_pending_and_lapsed_apart_to_the_microsecond() -> None:
    lots = [
        OpenValue(1, Instant(0), Instant(10)),  # lapsed just now
        OpenValue(2, Instant(0), Instant(11)),
        OpenValue(4, Instant(10), Instant(30)),  # available just now
        OpenValue(8, Instant(11), Instant(30)),
        OpenValue(16, Instant(0), NEVER),
        OpenValue(32, Instant(12), NEVER),
    ]
    held = holding(Instant(10), 100, 30, 7, lots=lots)
    assert held.balance == Balance(2 + 4 + 16, 8 + 32, 100, 30, 7 + 1)
    assert held.expiring == (
        ExpiringValue(Instant(11), 2),
        ExpiringValue(Instant(30), 4 + 8),
    )


def test_an_empty_account_holds_nothing_and_expects_nothing() -> None:
    held = holding(Instant(10), 5, 3, 2, lots=[])
    assert (held.balance, held.expiring) == (Balance(0, 0, 5, 3, 2), ())


def test_the_hash_of_a_posting_is_that_of_its_fields_after_the_hash_before_it() -> None:
    expected = hashlib.sha256((GENESIS_HASH + "\n7\nissued\nNone").encode()).hexdigest()
    assert chained_hash(GENESIS_HASH, (7, "issued", None)) == expected


fields = st.lists(
    st.one_of(st.integers(), st.none(), st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1)),
    min_size=14,
    max_size=14,
)


@given(posting=fields, place=st.integers(0, 13), other=st.integers())
def test_changing_any_field_or_any_line_before_breaks_the_chain(
    posting: list[object], place: int, other: int
) -> None:
    hashed = chained_hash(GENESIS_HASH, posting)
    changed = [*posting[:place], other, *posting[place + 1 :]]
    assert (chained_hash(GENESIS_HASH, changed) == hashed) == (str(other) == str(posting[place]))
    assert chained_hash("1" * 64, posting) != hashed
