"""What each caller may spend on operations: a budget of cost that refills by the second, and a
number of operations at once. Kept in the process's memory, for those who called lately.

A caller is an account or a key; nobody known is told apart by the address. What is kept of a caller
is the debt: who owes nothing takes no memory, so that nobody is forgotten who still owes something.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from server import clock
from server.clock import Instant
from server.edge import scanning
from server.edge.context import Context
from server.edge.estimating import Estimate
from server.edge.limits import VariableLimits, exceeded
from server.edge.refusing import RequestRefused
from server.principal import PrincipalKind

_PARTS = clock.MICROSECONDS_PER_SECOND
"""Debts are reckoned in millionths: a budget refills by its whole points per second in each of its
microseconds."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one kind of caller may spend."""

    maximum: int  # the budget when it is full, and so the most that one operation may cost
    refill_per_second: int
    nodes: int  # objects of one answer
    values: int  # in the variables of one request, those in lists and objects included
    concurrent: int  # operations at once

    def scaled(self, percent: int) -> "Allowance":
        """The allowance with a budget of so many percent."""
        return Allowance(
            max(1, self.maximum * percent // 100),
            max(1, self.refill_per_second * percent // 100),
            self.nodes,
            self.values,
            self.concurrent,
        )


ALLOWANCES = {
    # Each address: a shop's guests share one, and so may all customers of a mobile carrier.
    PrincipalKind.ANONYMOUS: Allowance(25_000, 1_000, 5_000, 2_000, 300),
    PrincipalKind.MEMBER: Allowance(10_000, 500, 5_000, 2_000, 30),
    PrincipalKind.STAFF: Allowance(100_000, 5_000, 10_000, 20_000, 30),
    PrincipalKind.KEY: Allowance(1_000_000, 100_000, 100_000, 100_000, 500),
}


@dataclass(frozen=True, slots=True)
class Taken:
    """What an operation took of its caller's budget."""

    requested: int
    remaining: int
    maximum: int
    refill_per_second: int

    @property
    def shown(self) -> dict[str, int]:
        """The entry `cost` of a response's extensions."""
        return {
            "requested": self.requested,
            "remaining": self.remaining,
            "maximum": self.maximum,
            "refillPerSecond": self.refill_per_second,
        }


class _Debts:
    """The debts of one kind of callers, in millionths, with the instant they were reckoned at."""

    def __init__(self, allowance: Allowance, capacity: int) -> None:
        self._allowance = allowance
        self._capacity = capacity
        self._owed: dict[str, tuple[int, Instant]] = {}
        self._swept_at = Instant(0)

    def __len__(self) -> int:
        return len(self._owed)

    def spend(self, caller: str, cost: int, now: Instant) -> int:
        """Take the cost from the caller's budget if it is there; what is left then. If that is less
        than nothing, nothing was taken."""
        account = self._account(caller, now)
        owed = self._owed_by(account, now)
        left = self._allowance.maximum - -(-owed // _PARTS) - cost
        if left >= 0:
            self._owed[account] = owed + cost * _PARTS, now
        return left

    def left(self, caller: str, now: Instant) -> int:
        """What is left of the caller's budget, in whole points."""
        owed = self._owed_by(self._account(caller, now), now)
        return self._allowance.maximum - -(-owed // _PARTS)

    def add(self, caller: str, cost: int, now: Instant) -> None:
        """Take from the caller's budget, down to nothing at most."""
        account = self._account(caller, now)
        owed = self._owed_by(account, now) + cost * _PARTS
        self._owed[account] = min(owed, self._allowance.maximum * _PARTS), now

    def _owed_by(self, account: str, now: Instant) -> int:
        owed, at = self._owed.get(account, (0, now))
        # A clock that was set back gives nothing for the time, and takes nothing either.
        return max(0, owed - max(0, now - at) * self._allowance.refill_per_second)

    def _account(self, caller: str, now: Instant) -> str:
        """The caller's own, or the one that newcomers share while too many others owe something."""
        if caller in self._owed or len(self._owed) < self._capacity:
            return caller
        if abs(now - self._swept_at) >= clock.MICROSECONDS_PER_SECOND:
            self._swept_at = now
            for account in list(self._owed):
                if self._owed_by(account, now) == 0:
                    del self._owed[account]
        return caller if len(self._owed) < self._capacity else ""


class Budgets:
    """The budgets of one process.

    `percent` scales what may be spent, and 0 lets everybody spend what they like; what one answer
    may hold and how many operations may run at once is limited all the same. `throttled` counts the
    refusals for want of a budget.
    """

    def __init__(self, *, percent: int = 100, capacity: int = 20_000) -> None:
        self._is_limited = percent > 0
        self._allowances = {
            kind: allowance.scaled(percent) if percent else allowance
            for kind, allowance in ALLOWANCES.items()
        }
        self._debts = {
            kind: _Debts(allowance, capacity) for kind, allowance in self._allowances.items()
        }
        self._running: dict[str, int] = {}
        self.throttled = 0

    @property
    def debtors(self) -> int:
        """How many callers something is kept of: those who owe, and some who did until lately."""
        return sum(map(len, self._debts.values()))

    @property
    def running_operations(self) -> int:
        """How many operations run now."""
        return sum(self._running.values())

    def check_variables(self, context: Context, variables: Mapping[str, Any]) -> None:
        """Raise RequestRefused if the variables' values are more than the caller may send, or nest
        too deeply."""
        if not variables:
            return
        allowance = self._allowances[context.principal.kind]
        scanning.check_variables(variables, VariableLimits(values=allowance.values))

    def take(self, context: Context, estimate: Estimate) -> Taken:
        """Take the cost of one operation.

        Raises RequestRefused: TOO_MANY_NODES, COST_TOO_HIGH if the caller could never afford it,
        THROTTLED (429) if too little is left.
        """
        kind = context.principal.kind
        allowance = self._allowances[kind]
        cost = estimate.cost
        if estimate.nodes > allowance.nodes:
            raise exceeded(
                "TOO_MANY_NODES",
                "request.nodes",
                requested=estimate.nodes,
                allowed=allowance.nodes,
            )
        if not self._is_limited:
            return Taken(cost, allowance.maximum, allowance.maximum, allowance.refill_per_second)
        if cost > allowance.maximum:
            raise exceeded(
                "COST_TOO_HIGH", "request.cost", requested=cost, allowed=allowance.maximum
            )
        now = clock.system_now()
        debts = self._debts[kind]
        left = debts.spend(context.caller, cost, now)
        if left < 0:
            raise self._throttled(allowance, requested=cost, left=left + cost)
        return Taken(cost, left, allowance.maximum, allowance.refill_per_second)

    def charge(self, context: Context, cost: int) -> None:
        """Take the cost of work that is done before anything may be known of an operation: all
        that is left, if that is less. Raises RequestRefused (THROTTLED) if nothing is left."""
        if not self._is_limited:
            return
        kind = context.principal.kind
        now = clock.system_now()
        debts = self._debts[kind]
        left = debts.left(context.caller, now)
        if left <= 0:
            raise self._throttled(self._allowances[kind], requested=cost, left=left)
        debts.add(context.caller, cost, now)

    def _throttled(self, allowance: Allowance, *, requested: int, left: int) -> RequestRefused:
        self.throttled += 1
        retry = max(1, -(-(requested - left) // allowance.refill_per_second))
        return RequestRefused(
            "THROTTLED",
            "request.throttled",
            status=429,
            headers={"Retry-After": str(retry)},
            extensions={
                "requested": requested,
                "allowed": left,
                "retryAfterSeconds": retry,
                "maximum": allowance.maximum,
                "refillPerSecond": allowance.refill_per_second,
            },
            seconds=retry,
        )

    def running(self, context: Context) -> "_Running":
        """Within the block one more of the caller's operations runs.

        To enter it raises RequestRefused (429) if too many do.
        """
        allowed = self._allowances[context.principal.kind].concurrent
        return _Running(self._running, context.caller, allowed)


class _Running:
    """A block, entered once."""

    __slots__ = ("_allowed", "_caller", "_running")

    def __init__(self, running: dict[str, int], caller: str, allowed: int) -> None:
        self._running = running
        self._caller = caller
        self._allowed = allowed

    def __enter__(self) -> None:
        caller, allowed = self._caller, self._allowed
        count = self._running.get(caller, 0) + 1
        if count > allowed:
            raise RequestRefused(
                "TOO_MANY_OPERATIONS",
                "request.concurrent",
                status=429,
                headers={"Retry-After": "1"},
                extensions={"requested": count, "allowed": allowed, "retryAfterSeconds": 1},
                allowed=allowed,
            )
        self._running[caller] = count

    def __exit__(self, *_raised: object) -> None:
        if self._running[self._caller] == 1:
            del self._running[self._caller]
        else:
            self._running[self._caller] -= 1
