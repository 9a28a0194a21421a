"""The post: letters on their way, sent again, given up, and never a burden to the server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from email.message import EmailMessage

import pytest
from structlog.testing import capture_logs

from server.integrations import email
from server.integrations.email import Post, SmtpMailer
from server.integrations.mail_addresses import SmtpServer
from server.storage.database import Address
from tests.integrations.mail_server import (
    SENDER,
    TO,
    Inbox,
    Start,
    closed,
    free_port,
    serving,
    written,
)


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts mail servers that end with the test."""
    with serving() as serve:
        yield serve
    await closed()


def mailer(url: str) -> SmtpMailer:
    return SmtpMailer(SmtpServer.of(url), timeout_seconds=5)


@contextmanager
def pauses(monkeypatch: pytest.MonkeyPatch, *seconds: float) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setattr(email, "PAUSES_SECONDS", seconds)
        yield


async def job() -> EmailMessage:
    return written()


async def test_a_letter_is_sent_again_until_it_is_taken(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = Inbox("451 later", "421 later")
    post = Post(mailer(f"smtp://{start(inbox)}"), sender=SENDER)
    with pauses(monkeypatch, 0, 0, 0), capture_logs() as logs:
        assert post.add(job)
        await post.emptied()
    assert len(inbox.letters) == 1
    assert [log["event"] for log in logs] == ["letter postponed"] * 2
    assert [log["reason"] for log in logs] == ["451", "421"]


async def test_a_letter_is_given_up_in_the_end_and_the_log_names_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    post = Post(mailer(f"smtp://127.0.0.1:{free_port()}"), sender=SENDER)
    with pauses(monkeypatch, 0, 0), capture_logs() as logs:
        post.add(job)
        await post.emptied()
    assert [log["event"] for log in logs] == ["letter postponed"] * 2 + ["letter not sent"]
    assert TO not in str(logs)
    assert "ABC234" not in str(logs)


async def test_a_refused_letter_is_not_sent_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = Inbox("554 never")
    post = Post(mailer(f"smtp://{start(inbox)}"), sender=SENDER)
    with pauses(monkeypatch, 0, 0), capture_logs() as logs:
        post.add(job)
        await post.emptied()
    assert inbox.envelopes == []
    assert [(log["event"], log["reason"]) for log in logs] == [("letter refused", "554")]


async def test_a_letter_that_can_not_be_written_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> EmailMessage:
        raise ValueError(TO)

    async def none() -> None:
        return None

    post = Post(mailer("smtp://127.0.0.1:1"), sender=SENDER)
    with pauses(monkeypatch, 0), capture_logs() as logs:
        post.add(broken)
        post.add(none)
        await post.emptied()
    assert [(log["event"], log["reason"]) for log in logs] == [("letter not sent", "ValueError")]
    assert TO not in str(logs)


class Slow:
    """A mailer that waits to be let go."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.changed = asyncio.Event()
        self.at_once = 0
        self.most_at_once = 0
        self.sent = 0

    async def are_under_way(self, number: int) -> None:
        """Wait until so many letters are."""
        async with asyncio.timeout(30):
            while self.at_once < number:
                self.changed.clear()
                await self.changed.wait()

    async def send(self, _letter: EmailMessage) -> None:
        self.at_once += 1
        self.changed.set()
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.opened.wait()
            self.sent += 1
        finally:
            self.at_once -= 1


async def test_the_post_takes_a_bounded_number_and_sends_a_few_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(email, "MAXIMUM_WAITING", 20)
    slow = Slow()
    post = Post(slow, sender=SENDER)
    with capture_logs() as logs:
        assert [post.add(job) for _ in range(21)] == [True] * 20 + [False]
    assert post.is_full
    assert [log["event"] for log in logs] == ["letter dropped"]
    await slow.are_under_way(email.SENDING_AT_ONCE)
    slow.opened.set()
    await post.emptied()
    assert (slow.sent, slow.most_at_once) == (20, email.SENDING_AT_ONCE)
    assert not post.is_full


@pytest.fixture
def slow(database: Address, monkeypatch: pytest.MonkeyPatch) -> Slow:
    """A slow mailer, and a post that closes at once."""
    monkeypatch.setattr(email, "CLOSING_SECONDS", 0)
    return Slow()


async def test_the_server_stops_without_waiting_for_letters_for_ever(slow: Slow) -> None:
    with capture_logs() as logs:
        async with email.posting(slow, sender=SENDER) as post:
            assert post is not None
            assert email.post() is post
            post.add(job)
            await asyncio.sleep(0)
    assert email.post() is None
    assert slow.sent == 0
    assert [(log["event"], log["count"]) for log in logs] == [("letters dropped", 1)]


async def test_without_a_mailer_there_is_no_post(database: Address) -> None:
    async with email.posting(None, sender=SENDER) as post:
        assert post is None
        assert email.post() is None
