"""What happened to one request, noted where it happens and read once it is answered.

Whoever refuses, repeats or fails says so here; outside of a request nobody listens. The names of
root fields and the codes are the schema's own: nothing of what a caller sends is kept.
"""

from collections.abc import Iterable
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from enum import StrEnum

from server.errors import ProblemCode

UNKNOWN = "unknown"
"""Of a request that no operation of the schema was found in."""
SEVERAL = "several"
INTROSPECTION = "introspection"


class Outcome(StrEnum):
    """How a request ended."""

    ANSWERED = "answered"
    REFUSED = "refused"  # all or some of it, with a problem
    DENIED = "denied"  # the caller isn't known, or may not
    LIMITED = "limited"  # the caller asked for too much, or too often
    INVALID = "invalid"  # what was sent is no operation of the schema
    UNAVAILABLE = "unavailable"  # the database does not answer
    FAILED = "failed"  # a defect
    BROKEN_OFF = "broken_off"  # the caller did not wait for the answer


_OUTCOMES = {
    "INTERNAL": Outcome.FAILED,
    "UNAVAILABLE": Outcome.UNAVAILABLE,
    "OPERATION_TIMED_OUT": Outcome.UNAVAILABLE,
    "UNAUTHENTICATED": Outcome.DENIED,
    "FORBIDDEN": Outcome.DENIED,
    "INTROSPECTION_NOT_ALLOWED": Outcome.DENIED,
    "TRUSTED_DOCUMENT_REQUIRED": Outcome.DENIED,
    "THROTTLED": Outcome.LIMITED,
    "TOO_MANY_ATTEMPTS": Outcome.LIMITED,
    "TOO_MANY_OPERATIONS": Outcome.LIMITED,
    "TOO_MANY_SIGN_INS": Outcome.LIMITED,
    "COST_TOO_HIGH": Outcome.LIMITED,
    "TOO_LONG": Outcome.LIMITED,
    "TOO_DEEP": Outcome.LIMITED,
    "VARIABLES_TOO_DEEP": Outcome.LIMITED,
    **{
        f"TOO_MANY_{what}": Outcome.LIMITED
        for what in (
            "TOKENS",
            "DIRECTIVES",
            "OPERATIONS_IN_DOCUMENT",
            "FRAGMENTS",
            "VARIABLES",
            "VALUES",
            "FIELDS",
            "ALIASES",
            "SECRETS",
            "INTROSPECTED",
            "OVERLAPS",
            "NODES",
        )
    },
}
"""The outcomes by the codes of top-level errors; the first that occurred counts, and any other
code is that of a request which is no operation of the schema."""


@dataclass(slots=True)
class Observed:
    """One request."""

    kind: str = UNKNOWN  # "query" or "mutation"
    root_field: str = UNKNOWN  # its name in the schema, SEVERAL or INTROSPECTION
    operation_name: str | None = None  # as the caller calls it
    cost: int = 0  # what was taken of the caller's budget
    is_answered: bool = False
    refusals: list[ProblemCode] = field(default_factory=list)
    repetitions: int = 0
    _codes: set[str] = field(default_factory=set)

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        if not self.is_answered:
            return Outcome.BROKEN_OFF
        if not self._codes:
            return Outcome.REFUSED if self.refusals else Outcome.ANSWERED
        for code, outcome in _OUTCOMES.items():
            if code in self._codes:
                return outcome
        return Outcome.INVALID

    @property
    def codes(self) -> list[str]:
        """The codes of all refusals and errors, each once."""
        if not self._codes and not self.refusals:
            return []
        return sorted({*self._codes, *(code.value for code in self.refusals)})

    @property
    def traced(self) -> dict[str, str | int]:
        """What its span tells."""
        return {
            "graphql.operation.type": self.kind,
            "graphql.operation.name": self.operation_name or "",
            "laurel.field": self.root_field,
            "laurel.cost": self.cost,
            "laurel.outcome": self.outcome.value,
        }

    def erred(self, code: str) -> None:
        """Note a top-level error."""
        self._codes.add(code)

    def asked_for(
        self, kind: str, root_fields: Iterable[str], *, name: str | None, cost: int
    ) -> None:
        """Note what a valid operation asks for, by which name, and what it costs."""
        self.kind, self.operation_name, self.cost = kind, name, cost
        own = {name for name in root_fields if not name.startswith("__")}
        self.root_field = INTROSPECTION if not own else own.pop() if len(own) == 1 else SEVERAL


_observed: ContextVar[Observed | None] = ContextVar("observed", default=None)


class observing:  # noqa: N801 - used as a function; one of contextlib's takes three times as long
    """Within the block, what happens to this task's request is noted in the object it gives."""

    __slots__ = ("_token",)
    _token: Token[Observed | None]

    def __enter__(self) -> Observed:
        """Begin."""
        observed = Observed()
        self._token = _observed.set(observed)
        return observed

    def __exit__(self, *_raised: object) -> None:
        """End."""
        _observed.reset(self._token)


def note_refusal(code: ProblemCode) -> None:
    """Note that the request, or one of its parts, is refused."""
    if observed := _observed.get():
        observed.refusals.append(code)


def note_error(code: str) -> None:
    """Note a top-level error of the request, by its code."""
    if observed := _observed.get():
        observed.erred(code)


def note_repetition() -> None:
    """Note that the request is answered as it was the first time."""
    if observed := _observed.get():
        observed.repetitions += 1


def note_operation(
    kind: str, root_fields: Iterable[str], *, name: str | None = None, cost: int = 0
) -> None:
    """Note what the request asks for, in an operation that is valid by the schema, by the name
    that the caller gives it, and what it costs."""
    if observed := _observed.get():
        observed.asked_for(kind, root_fields, name=name, cost=cost)
