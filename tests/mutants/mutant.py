"""One deliberate bug: what it replaces, and which tests are to catch it."""

from dataclasses import dataclass
from pathlib import Path


class Outdated(Exception):
    """The code that the bug replaces is no longer there, or stands there more than once."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A bug: in `file`, the one place that reads `original` reads `bug` instead.

    `tests` are pytest's arguments for the tests nearest to it; if those pass, all tests are run.
    """

    name: str
    file: str
    original: str
    bug: str
    tests: tuple[str, ...]

    def applied(self, root: Path) -> str:
        """The file's text with the bug in it. Raises Outdated if the place is not found once."""
        text = (root / self.file).read_text(encoding="utf-8")
        if text.count(self.original) != 1:
            raise Outdated(
                f"{self.name}: {self.file} has the code to be replaced"
                f" {text.count(self.original)} times, not once"
            )
        return text.replace(self.original, self.bug)
