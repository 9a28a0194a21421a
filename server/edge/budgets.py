"""What each caller may spend on operations: a budget of cost that refills by the second, and a
number of operations at once. Kept in the process's memory, for those who called lately."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from server import clock
from server.edge.context import Context
from server.edge.refusing import RequestRefused
from server.principal import PrincipalKind


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one kind of caller may spend."""

    maximum: int  # the budget when it is full
    refill_per_second: int
    concurrent: int  # operations at once


ALLOWANCES = {
    PrincipalKind.ANONYMOUS: Allowance(5_000, 250, 50),  # each address
    PrincipalKind.MEMBER: Allowance(10_000, 500, 50),
    PrincipalKind.STAFF: Allowance(20_000, 1_000, 50),
    PrincipalKind.KEY: Allowance(1_000_000, 100_000, 500),
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


class Budgets:
    """The budgets of one process."""

    def __init__(self, *, capacity: int = 10_000) -> None:
        self._full_again_at: OrderedDict[str, int] = OrderedDict()  # microseconds
        self._running: dict[str, int] = {}
        self._capacity = capacity

    def take(self, context: Context, cost: int) -> Taken:
        """Take the cost of one operation. Raises RequestRefused (429) if too little is left."""
        allowance = ALLOWANCES[context.principal.kind]
        now = clock.system_now()
        caller = context.caller
        per_point = clock.MICROSECONDS_PER_SECOND // allowance.refill_per_second
        owed = max(0, self._full_again_at.get(caller, 0) - now)
        left = allowance.maximum - -(-owed // per_point)
        if cost > left:
            retry = -(-(cost - left) // allowance.refill_per_second)
            raise RequestRefused(
                "THROTTLED",
                "request.throttled",
                status=429,
                headers={"Retry-After": str(retry)},
                extensions={"requested": cost, "allowed": left, "retryAfterSeconds": retry},
                seconds=retry,
            )
        self._full_again_at[caller] = now + owed + cost * per_point
        self._full_again_at.move_to_end(caller)
        if len(self._full_again_at) > self._capacity:
            self._full_again_at.popitem(last=False)
        return Taken(cost, left - cost, allowance.maximum, allowance.refill_per_second)

    @contextmanager
    def running(self, context: Context) -> Iterator[None]:
        """Within the block one more of the caller's operations runs.

        Raises RequestRefused (429) if too many do.
        """
        caller, allowed = context.caller, ALLOWANCES[context.principal.kind].concurrent
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
        try:
            yield
        finally:
            if self._running[caller] == 1:
                del self._running[caller]
            else:
                self._running[caller] -= 1
