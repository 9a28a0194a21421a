"""What happened to one request, noted where it happens and read once it is answered.

Whoever refuses, repeats or fails says so here; outside of a request nobody listens. The names of
root fields and the codes are the schema's own: nothing of what a caller sends is kept.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

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
    INVALID = "invalid"  # what was sent is no operation of the schema
    UNAVAILABLE = "unavailable"  # the database does not answer
    FAILED = "failed"  # a defect
    BROKEN_OFF = "broken_off"  # the caller did not wait for the answer


_OUTCOMES = {
    "INTERNAL": Outcome.FAILED,
    "UNAVAILABLE": Outcome.UNAVAILABLE,
    "INVALID_REQUEST": Outcome.INVALID,
    "BAD_REQUEST": Outcome.INVALID,
    "SIMULATED_TIME_REFUSED": Outcome.INVALID,
    "UNAUTHENTICATED": Outcome.DENIED,
    "FORBIDDEN": Outcome.DENIED,
}
"""The outcomes by the codes of top-level errors; the first that occurred counts."""


@dataclass(slots=True)
class Observed:
    """One request."""

    kind: str = UNKNOWN  # "query" or "mutation"
    root_field: str = UNKNOWN  # its name in the schema, SEVERAL or INTROSPECTION
    is_answered: bool = False
    refusals: list[ProblemCode] = field(default_factory=list)
    repetitions: int = 0
    _codes: set[str] = field(default_factory=set)

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        if not self.is_answered:
            return Outcome.BROKEN_OFF
        for code, outcome in _OUTCOMES.items():
            if code in self._codes:
                return outcome
        return Outcome.REFUSED if self.refusals else Outcome.ANSWERED

    def erred(self, code: str) -> None:
        """Note a top-level error."""
        self._codes.add(code)

    def asked_for(self, document: DocumentNode, operation_name: str | None) -> None:
        """Note what a valid document asks for."""
        operations = [one for one in document.definitions if _is_operation(one, operation_name)]
        if len(operations) != 1:
            return
        operation = operations[0]
        assert isinstance(operation, OperationDefinitionNode)
        self.kind = operation.operation.value
        names = set(_root_fields(operation.selection_set, _fragments(document)))
        own = {name for name in names if not name.startswith("__")}
        self.root_field = INTROSPECTION if not own else own.pop() if len(own) == 1 else SEVERAL


def _is_operation(definition: object, name: str | None) -> bool:
    return isinstance(definition, OperationDefinitionNode) and (
        name is None or (definition.name is not None and definition.name.value == name)
    )


def _fragments(document: DocumentNode) -> dict[str, SelectionSetNode]:
    return {
        one.name.value: one.selection_set
        for one in document.definitions
        if isinstance(one, FragmentDefinitionNode)
    }


def _root_fields(
    selected: SelectionSetNode, fragments: dict[str, SelectionSetNode]
) -> Iterator[str]:
    for node in selected.selections:
        if isinstance(node, FieldNode):
            yield node.name.value
        elif isinstance(node, InlineFragmentNode):
            yield from _root_fields(node.selection_set, fragments)
        elif isinstance(node, FragmentSpreadNode):
            yield from _root_fields(fragments[node.name.value], fragments)


_observed: ContextVar[Observed | None] = ContextVar("observed", default=None)


@contextmanager
def observing() -> Iterator[Observed]:
    """Within the block, what happens to this task's request is noted in the yielded object."""
    observed = Observed()
    token = _observed.set(observed)
    try:
        yield observed
    finally:
        _observed.reset(token)


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


def note_operation(document: DocumentNode, operation_name: str | None) -> None:
    """Note what the request asks for, in a document that is valid by the schema."""
    if observed := _observed.get():
        observed.asked_for(document, operation_name)
