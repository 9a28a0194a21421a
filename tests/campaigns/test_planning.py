"""Planning a campaign: each member once, in their own time, whoever plans and dies."""

import asyncio
from typing import Any

import pytest

from server import clock
from server.campaigns import planning, queries
from server.campaigns import service as campaigns
from server.campaigns.jobs import JOBS
from server.campaigns.shapes import RunState
from server.clock import Instant
from server.definitions import service as definitions
from server.errors import AlreadyDecided
from server.notifications import writing
from server.notifications.shapes import Draft
from server.storage import sql
from tests.campaigns.occasions import follow_all
from tests.campaigns.running import (
    MONDAY,
    campaign,
    counted,
    message,
    planned,
    published,
    rows,
    run_of,
    sent,
    settled,
    shop,
)
from tests.notifications.posting import DAY, HOUR, MINUTE, at, members, willing
from tests.segments.shop import enrolled

pytestmark = pytest.mark.usefixtures("database")
DUE = at("2026-05-13T10:00")
TEN_TO = Instant(DUE - 10 * MINUTE)


async def test_a_campaign_is_planned_from_an_hour_before_its_first_members_time_on() -> None:
    await shop()
    await members(2)
    await published("campaign", "spring", campaign())
    await published("campaign", "anywhere", campaign(time_zone="member"))
    assert await planned(Instant(DUE - 15 * HOUR - 1)) == 0
    assert await queries.runs_of("anywhere") == []
    assert await planned(Instant(DUE - 15 * HOUR)) == 2
    assert (await run_of("anywhere")).state is RunState.SENDING
    assert await planned(Instant(DUE - HOUR - 1)) == 0
    assert await planned(Instant(DUE - HOUR)) == 2
    assert await counted("topic") == {"spring": 2, "anywhere": 2}


async def test_nobody_is_planned_for_what_is_over_everywhere() -> None:
    await shop()
    await members(1)
    await published("campaign", "spring", campaign(expires_after_hours=2, time_zone="member"))
    over = Instant(DUE + 12 * HOUR + 2 * HOUR)
    assert await planned(over) == 0
    assert (await campaigns.standing("spring", over)).state is campaigns.CampaignState.MISSED
    assert await planned(Instant(over - 1)) == 1


async def test_a_version_begins_once_and_a_member_has_one_message_for_ever() -> None:
    await shop()
    await members(3)
    await published("campaign", "spring", campaign())
    assert [await planned(TEN_TO) for _ in range(3)] == [3, 0, 0]
    await published("campaign", "spring", campaign(name="Again"), TEN_TO)
    await members(1)
    assert await planned(TEN_TO) == 4
    assert await counted("topic") == {"spring": 4}
    first, second = sorted(await queries.runs_of("spring"), key=lambda run: run.id)
    assert (first.audience, second.audience) == (3, 4)
    assert await counted("run_id") == {first.id: 3, second.id: 1}


async def test_two_planners_at_once_look_at_each_member_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planning, "BATCH", 3)
    await shop()
    ids = await members(20)
    await published("campaign", "spring", campaign())
    await planning.begin_due(TEN_TO)
    await asyncio.gather(*(planning.plan_due(TEN_TO, seconds=60) for _ in range(3)))
    assert [row[0] for row in await rows("member_id")] == ids
    run = await run_of()
    assert (run.state, run.audience, run.after_id) == (RunState.SENDING, 20, ids[-1])


async def test_a_version_of_a_paused_campaign_waits_until_it_is_resumed() -> None:
    await shop()
    await willing(2)
    await published("campaign", "spring", campaign())
    async with sql.transaction():
        await campaigns.pause("spring", MONDAY)
    await published("campaign", "spring", campaign(name="Again"), Instant(MONDAY + HOUR))
    assert await planned(TEN_TO) == 0
    found = await campaigns.standing("spring", TEN_TO)
    assert found.state is campaigns.CampaignState.PAUSED
    assert [run.state for run in found.runs] == [RunState.PAUSED] * 2
    async with sql.transaction():
        await campaigns.resume("spring", TEN_TO)
    assert await planned(TEN_TO) == 2
    assert len((await sent(Instant(DUE + 30 * MINUTE))).tokens) == 2


async def test_a_campaign_that_fails_keeps_no_other_one_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await shop()
    await members(2)
    for key in ("first", "second", "third"):
        await published("campaign", key, campaign())
    await planning.begin_due(TEN_TO)
    plan_of_campaign = planning.plan_of_campaign

    async def failing(key: str, *others: Any) -> Any:
        if key == "second":
            raise LookupError
        return await plan_of_campaign(key, *others)

    monkeypatch.setattr(planning, "plan_of_campaign", failing)
    with pytest.raises(LookupError):
        await planning.plan_due(TEN_TO, seconds=60)
    assert await counted("topic") == {"first": 2, "third": 2}


async def test_what_tells_of_an_offer_is_late_only_once_the_offer_counts() -> None:
    await shop()
    await members(1)
    await published("message", "news", message(trigger={"kind": "offer_published"}))
    offer = {
        "default_language": "en",
        "texts": {"en": {"title": "Tea"}},
        "discount": {"kind": "percent", "rate_bps": 1000},
    }
    async with sql.transaction():
        version, _is_new = await definitions.publish_document(
            "offer", "tea", offer, effective_at=DUE, by="command line", now=MONDAY
        )
    assert version is not None
    assert await planning.start_for_offer("tea", version.version, "news", MONDAY)
    lag_seconds = JOBS[0].lag_seconds
    assert await planned(TEN_TO) == 0
    assert await lag_seconds(TEN_TO) == 0
    assert await lag_seconds(Instant(DUE + MINUTE)) == 60
    assert await planned(Instant(DUE + MINUTE)) == 1
    assert await lag_seconds(Instant(DUE + MINUTE)) == 0


async def test_of_two_messages_of_an_offer_a_member_gets_the_first_that_is_for_them() -> None:
    await shop()
    ids = await enrolled("1", "2", time_zone="UTC")
    await published(
        "segment", "one", {"name": "One", "members": {"kind": "list", "external_ids": ["1"]}}
    )
    told = message(trigger={"kind": "offer_published"})
    for key, more in (("c", {}), ("a", {"segment": "one"}), ("b", {})):
        await published("message", key, told | more)
    offer = {
        "default_language": "en",
        "texts": {"en": {"title": "Tea"}},
        "discount": {"kind": "percent", "rate_bps": 1000},
    }
    await published("offer", "tea", offer, MONDAY)
    await follow_all(MONDAY)
    await planned(Instant(MONDAY + MINUTE))
    assert await rows("member_id, message") == [(ids["1"], "a"), (ids["2"], "b")]


async def test_who_dies_half_way_is_followed_by_whoever_comes_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planning, "BATCH", 4)
    await shop()
    ids = await members(10)
    await published("campaign", "spring", campaign())
    await planning.begin_due(TEN_TO)
    run = await run_of()
    assert await planning.plan_batch(run.id, TEN_TO) == 4
    write = writing.write

    async def killed(drafts: list[Draft], now: Instant) -> list[int | None]:
        await write(drafts, now)
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(writing, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            await planning.plan_batch(run.id, TEN_TO)
    assert (await run_of()).after_id == ids[3]
    assert [row[0] for row in await rows("member_id")] == ids[:4]
    assert [await planning.plan_batch(run.id, TEN_TO) for _ in range(3)] == [4, 2, None]
    assert [row[0] for row in await rows("member_id")] == ids


async def test_what_is_paused_is_neither_planned_nor_sent_until_it_is_resumed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planning, "BATCH", 2)
    await shop()
    await willing(5)
    await published("campaign", "spring", campaign())
    await planning.begin_due(TEN_TO)
    run = await run_of()
    assert await planning.plan_batch(run.id, TEN_TO) == 2
    for _ in range(2):
        async with sql.transaction():
            standing = await campaigns.pause("spring", TEN_TO)
        assert standing.state is campaigns.CampaignState.PAUSED
    assert await planned(TEN_TO) == 0
    later = Instant(DUE + 30 * MINUTE)
    assert (await sent(later)).tokens == []
    for _ in range(2):
        async with sql.transaction():
            standing = await campaigns.resume("spring", later)
        assert standing.state is campaigns.CampaignState.PLANNING
    assert await planned(later) == 3
    assert len((await sent(Instant(later + HOUR))).tokens) == 5
    await settled(later)
    assert (await run_of()).state is RunState.DONE


async def test_nothing_that_waits_of_a_stopped_campaign_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planning, "BATCH", 3)
    monkeypatch.setattr("server.campaigns.settling.AT_ONCE", 2)
    await shop()
    await willing(5)
    await published("campaign", "spring", campaign())
    await planning.begin_due(TEN_TO)
    await planning.plan_batch((await run_of()).id, TEN_TO)
    for _ in range(2):
        async with sql.transaction():
            standing = await campaigns.stop("spring", TEN_TO)
        assert standing.state is campaigns.CampaignState.STOPPED
    assert await planned(TEN_TO) == 0
    assert await settled(TEN_TO) == 3
    assert await counted("status, reason, settled_at", table="deliveries") == {
        ("suppressed", "stopped", TEN_TO): 3
    }
    assert (await sent(Instant(DUE + HOUR))).tokens == []
    with pytest.raises(AlreadyDecided):
        async with sql.transaction():
            await campaigns.resume("spring", TEN_TO)


async def test_what_is_only_scheduled_can_be_paused_and_stopped() -> None:
    await shop()
    await members(1)
    await published("campaign", "spring", campaign())
    await published("campaign", "never", campaign())
    async with sql.transaction():
        assert (await campaigns.pause("spring", MONDAY)).state is campaigns.CampaignState.PAUSED
        assert (await campaigns.stop("never", MONDAY)).state is campaigns.CampaignState.STOPPED
    assert await planned(TEN_TO) == 0
    async with sql.transaction():
        await campaigns.resume("spring", MONDAY)
    assert await planned(Instant(DUE - 2 * HOUR)) == 0
    assert await planned(TEN_TO) == 1
    assert await counted("topic") == {"spring": 1}


async def test_a_campaign_that_is_withdrawn_is_stopped() -> None:
    await shop()
    await willing(2)
    await published("campaign", "spring", campaign())
    assert await planned(TEN_TO) == 2
    await published("campaign", "spring", None, TEN_TO)
    assert await settled(TEN_TO) == 3
    assert (await run_of()).state is RunState.STOPPED
    assert await counted("reason", table="deliveries") == {"stopped": 2}


async def test_of_a_version_that_another_follows_the_rest_is_not_planned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planning, "BATCH", 2)
    await shop()
    await published("message", "bye", message("Bye"))
    await willing(4)
    await published("campaign", "spring", campaign())
    await planning.begin_due(TEN_TO)
    await planning.plan_batch((await run_of()).id, TEN_TO)
    await published("campaign", "spring", campaign(message="bye"), TEN_TO)
    assert await planned(TEN_TO) == 4
    assert await counted("message") == {"hello": 2, "bye": 2}
    assert {run.state for run in await queries.runs_of("spring")} == {RunState.SENDING}


@pytest.mark.parametrize(
    ("zone", "local", "expected"),
    [
        ("Pacific/Kiritimati", "2026-05-13T10:00:00", "2026-05-12T20:00"),  # the first
        ("Etc/GMT+12", "2026-05-13T10:00:00", "2026-05-13T22:00"),  # the last
        ("Europe/Berlin", "2026-03-29T02:30:00", "2026-03-29T01:30"),  # skipped: 03:30 it is
        ("Europe/Berlin", "2026-10-25T02:30:00", "2026-10-25T00:30"),  # twice: the first
        ("America/New_York", "2026-03-08T02:10:00", "2026-03-08T07:10"),
        ("America/New_York", "2026-11-01T01:10:00", "2026-11-01T05:10"),
        ("Australia/Lord_Howe", "2026-10-04T02:10:00", "2026-10-03T15:40"),  # half an hour
        ("Africa/Cairo", "2026-04-24T00:10:00", "2026-04-23T22:10"),  # no midnight
    ],
)
async def test_a_message_is_due_by_the_members_own_clock(
    zone: str, local: str, expected: str
) -> None:
    await shop()
    await members(1, zone=zone)
    await published("campaign", "spring", campaign(time_zone="member", at=local))
    due = at(expected)
    await planned(Instant(at(local) - 14 * HOUR))
    [(shown_from, shown_until)] = await rows("shown_from, expires_at")
    assert await rows("expires_at", table="deliveries") == [(due + 12 * HOUR,)]
    assert shown_until == due + 30 * DAY, "it stays in the inbox"
    # At a full quarter, and around it, a start is moved by up to nine minutes.
    assert due <= shown_from < due + 9 * MINUTE
    if clock.datetime_of(due).minute == 10:
        assert shown_from == due


async def test_a_start_is_off_the_peaks_of_the_hour_unless_the_document_says_otherwise() -> None:
    await shop()
    await members(3)
    await published("campaign", "spring", campaign())
    await published("campaign", "sharp", campaign(off_peak=False))
    await planned(TEN_TO)
    starts = await counted("topic, shown_from")
    assert starts.pop(("sharp", DUE)) == 3
    assert sum(starts.values()) == 3
    assert all(DUE + 4 * MINUTE <= at < DUE + 9 * MINUTE for _topic, at in starts)


async def test_who_is_late_gets_it_at_once_unless_it_is_too_late() -> None:
    await shop()
    east = await willing(1, zone="Asia/Tokyo")
    await willing(1, zone="America/Los_Angeles")
    await published("campaign", "spring", campaign(time_zone="member", expires_after_hours=5))
    now = at("2026-05-13T06:07")  # 15:07 in Tokyo, 23:07 the day before in Los Angeles
    assert await planned(now) == 2
    [(east_until,), (west_until,)] = await rows("expires_at")
    assert east_until == at("2026-05-13T06:00"), "what is too late is not shown either"
    assert west_until > now + 29 * DAY
    assert (await rows("shown_from"))[0] == (now,)
    assert (await sent(now)).tokens == []
    assert await rows("member_id, status, reason", table="deliveries") == [
        (east[0], "suppressed", "expired"),
        ((await rows("member_id"))[1][0], "queued", None),
    ]
    await published("campaign", "second", campaign(time_zone="member", expires_after_hours=6))
    await planned(now)
    assert (await sent(now)).tokens == [f"token-{east[0]}"]


async def test_only_members_of_the_segment_get_it_and_no_duplicates() -> None:
    await shop()
    ids = await enrolled("1", "2", "3", time_zone="UTC")
    await published(
        "segment",
        "two",
        {"name": "Two", "members": {"kind": "list", "external_ids": ["1", "3"]}},
    )
    async with sql.transaction():
        await sql.execute("UPDATE members SET merged_into = $1 WHERE id = $2", ids["2"], ids["3"])
    await published("campaign", "spring", campaign(audience={"kind": "segment", "segment": "two"}))
    assert await planned(TEN_TO) == 2
    assert [row[0] for row in await rows("member_id")] == [ids["1"]]
    assert (await run_of()).audience == 1


async def test_an_offer_is_told_to_those_whom_it_is_for_and_the_message_is_for() -> None:
    await shop()
    ids = await enrolled("1", "2", "3", time_zone="UTC", locale="lt")
    listed = {"kind": "list", "external_ids": ["1", "2"]}
    await published("segment", "two", {"name": "Two", "members": listed})
    offer = {
        "default_language": "en",
        "texts": {"en": {"title": "Tea"}, "lt": {"title": "Arbata"}},
        "discount": {"kind": "percent", "rate_bps": 1000},
        "schedule": {"starts_on": "2026-05-11", "ends_on": "2026-05-20"},
    }
    version = await published("offer", "tea", offer | {"audience": {"members": ["2", "3"]}})
    assert version is not None
    texts = {
        "en": {
            "title": "{offer}",
            "body": "Until {ends_on, select, none {late} other {{ends_on, date, short}}}",
        }
    }
    told = message(texts=texts, trigger={"kind": "offer_published"})
    await published("message", "news", told)
    await published("message", "two-news", told | {"segment": "two"})
    noon = at("2026-05-11T20:07")
    assert await planning.start_for_offer("tea", version.version, "two-news", noon)
    assert not await planning.start_for_offer("tea", version.version, "two-news", noon)
    await planned(noon)
    assert await rows("member_id, topic, title, body, message") == [
        (ids["2"], "offer:tea", "Arbata", "Until 5/20/26", "two-news")
    ]
    assert await planning.start_for_offer("tea", version.version, "news", noon)
    await planned(noon)
    assert await counted("message") == {"two-news": 1, "news": 1}
    assert await counted("expires_at", table="deliveries") == {noon + 24 * HOUR: 2}
    ends = at("2026-05-21T00:00")
    assert await counted("expires_at, shown_from") == {(ends, noon): 2}, "as long as the offer"
    async with sql.transaction():
        standing = await campaigns.stop("offer:tea", noon)
    assert standing.state is campaigns.CampaignState.STOPPED
