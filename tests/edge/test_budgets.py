"""A budget that refills: nobody spends more than it, and nobody who pays is locked out."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import clock
from server.clock import Instant
from server.edge.budgets import ALLOWANCES, Budgets
from server.edge.context import Context
from server.edge.estimating import Estimate
from server.edge.refusing import RequestRefused
from server.principal import Principal, PrincipalKind

SECOND = clock.MICROSECONDS_PER_SECOND
MEMBER = Context(principal=Principal(PrincipalKind.MEMBER, 17), address="10.0.0.1")
OTHER = Context(principal=Principal(PrincipalKind.MEMBER, 18), address="10.0.0.1")
TILL = Context(principal=Principal(PrincipalKind.KEY, 17))


def guest(address: str) -> Context:
    return Context(address=address)


class Clock:
    """The machine's time, as a test sets it."""

    def __init__(self) -> None:
        self.now = Instant(1_000_000 * SECOND)

    def __call__(self) -> Instant:
        return self.now

    def move(self, seconds: float) -> None:
        self.now = Instant(self.now + int(seconds * SECOND))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Clock:
    now = Clock()
    monkeypatch.setattr(clock, "system_now", now)
    return now


def costing(cost: int, nodes: int = 0) -> Estimate:
    return Estimate(nodes, cost)


def refused(budgets: Budgets, context: Context, estimate: Estimate) -> RequestRefused:
    with pytest.raises(RequestRefused) as found:
        budgets.take(context, estimate)
    return found.value


def test_what_is_taken_is_shown(machine: Clock) -> None:
    budgets = Budgets()
    taken = [budgets.take(MEMBER, costing(cost)) for cost in (100, 0, 4)]
    assert taken[0].shown == {
        "requested": 100,
        "remaining": 9_900,
        "maximum": 10_000,
        "refillPerSecond": 500,
    }
    assert [one.remaining for one in taken] == [9_900, 9_900, 9_896]
    machine.move(0.1)  # 50 points
    assert budgets.take(MEMBER, costing(0)).remaining == 9_946
    machine.move(60)
    assert budgets.take(MEMBER, costing(0)).remaining == 10_000


def test_who_has_spent_all_is_told_when_there_is_enough(machine: Clock) -> None:
    budgets = Budgets()
    budgets.take(MEMBER, costing(9_500))
    told = refused(budgets, MEMBER, costing(1_501))
    assert (told.code, told.status, told.headers) == ("THROTTLED", 429, {"Retry-After": "3"})
    assert told.extensions == {
        "code": "THROTTLED",
        "requested": 1_501,
        "allowed": 500,
        "retryAfterSeconds": 3,
        "maximum": 10_000,
        "refillPerSecond": 500,
    }
    assert budgets.throttled == 1
    machine.move(3)
    assert budgets.take(MEMBER, costing(1_501)).remaining == 499


def test_what_nobody_could_ever_afford_is_not_a_matter_of_time(machine: Clock) -> None:
    budgets = Budgets()
    told = refused(budgets, MEMBER, costing(10_001))
    assert (told.code, told.status) == ("COST_TOO_HIGH", 400)
    assert told.extensions == {"code": "COST_TOO_HIGH", "requested": 10_001, "allowed": 10_000}
    told = refused(budgets, MEMBER, costing(1, nodes=5_001))
    assert (told.code, told.status) == ("TOO_MANY_NODES", 400)
    assert told.extensions == {"code": "TOO_MANY_NODES", "requested": 5_001, "allowed": 5_000}
    assert budgets.take(MEMBER, costing(0)).remaining == 10_000


def test_each_account_has_its_own_and_guests_share_that_of_their_address(machine: Clock) -> None:
    budgets = Budgets()
    budgets.take(MEMBER, costing(10_000))
    assert budgets.take(OTHER, costing(1)).remaining == 9_999
    assert budgets.take(guest("10.0.0.1"), costing(25_000)).remaining == 0
    assert refused(budgets, guest("10.0.0.1"), costing(1)).code == "THROTTLED"
    assert budgets.take(guest("10.0.0.2"), costing(1)).remaining == 24_999


def test_a_clock_that_is_set_back_locks_nobody_out(machine: Clock) -> None:
    budgets = Budgets()
    budgets.take(MEMBER, costing(10_000))
    machine.move(-3_600)
    assert refused(budgets, MEMBER, costing(500)).extensions["retryAfterSeconds"] == 1
    budgets.take(MEMBER, costing(0))
    machine.move(1)
    assert budgets.take(MEMBER, costing(500)).remaining == 0


def test_a_till_records_a_thousand_purchases_a_second(machine: Clock) -> None:
    budgets = Budgets()
    for _ in range(60):
        for _ in range(1_000):
            budgets.take(TILL, costing(25, nodes=15))
        for _ in range(5):
            budgets.take(TILL, costing(500 * 25, nodes=500 * 15))
        machine.move(1)
    assert budgets.take(TILL, costing(0)).remaining == 1_000_000


def test_an_app_and_two_hundred_sign_ins_at_once_have_enough(machine: Clock) -> None:
    budgets = Budgets()
    for _ in range(100):
        budgets.take(MEMBER, costing(100))
    for _ in range(200):
        budgets.take(guest("10.0.0.1"), costing(102))


def test_work_that_comes_to_nothing_is_paid_for_too(machine: Clock) -> None:
    budgets = Budgets()
    address = guest("10.0.0.1")
    budgets.charge(address, 24_999)
    budgets.charge(address, 300)  # of which 1 was left
    with pytest.raises(RequestRefused, match="THROTTLED"):
        budgets.charge(address, 1)
    machine.move(1)
    assert budgets.take(address, costing(0)).remaining == 1_000


# ---------------------------------------------------------------- memory


def test_who_owes_something_is_never_forgotten(machine: Clock) -> None:
    budgets = Budgets(capacity=100)
    spender = guest("spender")
    budgets.take(spender, costing(25_000))
    for number in range(10_000):
        with suppress(RequestRefused):
            budgets.take(guest(f"flood-{number}"), costing(100))
    assert budgets.debtors <= 101
    assert refused(budgets, spender, costing(1)).code == "THROTTLED"


def test_newcomers_share_one_budget_while_there_is_no_room(machine: Clock) -> None:
    budgets = Budgets(capacity=2)
    for name in ("a", "b"):
        budgets.take(guest(name), costing(20_000))
    assert budgets.take(guest("c"), costing(5_000)).remaining == 20_000
    assert budgets.take(guest("d"), costing(5_000)).remaining == 15_000
    machine.move(30)  # by then nobody owes anything
    assert budgets.take(guest("e"), costing(5_000)).remaining == 20_000
    assert budgets.take(guest("f"), costing(5_000)).remaining == 20_000
    assert budgets.debtors == 2


def test_a_flood_of_addresses_leaves_accounts_alone(machine: Clock) -> None:
    budgets = Budgets(capacity=2)
    for number in range(50):
        budgets.charge(guest(str(number)), 10)
    assert budgets.take(MEMBER, costing(1)).remaining == 9_999
    assert budgets.take(OTHER, costing(1)).remaining == 9_999


@given(
    st.lists(st.tuples(st.integers(0, 12_000), st.integers(-2_000_000, 30_000_000)), max_size=30)
)
def test_nobody_spends_more_than_the_budget_and_what_time_adds(
    steps: list[tuple[int, int]],
) -> None:
    now = Clock()
    budgets = Budgets()
    spent = elapsed = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "system_now", now)
        for cost, microseconds in steps:
            try:
                taken = budgets.take(MEMBER, costing(cost))
            except RequestRefused:
                pass
            else:
                spent += cost
                assert 0 <= taken.remaining <= 10_000
            assert spent * SECOND <= 10_000 * SECOND + elapsed * 500
            now.now = Instant(now.now + microseconds)
            elapsed += max(0, microseconds)


# ---------------------------------------------------------------- settings


def test_the_budget_is_scaled_by_percent_and_off_at_none(machine: Clock) -> None:
    half = Budgets(percent=50).take(MEMBER, costing(100))
    assert (half.maximum, half.refill_per_second, half.remaining) == (5_000, 250, 4_900)
    free = Budgets(percent=0)
    for _ in range(3):
        assert free.take(MEMBER, costing(1_000_000)).remaining == 10_000
        free.charge(MEMBER, 1_000_000)
    assert refused(free, MEMBER, costing(1, nodes=5_001)).code == "TOO_MANY_NODES"
    tiny = Budgets(percent=1).take(guest("a"), costing(1))
    assert (tiny.maximum, tiny.refill_per_second) == (250, 10)


def test_values_of_variables_are_limited_by_who_sends_them() -> None:
    budgets = Budgets()
    purchases = {"input": {"purchases": [{"lines": [1] * 10}] * 500}}
    budgets.check_variables(TILL, purchases)
    with pytest.raises(RequestRefused) as told:
        budgets.check_variables(MEMBER, purchases)
    assert told.value.code == "TOO_MANY_VALUES"
    assert told.value.extensions["allowed"] == ALLOWANCES[PrincipalKind.MEMBER].values == 2_000


# ---------------------------------------------------------------- at once


def test_operations_at_once_are_limited_for_each_caller() -> None:
    budgets = Budgets()
    running = [budgets.running(MEMBER) for _ in range(30)]
    for one in running:
        one.__enter__()
    assert budgets.running_operations == 30
    with pytest.raises(RequestRefused) as told, budgets.running(MEMBER):
        pass
    assert (told.value.code, told.value.status) == ("TOO_MANY_OPERATIONS", 429)
    assert told.value.extensions == {
        "code": "TOO_MANY_OPERATIONS",
        "requested": 31,
        "allowed": 30,
        "retryAfterSeconds": 1,
    }
    assert told.value.headers == {"Retry-After": "1"}
    with budgets.running(OTHER):
        pass
    running[0].__exit__(None, None, None)
    with budgets.running(MEMBER):
        pass
    for one in running[1:]:
        one.__exit__(None, None, None)
    assert budgets.running_operations == 0
