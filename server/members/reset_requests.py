"""Requests for a password reset: kept, in the transaction that answers, until the letter has left.

So no crash loses a letter. Whose process was asked sends it at once; if it dies, or the mail server
is away for long, the job does. A process that sends a letter has taken its request for a while, and
writes it with a code of its own: at worst somebody gets two letters, and both codes count.
"""

from email.message import EmailMessage

import structlog

from server.clock import MICROSECONDS_PER_SECOND, Instant, system_now
from server.integrations import email
from server.integrations.email import Post
from server.members import reset_queries
from server.members.resets import reset_letter
from server.storage import sql
from server.storage.ids import new_id

TRIED_SECONDS = 120
"""How long a process has for its attempts at a letter before another one may try."""
KEPT_SECONDS = 3_600
"""How long a letter is tried: who still waits after that asks again."""
SENT_AT_ONCE = 100

_log = structlog.get_logger("mail")


class ResetRequest:
    """Somebody's wish for a code, which stands in the database until its letter has left."""

    def __init__(
        self, request_id: int, email_key: str, language: str, *, letters: int, due_at: int
    ) -> None:
        self._id, self._email_key, self._language = request_id, email_key, language
        self._letters = letters  # written so far, by whichever process
        self._due_at = due_at  # ours as long as it stands so in the database

    @classmethod
    async def asked(cls, email_key: str, language: str) -> "ResetRequest":
        """Note that a code is to be sent to the address. Writes; call it inside a transaction, and
        `send` it after that: else, as after a crash, the job does soon."""
        now = system_now()
        request_id, due_at = new_id(), now + TRIED_SECONDS * MICROSECONDS_PER_SECOND
        await reset_queries.ask((request_id, email_key, language, 0, now, due_at))
        return cls(request_id, email_key, language, letters=0, due_at=due_at)

    def send(self, post: Post) -> None:
        """Have the letter written and sent beside the caller."""
        post.add(lambda: self._written(post), self._settled)

    async def _written(self, post: Post) -> EmailMessage | None:
        is_first = self._letters == 0
        if not await self.take(system_now(), letters=self._letters + 1):
            return None  # another process sends it
        return await reset_letter(
            self._email_key, language=self._language, post=post, counts=is_first
        )

    async def take(self, now: Instant, *, letters: int | None = None) -> bool:
        """Let no other process send the letter for a while; whether none does already."""
        letters = self._letters if letters is None else letters
        until = now + TRIED_SECONDS * MICROSECONDS_PER_SECOND
        async with sql.transaction():
            taken = await reset_queries.move_on(
                self._id, due_at=self._due_at, to=until, letters=letters
            )
        if taken:
            self._due_at, self._letters = until, letters
        return taken

    async def _settled(self) -> None:
        async with sql.transaction():
            await reset_queries.forget_request(self._id, due_at=self._due_at)


async def send_waiting(now: Instant) -> int:
    """Send the letters that no process has seen to: the one that was asked has died, or the mail
    server was away for long; how many. Requests of an hour ago are forgotten."""
    earliest = now - KEPT_SECONDS * MICROSECONDS_PER_SECOND
    async with sql.transaction():
        given_up = await reset_queries.forget_requests(earliest)
    if given_up:
        _log.error("reset letters given up", count=given_up)
    post, sent = email.post(), 0
    if post is None:
        return 0
    rows = await reset_queries.waiting(now, asked_after=earliest, limit=SENT_AT_ONCE)
    for request_id, email_key, language, letters, due_at in rows:
        request = ResetRequest(request_id, email_key, language, letters=letters, due_at=due_at)
        if not post.is_full and await request.take(now):
            request.send(post)
            sent += 1
    return sent


async def waiting_seconds(now: Instant) -> int:
    """For how long the letter that is due for longest has been."""
    since = await reset_queries.oldest_due(now)
    return 0 if since is None else (now - since) // MICROSECONDS_PER_SECOND


async def is_waiting(now: Instant) -> bool:
    """Whether a letter is due that no process sends."""
    return await reset_queries.oldest_due(now) is not None
