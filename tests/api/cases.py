"""How each mutation of the schema is called, for the tests that try something with all of them.

Each domain's cases stand in a file of their own, `<domain>_cases.py`, or in `test_idempotency.py`,
which imports them all.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.api.calling import Api, Caller, Json


@dataclass(frozen=True)
class Case:
    """How a mutation is called: with one content, with another, and by somebody else."""

    caller: Caller
    input: Json
    other: Json
    colleague: Caller
    colleagues: Json


Prepare = Callable[[Api], Awaitable[Case]]
CASES: dict[str, tuple[str, Prepare]] = {}
"""For each mutation: the type that it answers, and what a test needs to call it."""


def case(name: str, success: str) -> Callable[[Prepare], Prepare]:
    def register(prepare: Prepare) -> Prepare:
        CASES[name] = (success, prepare)
        return prepare

    return register
