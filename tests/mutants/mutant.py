"""One deliberate bug: what it replaces, and which tests are to catch it."""

from dataclasses import dataclass
from pathlib import Path


class Outdated(Exception):
    """The code that the bug replaces is no longer there, or stands there more than once."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A bug: in `file`, the one place that reads `original` reads `bug` instead.

    `what` says in one line what goes wrong. `tests` are the tests nearest to it, each one as
    pytest names it; if those pass, all tests are run.
    """

    name: str
    what: str
    file: str
    original: str
    bug: str
    tests: tuple[str, ...]

    def applied(self, text: str) -> str:
        """The file's text with the bug in it. Raises Outdated if the place is not found once."""
        count = text.count(self.original)
        if count != 1:
            raise Outdated(f"{self.file} has the code to be replaced {count} times, not once")
        return text.replace(self.original, self.bug)

    def mutated(self, root: Path) -> str:
        """As `applied`, for the file in a copy of the project. Raises Outdated as well if there is
        no such file."""
        path = root / self.file
        if not path.is_file():
            raise Outdated(f"there is no {self.file}")
        return self.applied(path.read_text(encoding="utf-8"))
