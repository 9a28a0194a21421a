"""How a finished operation is told to the log, which the composition root sets up."""

from collections.abc import Callable
from typing import Any

import structlog

Tell = Callable[[dict[str, Any]], None]


class Plain(str):
    """A text of this program's own making, which is logged as it is."""

    __slots__ = ()


def _by_structlog(facts: dict[str, Any]) -> None:
    structlog.get_logger().info("operation", **facts)


_tell: Tell | None = _by_structlog


def tell_by(tell: Tell | None) -> None:
    """Operations are told by this from now on; None: not at all."""
    global _tell  # noqa: PLW0603 - one process, one log
    _tell = tell


def teller() -> Tell | None:
    """What tells them."""
    return _tell
