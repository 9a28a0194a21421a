"""What is due is sent once, to who may have it, and what becomes of it is told."""

import asyncio
from collections import Counter
from types import SimpleNamespace

import pytest

from server import clock
from server.clock import Instant
from server.edge.nodes import global_id
from server.integrations.push import Outcome, OutcomeKind, PushMessage
from server.notifications import claiming, sending, sending_rates
from server.notifications.claiming import TRIED_FIRST, Claim
from server.notifications.sending_rates import Pause
from server.notifications.sending_windows import WINDOW
from server.notifications.shapes import Cap, Category, Channel, Hours, Policy, Wire
from server.storage import sql
from server.storage.database import Address
from server.storage.ids import new_id
from tests.notifications.posting import (
    DAY,
    HOUR,
    MINUTE,
    NO_RULES,
    NOON,
    SECOND,
    SENT,
    Post,
    Provider,
    addresses,
    at,
    counted,
    deliveries,
    devices,
    draft,
    members,
    outcome,
    run,
    say,
    sent_all,
    set_run,
    willing,
    written,
)
from tests.waiting import Work, behind


async def test_what_is_due_is_sent_once_to_each_device(database: Address) -> None:
    members_ = await willing(40)
    await devices(members_[:3], name="tablet")
    await written([draft(one) for one in members_])
    provider = Provider()
    assert await sent_all(provider) == 43
    assert await sent_all(provider) == 0
    wanted = [f"token-{one}" for one in members_] + [f"tablet-{one}" for one in members_[:3]]
    assert sorted(provider.tokens) == sorted(wanted)
    assert await counted() == {("sent", None): 43}
    rows = await sql.fetch(
        "SELECT DISTINCT attempts, provider_id, settled_at >= $1 FROM deliveries", NOON
    )
    assert [tuple(row) for row in rows] == [(1, SENT.provider_id, True)]


async def test_a_message_is_on_the_wire_as_it_was_written(database: Address) -> None:
    [member] = await willing(1)
    wire = Wire(link="https://x.org/o", image="https://x.org/i.png", data={"a": "b"},
                collapse_key="k", ttl_seconds=7200, is_high_priority=True)  # fmt: skip
    [number] = await written([draft(member, wire=wire, lasts=HOUR)])
    provider = Provider()
    await sent_all(provider)
    [[message]] = provider.calls
    assert number is not None
    assert message.ttl_seconds is not None
    assert 3590 <= message.ttl_seconds <= 3600
    opaque = global_id("Notification", number)
    assert message == PushMessage(
        token=f"token-{member}", title="Hello", body="It is spring.",
        data={"a": "b", "notificationId": opaque}, image="https://x.org/i.png",
        link="https://x.org/o", collapse_key="k", ttl_seconds=message.ttl_seconds,
        is_high_priority=True,
    )  # fmt: skip


async def test_what_is_not_due_waits(database: Address) -> None:
    [member] = await willing(1)
    await written([draft(member, due_at=Instant(NOON + MINUTE))])
    provider = Provider()
    assert await sent_all(provider) == 0
    assert await sent_all(provider, Instant(NOON + MINUTE)) == 1
    assert await claiming.lag_seconds(Channel.PUSH, NOON) == 0


async def test_the_lag_is_of_the_oldest_that_is_due_and_not_claimed(database: Address) -> None:
    members_ = await willing(2)
    run_id = await run()
    await written([draft(members_[0], due_at=Instant(NOON + MINUTE))])
    await written([draft(members_[1], run_id=run_id)])
    assert await claiming.lag_seconds(Channel.PUSH, Instant(NOON + HOUR)) == 3_600
    assert await claiming.lag_seconds(Channel.EMAIL, Instant(NOON + HOUR)) == 0
    await set_run(run_id, "paused")
    assert await claiming.lag_seconds(Channel.PUSH, Instant(NOON + HOUR)) == 3_540


async def test_who_has_not_agreed_gets_nothing_but_service(database: Address) -> None:
    member, refuser = await members(2)
    await devices([member, refuser])
    await say([refuser], is_given=False)
    await written(
        [draft(member), draft(refuser), draft(refuser, topic="order", category=Category.SERVICE)]
    )
    provider = Provider()
    assert await sent_all(provider) == 3
    assert await deliveries() == [("suppressed", "no_consent")] * 2 + [("sent", None)]
    assert provider.tokens == [f"token-{refuser}"]


async def test_consent_that_is_withdrawn_after_the_claim_counts(database: Address) -> None:
    members_ = await willing(40)
    await written([draft(one) for one in members_])
    provider = Provider()
    withdrawn = set(members_[20:])

    async def send(messages: list[PushMessage]) -> list[Outcome]:
        if messages and not provider.calls:
            await say(withdrawn, category=Category.OFFERS, is_given=False, now=NOON)
        return await Provider.send(provider, messages)

    provider.send = send  # type: ignore[assignment]
    await sent_all(provider)
    assert provider.tokens == [f"token-{one}" for one in members_[: len(provider.tokens)]]
    assert await counted() == {("sent", None): 20, ("suppressed", "no_consent"): 20}


async def test_a_device_that_is_gone_another_members_or_unused_gets_nothing(
    database: Address,
) -> None:
    gone, moved, unused, merged = await willing(4)
    await written([draft(one) for one in (gone, moved, unused, merged)])
    async with sql.transaction():
        await sql.execute("DELETE FROM devices WHERE member_id = $1", gone)
        await sql.execute("UPDATE devices SET member_id = $1 WHERE member_id = $2", gone, moved)
        await sql.execute(
            "UPDATE devices SET seen_at = $1 WHERE member_id = $2",
            NOON - 270 * DAY - 1,
            unused,
        )
        await sql.execute("UPDATE members SET merged_into = $1 WHERE id = $2", gone, merged)
    provider = Provider()
    await sent_all(provider)
    assert provider.tokens == []
    assert await deliveries() == [("suppressed", "unregistered")] * 3 + [("suppressed", "merged")]


async def test_what_has_expired_is_not_sent(database: Address) -> None:
    [member] = await willing(1)
    await written([draft(member, lasts=HOUR)])
    assert await sent_all(Provider(), Instant(NOON + HOUR)) == 1
    assert await deliveries() == [("suppressed", "expired")]


async def test_quiet_hours_put_off_until_their_end_off_the_peak(database: Address) -> None:
    away, own = await willing(2, zone="America/New_York")
    async with sql.transaction():
        await sql.execute("INSERT INTO quiet_hours VALUES ($1, 0, 0, $2)", own, NOON)
    night = at("2026-05-12T06:07")
    await written([draft(one, due_at=night) for one in (away, own)])
    provider = Provider()
    policy = Policy(quiet=Hours(21 * 60, 8 * 60))
    await sent_all(provider, night, policy=policy)
    assert provider.tokens == [f"token-{own}"]
    [[due]] = await sql.fetch("SELECT due_at FROM deliveries WHERE status = 'queued'")
    assert at("2026-05-12T12:04") <= due < at("2026-05-12T12:09")
    await sent_all(provider, Instant(due), policy=policy)
    assert provider.tokens == [f"token-{own}", f"token-{away}"]


async def test_what_would_expire_in_quiet_hours_is_not_sent(database: Address) -> None:
    [member] = await willing(1)
    night = at("2026-05-12T22:07")
    ad = draft(member, due_at=night, lasts=3 * HOUR)
    await written([ad, draft(member, topic="order", due_at=night, category=Category.SERVICE)])
    await sent_all(Provider(), night, policy=Policy(quiet=Hours(21 * 60, 8 * 60)))
    assert await deliveries() == [("suppressed", "quiet"), ("sent", None)]


async def test_a_cap_counts_messages_and_not_devices(database: Address) -> None:
    [member] = await willing(1)
    await devices([member], name="tablet")
    topics = [
        ("a", Category.OFFERS),
        ("b", Category.POINTS),
        ("c", Category.OFFERS),
        ("d", Category.SERVICE),
    ]
    await written([draft(member, topic=topic, category=category) for topic, category in topics])
    policy = Policy(caps=(Cap(None, 2, 7), Cap(Category.OFFERS, 1, 1)))
    await sent_all(Provider(), policy=policy)
    sent = ("sent", None)
    capped = ("suppressed", "cap")
    assert await deliveries() == [sent, sent, sent, sent, capped, capped, sent, sent]
    tomorrow = Instant(NOON + DAY + 5 * MINUTE)
    await written([draft(member, topic="e", due_at=tomorrow)])
    await sent_all(Provider(), tomorrow, policy=policy)
    assert (await deliveries())[-2:] == [capped, capped]
    in_a_week = Instant(NOON + 7 * DAY + 5 * MINUTE)
    await written([draft(member, topic="f", due_at=in_a_week)])
    await sent_all(Provider(), in_a_week, policy=policy)
    assert (await deliveries())[-2:] == [sent, sent]


# ---------------------------------------------------------------- campaigns


async def test_a_paused_campaign_waits_and_a_stopped_one_ends(database: Address) -> None:
    members_ = await willing(3)
    paused, stopped, going = await run("paused"), await run("stopped"), await run("done")
    for member_id, run_id in zip(members_, (paused, stopped, going), strict=True):
        await written([draft(member_id, run_id=run_id)])
    provider = Provider()
    await sent_all(provider)
    assert await deliveries() == [("queued", None), ("suppressed", "stopped"), ("sent", None)]
    await set_run(paused, "sending")
    await sent_all(provider)
    assert (await deliveries())[0] == ("sent", None)


async def test_a_campaign_that_is_paused_in_mid_flight_stops_at_the_next_window(
    database: Address,
) -> None:
    members_ = await willing(100)
    run_id = await run()
    await written([draft(one, run_id=run_id) for one in members_])
    provider = Provider()

    async def send(messages: list[PushMessage]) -> list[Outcome]:
        if messages:
            await set_run(run_id, "paused")
        return await Provider.send(provider, messages)

    provider.send = send  # type: ignore[assignment]
    await sent_all(provider)
    assert len(provider.tokens) == WINDOW
    assert await counted() == {
        ("sent", None): WINDOW,
        ("queued", None): 100 - WINDOW,
    }
    await set_run(run_id, "stopped")
    await sent_all(provider)
    assert await counted() == {
        ("sent", None): WINDOW,
        ("suppressed", "stopped"): 100 - WINDOW,
    }


async def test_what_belongs_to_no_campaign_goes_before_campaigns(database: Address) -> None:
    members_ = await willing(30)
    run_id = await run()
    await written([draft(one, run_id=run_id, due_at=Instant(NOON - HOUR)) for one in members_])
    await written([draft(members_[5], topic="order", category=Category.SERVICE)])
    provider = Provider()
    await sent_all(provider)
    assert provider.tokens[0] == f"token-{members_[5]}"
    assert len(provider.tokens) == 31


# ---------------------------------------------------------------- outcomes


@pytest.mark.parametrize(
    "kind", [OutcomeKind.UNREGISTERED, OutcomeKind.SENDER_ID_MISMATCH, OutcomeKind.INVALID_TOKEN]
)
async def test_a_dead_tokens_device_goes_at_once_with_all_that_waits_for_it(
    kind: OutcomeKind, database: Address
) -> None:
    member, other = await willing(2)
    later = Instant(NOON + HOUR)
    await written([draft(member), draft(member, topic="later", due_at=later), draft(other)])
    await sent_all(Provider(lambda one: outcome(kind) if str(member) in one.token else SENT))
    assert await deliveries() == [("failed", kind), ("suppressed", "unregistered"), ("sent", None)]
    rows = await sql.fetch("SELECT member_id FROM devices")
    assert [row[0] for row in rows] == [other]


async def test_a_device_with_a_new_token_outlives_the_old_one(database: Address) -> None:
    [member] = await willing(1)
    await written([draft(member), draft(member, topic="later", due_at=Instant(NOON + HOUR))])
    provider = Provider(lambda _one: outcome(OutcomeKind.UNREGISTERED))

    async def send(messages: list[PushMessage]) -> list[Outcome]:
        if messages:
            async with sql.transaction():
                await sql.execute("UPDATE devices SET token = 'new', token_hash = 'new'")
        return await Provider.send(provider, messages)

    provider.send = send  # type: ignore[assignment]
    await sent_all(provider)
    assert await deliveries() == [("failed", "unregistered"), ("queued", None)]


@pytest.mark.parametrize(
    "kind", [OutcomeKind.INVALID_ARGUMENT, OutcomeKind.THIRD_PARTY_AUTH, OutcomeKind.NOT_SET]
)
async def test_what_is_refused_for_good_fails_and_the_device_stays(
    kind: OutcomeKind, database: Address
) -> None:
    [member] = await willing(1)
    await written([draft(member)])
    await sent_all(Provider(lambda _one: outcome(kind)))
    assert await deliveries() == [("failed", kind)]
    assert len(await sql.fetch("SELECT 1 FROM devices")) == 1


async def test_what_is_in_doubt_is_counted_and_of_marketing_not_sent_again(
    database: Address,
) -> None:
    [member] = await willing(1)
    await written([draft(member), draft(member, topic="order", category=Category.SERVICE)])
    provider = Provider(lambda _one: outcome(OutcomeKind.IN_DOUBT))
    await sent_all(provider)
    assert await deliveries() == [("in_doubt", "in_doubt"), ("queued", "in_doubt")]
    provider.deal = lambda _one: SENT
    await sent_all(provider, Instant(NOON + HOUR))
    assert await deliveries() == [("in_doubt", "in_doubt"), ("sent", None)]
    assert len(provider.tokens) == 3


async def test_retry_after_holds_for_the_message_and_for_all_senders(database: Address) -> None:
    members_ = await willing(50)
    await written([draft(one) for one in members_])
    answers = iter([outcome(OutcomeKind.QUOTA_EXCEEDED, 90)])
    provider = Provider(lambda _one: next(answers, SENT))
    await sent_all(provider)
    first = len(provider.tokens)
    assert first == WINDOW
    assert await counted() == {
        ("sent", None): first - 1, ("queued", "quota_exceeded"): 1, ("queued", None): 50 - first,
    }  # fmt: skip
    await sent_all(provider, Instant(NOON + 89 * SECOND))
    assert len(provider.tokens) == first
    await sent_all(provider, Instant(NOON + 150 * SECOND))
    assert await counted() == {("sent", None): 50}
    assert Counter(Counter(provider.tokens).values()) == {1: 49, 2: 1}


async def test_a_provider_that_is_down_is_asked_seldom_and_the_backlog_drains_after(
    database: Address,
) -> None:
    members_ = await willing(200)
    await written([draft(one) for one in members_])
    provider = Provider(lambda _one: outcome(OutcomeKind.UNAVAILABLE))
    for second in range(0, 600, 5):
        await sent_all(provider, Instant(NOON + second * SECOND))
    assert 5 * WINDOW <= len(provider.tokens) <= 20 * WINDOW
    assert {row[0] for row in await sql.fetch("SELECT status FROM deliveries")} == {"queued"}
    provider.deal = lambda _one: SENT
    for second in range(600, 3000, 60):
        await sent_all(provider, Instant(NOON + second * SECOND))
    assert await counted() == {("sent", None): 200}


async def test_a_provider_that_failed_is_tried_with_a_few_before_many_are_claimed(
    database: Address,
) -> None:
    members_ = await willing(20)
    await written([draft(one) for one in members_])

    async def claimed(failures: int) -> int:
        async with sql.transaction():
            await sending_rates.set_pause(Channel.PUSH, Pause(NOON, failures))
        sender_id = new_id()
        claim = await claiming.claim(
            NOON, channel=Channel.PUSH, sender_id=sender_id, policy=NO_RULES, quota=None
        )
        async with sql.transaction():
            await claiming.release([one.id for one in claim.taken], sender_id)
        return len(claim.taken)

    assert [await claimed(failures) for failures in (0, 1, 7, 0)] == [20, TRIED_FIRST, 4, 20]


async def test_retries_end_after_a_day(database: Address) -> None:
    [member] = await willing(1)
    await written([draft(member, lasts=30 * DAY)])
    provider = Provider(lambda _one: outcome(OutcomeKind.INTERNAL))
    now, due = Instant(NOON - 5 * MINUTE), NOON
    while (await deliveries()) in ([("queued", None)], [("queued", "internal")]):
        now = Instant(max(due, now + 5 * MINUTE))  # all senders pause for less than that
        await sent_all(provider, now)
        [[due]] = await sql.fetch("SELECT due_at FROM deliveries")
    assert await deliveries() == [("failed", "internal")]
    [[last]] = await sql.fetch("SELECT attempted_at FROM deliveries")
    assert NOON + 22 * HOUR <= last < NOON + DAY
    assert 10 < len(provider.tokens) < 40


async def test_what_is_retried_too_late_has_failed(database: Address) -> None:
    [member] = await willing(1)
    await written([draft(member, lasts=HOUR)])
    await sent_all(Provider(lambda _one: outcome(OutcomeKind.UNAVAILABLE)))
    await sent_all(Provider(), Instant(NOON + HOUR))
    assert await deliveries() == [("failed", "expired")]


async def test_a_pusher_that_fails_leaves_its_window_in_doubt(database: Address) -> None:
    members_ = await willing(WINDOW)
    await written([draft(one) for one in members_])

    def broken(_one: PushMessage) -> Outcome:
        raise RuntimeError

    await sent_all(Provider(broken))
    assert await counted() == {("in_doubt", "in_doubt"): WINDOW}


async def test_e_mail_goes_by_the_mailer(database: Address) -> None:
    [member] = await members(1)
    await addresses([member])
    await say([member], Channel.EMAIL)
    await written(
        [draft(member, channels=(Channel.PUSH, Channel.EMAIL), wire=Wire(link="https://x.org"))]
    )
    post = Post()
    handled = await sending.send_due(
        NOON, pusher=None, mailer=post.send, policy=NO_RULES, sender_id=new_id()
    )
    assert handled == 1
    assert await deliveries() == [("suppressed", "no_device"), ("sent", None)]
    [letter] = post.letters
    assert (letter.member_id, letter.subject, letter.body, letter.link) == (
        member, "Hello", "It is spring.", "https://x.org",
    )  # fmt: skip


# ---------------------------------------------------------------- several senders, and dead ones


async def test_senders_at_once_send_each_delivery_once(database: Address) -> None:
    members_ = await willing(150)
    await written([draft(one) for one in members_])
    provider = Provider()

    async def slowly(messages: list[PushMessage]) -> list[Outcome]:
        await asyncio.sleep(0)
        return await Provider.send(provider, messages)

    provider.send = slowly  # type: ignore[assignment]
    await asyncio.gather(
        *(
            sending.send_due(
                NOON, pusher=provider, mailer=None, policy=NO_RULES, sender_id=new_id(), limit=20
            )
            for _ in range(3)
            for _ in range(3)
        )
    )
    assert sorted(provider.tokens) == sorted(f"token-{one}" for one in members_)


async def test_senders_at_once_keep_a_cap_together(database: Address) -> None:
    [member] = await willing(1)
    await written([draft(member, topic=f"t{number}") for number in range(6)])
    provider = Provider()
    await asyncio.gather(
        *(
            sending.send_due(
                NOON, pusher=provider, mailer=None, policy=Policy(caps=(Cap(None, 2, 1),)),
                sender_id=new_id(), limit=2,
            )
            for _ in range(3)
        )
    )  # fmt: skip
    assert len(provider.tokens) == 2


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
async def test_a_push_and_a_letter_at_once_keep_a_cap_together(database: Address) -> None:
    """Whoever claims waits for who claims from the other channel, whose message counts then."""
    [member] = await willing(1)
    await addresses([member])
    await say([member], Channel.EMAIL)
    await written([draft(member, topic="a")])
    await written([draft(member, topic="b", channels=(Channel.EMAIL,))])
    taken: list[Claim] = []

    def claimed(channel: Channel) -> Work:
        async def work() -> None:
            policy = Policy(caps=(Cap(None, 1, 1),))
            taken.append(
                await claiming.claim(
                    NOON, channel=channel, sender_id=new_id(), policy=policy, quota=None
                )
            )

        return work

    await behind(claimed(Channel.PUSH), claimed(Channel.EMAIL))
    assert [len(one.taken) for one in taken] == [1, 0]
    assert await counted() == {("claimed", None): 1, ("suppressed", "cap"): 1}


async def test_the_claims_of_the_dead_end(
    database: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    [member] = await willing(1)
    topics = {"a": Category.OFFERS, "b": Category.OFFERS, "c": Category.SERVICE}
    await written([draft(member, topic=one, category=category) for one, category in topics.items()])
    async with sql.transaction():
        for number, status in enumerate(("claimed", "attempting", "attempting")):
            await sql.execute(
                "UPDATE deliveries SET status = $1, claimed_by = 7, claimed_until = $2"
                " WHERE id = (SELECT MIN(id) FROM deliveries WHERE status = 'queued')",
                status,
                claiming.lease_end() + number,
            )
    assert await claiming.recover(NOON) == 0
    later = clock.system_now() + (claiming.LEASE_SECONDS + 1) * SECOND
    monkeypatch.setattr(clock, "system_now", lambda: later)
    assert await claiming.recover(NOON) == 3
    assert await deliveries() == [
        ("queued", None), ("in_doubt", "no_answer"), ("queued", "no_answer"),
    ]  # fmt: skip
    provider = Provider()
    await sent_all(provider)
    assert len(provider.tokens) == 2


async def test_who_is_cancelled_finishes_the_window_and_gives_back_the_rest(
    database: Address,
) -> None:
    members_ = await willing(100)
    await written([draft(one) for one in members_])
    provider = Provider()
    began = asyncio.Event()
    goes_on = asyncio.Event()

    async def send(messages: list[PushMessage]) -> list[Outcome]:
        if messages:
            began.set()
            await goes_on.wait()
        return await Provider.send(provider, messages)

    provider.send = send  # type: ignore[assignment]
    task = asyncio.create_task(sent_all(provider))
    await began.wait()
    task.cancel()
    asyncio.get_running_loop().call_later(0.01, goes_on.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await counted() == {
        ("sent", None): WINDOW,
        ("queued", None): 100 - WINDOW,
    }


async def test_a_window_takes_few_statements(database: Address) -> None:
    members_ = await willing(WINDOW * 5)
    await written([draft(one) for one in members_])
    with sql.counted_statements() as statements:
        await sending.send_due(
            NOON, pusher=Provider(), mailer=None, policy=NO_RULES, sender_id=new_id()
        )
    marks = [one for one in statements if "'attempting', attempts" in one]
    assert len(marks) == 5
    assert len([one for one in statements if one not in ("BEGIN", "COMMIT")]) <= 9 + 5 * 5


# ---------------------------------------------------------------- the quota


async def test_no_sliding_minute_has_more_than_the_quota(
    database: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    members_ = await willing(300)
    await written([draft(one) for one in members_])
    moved: list[int] = [clock.system_now()]
    monkeypatch.setattr(clock, "system_now", lambda: moved[0])
    sent_at: list[int] = []

    def deal(_one: PushMessage) -> Outcome:
        sent_at.append(moved[0])
        return SENT

    provider = Provider(deal)
    while len(sent_at) < 300:
        await asyncio.gather(
            *(
                sending.send_due(
                    NOON, pusher=provider, mailer=None, policy=NO_RULES, sender_id=new_id(),
                    limit=30, messages_per_minute=100,
                )
                for _ in range(2)
            )
        )  # fmt: skip
        moved[0] += 7 * SECOND
    for began in sent_at:
        assert sum(began <= one < began + 60 * SECOND for one in sent_at) <= 100
    took = (sent_at[-1] - sent_at[0]) / SECOND
    assert took <= 2 * (sending_rates.COUNTED_SECONDS + 7) + 14


async def test_what_a_provider_gets_first_is_of_no_earlier_reservation(
    database: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An access token may take longer than a reservation holds: then another one is made."""
    [member] = await willing(1)
    await written([draft(member)])
    provider = Provider()
    made: list[float] = []
    passed: list[float] = [0.0]
    real = sending_rates.reserved

    async def reserved(quota: int, wanted: int) -> sending_rates.Reservation:
        made.append(passed[0])
        return await real(quota, wanted)

    async def slowly(messages: list[PushMessage]) -> list[Outcome]:
        if not messages:
            passed[0] += 10
        return await Provider.send(provider, messages)

    provider.send = slowly  # type: ignore[assignment]
    monkeypatch.setattr(sending_rates, "reserved", reserved)
    monkeypatch.setattr(sending_rates, "time", SimpleNamespace(monotonic=lambda: passed[0]))
    await sent_all(provider)
    assert len(provider.tokens) == 1
    assert made == [0, 10]
