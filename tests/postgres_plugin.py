"""The fixture `postgres_server`: one PostgreSQL for a test run, started by the first who asks."""

from pathlib import Path
from typing import Protocol

import pytest

from tests.postgres import Run, server_of

RUN_DIRECTORY = pytest.StashKey[Path]()


class _Worker(Protocol):
    """What is used of pytest-xdist's view of a worker."""

    config: pytest.Config
    workerinput: dict[str, object]


def pytest_configure(config: pytest.Config) -> None:
    workerinput = getattr(config, "workerinput", None)
    if workerinput is not None:  # a worker: the first process has told it
        config.stash[RUN_DIRECTORY] = Path(workerinput["run_directory"])
        return
    run = Run()
    config.stash[RUN_DIRECTORY] = run.directory
    config.add_cleanup(run.end)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: _Worker) -> None:
    node.workerinput["run_directory"] = str(node.config.stash[RUN_DIRECTORY])


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> str:
    """The DSN of a running server; see `create_database` and `drop_database`."""
    return server_of(request.config.stash[RUN_DIRECTORY])
