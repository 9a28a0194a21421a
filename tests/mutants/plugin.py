"""A plugin of pytest for runs that are to fail: it takes no longer than the first failure."""

import os
import sys

import pytest
from hypothesis import Phase, settings

_STATUS = pytest.StashKey[int]()


def pytest_sessionstart() -> None:
    """Look for a failing example, not for the smallest; remember none."""
    settings.register_profile(
        "mutants",
        settings.get_profile("laurel"),
        phases=(Phase.explicit, Phase.generate),
        database=None,
    )
    settings.load_profile("mutants")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remember how the tests ended."""
    session.config.stash[_STATUS] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End with the tests: what a failed one has left running would be waited for. Workers are
    ended by the process that started them."""
    if hasattr(config, "workerinput") or config.getoption("numprocesses"):
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(config.stash.get(_STATUS, int(pytest.ExitCode.INTERNAL_ERROR)))
