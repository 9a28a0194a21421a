"""Sending by firebase-admin to a server that speaks FCM's HTTP v1: each answer as documented."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from server.clock import Instant
from server.integrations import push
from server.integrations.fcm import FirebasePusher
from server.notifications import jobs, sending
from server.notifications.sending_windows import WINDOW
from server.notifications.shapes import Category
from server.storage import sql
from server.storage.database import Address
from server.storage.ids import new_id
from tests.fcm import Conduct, ServedFcm, Way, serving
from tests.notifications.posting import (
    HOUR,
    NO_RULES,
    NOON,
    counted,
    deliveries,
    draft,
    willing,
    written,
)


@pytest.fixture
def fcm() -> Iterator[ServedFcm]:
    """FCM on this machine."""
    with serving() as served:
        yield served


@pytest.fixture
async def pusher(fcm: ServedFcm, tmp_path: Path) -> AsyncIterator[FirebasePusher]:
    """What sends to it."""
    made = FirebasePusher(fcm.account.write(tmp_path), url=fcm.url, timeout_seconds=0.5)
    yield made
    await made.close()


async def sent(pusher: FirebasePusher, now: Instant = NOON) -> None:
    """All that is due and can be sent."""
    while await sending.send_due(
        now, pusher=pusher, mailer=None, policy=NO_RULES, sender_id=new_id()
    ):
        pass


@pytest.mark.parametrize(
    ("way", "status", "reason", "device_stays"),
    [
        (Way.OK, "sent", None, True),
        (Way.UNREGISTERED, "failed", "unregistered", False),
        (Way.SENDER_ID_MISMATCH, "failed", "sender_id_mismatch", False),
        (Way.INVALID_TOKEN, "failed", "invalid_token", False),
        (Way.INVALID_TOKEN_FIELD, "failed", "invalid_token", False),
        (Way.INVALID_ARGUMENT, "failed", "invalid_argument", True),
        (Way.THIRD_PARTY_AUTH_ERROR, "failed", "third_party_auth", True),
        (Way.QUOTA_EXCEEDED, "queued", "quota_exceeded", True),
        (Way.UNAVAILABLE, "queued", "unavailable", True),
        (Way.INTERNAL, "queued", "internal", True),
        (Way.UNAUTHENTICATED, "queued", "authentication", True),
        (Way.RESET_AFTER, "in_doubt", None, True),
        (Way.SILENT, "in_doubt", None, True),
        (Way.GARBAGE, "in_doubt", None, True),
        (Way.TRUNCATED, "in_doubt", None, True),
        (Way.BAD_GATEWAY, "in_doubt", None, True),
    ],
)
async def test_each_answer_is_dealt_with_as_documented(
    way: Way,
    status: str,
    reason: str | None,
    device_stays: bool,
    fcm: ServedFcm,
    pusher: FirebasePusher,
    database: Address,
) -> None:
    [member] = await willing(1)
    fcm.by_token[f"token-{member}"] = way
    await written([draft(member)])
    await sent(pusher)
    [(found, why)] = await deliveries()
    assert found == status
    assert why == reason or (status == "in_doubt" and why is not None)
    # A refused access token is replaced once, and then the message is tried with the new one.
    assert fcm.attempts(f"token-{member}") == (2 if way is Way.UNAUTHENTICATED else 1)
    assert len(await sql.fetch("SELECT 1 FROM devices")) == int(device_stays)


async def test_nobody_is_shown_a_campaign_twice_whatever_the_provider_does(
    fcm: ServedFcm, pusher: FirebasePusher, database: Address
) -> None:
    members = await willing(60)
    fcm.chances = [(0.1, way) for way in (Way.UNAVAILABLE, Way.RESET_AFTER, Way.GARBAGE,
                                          Way.RESET_BEFORE, Way.INTERNAL)]  # fmt: skip
    await written([draft(one) for one in members])
    now = NOON
    for _ in range(12):
        await sent(pusher, now)
        now = Instant(now + HOUR)
    assert max(len(fcm.shown(f"token-{one}")) for one in members) == 1
    found = await counted()
    assert {status for status, _reason in found} == {"sent", "in_doubt"}
    shown = sum(len(fcm.shown(f"token-{one}")) for one in members)
    assert found["sent", None] <= shown <= 60


async def test_while_fcm_is_down_all_waits_and_goes_after(
    fcm: ServedFcm, pusher: FirebasePusher, database: Address
) -> None:
    members = await willing(30)
    await written([draft(one) for one in members])
    fcm.down()
    await sent(pusher)
    found = await counted()
    assert found == {
        ("queued", None): 30 - WINDOW,
        ("queued", "unavailable"): WINDOW,
    }
    fcm.up()
    await sent(pusher, Instant(NOON + HOUR))
    assert await counted() == {("sent", None): 30}
    assert all(len(fcm.shown(f"token-{one}")) == 1 for one in members)


async def test_retry_after_is_kept_to(
    fcm: ServedFcm, pusher: FirebasePusher, database: Address
) -> None:
    [member] = await willing(1)
    fcm.script.append(Conduct(Way.UNAVAILABLE, retry_after="600"))
    await written([draft(member)])
    await sent(pusher)
    await sent(pusher, Instant(NOON + 599_000_000))
    assert fcm.attempts(f"token-{member}") == 1
    await sent(pusher, Instant(NOON + 1_000_000_000))
    assert await deliveries() == [("sent", None)]


async def test_the_jobs_send_by_what_is_in_use_and_tell_their_lag(
    fcm: ServedFcm, pusher: FirebasePusher, database: Address
) -> None:
    members = await willing(20)
    await written([draft(one, category=Category.SERVICE) for one in members])
    by_name = {one.name: one for one in jobs.JOBS}
    assert list(by_name) == ["send", "send_email", "settle_in_doubt"]
    later = Instant(NOON + HOUR)
    assert await by_name["send"].lag_seconds(later) == 3_600
    before = push.pusher()
    push.use(pusher)
    try:
        assert await by_name["send"].run(later) == 20
        assert await by_name["send"].run(later) == 0
    finally:
        push.use(before)
    assert await by_name["send"].lag_seconds(later) == 0
    assert await by_name["send_email"].run(later) == 0
    assert await by_name["settle_in_doubt"].run(later) == 0
    assert await counted() == {("sent", None): 20}
