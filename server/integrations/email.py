"""E-mail: what sends letters, by SMTP or into a folder, and the post that they wait in.

A letter is sent beside the request that caused it, tried again when the mail server asks for it,
and given up after a few minutes. What must outlive the process stands in the database as well,
until the post says that the letter is settled. Neither addresses nor letters are logged.
"""

import asyncio
import os
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTPUTF8
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

import structlog
from tortoise.connection import get_connections

from server.clock import system_now
from server.integrations.mail_addresses import SmtpServer
from server.storage import sql
from server.storage.ids import new_id

if TYPE_CHECKING:
    import aiosmtplib

SMTP_TIMEOUT_SECONDS = 10
"""For each step of a conversation with the mail server."""
SENDING_AT_ONCE = 4
MAXIMUM_WAITING = 1_000
"""Letters in the post of one process."""
PAUSES_SECONDS: tuple[float, ...] = (2, 10, 60)
"""Between one attempt to send a letter and the next."""
CLOSING_SECONDS = 5
"""How long letters under way may take when the server stops."""

_log = structlog.get_logger("mail")


class LetterRefused(Exception):
    """The letter will not be taken, however often it's sent. `reason` is a code or a word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MailUnavailable(Exception):
    """The letter was not taken now and may be later. `reason` is a code or a word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MailInDoubt(MailUnavailable):
    """The connection was lost while the letter was handed over: it may have been taken."""


class Mailer(Protocol):
    """Sends letters."""

    async def send(self, letter: EmailMessage) -> None:
        """Send it to whom its To names. Raises LetterRefused and MailUnavailable; MailInDoubt if
        it may have been taken all the same."""


# ---------------------------------------------------------------- SMTP


class SmtpMailer:
    """Sends letters to a mail server, each over a connection of its own."""

    def __init__(
        self,
        server: SmtpServer,
        *,
        timeout_seconds: float = SMTP_TIMEOUT_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`tls` says whom to trust; without it, whom this machine trusts."""
        self._server = server
        self._timeout_seconds = timeout_seconds
        self._tls = tls

    async def send(self, letter: EmailMessage) -> None:
        """Send it. Raises LetterRefused and MailUnavailable; MailInDoubt if it was lost in DATA."""
        import aiosmtplib  # noqa: PLC0415 - slow to load, and most servers start without need of it

        server = self._server
        try:
            async with _client_class()(
                hostname=server.host,
                port=server.port,
                username=server.user,
                password=server.password,
                # Otherwise it would ask the resolver for this machine's name, and wait for it.
                local_hostname=letter["From"].addresses[0].domain,
                timeout=self._timeout_seconds,
                use_tls=server.uses_tls,
                start_tls=server.requires_starttls,
                tls_context=self._tls,
            ) as connection:
                await connection.send_message(letter)
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _failure(min(refused.code for refused in error.recipients)) from None
        except aiosmtplib.SMTPResponseException as error:
            raise _failure(error.code) from None
        except aiosmtplib.SMTPNotSupported:
            raise LetterRefused("not supported") from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            if server.requires_starttls and _lacks_starttls(error):
                raise LetterRefused("no TLS") from None
            raise MailUnavailable(type(error).__name__) from None
        except ValueError:  # what the letter's headers can't hold
            raise LetterRefused("malformed") from None


@cache
def _client_class() -> "type[aiosmtplib.SMTP]":
    import aiosmtplib  # noqa: PLC0415 - as above

    class Client(aiosmtplib.SMTP):
        """Says so if it's lost from DATA on: the server may have the letter, and its answer not
        have come back."""

        async def data(self, *arguments: Any, **options: Any) -> Any:
            """Hand the letter over."""
            try:
                return await super().data(*arguments, **options)
            except aiosmtplib.SMTPResponseException:
                raise  # an answer: it was not taken
            except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
                raise MailInDoubt(type(error).__name__) from None

    return Client


def _failure(code: int) -> LetterRefused | MailUnavailable:
    return LetterRefused(str(code)) if code >= 500 else MailUnavailable(str(code))


def _lacks_starttls(error: BaseException) -> bool:
    return bool(re.search("STARTTLS.*not supported", str(error), re.IGNORECASE))


# ---------------------------------------------------------------- a folder


class FolderMailer:
    """Writes letters into a folder instead of sending them, for whoever builds an app."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, letter: EmailMessage) -> None:
        """Write it as `<microseconds>-<id>.eml`, by the time of writing; for the owner alone.

        Raises MailUnavailable.
        """
        try:
            await asyncio.to_thread(self._write, letter)
        except OSError as error:
            raise MailUnavailable(type(error).__name__) from None

    def _write(self, letter: EmailMessage) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        finished = self._folder / f"{system_now()}-{new_id()}.eml"
        begun = finished.with_suffix(".part")
        descriptor = os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(letter.as_bytes(policy=SMTPUTF8))
        begun.rename(finished)


# ---------------------------------------------------------------- the post

Job = Callable[[], Awaitable[EmailMessage | None]]
"""Writes a letter, or finds that none is to be sent."""

Settled = Callable[[], Awaitable[None]]
"""Told that nothing is left to do: the letter was taken or refused, or there is none. Not told of
one that was given up for now or dropped."""


class Post:
    """The letters of one process on their way: a bounded number, a few sent at a time."""

    def __init__(
        self,
        mailer: Mailer,
        *,
        sender: Address,
        reset_url: str | None = None,
        public_url: str | None = None,
    ) -> None:
        self.sender = sender
        self.public_url = public_url  # where readers reach this server
        self.reset_url = reset_url  # with {code} in it
        self._mailer = mailer
        self._desks = asyncio.Semaphore(SENDING_AT_ONCE)
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def is_full(self) -> bool:
        """Whether it takes no more letters now."""
        return len(self._under_way) >= MAXIMUM_WAITING

    def add(self, job: Job, settled: Settled | None = None) -> bool:
        """Have the letter written and sent, soon; whether there was room. It waits for nothing."""
        if self.is_full:
            _log.error("letter dropped", reason="the post is full")
            return False
        task = asyncio.create_task(self._settle(job, settled), name="letter")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return True

    async def attempt(self, letter: EmailMessage) -> None:
        """Send the letter now, once, when a desk is free. Raises what the mailer raises."""
        async with self._desks:
            await self._mailer.send(letter)

    async def emptied(self) -> None:
        """Wait until every letter that is under way now was sent or given up."""
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def close(self) -> None:
        """Give letters a moment to be sent, then drop them."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=CLOSING_SECONDS)
        if left := list(self._under_way):
            _log.warning("letters dropped", count=len(left), reason="the server stops")
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _settle(self, job: Job, settled: Settled | None) -> None:
        if not await self._deliver(job) or settled is None:
            return
        try:
            await settled()
        except Exception as error:
            _log.warning("letter not settled", reason=type(error).__name__)

    async def _deliver(self, job: Job) -> bool:
        """Whether nothing is left to do."""
        letter: EmailMessage | None = None
        for pause in (*PAUSES_SECONDS, None):
            try:
                async with self._desks:
                    letter = letter or await job()
                    if letter is not None:
                        await self._mailer.send(letter)
                return True
            except LetterRefused as refused:
                _log.error("letter refused", reason=refused.reason)
                return True
            except Exception as error:
                # Their own words may hold the address.
                reason = getattr(error, "reason", type(error).__name__)
                may_be_sent = isinstance(error, MailUnavailable) or sql.is_unavailable(error)
                if pause is None or not may_be_sent:
                    _log.error("letter not sent", reason=reason)
                    return not may_be_sent
                _log.warning("letter postponed", reason=reason, seconds=pause)
            await asyncio.sleep(pause)
        raise AssertionError("the last attempt has no pause after it")


_posts: WeakKeyDictionary[Any, Post] = WeakKeyDictionary()  # by the database that they write from


def post() -> Post | None:
    """The post of this server; None if it can't send letters."""
    return _posts.get(get_connections())


@asynccontextmanager
async def posting(
    mailer: Mailer | None,
    *,
    sender: Address,
    reset_url: str | None = None,
    public_url: str | None = None,
) -> AsyncIterator[Post | None]:
    """Within the block, which has the database open, letters are sent by the mailer.

    Without one the server can't send any, and says so to who asks for one.
    """
    if mailer is None:
        yield None
        return
    opened = Post(mailer, sender=sender, reset_url=reset_url, public_url=public_url)
    _posts[get_connections()] = opened
    try:
        yield opened
    finally:
        _posts.pop(get_connections(), None)
        await opened.close()
