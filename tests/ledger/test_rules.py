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
    Totals,
    Undoing,
    available,
    chained_hash,
    holding,
    takes,
    undoing,
)


def lot(sequence: int, remaining: int, available_at: int = 0, expires_at: int = NEVER) -> OpenLot:
    return OpenLot(
        id=100 + sequence,
        account_id=1,
        sequence=sequence,
        amount=remaining,
        remaining=remaining,
        available_at=Instant(available_at),
        expires_at=Instant(expires_at),
        reason="purchase",
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
    held = holding(Instant(10), Totals(100, 30, 7, 2, 3, 0), values=lots)
    assert held.balance == Balance(
        available=2 + 4 + 16,
        pending=8 + 32,
        granted_total=100,
        redeemed_total=30,
        expired_total=7 + 1,
        reversed_total=2,
        moved_total=3,
    )
    assert held.expiring == (
        ExpiringValue(Instant(11), 2),
        ExpiringValue(Instant(30), 4 + 8),
    )


def test_an_empty_account_holds_nothing_and_expects_nothing() -> None:
    held = holding(Instant(10), Totals(5, 3, 2, 0, 0, 0), values=[])
    assert held.balance == Balance(granted_total=5, redeemed_total=3, expired_total=2)
    assert held.expiring == ()


def test_a_hold_holds_until_its_time_is_over_and_then_fills_what_is_owed_first() -> None:
    values = [
        OpenValue(8, Instant(20), Instant(50), Instant(20), 2),  # lapses after its release
        OpenValue(4, Instant(20), Instant(15), Instant(20), 1),  # lapsed while it was held
        OpenValue(2, Instant(10), NEVER, Instant(10), 3),
    ]

    def at(instant: int, owed: int) -> tuple[int, int, int, int]:
        balance = holding(Instant(instant), Totals(14, 0, 0, 0, 0, owed), values=values).balance
        return balance.available, balance.held, balance.owed, balance.expired_total

    assert at(9, 5) == (-5, 14, 5, 0)
    assert at(10, 5) == (-3, 12, 3, 0)
    assert at(10, 1) == (1, 12, 0, 0)
    assert at(19, 5) == (-3, 12, 3, 0)
    assert at(20, 5) == (8, 0, 0, 1)
    assert at(20, 7) == (7, 0, 0, 0)
    assert at(50, 5) == (0, 0, 0, 9)
    assert at(50, 20) == (-6, 0, 6, 0)


def test_what_was_used_is_taken_back_once_in_whatever_parts() -> None:
    def split(parts: list[int], *, left: int, lapsed: int) -> tuple[int, ...]:
        undone = recalled = returned = 0
        total = Undoing(0, 0, 0)
        for part in parts:
            found = undoing(
                part,
                undone=undone,
                recalled=recalled,
                takeable=left - returned,
                lapsed=lapsed,
                returned=returned,
            )
            assert sum(found) == part
            assert min(found) >= 0
            undone += part
            recalled += found.elsewhere
            returned += found.from_lot
            total = Undoing(*(one + another for one, another in zip(total, found, strict=True)))
        return tuple(total)

    for parts in ([100], [50, 50], [1, 99], [99, 1], [25, 25, 25, 25], [33, 0, 67]):
        assert split(parts, left=30, lapsed=20) == (30, 20, 50)
        assert split(parts, left=100, lapsed=0) == (100, 0, 0)
        assert split(parts, left=0, lapsed=0) == (0, 0, 100)
    assert split([40], left=30, lapsed=20) == (30, 10, 0)


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
