"""Deliveries over real sockets: signed, in order, tried again, given up, replayed."""

import asyncio
import itertools
import json

import pytest

from server.clock import Instant
from server.members import service as members
from server.principal import StaffRole
from server.storage import sql
from server.storage.database import Address
from server.webhooks import claiming, delivering, rules, service
from server.webhooks.delivering import deliver_due
from server.webhooks.rules import DisabledReason, State, Status
from server.webhooks.sending import Answer, http_sender
from tests.members.letterbox import arrived, opened_letterbox
from tests.members.people import PASSWORD_HASH
from tests.webhooks.living import (
    HOUR,
    SECOND,
    after,
    all_deliveries,
    event,
    outbox_kinds,
    published,
    secret_of,
    statuses,
    subscribed,
    subscription,
    told,
)
from tests.webhooks.receiver import Request, answer, receiving


@pytest.fixture(autouse=True)
async def programme(database: Address) -> None:
    await published()


async def test_a_delivery_is_signed_so_that_receivers_libraries_take_it() -> None:
    async with receiving() as shop:
        made = await subscribed(shop.url)
        happened = event("points.earned", reference=None)
        await told(happened)
        assert await deliver_due(after()) == 1
        (got,) = shop.requests
        assert got.path == "/hooks"
        assert got.is_signed_with(await secret_of(made))
        assert not got.is_signed_with("whsec_" + "A" * 43 + "=")
        assert got.message_id == f"evt_{happened.id}"
        assert got.headers["content-type"] == "application/json"
        assert got.message == {
            "type": "points.earned",
            "version": 1,
            "timestamp": "2026-03-04T17:00:00Z",
            "data": {
                "memberId": "TWVtYmVyOjc=",
                "points": 120,
                "reason": "PURCHASE",
                "purchaseId": None,
                "availableAt": "2026-01-31T12:00:00Z",
                "expiresAt": "2027-01-31T12:00:00Z",
            },
        }
        (one,) = await all_deliveries()
        assert (one.status, one.attempts, one.answer_status) == (Status.DELIVERED, 1, 200)
        assert await deliver_due(after(1)) == 0


async def test_both_secrets_sign_while_one_follows_the_other_and_then_the_new_one_alone() -> None:
    async with receiving() as shop:
        made = await subscribed(shop.url)
        async with sql.transaction():
            rotated = await service.rotate_secret(made.subscription.id, now=after())
        former, new = await secret_of(made), await secret_of(rotated)
        assert former != new
        for hours, expected in ((0, (True, True)), (23.9, (True, True)), (24, (False, True))):
            await told(event("member.updated"))
            assert await deliver_due(after(hours)) == 1
            got = shop.requests[-1]
            assert (got.is_signed_with(former), got.is_signed_with(new)) == expected, hours


async def test_however_often_secrets_are_replaced_only_the_newest_sign() -> None:
    async with receiving() as shop:
        made = await subscribed(shop.url)
        secrets = [await secret_of(made)]
        for _ in range(9):
            async with sql.transaction():
                rotated = await service.rotate_secret(made.subscription.id, now=after())
            secrets.append(await secret_of(rotated))
        await told(event("member.updated"))
        await deliver_due(after())
        (got,) = shop.requests
        assert [got.is_signed_with(one) for one in secrets] == [False] * 5 + [True] * 5
        assert len(got.headers["webhook-signature"].split(" ")) == 5


async def test_a_members_events_wait_for_each_other_and_other_members_do_not() -> None:
    failing = True

    def behave(request: Request) -> bytes:
        is_first = request.message["data"].get("challenge") == "first"
        return answer(500 if is_first and failing else 200)

    async with receiving(behave) as shop:
        await subscribed(shop.url)
        await told(
            event("challenge.completed", 7, challenge="first"),
            event("challenge.completed", 7, challenge="second"),
            event("challenge.completed", 8, challenge="other"),
            event("definition.published", None),
        )
        await deliver_due(after())
        assert sorted(one.message["data"].get("challenge", "-") for one in shop.requests) == [
            *("-", "first", "other")
        ]
        assert await deliver_due(after(seconds=4)) == 0
        failing = False
        assert await deliver_due(after(seconds=6)) == 2
        assert [one.message["data"]["challenge"] for one in shop.requests[-2:]] == [
            *("first", "second")
        ]
        assert set(await statuses()) == {"delivered"}


async def test_each_members_events_arrive_in_order_however_many_deliver(engine: str) -> None:
    turn = 0
    taken: dict[str, list[int]] = {}

    def behave(request: Request) -> bytes:
        nonlocal turn
        turn += 1
        if turn % 7 == 0:
            return answer(503)
        data = request.message["data"]
        taken.setdefault(data["memberId"], []).append(data["times"])
        return answer()

    async with receiving(behave) as shop:
        await subscribed(shop.url, "challenge.completed")
        for member in range(1, 13):
            await told(
                *(event("challenge.completed", member, times=number) for number in range(1, 7))
            )
        for minute in range(200):
            await asyncio.gather(*(deliver_due(after(minute / 10)) for _ in range(2)))
            if set(await statuses()) == {"delivered"}:
                break
        assert len(taken) == 12
        assert set(map(tuple, taken.values())) == {(1, 2, 3, 4, 5, 6)}
        assert 1 < shop.most_at_once <= claiming.PER_ENDPOINT
        assert len(shop.requests) == turn


async def test_it_is_tried_for_three_days_and_then_a_dead_letter_which_can_be_replayed() -> None:
    async with receiving(lambda _: answer(500)) as shop:
        made = await subscribed(shop.url)
        await told(event("tier.changed", 7), event("tier.changed", 7, after="Diamond"))
        now = after()
        attempted: list[int] = []
        while len(attempted) < 20:
            first = (await all_deliveries())[0]
            if first.status is Status.DEAD:
                break
            now = max(now, first.due_at)
            attempted.append((now - after()) // SECOND)
            await deliver_due(now)
        pauses = [b - a for a, b in itertools.pairwise(attempted)]
        assert len(pauses) == len(rules.PAUSES_SECONDS)
        for pause, least in zip(pauses, rules.PAUSES_SECONDS, strict=True):
            assert least <= pause <= least * 1.1 + 1
        assert 72 * 3_600 <= attempted[-1] <= 84 * 3_600
        first, second = await all_deliveries()
        assert (first.attempts, first.error, first.answer_status) == (10, "HTTP 500", 500)
        # The next event of the member has gone on, and failed too: so the endpoint is disabled.
        assert [one.message["data"]["after"] for one in shop.requests[-2:]] == ["Gold", "Diamond"]
        assert (await subscription(made.subscription.id)).state is State.DISABLED
        assert (second.status, second.error) == (Status.DEAD, "disabled")
        shop.behave = lambda _: answer()
        later = Instant(now + HOUR)
        async with sql.transaction():
            await service.resume(made.subscription.id, now=later)
            replayed = await service.replay_since(made.subscription.id, after(), now=later)
        assert (replayed.count, replayed.has_more) == (2, False)
        before = len(shop.requests)
        assert await deliver_due(later) == 2
        assert [one.message["data"]["after"] for one in shop.requests[before:]] == [
            *("Gold", "Diamond")
        ]
        assert shop.requests[before].message_id == shop.requests[0].message_id
        assert await statuses() == ["delivered", "delivered"]


async def test_one_event_that_can_not_be_taken_is_its_own_dead_letter() -> None:
    async with receiving(lambda _: answer(400)) as shop:
        made = await subscribed(shop.url)
        await told(event("member.created"))
        for hours in (0, 1, 2, 5, 11, 22, 37, 58, 83):
            await deliver_due(after(hours))
        await deliver_due(after(84.5))
        (dead,) = await all_deliveries()
        assert dead.status is Status.DEAD
        assert (await subscription(made.subscription.id)).state is State.ACTIVE
        async with sql.transaction():
            again = await service.replay(dead.id, now=after(100))
        assert (again.status, again.attempts, again.error) == (Status.QUEUED, 0, None)
        shop.behave = lambda _: answer(204, b"")
        assert await deliver_due(after(100)) == 1
        assert await statuses() == ["delivered"]
        assert (await subscription(made.subscription.id)).failing_since is None


async def test_an_endpoint_that_is_gone_is_disabled_at_once_with_a_notice() -> None:
    async with receiving(lambda _: answer(410)) as gone, receiving() as other:
        made = await subscribed(gone.url, name="Old CRM")
        await subscribed(other.url, "webhook.disabled", "member.updated")
        async with opened_letterbox():
            async with sql.transaction():
                await members.create_staff("boss@example.com", PASSWORD_HASH, StaffRole.MANAGER)
                await members.create_staff("aud@example.com", PASSWORD_HASH, StaffRole.AUDITOR)
            await told(event("member.updated", 7), event("member.updated", 7))
            await deliver_due(after())
            (letter,) = await arrived()
        assert letter["To"] == "boss@example.com"
        assert "Old CRM" in letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        found = await subscription(made.subscription.id)
        assert (found.state, found.disabled_reason) == (State.DISABLED, DisabledReason.GONE)
        of_gone = [
            one for one in await all_deliveries() if one.subscription_id == made.subscription.id
        ]
        assert [(one.status, one.attempts) for one in of_gone] == [
            *((Status.DEAD, 1), (Status.DEAD, 0))
        ]
        assert await outbox_kinds() == ["webhook.disabled"]
        # What happens from now on is not kept for it, and the other one is told that it is off.
        await told(
            event("webhook.disabled", None, subscription_id=made.subscription.id),
            event("member.updated", 8),
        )
        await deliver_due(after(1))
        assert len(gone.requests) == 1
        assert sorted(other.kinds) == ["member.updated"] * 3 + ["webhook.disabled"]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (answer(302, Location="http://127.0.0.1:1/"), "HTTP 302"),
        (answer(304, b""), "HTTP 304"),
        (b"garbage\r\n\r\n", "malformed answer"),
        (b"", "disconnected"),
        (b"HTTP/1.1 200", "disconnected"),
        (answer(500, X="y" * 100_000), "malformed answer"),
        (answer(503, Retry_After="Wed, 04 Mar 99999999999999999999 16:00:00 GMT"), "HTTP 503"),
    ],
)
async def test_whatever_else_is_answered_is_a_failure_that_is_tried_again(
    said: bytes, error: str
) -> None:
    async with receiving(lambda _: said) as shop:
        await subscribed(shop.url)
        await told(event("member.updated"))
        await deliver_due(after())
        (one,) = await all_deliveries()
        assert (one.status, one.attempts) == (Status.QUEUED, 1)
        assert one.error == error
        assert one.due_at >= after(seconds=5)
        assert len(shop.requests) == 1, "no redirect is followed"


async def test_success_is_the_status_whatever_the_body_is() -> None:
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"4000\r\n" + b"x" * 9_000
    async with receiving(lambda _: endless) as shop:
        await subscribed(shop.url)
        await told(event("member.updated"))
        await deliver_due(after())
        assert await statuses() == ["delivered"]
        assert len(shop.requests) == 1


async def test_who_does_not_answer_is_given_up_after_the_time_limit() -> None:
    async with receiving(lambda _: None) as shop:
        await subscribed(shop.url)
        await told(event("member.updated"))
        async with http_sender(timeout_seconds=0.05) as sender:
            await deliver_due(after(), sender=sender)
        (one,) = await all_deliveries()
        assert (one.status, one.error, one.answer_status) == (Status.QUEUED, "timeout", None)


async def test_what_one_endpoint_answers_stops_no_others_deliveries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever it is that reading an answer stumbles over."""

    def stumble(*_: object) -> int:
        raise ArithmeticError("nobody thought of it")

    monkeypatch.setattr(rules, "retry_after_seconds", stumble)
    async with receiving(lambda one: answer(500 if one.path == "/odd" else 200)) as shop:
        await subscribed(shop.url.replace("/hooks", "/odd"))
        await subscribed(shop.url)
        await told(event("member.updated", 7), event("member.updated", 8))
        assert await deliver_due(after()) == 4
    found = sorted((one.status.value, one.error) for one in await all_deliveries())
    assert found == [("delivered", None)] * 2 + [("queued", "malformed answer")] * 2


async def test_slow_endpoints_keep_no_other_waiting() -> None:
    """Twenty endpoints with all the attempts that they may have, none of which is answered: what
    happens meanwhile reaches the others, also when the run is to end."""
    slow_ones, fast_ones = asyncio.Event(), asyncio.Event()

    class Patient:
        async def send(self, url: str, *_: object) -> Answer:
            if url.endswith("fast"):
                fast_ones.set()
            else:
                await slow_ones.wait()
            return Answer(200)

    for number in range(20):
        await subscribed(f"http://127.0.0.1:9/slow{number}", "member.updated")
    await subscribed("http://127.0.0.1:9/fast", "member.created")
    await told(*(event("member.updated", member) for member in range(1, 11)))
    run = asyncio.create_task(deliver_due(after(), sender=Patient()))
    async with asyncio.timeout(30):
        for _ in range(2):
            await told(event("member.created"), now=after())
            await fast_ones.wait()
            fast_ones.clear()
        slow_ones.set()
        await run
    assert set(await statuses()) == {"delivered"}


async def test_a_run_that_is_over_waits_for_the_slow_and_serves_the_others_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    slow_ones = asyncio.Event()

    class Patient:
        async def send(self, url: str, _headers: object, body: str, _now: object) -> Answer:
            asked.append(url[-4:])
            if url.endswith("slow"):
                await slow_ones.wait()
            return Answer(200)

    await subscribed("http://127.0.0.1:9/slow")
    await subscribed("http://127.0.0.1:9/fast", "member.created")
    await told(event("member.updated"))
    monkeypatch.setattr(delivering, "RUN_SECONDS", 0)
    monkeypatch.setattr(delivering, "LOOK_SECONDS", 0.01)
    run = asyncio.create_task(deliver_due(after(), sender=Patient()))
    async with asyncio.timeout(30):
        while not asked:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        for number in range(1, 4):
            await told(event("member.created", number), now=after())
            while asked.count("fast") < number:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        slow_ones.set()
        assert await run == 4
    assert sorted(asked) == ["fast"] * 3 + ["slow"]
    # The slow one's wait for the next run.
    assert sorted(await statuses()) == ["delivered"] * 4 + ["queued"] * 3


async def test_an_endpoint_may_ask_for_more_time_within_bounds() -> None:
    for asked, least, most in (("600", 600, 661), ("999999999", 86_400, 95_041)):
        async with receiving(lambda _, asked=asked: answer(429, Retry_After=asked)) as shop:  # type: ignore[misc]
            await subscribed(shop.url)
            await told(event("member.updated"))
            await deliver_due(after())
            one = (await all_deliveries())[-1]
            assert least <= (one.due_at - after()) // SECOND <= most


async def test_who_dies_while_attempting_leaves_it_to_the_next() -> None:
    async with receiving() as shop:
        await subscribed(shop.url)
        await told(event("member.updated"))
        shop.pause.clear()
        dying = asyncio.create_task(deliver_due(after()))
        await shop.begun.wait()
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
        shop.pause.set()
        assert await deliver_due(after()) == 0, "it is held"
        async with sql.transaction():
            await sql.execute("UPDATE webhook_deliveries SET claimed_until = 1")
        assert await deliver_due(after()) == 1
        assert await statuses() == ["delivered"]


async def test_who_has_lost_a_delivery_notes_nothing_of_it() -> None:
    async with receiving() as shop:
        await subscribed(shop.url)
        await told(event("member.updated"))
        (claimed,) = await claiming.claim(after(), room=5, without=())
        async with sql.transaction():
            await sql.execute("UPDATE webhook_deliveries SET claimed_until = 1")
        (again,) = await claiming.claim(after(), room=5, without=())
        assert await claiming.claim(after(), room=5, without=()) == []
        taken = Answer(200)
        await claiming.settle(claimed, taken, now=after())
        assert await statuses() == ["queued"]
        await claiming.settle(again, taken, now=after())
        assert await statuses() == ["delivered"]


async def test_what_happens_while_paused_is_told_when_resumed() -> None:
    async with receiving() as shop:
        made = await subscribed(shop.url)
        async with sql.transaction():
            await service.pause(made.subscription.id, now=after())
        await told(event("member.updated"))
        assert await deliver_due(after(1)) == 0
        assert await claiming.lag_seconds(after(1)) == 0
        async with sql.transaction():
            await service.resume(made.subscription.id, now=after(1))
        assert await claiming.lag_seconds(after(1)) == 3_600
        assert await deliver_due(after(1)) == 1
        assert await claiming.lag_seconds(after(1)) == 0


async def test_what_was_deleted_is_told_nothing_more() -> None:
    async with receiving() as shop:
        made = await subscribed(shop.url)
        await told(event("member.updated"))
        async with sql.transaction():
            await service.delete(made.subscription.id, now=after())
        assert await deliver_due(after()) == 0
        assert await statuses() == ["cancelled"]
        assert await service.find(made.subscription.id) is None


async def test_a_ping_waits_for_nobody() -> None:
    async with receiving(lambda one: answer(200 if b"ping" in one.body else 500)) as shop:
        made = await subscribed(shop.url, "member.updated")
        await told(event("definition.published", None), event("member.updated"))
        await deliver_due(after())
        async with sql.transaction():
            await service.queue_ping(
                made.subscription.id, json.dumps({"type": "ping"}), event_id=5, now=after()
            )
        await deliver_due(after())
        assert shop.kinds[-1] == "ping"


async def test_settled_deliveries_go_after_their_time() -> None:
    async with receiving() as shop:
        made = await subscribed(shop.url)
        await told(event("member.updated"))
        await deliver_due(after())
        async with sql.transaction():
            await service.pause(made.subscription.id, now=after())
        await told(event("member.updated"))
        assert await service.purge(after(30 * 24)) == 0
        assert await service.purge(after(30 * 24 + 1)) == 2
        (dead,) = await all_deliveries()
        assert (dead.status, dead.error) == (Status.DEAD, "paused")
        assert await service.purge(after(121 * 24)) == 1
        assert await all_deliveries() == []
