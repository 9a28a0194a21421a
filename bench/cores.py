"""Which processor runs what: the server that is measured has one core, all others share another."""

import os
from contextlib import suppress

SERVER_CORE = 0
OTHER_CORE = 1


def can_pin() -> bool:
    """Whether processes can be kept on cores here, and there are two of them."""
    return hasattr(os, "sched_setaffinity") and {SERVER_CORE, OTHER_CORE} <= os.sched_getaffinity(0)


def pin(pid: int, *cores: int) -> None:
    """Keep the process, and those that it starts from now on, on the cores; nothing where that
    can't be done."""
    if can_pin():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(pid, cores)


def told() -> str:
    """What is done about it, in a line for the report."""
    if not can_pin():
        return "Nothing is pinned: this machine has one core, or can't keep processes on one."
    return (
        f"The server is kept on core {SERVER_CORE}; PostgreSQL and the clients share core"
        f" {OTHER_CORE}."
    )
