"""A mail server on this machine, with a certificate that those it's given to trust."""

import asyncio
import email
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from server.clock import Instant
from server.integrations.letters import Code, Link, letter
from server.integrations.mail_addresses import mail_address, sender_of

Start = Callable[..., str]
"""Starts a server for an inbox, with options of aiosmtpd; answers host and port as in a URL."""


SENDER = sender_of("Laurel <laurel@shop.example>")
TO = "ada@example.com"
AT = Instant(1_772_600_767_890_123)


def written(to: str = TO, subject: str = "Set a new password") -> EmailMessage:
    """A letter with a line of each kind."""
    return letter(
        sender=SENDER,
        to=mail_address(to),
        subject=subject,
        lines=["Hello <you> & all.", Link("Open", "https://x.example/?a=1&b=2"), Code("ABC234")],
        language="en",
        at=AT,
    )


class Inbox:
    """What a mail server takes, and what it answers instead: one answer for each letter."""

    def __init__(self, *answers: str) -> None:
        self.envelopes: list[Envelope] = []
        self.encrypted: list[bool] = []
        self.greetings: list[str | None] = []
        self._answers = list(answers)

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, conversation: Session, envelope: Envelope
    ) -> str:
        if self._answers:
            return self._answers.pop(0)
        self.envelopes.append(envelope)
        self.encrypted.append(conversation.ssl is not None)
        self.greetings.append(conversation.host_name)
        return "250 OK"

    @property
    def letters(self) -> list[EmailMessage]:
        """What has arrived, read."""
        return [
            email.message_from_bytes(bytes(envelope.content), policy=default)  # type: ignore[arg-type] # bytes, for nothing is decoded
            for envelope in self.envelopes
        ]


class Strict(Inbox):
    """Does not know readers whose names begin with an SMTP code, and says that code."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        _server: SMTP,
        _conversation: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        if address[:3].isdigit():
            return f"{address[:3]} not now"
        envelope.rcpt_tos.append(address)
        return "250 OK"


async def closed() -> None:
    """Let what is closing on this loop be closed."""
    for _ in range(50):
        await asyncio.sleep(0)


class _Kept(Controller):
    """A controller that leaves no connection open when it stops."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._conversations: list[SMTP] = []

    def factory(self) -> SMTP:
        """A new conversation."""
        self._conversations.append(super().factory())  # type: ignore[no-untyped-call] # aiosmtpd's
        return self._conversations[-1]

    def end(self) -> None:
        """Hang up and stop."""
        asyncio.run_coroutine_threadsafe(self._hang_up(), self.loop).result(timeout=30)
        self.stop()

    async def _hang_up(self) -> None:
        for conversation in self._conversations:
            for transport in (conversation.transport, conversation._original_transport):
                if isinstance(transport, asyncio.WriteTransport):
                    transport.abort()
        await closed()


@contextmanager
def serving() -> Iterator[Start]:
    """Within the block mail servers can be started, which end with it."""
    controllers: list[_Kept] = []

    def start(inbox: Inbox, **options: Any) -> str:
        port = free_port()
        controller = _Kept(
            inbox, hostname="127.0.0.1", port=port, server_hostname="mail.test", **options
        )
        controller.start()
        controllers.append(controller)
        return f"127.0.0.1:{port}"

    try:
        yield start
    finally:
        for controller in controllers:
            controller.end()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def certified(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server on 127.0.0.1 shows, and a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    pem = serialization.Encoding.PEM
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=str(file))
