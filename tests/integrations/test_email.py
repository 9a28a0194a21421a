"""Letters over a real SMTP server on this machine, and what becomes of them when it fails."""

import asyncio
import email as standard
import ssl
from collections.abc import AsyncIterator
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult

from server.integrations.email import (
    FolderMailer,
    LetterRefused,
    MailUnavailable,
    SmtpMailer,
)
from server.integrations.mail_addresses import SmtpServer, mail_address
from tests.integrations.mail_server import (
    TO,
    Inbox,
    Start,
    Strict,
    certified,
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


def mailer(url: str, **options: Any) -> SmtpMailer:
    return SmtpMailer(SmtpServer.of(url), timeout_seconds=5, **options)


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example\nBcc: eve@example.com",
        "a\r\n@b.example",
        "a\x00@b.example",
        "",
        "a",
        "@b",
        "a@",
    ],
)
def test_an_address_can_not_begin_another_header(address: str) -> None:
    with pytest.raises(ValueError, match="no e-mail address"):
        mail_address(address)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("ada@example.com", "ada@example.com"),
        ("a,b@example.com", '"a,b"@example.com'),
        ("<eve>@example.com", '"<eve>"@example.com'),
        ('a"b@example.com', '"a\\"b"@example.com'),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
    ],
)
async def test_what_is_odd_in_an_address_reaches_one_reader_and_no_other(
    address: str, shown: str, start: Start
) -> None:
    inbox = Inbox()
    await mailer(f"smtp://{start(inbox)}").send(written(to=address))
    (envelope,) = inbox.envelopes
    assert envelope.rcpt_tos == [shown]
    (to,) = inbox.letters[0]["To"].addresses
    assert to.addr_spec == shown


# ---------------------------------------------------------------- the mail server's URL


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("smtp://mail.example", ("mail.example", 587, None, None, False, True)),
        ("smtps://mail.example", ("mail.example", 465, None, None, True, False)),
        ("smtp://127.0.0.1:25", ("127.0.0.1", 25, None, None, False, False)),
        ("smtp://[::1]:25/", ("::1", 25, None, None, False, False)),
        ("smtp://localhost?tls=required", ("localhost", 587, None, None, False, True)),
        ("smtp://relay:25?tls=none", ("relay", 25, None, None, False, False)),
        ("smtp://u%40x:p%2F%3A@m.example", ("m.example", 587, "u@x", "p/:", False, True)),
    ],
)
def test_a_url_says_where_the_server_is_and_how_to_speak_to_it(
    url: str, parts: tuple[object, ...]
) -> None:
    server = SmtpServer.of(url)
    assert parts == (
        server.host,
        server.port,
        server.user,
        server.password,
        server.uses_tls,
        server.requires_starttls,
    )
    assert "p/:" not in repr(server)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example",
        "http://u:hush@mail.example",
        "smtp://",
        "smtp://u:hush@mail.example:port",
        "smtp://u@mail.example",
        "smtp://u:hush@mail.example/path",
        "smtp://u:hush@mail.example?tls=maybe",
        "smtp://u:hush@mail.example?verify=no",
    ],
)
def test_another_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|smtp://") as caught:
        SmtpServer.of(url)
    assert "hush" not in str(caught.value)


# ---------------------------------------------------------------- conversations


async def test_a_letter_arrives_whole(start: Start) -> None:
    inbox = Inbox()
    await mailer(f"smtp://{start(inbox)}").send(written(subject="Naujas slaptažodis"))
    (envelope,), (read,) = inbox.envelopes, inbox.letters
    assert (envelope.mail_from, envelope.rcpt_tos) == ("laurel@shop.example", [TO])
    assert inbox.greetings == ["shop.example"]
    assert str(read["Subject"]) == "Naujas slaptažodis"
    assert all(line.isascii() for line in (envelope.content or b"").splitlines())


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server on this machine shows, and a client that trusts it."""
    return certified(tmp_path_factory.mktemp("tls"))


Contexts = tuple[ssl.SSLContext, ssl.SSLContext]


async def test_the_clear_is_left_for_tls_before_anything_is_said(
    start: Start, contexts: Contexts
) -> None:
    inbox = Inbox()
    place = start(inbox, tls_context=contexts[0], require_starttls=True)
    await mailer(f"smtp://{place}?tls=required", tls=contexts[1]).send(written())
    assert inbox.encrypted == [True]


async def test_tls_from_the_first_byte(start: Start, contexts: Contexts) -> None:
    inbox = Inbox()
    place = start(inbox, ssl_context=contexts[0])
    await mailer(f"smtps://{place}", tls=contexts[1]).send(written())
    assert len(inbox.letters) == 1


async def test_user_and_password_are_shown_under_tls(start: Start, contexts: Contexts) -> None:
    shown: list[object] = []

    def authenticate(*arguments: Any) -> AuthResult:
        data = arguments[-1]
        shown.append((data.login, data.password))
        return AuthResult(success=data.password == b"p/w", handled=False)

    inbox = Inbox()
    place = start(inbox, tls_context=contexts[0], authenticator=authenticate, auth_required=True)
    url = "smtp://laurel:{}@{}?tls=required"
    await mailer(url.format("p%2Fw", place), tls=contexts[1]).send(written())
    assert shown == [(b"laurel", b"p/w")]
    assert len(inbox.letters) == 1
    with pytest.raises(LetterRefused) as caught:
        await mailer(url.format("wrong", place), tls=contexts[1]).send(written())
    assert caught.value.reason == "535"
    assert len(inbox.letters) == 1


async def test_a_server_without_tls_gets_no_letter_that_needs_it(start: Start) -> None:
    inbox = Inbox()
    with pytest.raises(LetterRefused) as caught:
        await mailer(f"smtp://u:p@{start(inbox)}?tls=required").send(written())
    assert caught.value.reason == "no TLS"
    assert inbox.envelopes == []


async def test_a_server_that_nobody_vouches_for_gets_no_letter(
    start: Start, contexts: Contexts
) -> None:
    inbox = Inbox()
    place = start(inbox, tls_context=contexts[0])
    with pytest.raises(MailUnavailable):
        await mailer(f"smtp://{place}?tls=required").send(written())
    place = start(inbox, ssl_context=contexts[0])
    with pytest.raises(MailUnavailable):
        await mailer(f"smtps://{place}").send(written())
    assert inbox.envelopes == []


async def test_an_answer_of_4xx_may_change_and_one_of_5xx_does_not(start: Start) -> None:
    place = start(Inbox("451 later", "554 never"))
    with pytest.raises(MailUnavailable) as later:
        await mailer(f"smtp://{place}").send(written())
    with pytest.raises(LetterRefused) as never:
        await mailer(f"smtp://{place}").send(written())
    assert (later.value.reason, never.value.reason) == ("451", "554")


async def test_a_refused_reader_is_told_from_one_who_is_busy(start: Start) -> None:
    place = start(Strict())
    with pytest.raises(MailUnavailable, match="450"):
        await mailer(f"smtp://{place}").send(written(to="450@example.com"))
    with pytest.raises(LetterRefused, match="550"):
        await mailer(f"smtp://{place}").send(written(to="550@example.com"))


async def test_where_nobody_listens_mail_is_unavailable() -> None:
    with pytest.raises(MailUnavailable, match="SMTPConnectError"):
        await mailer(f"smtp://127.0.0.1:{free_port()}").send(written())


async def test_a_server_that_says_nothing_is_left() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(MailUnavailable, match="Timeout"):
            await SmtpMailer(SmtpServer.of(f"smtp://127.0.0.1:{port}"), timeout_seconds=0.05).send(
                written()
            )
        await closed()


# ---------------------------------------------------------------- a folder


async def test_a_folder_keeps_letters_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "mail"
    for subject in ("first", "second"):
        await FolderMailer(folder).send(written(subject=subject))
    files = sorted(folder.iterdir())
    assert [file.suffix for file in files] == [".eml", ".eml"]
    assert {file.stat().st_mode & 0o777 for file in (*files,)} == {0o600}
    read = [standard.message_from_bytes(file.read_bytes(), policy=default) for file in files]
    assert {message["Subject"] for message in read} == {"first", "second"}
    assert [str(message["To"]) for message in read] == [TO, TO]


async def test_a_folder_that_can_not_be_written_is_mail_that_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file")
    with pytest.raises(MailUnavailable):
        await FolderMailer(tmp_path / "mail").send(written())
