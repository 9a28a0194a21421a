"""The refusals of this domain."""

from collections.abc import Iterable
from typing import ClassVar

from server.errors import InvalidInput, Path, ProblemCode, phrase
from server.programme.errors import DocumentProblem, InvalidDocument


class InvalidDefinition(InvalidDocument):
    """A document, or a file of them, is not accepted; `problems` holds everything that is wrong."""

    code: ClassVar[ProblemCode] = ProblemCode.INVALID_DEFINITION
    why: ClassVar[str] = "definition.invalid"


def placed(problems: Iterable[DocumentProblem], place: Path) -> list[DocumentProblem]:
    """The same problems of a document that stands at the place."""
    return [
        DocumentProblem((*place, *problem.path), problem.value, problem.accepted)
        for problem in problems
    ]


def unknown_kind(name: str, known: Iterable[str]) -> InvalidInput:
    """There is no kind of that name."""
    return InvalidInput(
        "definition.kind",
        path=("kind",),
        value=name,
        accepted=phrase("accepted.definition_kind", kinds=", ".join(sorted(known)) or "-"),
    )
