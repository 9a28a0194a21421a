"""E-mail as a channel: over a real mail server on this machine, and when it fails."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from server.clock import Instant
from server.integrations.email import Post, SmtpMailer, posting
from server.integrations.mail_addresses import SmtpServer
from server.integrations.push import Outcome, OutcomeKind
from server.members import accounts
from server.notifications import emailing, receipts, sending, unsubscribe
from server.notifications.emailing import Letter
from server.notifications.shapes import Category, Channel, Policy
from server.storage import outbox, sql
from server.storage.database import Address
from server.work import relay
from tests.integrations.mail_server import SENDER, Inbox, Start, Strict, closed, free_port, serving
from tests.notifications.posting import NOON, addresses, deliveries, draft, members, say, written

PUBLIC_URL = "https://club.example.org"


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts mail servers that end with the test."""
    with serving() as serve:
        yield serve
    await closed()


@asynccontextmanager
async def open_post(place: str, *, public_url: str | None = PUBLIC_URL) -> AsyncIterator[Post]:
    mailer = SmtpMailer(SmtpServer.of(f"smtp://{place}"), timeout_seconds=5)
    async with posting(mailer, sender=SENDER, public_url=public_url) as post:
        assert post is not None
        yield post


def letter(member_id: int, number: int = 1, **facts: Any) -> Letter:
    """Marketing, if nothing else is said."""
    given: dict[str, Any] = {
        "category": Category.OFFERS,
        "locale": "en-US",
        "subject": "Two for one",
        "body": "Only today.\n\nOn <everything> & more.",
        "link": "https://shop.example.org/offers?a=1&b=2",
    }
    return Letter(delivery_id=number, member_id=member_id, **{**given, **facts})


async def addressed(count: int) -> list[int]:
    """Members with addresses."""
    ids = await members(count)
    async with sql.transaction():
        await addresses(ids)
    return ids


def raw(inbox: Inbox) -> bytes:
    """The first letter as it came over the wire."""
    content = inbox.envelopes[0].content
    assert isinstance(content, bytes)
    return content


def texts(message: EmailMessage) -> tuple[str, str]:
    """The plain text and the HTML."""
    plain, page = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert page is not None
    return plain.get_content().replace("\r\n", "\n"), page.get_content()


@pytest.mark.usefixtures("database")
async def test_marketing_has_text_and_html_and_a_way_out_by_one_click(start: Start) -> None:
    [member_id] = await addressed(1)
    inbox = Inbox()
    async with open_post(start(inbox)):
        [outcome] = await emailing.send([letter(member_id)])
        [again] = await emailing.send([letter(member_id)])
        [other] = await emailing.send([letter(member_id, 2)])
    first = inbox.letters[0]
    assert outcome == Outcome(kind=OutcomeKind.SENT, provider_id=first["Message-ID"])
    assert again == outcome, "the second of one delivery can be told"
    assert other.provider_id != outcome.provider_id
    assert first["To"] == f"m{member_id}@example.org"
    assert (first["From"], first["Subject"]) == (str(SENDER), "Two for one")
    way_out = first["List-Unsubscribe"]
    assert first["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"\r\nList-Unsubscribe: {way_out}\r\n".encode() in raw(inbox)
    token = way_out.removeprefix(f"<{PUBLIC_URL}/unsubscribe/").removesuffix(">")
    assert await unsubscribe.subscription_of(token) == (
        member_id,
        Channel.EMAIL,
        Category.OFFERS,
    )
    plain, page = texts(first)
    assert plain.split("\n\n")[:3] == [
        "Only today.",
        "On <everything> & more.",
        "Open\nhttps://shop.example.org/offers?a=1&b=2",
    ]
    assert way_out.strip("<>") in plain
    assert "<p>On &lt;everything&gt; &amp; more.</p>" in page
    assert f'<a href="{way_out.strip("<>")}">Unsubscribe with one click</a>' in page


@pytest.mark.usefixtures("database")
async def test_a_service_letter_needs_no_way_out_and_marketing_does_not_go_without(
    start: Start,
) -> None:
    [member_id] = await addressed(1)
    inbox = Inbox()
    service = letter(member_id, category=Category.SERVICE, link="app://orders/1")
    async with open_post(start(inbox), public_url=None):
        outcomes = await emailing.send([service, letter(member_id, 2)])
    assert [one.kind for one in outcomes] == [OutcomeKind.SENT, OutcomeKind.NOT_SET]
    assert outcomes[1].reason == "no_public_url"
    [arrived] = inbox.letters
    assert arrived["List-Unsubscribe"] is None
    assert "app://" not in texts(arrived)[0], "an app's link leads nowhere from a letter"


@pytest.mark.parametrize(
    ("subject", "shown"),
    [("two\r\nBcc: eve@example.com", "two Bcc: eve@example.com"), ("x" * 300, "x" * 199 + "…")],
    ids=["lines", "long"],
)
@pytest.mark.usefixtures("database")
async def test_a_subject_is_one_line(start: Start, subject: str, shown: str) -> None:
    [member_id] = await addressed(1)
    inbox = Inbox()
    async with open_post(start(inbox)):
        await emailing.send([letter(member_id, subject=subject)])
    assert inbox.letters[0]["Subject"] == shown
    assert inbox.envelopes[0].rcpt_tos == [f"m{member_id}@example.org"]


class Cut(Inbox):
    """Takes the letter and says nothing any more."""

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, conversation: Session, envelope: Envelope
    ) -> str:
        assert isinstance(server.transport, asyncio.WriteTransport)
        server.transport.abort()
        return await super().handle_DATA(server, conversation, envelope)


@pytest.mark.usefixtures("database")
async def test_answers_of_the_mail_server_are_outcomes(start: Start) -> None:
    ids = await addressed(3)
    cases = [
        (Inbox("554 no"), OutcomeKind.REFUSED, "smtp_554"),
        (Inbox("451 later"), OutcomeKind.UNAVAILABLE, "smtp_451"),
        (Cut(), OutcomeKind.IN_DOUBT, "smtpserverdisconnected"),
    ]
    for inbox, kind, reason in cases:
        async with open_post(start(inbox)):
            [outcome] = await emailing.send([letter(ids[0])])
        assert (outcome.kind, outcome.reason) == (kind, reason)
    strict = Strict()
    async with sql.transaction():
        await sql.execute(
            "UPDATE accounts SET email = '550x@example.org' WHERE member_id = $1", ids[1]
        )
        await sql.execute(
            "UPDATE accounts SET email = NULL, email_key = NULL WHERE member_id = $1", ids[2]
        )
    async with open_post(start(strict)):
        outcomes = await emailing.send([letter(one) for one in ids])
    assert [(one.kind, one.reason) for one in outcomes] == [
        (OutcomeKind.SENT, None),
        (OutcomeKind.REFUSED, "smtp_550"),
        (OutcomeKind.REFUSED, "no_address"),
    ]
    assert await emailing.send([letter(ids[0])]) == [
        Outcome(kind=OutcomeKind.NOT_SET, reason="no_mail_server")
    ], "outside of the block there is none"


async def sent_by(place: str | None, public_url: str | None = PUBLIC_URL) -> None:
    """Send what is due by the mail server there; without one, by none."""
    options: dict[str, Any] = {"pusher": None, "mailer": emailing.send, "policy": Policy()}
    if place is None:
        await sending.send_due(NOON, sender_id=1, **options)
        return
    async with open_post(place, public_url=public_url):
        await sending.send_due(NOON, sender_id=1, **options)


async def test_the_log_says_what_the_mail_server_said(database: Address, start: Start) -> None:
    [member_id] = await addressed(1)
    await say([member_id], Channel.EMAIL)
    ways: tuple[tuple[str | None, str | None], ...] = (
        (start(Inbox("554 no")), PUBLIC_URL),
        (start(Inbox()), None),
        (None, None),
        (start(Inbox("451 later")), PUBLIC_URL),
    )
    for number, (place, public_url) in enumerate(ways):
        await written([draft(member_id, topic=f"letter {number}", channels=(Channel.EMAIL,))])
        await sent_by(place, public_url)
    assert await deliveries() == [
        ("failed", "smtp_554"),
        ("failed", "no_public_url"),
        ("failed", "no_mail_server"),
        ("queued", "smtp_451"),
    ]


@pytest.mark.usefixtures("database")
async def test_of_a_mail_server_that_is_away_not_every_letter_finds_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = await addressed(20)
    async with open_post(f"127.0.0.1:{free_port()}") as post:
        attempts: list[object] = []
        attempt = post.attempt

        async def counted(message: EmailMessage) -> None:
            attempts.append(message)
            await attempt(message)

        monkeypatch.setattr(post, "attempt", counted)
        outcomes = await emailing.send([letter(one) for one in ids])
    assert {(one.kind, one.reason) for one in outcomes} == {
        (OutcomeKind.UNAVAILABLE, "smtpconnecterror")
    }
    assert len(attempts) <= 4


# ---------------------------------------------------------------- receipts


async def told(kind: str, member_id: int | None) -> None:
    async with sql.transaction():
        outbox.put(kind, member_id, {}, occurred_at=NOON)


async def test_receipts_survive_what_dies_and_reach_the_member_in_their_language(
    database: Address, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    [member_id] = await addressed(1)
    async with sql.transaction():
        await sql.execute("UPDATE members SET locale = 'lt-LT' WHERE id = $1", member_id)
    for kind, whose in (
        ("account.opened", member_id),
        ("password.changed", member_id),
        ("password.changed", None),
        ("points.earned", member_id),
    ):
        await told(kind, whose)
    monkeypatch.setattr(relay, "_followers", (receipts.follow,))
    assert await relay.relay(NOON) == 4
    assert await deliveries() == [("queued", None)] * 2
    inbox = Inbox("451 later")
    async with open_post(start(inbox), public_url=None):
        for seconds in (1, 2_000):
            await sending.send_due(
                Instant(NOON + seconds * 1_000_000),
                pusher=None,
                mailer=emailing.send,
                policy=Policy(),
                sender_id=seconds,
            )
    assert await deliveries() == [("sent", None)] * 2
    subjects = sorted(one["Subject"] for one in inbox.letters)
    assert subjects == ["Jūsų paskyra paruošta", "Jūsų slaptažodis pakeistas"]
    assert {one["Content-Language"] for one in inbox.letters} == {"lt"}


@pytest.mark.usefixtures("database")
async def test_a_new_password_is_an_event_of_the_member_and_none_of_staff() -> None:
    [member_id] = await members(1)
    hashed = "a hash"
    async with sql.transaction():
        account_id = await accounts.create_account(member_id, "ada@example.com", hashed)
    async with sql.transaction():
        done = await accounts.change_password(
            account_id, old_hash=hashed, new_hash="another", kept_session_id=None
        )
    assert done.ended_sessions == 0
    events = [(one.kind, one.member_id) for one in await outbox.oldest(10)]
    assert events == [("password.changed", member_id)]
