"""A process that dies in the middle of a mutation: all of it was done, or nothing, and the same
request with the same key comes to what it would have come to without the crash."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.test_idempotency import CASES
from tests.faults import nursery
from tests.faults.nursery import Nursery


@pytest.fixture(scope="module")
def born() -> Iterator[Nursery]:
    """Where the processes come from."""
    with nursery.opened() as opened:
        yield opened


@pytest.mark.parametrize("name", CASES)
def test_a_mutation_killed_anywhere_is_done_or_not_and_can_be_repeated(
    born: Nursery, engine: str, name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    on_postgres = engine == "postgres"
    told = born.run(
        name=name,
        template=str(request.getfixturevalue(f"{engine}_template")),
        server=request.getfixturevalue("postgres_server") if on_postgres else None,
        folder=str(tmp_path),
    )
    assert told["faults"] == []
    outcomes, stops = told["outcomes"], told["stops"]
    assert outcomes[0] == "nothing", (outcomes, stops)
    assert outcomes[-1] == "all", stops


def test_the_sweep_finds_what_is_half_done(
    born: Nursery, sqlite_template: Path, tmp_path: Path
) -> None:
    told = born.run(
        name="redeemPoints",
        template=str(sqlite_template),
        server=None,
        folder=str(tmp_path),
        is_sabotaged=True,  # each statement is a transaction of its own
    )
    assert len(told["faults"]) > 1
