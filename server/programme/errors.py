"""What can be wrong with a programme document, and the refusals of this domain."""

import json
import re
from typing import ClassVar

from msgspec import Struct

from server.errors import DomainError, InvalidInput, NotFound, Path, ProblemCode, phrase

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
SHOWN_LENGTH = 80


def shown_path(path: Path) -> str:
    """The path as people write it: `tiers.levels[1].name`; "the document" for its root."""
    if not path:
        return "the document"
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{shown_value(step)}]"
    return text


def shown_value(value: object) -> str:
    """A value as it would stand in JSON, cut to 80 characters, printable everywhere."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if len(text) > SHOWN_LENGTH:
        text = text[: SHOWN_LENGTH - 1] + "…"
    return text.encode("utf-8", "backslashreplace").decode()


class DocumentProblem(Struct, frozen=True):
    """One place of a document that is not accepted.

    `value` is what stands there, as JSON cut to 80 characters, or None if the key is missing;
    `accepted` says in words what would be taken.
    """

    path: tuple[str | int, ...]
    value: str | None
    accepted: str

    @property
    def line(self) -> str:
        """The problem in one line: where, what, and what instead."""
        what = "the key is missing" if self.value is None else f"{self.value} is not accepted"
        return f"{shown_path(self.path)}: {what}: {self.accepted}"


class InvalidDocument(DomainError):
    """A document is not accepted; `problems` holds everything that is wrong with it."""

    code: ClassVar[ProblemCode] = ProblemCode.INVALID_PROGRAMME
    why: ClassVar[str] = "programme.invalid"

    def __init__(self, problems: tuple[DocumentProblem, ...], *, path: Path = ()) -> None:
        super().__init__(self.why, path=path, count=len(problems))
        self.problems = problems

    @property
    def lines(self) -> str:
        """All problems, one a line."""
        return "\n".join(problem.line for problem in self.problems)


class NoProgramme(NotFound):
    """No version of the programme has been published: nothing can be earned or shown yet."""

    is_of_request = False

    def __init__(self) -> None:
        super().__init__("programme.none_published")


def unknown_version(version: int) -> NotFound:
    """There is no version of that number."""
    return NotFound("programme.version_not_found", version=version)


def effective_in_the_past(effective_at: str) -> InvalidInput:
    """A later version would change what has already happened."""
    return InvalidInput(
        "programme.effective_in_the_past",
        path=("input", "effectiveAt"),
        value=effective_at,
        accepted=phrase("accepted.not_past"),
    )
