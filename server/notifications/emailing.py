"""E-mail as a channel of messages: letters written from deliveries, and what became of each.

A refused letter (an SMTP answer of 5xx) has failed for good, and nothing is remembered of its
address: the next message is tried again, for most refusals pass (a full mailbox, a listing).
"""

import asyncio
import hashlib
from collections.abc import Collection, Mapping, Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Final

import msgspec

from server import clock, messages
from server.integrations import email, letters
from server.integrations.email import LetterRefused, MailInDoubt, MailUnavailable, Post
from server.integrations.letters import Line, Link
from server.integrations.mail_addresses import mail_address
from server.integrations.push import Outcome, OutcomeKind
from server.notifications import unsubscribe
from server.notifications.shapes import MARKETING, Category, Channel
from server.storage import sql

MAXIMUM_SUBJECT: Final = 200
SENDING_SECONDS: Final = 40
"""Letters of one call that were not begun by then are put off: whose claim they are lapses."""
_ADDRESSES = """
    SELECT COALESCE(m.merged_into, m.id), a.email
    FROM accounts a JOIN members m ON m.id = a.member_id
    WHERE a.email IS NOT NULL AND COALESCE(m.merged_into, m.id) IN ({members}) ORDER BY a.id DESC
"""


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One e-mail delivery, as it is to be sent now."""

    delivery_id: int
    member_id: int
    category: Category
    locale: str
    subject: str
    body: str  # paragraphs, with empty lines between them
    link: str | None = None
    call_to_action: str | None = None  # the label of the link


async def send(given: Sequence[Letter]) -> list[Outcome]:
    """Attempt each letter once; what became of them, in the same order. It raises for none.

    Reads the members' addresses and hands the letters to the mail server: call it outside of a
    transaction.
    """
    post = email.post()
    if post is None:
        return [Outcome(kind=OutcomeKind.NOT_SET, reason="no_mail_server") for _ in given]
    addresses = await _addresses({one.member_id for one in given})
    batch = _Batch(post)
    return await asyncio.gather(*(batch.attempt(one, addresses) for one in given))


async def _addresses(member_ids: Collection[int]) -> Mapping[int, str]:
    """Where members get e-mail, by the oldest of their accounts."""
    if not member_ids:
        return {}
    wanted = sql.padded(member_ids)
    statement = _ADDRESSES.format(members=sql.placeholders(len(wanted)))
    return {row[0]: row[1] for row in await sql.fetch(statement, *wanted)}


class _Batch:
    """Letters that are sent together: if the mail server is away, one of them finds out."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._desks = asyncio.Semaphore(email.SENDING_AT_ONCE)
        self._ends_at = asyncio.get_running_loop().time() + SENDING_SECONDS
        self._is_away: str | None = None  # why the mail server takes no letters

    async def attempt(self, one: Letter, addresses: Mapping[int, str]) -> Outcome:
        """What became of the letter."""
        address = addresses.get(one.member_id)
        if address is None:
            return Outcome(kind=OutcomeKind.REFUSED, reason="no_address")
        try:
            letter = await written(one, mail_address(address), post=self._post)
        except NoWayOut:
            return Outcome(kind=OutcomeKind.NOT_SET, reason="no_public_url")
        except ValueError:
            return Outcome(kind=OutcomeKind.INVALID_ARGUMENT, reason="malformed")
        async with self._desks:
            return await self._attempt(letter)

    async def _attempt(self, letter: EmailMessage) -> Outcome:
        if self._is_away is not None:
            return Outcome(kind=OutcomeKind.UNAVAILABLE, reason=self._is_away)
        if asyncio.get_running_loop().time() > self._ends_at:
            return Outcome(kind=OutcomeKind.UNAVAILABLE, reason="slow_mail_server")
        try:
            await self._post.attempt(letter)
        except LetterRefused as refused:
            return Outcome(kind=OutcomeKind.REFUSED, reason=_code(refused.reason))
        except MailInDoubt as doubt:
            return Outcome(kind=OutcomeKind.IN_DOUBT, reason=_code(doubt.reason))
        except MailUnavailable as unavailable:
            reason = _code(unavailable.reason)
            if not unavailable.reason.isdigit() or unavailable.reason == "421":
                self._is_away = reason  # that was no answer to this letter alone
            return Outcome(kind=OutcomeKind.UNAVAILABLE, reason=reason)
        return Outcome(kind=OutcomeKind.SENT, provider_id=letter["Message-ID"])


def _code(reason: str) -> str:
    return f"smtp_{reason}" if reason.isdigit() else reason.replace(" ", "_").lower()


# ---------------------------------------------------------------- writing


class NoWayOut(Exception):
    """Marketing must say how to get no more of it, and this server does not know where it is
    reached."""


async def written(one: Letter, to: Address, *, post: Post) -> EmailMessage:
    """The letter as it goes out: text and HTML, and for marketing the way to get no more of it by
    one click (RFC 8058). Raises NoWayOut, and ValueError for what no letter can hold."""
    language = messages.language_of_locale(one.locale)
    lines: list[Line] = [part.strip() for part in one.body.split("\n\n") if part.strip()]
    if one.link is not None and one.link.startswith(("https://", "http://")):
        label = one.call_to_action or messages.text("mail.open", language)
        lines.append(Link(label, one.link))
    way_out: str | None = None
    if one.category in MARKETING:
        if post.public_url is None:
            raise NoWayOut
        way_out = await unsubscribe.link(
            one.member_id, Channel.EMAIL, one.category, post.public_url
        )
        lines.append(messages.text("mail.why", language))
        lines.append(Link(messages.text("mail.unsubscribe", language), way_out))
    message = letters.letter(
        sender=post.sender,
        to=to,
        subject=_subject(one.subject),
        lines=lines,
        language=language,
        at=clock.system_now(),
        message_id=_message_id(one.delivery_id, post.sender.domain),
    )
    if way_out is not None:
        message["List-Unsubscribe"] = f"<{way_out}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return message


def _subject(subject: str) -> str:
    """The subject on one line that every program shows."""
    line = " ".join(subject.split())
    return line if len(line) <= MAXIMUM_SUBJECT else line[: MAXIMUM_SUBJECT - 1] + "…"


def _message_id(delivery_id: int, domain: str) -> str:
    """The same for each attempt of one delivery; it tells nothing of how many there are."""
    digest = hashlib.sha256(f"laurel delivery {delivery_id}".encode()).hexdigest()
    return f"<{digest[:32]}@{domain}>"
