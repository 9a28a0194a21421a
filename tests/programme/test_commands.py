"""The commands that publish, show and compare versions."""

import asyncio
from pathlib import Path

import pytest
import yaml

from server import clock
from server.programme import commands, rules, service
from server.programme.commands import CommandRefused
from tests.programme.demo import DEMO_FILE, demo_text, demo_yaml

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def longer(tmp_path: Path) -> Path:
    file = tmp_path / "longer.yaml"
    file.write_text(demo_yaml({("points", "expiry_days"): 365}))
    return file


async def test_publish_says_what_it_did(longer: Path) -> None:
    assert await commands.publish(DEMO_FILE) == "published version 1, in effect from the beginning"
    assert await commands.publish(DEMO_FILE) == "nothing to publish: version 1 says the same"
    answer = await commands.publish(longer, "2999-07-01T00:00:00+02:00")
    assert answer == "published version 2, in effect from 2999-06-30T22:00:00Z"
    (_, second) = await service.history()
    assert second.published_by == "command line"


async def test_a_date_is_its_start_in_the_programmes_time_zone(longer: Path) -> None:
    await commands.publish(DEMO_FILE)
    answer = await commands.publish(longer, "2999-07-01")
    assert answer == "published version 2, in effect from 2999-07-01T04:00:00Z"


@pytest.mark.parametrize(
    "text", ["tomorrow", "2999-13-01", "2999-07-01T00:00:00", "", "9999-12-31"]
)
async def test_an_unclear_time_is_refused(text: str, longer: Path) -> None:
    await commands.publish(DEMO_FILE)
    if text == "9999-12-31":  # the last day that a calendar shows
        assert "version 2" in await commands.publish(longer, text)
        return
    with pytest.raises(CommandRefused, match="is not accepted: a date, 2026-12-01, from its start"):
        await commands.publish(longer, text)
    assert len(await service.history()) == 1


async def test_a_time_in_the_past_is_refused(longer: Path) -> None:
    await commands.publish(DEMO_FILE)
    with pytest.raises(CommandRefused, match="an instant that is not in the past"):
        await commands.publish(longer, "2001-01-01")
    assert len(await service.history()) == 1


async def test_an_invalid_file_is_refused_with_all_its_problems_and_nothing_written(
    tmp_path: Path,
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        demo_text().replace("expiry_days: 180", "expiry_days: soon").replace("monday", "x")
    )
    with pytest.raises(CommandRefused) as raised:
        await commands.publish(file)
    assert str(raised.value).splitlines() == [
        f"{file}: 3 problems",
        'programme.week_starts_on: "x" is not accepted: monday',
        'points.expiry_days: "soon" is not accepted: a whole number from 1 to 36500',
        'redemption_policy.weekday: "x" is not accepted:'
        " monday, tuesday, wednesday, thursday, friday, saturday or sunday",
    ]
    assert await service.history() == []


async def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    with pytest.raises(CommandRefused) as raised:
        await commands.publish(missing)
    assert str(raised.value) == f"can't read {missing}: No such file or directory"
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CommandRefused, match="is not text in UTF-8"):
        await commands.publish(binary)


async def test_show_prints_what_publish_takes_and_says_which_it_is(tmp_path: Path) -> None:
    with clock.moved_to(clock.Instant(1_600_000_000_000_000)):
        await commands.publish(DEMO_FILE)
        shown = await commands.show()
    digest = rules.checked(demo_text()).digest
    assert shown.splitlines()[:4] == [
        "# version: 1",
        "# effective: from the beginning",
        "# published: 2020-09-13T12:26:40Z by command line",
        f"# digest: {digest}",
    ]
    assert rules.checked(shown).digest == digest
    assert yaml.safe_load(shown) == yaml.safe_load(demo_text())
    assert list(yaml.safe_load(shown)) == list(yaml.safe_load(demo_text()))
    file = tmp_path / "shown.yaml"
    file.write_text(shown)
    assert await commands.publish(file) == "nothing to publish: version 1 says the same"


async def test_show_takes_a_number(longer: Path) -> None:
    await commands.publish(DEMO_FILE)
    await commands.publish(longer, "2999-07-01T00:00:00Z")
    assert "expiry_days: 180" in await commands.show()
    later = await commands.show(2)
    assert "expiry_days: 365" in later
    assert "# effective: from 2999-07-01T00:00:00Z" in later
    with pytest.raises(CommandRefused) as raised:
        await commands.show(3)
    assert str(raised.value) == "there is no version 3: the versions are 1 to 2"


async def test_without_a_version_show_says_what_to_do() -> None:
    for version in (None, 1):
        with pytest.raises(CommandRefused, match="publish one with `programme publish FILE`"):
            await commands.show(version)


async def test_diff_takes_versions_and_files(longer: Path) -> None:
    await commands.publish(DEMO_FILE)
    await commands.publish(longer, "2999-07-01")
    change = "points.expiry_days: 180 -> 365"
    assert await commands.diff("1", "2") == change
    assert await commands.diff(str(DEMO_FILE), str(longer)) == change
    assert await commands.diff("1", str(longer)) == change
    assert await commands.diff("2", "1") == "points.expiry_days: 365 -> 180"
    assert await commands.diff("1", str(DEMO_FILE)) == "(no difference)"


async def test_diff_refuses_what_is_not_there(tmp_path: Path) -> None:
    await commands.publish(DEMO_FILE)
    with pytest.raises(CommandRefused, match="there is no version 9: the versions are 1 to 1"):
        await commands.diff("1", "9")
    with pytest.raises(CommandRefused, match="can't read"):
        await commands.diff("1", str(tmp_path / "none.yaml"))
    bad = tmp_path / "bad.yaml"
    bad.write_text("{}")
    with pytest.raises(CommandRefused, match="10 problems"):
        await commands.diff("1", str(bad))


async def test_of_two_publishers_at_once_one_publishes_and_the_other_finds_it() -> None:
    answers = await asyncio.gather(commands.publish(DEMO_FILE), commands.publish(DEMO_FILE))
    assert sorted(answers) == [
        "nothing to publish: version 1 says the same",
        "published version 1, in effect from the beginning",
    ]
