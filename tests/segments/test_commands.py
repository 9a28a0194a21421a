"""`python -m server segments ...` and the job of the server."""

from pathlib import Path

import pytest

from server import clock
from server.errors import NotFound
from server.segments import commands, listing
from server.segments import service as segments
from server.segments.jobs import JOBS
from server.segments.service import Size
from tests.purchases.baskets import at, publish
from tests.segments.shop import enrolled, frozen, live, publish_segment

pytestmark = pytest.mark.usefixtures("database")
NOW = at("2025-02-01")


async def test_evaluating_counts_and_writes_who_is_in_the_segment(tmp_path: Path) -> None:
    await publish()
    ids = await enrolled("1", "2", "3", name="Ann")
    await publish_segment("some", live("external_id in ['1', '3']"), NOW)
    file = tmp_path / "some.csv"
    with clock.moved_to(NOW):
        assert await commands.evaluate("some") == "some: 2 of 3 members"
        said = await commands.evaluate("some", file)
        with pytest.raises(NotFound):
            await commands.evaluate("none")
    assert said == f"some: 2 of 3 members, written to {file}"
    assert file.read_text(encoding="utf-8").splitlines() == [
        "memberId,externalId,name",
        f"{ids['1']},1,Ann",
        f"{ids['3']},3,Ann",
    ]


async def test_the_job_lists_the_rest_of_frozen_segments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listing, "MEMBERS_AT_ONCE", 1)
    await publish()
    await enrolled("1", "2", "3")
    await publish_segment("all", frozen("visits == 0"), NOW)
    assert await segments.size("all", NOW, seconds=9) == Size(1, 1, False)
    [job] = JOBS
    assert job.is_due is not None
    assert await job.is_due(NOW)
    assert await job.run(NOW) == 1
    assert not await job.is_due(NOW)
    assert await segments.size("all", NOW, seconds=9) == Size(3, 3, True)
    assert await commands.freeze() == "0 frozen segments were listed to the end"
