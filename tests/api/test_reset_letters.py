"""The letter of a password reset leaves, whatever dies on its way, and no code lies in wait."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from structlog.testing import capture_logs

from server.clock import MICROSECONDS_PER_SECOND, Instant, system_now
from server.integrations import email
from server.integrations.email import LetterRefused, MailUnavailable, Post
from server.members import jobs, reset_requests
from server.storage import sql
from tests.api.calling import NOBODY, Api, Json, dump
from tests.api.password_steps import NEW, address_of, sign_in
from tests.members.letterbox import SENDER, Letterbox, arrived, code_in, opened_letterbox


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(email, "PAUSES_SECONDS", ())


async def ask(api: Api, address: str) -> Json:
    return await api.mutate("requestPasswordReset", {"email": address}, NOBODY, at=None)


async def requests() -> list[tuple[str, int]]:
    """The addresses of the requests that are kept, and how often each was written to."""
    rows = await sql.fetch("SELECT email_key, letters FROM reset_requests ORDER BY id")
    return [(row[0], row[1]) for row in rows]


async def run(after_seconds: float = 0) -> int:
    """What the job does, so much later."""
    (job,) = jobs.JOBS
    now = Instant(system_now() + int(after_seconds * MICROSECONDS_PER_SECOND))
    assert job.is_due is not None
    if not await job.is_due(now):
        return 0
    return await job.run(now)


class Away(Letterbox):
    """A mail server that is away, or refuses, until it's told otherwise."""

    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self.failure: Exception | None = failure
        self.tried = 0

    async def send(self, letter: object) -> None:
        self.tried += 1
        if self.failure is not None:
            raise self.failure
        await super().send(letter)  # type: ignore[arg-type]


async def test_a_process_that_dies_before_the_letter_leaves_it_to_the_next(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = await address_of(await api.member())
    with monkeypatch.context() as dying:
        dying.setattr(Post, "add", lambda *_: True)  # and nothing comes of it
        assert (await ask(api, address))["__typename"] == "PasswordResetRequested"
    assert await requests() == [(address, 0)]
    async with opened_letterbox():
        assert await run() == 0  # whose request it was may be at it
        assert await run(reset_requests.TRIED_SECONDS) == 1
        (letter,) = await arrived()
    assert letter["To"] == address
    assert await requests() == []
    given = {"code": code_in(letter), "newPassword": NEW}
    told = await api.mutate("resetPassword", given, NOBODY, at=None)
    assert told["__typename"] == "PasswordWasReset"
    assert await sign_in(api, address, NEW) == "Session"


async def test_a_process_that_dies_with_the_letter_in_hand_leaves_another_one(api: Api) -> None:
    address = await address_of(await api.member())

    class Dying(Letterbox):
        async def send(self, _letter: object) -> None:
            raise asyncio.CancelledError

    async with email.posting(Dying(), sender=SENDER) as post:
        assert post is not None
        await ask(api, address)
        await post.emptied()
    assert await requests() == [(address, 1)]
    async with opened_letterbox():
        assert await run(reset_requests.TRIED_SECONDS) == 1
        assert [letter["To"] for letter in await arrived()] == [address]
    assert await requests() == []


async def test_a_mail_server_that_is_away_for_long_gets_the_letter_when_it_is_back(
    api: Api,
) -> None:
    address = await address_of(await api.member())
    box = Away(MailUnavailable("421"))
    with time_machine.travel(datetime.now(UTC), tick=False) as clock, capture_logs():
        async with email.posting(box, sender=SENDER) as post:
            assert post is not None
            await ask(api, address)
            await post.emptied()
            for _ in range(9):  # more often than the letters that one account may be sent
                clock.shift(timedelta(seconds=reset_requests.TRIED_SECONDS))
                assert await run() == 1
                await post.emptied()
            assert box.tried == 10
            box.failure = None
            clock.shift(timedelta(seconds=reset_requests.TRIED_SECONDS))
            assert await run() == 1
            await post.emptied()
            clock.shift(timedelta(minutes=14))
            given = {"code": code_in(box.letters[0]), "newPassword": NEW}
            told = await api.mutate("resetPassword", given, NOBODY, at=None)
    assert told["__typename"] == "PasswordWasReset"
    assert await requests() == []


async def test_what_is_refused_or_to_nobody_is_not_tried_again(api: Api) -> None:
    address = await address_of(await api.member())
    box = Away(LetterRefused("550"))
    with capture_logs():
        async with email.posting(box, sender=SENDER) as post:
            assert post is not None
            await ask(api, address)
            await ask(api, "nobody@example.com")
            await post.emptied()
    assert box.tried == 1
    assert await requests() == []


async def test_a_letter_is_given_up_after_an_hour_with_or_without_mail(api: Api) -> None:
    box = Away(MailUnavailable("421"))
    address = await address_of(await api.member())
    with capture_logs():
        async with email.posting(box, sender=SENDER) as post:
            assert post is not None
            await ask(api, address)
            await post.emptied()
    email._posts.clear()
    assert await run(reset_requests.KEPT_SECONDS - 5) == 0
    assert await requests() == [(address, 1)]
    with capture_logs() as logs:
        assert await run(reset_requests.KEPT_SECONDS) == 0
    assert await requests() == []
    assert [(log["event"], log["count"]) for log in logs] == [("reset letters given up", 1)]
    assert address not in str(logs)


async def test_two_processes_send_one_letter(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    address = await address_of(await api.member())
    with monkeypatch.context() as dying:
        dying.setattr(Post, "add", lambda *_: True)
        await ask(api, address)
    later = reset_requests.TRIED_SECONDS
    assert sorted(await asyncio.gather(run(later), run(later))) == [0, 1]
    assert len(await arrived()) == 1


async def test_a_sender_that_was_overtaken_neither_writes_nor_removes(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = await address_of(await api.member())
    late: list[object] = []
    with monkeypatch.context() as slow:
        slow.setattr(Post, "add", lambda _post, job, settled: late.extend((job, settled)))
        await ask(api, address)
        await run(reset_requests.TRIED_SECONDS)
    first, settle_first, *_second = late
    assert await first() is None  # type: ignore[operator]
    await settle_first()  # type: ignore[operator]
    assert await requests() == [(address, 0)]


async def test_while_a_letter_waits_the_database_has_no_code(api: Api) -> None:
    address = await address_of(await api.member())
    box = Away(MailUnavailable("421"))
    seen: list[str] = []

    async def kept(letter: object) -> None:
        seen.append(code_in(letter))  # type: ignore[arg-type]
        raise MailUnavailable("421")

    box.send = kept  # type: ignore[method-assign]
    with capture_logs() as logs:
        async with email.posting(box, sender=SENDER) as post:
            assert post is not None
            await ask(api, address)
            await post.emptied()
    (code,) = seen
    assert await requests() == [(address, 1)]
    rows = await sql.fetch("SELECT * FROM reset_requests")
    assert code not in str([tuple(row) for row in rows]) + str(await dump())
    assert code not in str(logs)
