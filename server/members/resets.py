"""Password resets: a code sent to the account's address sets a new password, once, soon.

Asking for one tells nothing of the address: everything that depends on it happens afterwards, in
the post (`server.integrations.email`), for a request that is kept until its letter has left
(`reset_requests`). The code is kept nowhere: who writes the letter anew makes another one, and the
database has nothing but its keyed hash.
"""

import hmac
import secrets
from base64 import b32encode
from email.message import EmailMessage

from server import messages
from server.clock import MICROSECONDS_PER_SECOND, Instant, system_now
from server.edge import attempts
from server.edge.attempts import TooManyAttempts
from server.errors import CredentialsRejected
from server.integrations.email import Post
from server.integrations.letters import Code, Line, Link, letter
from server.integrations.mail_addresses import mail_address
from server.members import accounts, limits, models, reset_queries
from server.members.accounts import PasswordSet
from server.storage import sql
from server.storage.ids import new_id
from server.storage.secrets import shared_secret

CODE_MINUTES = 15
CODE_BYTES = 20  # 160 bits, which are 32 letters and digits
_SECRET = "password_resets"  # noqa: S105 - the name of a secret
_CONTEXT = b"laurel password reset 1:"
_MAXIMUM_CODE_LENGTH = 200


async def code_hash(code: str) -> str:
    """What stands for a code in the database, however it was pasted: HMAC-SHA-256, hexadecimal."""
    plain = "".join(code[:_MAXIMUM_CODE_LENGTH].split()).replace("-", "").upper()
    secret = await shared_secret(_SECRET)
    return hmac.digest(secret, _CONTEXT + plain.encode("utf-8", "surrogatepass"), "sha256").hex()


# ---------------------------------------------------------------- asking


async def reset_letter(
    email_key: str, *, language: str, post: Post, counts: bool = True
) -> EmailMessage | None:
    """A letter with a new code for the account with the address, in its member's language; staff
    get the one given.

    None, having done nothing, if there is no such account, or if it was sent as many letters as it
    may be sent now, unless this one was counted before. Raises ValueError for an address that no
    letter can have.
    """
    found = await models.addressee(email_key)
    if found is None:
        return None
    account_id, address, locale = found
    to = mail_address(address)
    try:
        if counts:
            await attempts.take(limits.LETTERS, str(account_id))
    except TooManyAttempts:
        return None
    code = b32encode(secrets.token_bytes(CODE_BYTES)).decode()
    hashed, now = await code_hash(code), system_now()
    async with sql.transaction():
        expires_at = now + CODE_MINUTES * 60 * MICROSECONDS_PER_SECOND
        row = (new_id(), account_id, hashed, now, expires_at)
        await reset_queries.add(row, account_id=account_id, now=now)
    if locale is not None:
        language = messages.language_of_locale(locale)
    return letter(
        sender=post.sender,
        to=to,
        subject=messages.text("reset.subject", language),
        lines=_lines(code, language, post.reset_url),
        language=language,
        at=Instant(now),
    )


def _lines(code: str, language: str, reset_url: str | None) -> list[Line]:
    asked = messages.text("reset.asked", language)
    if reset_url is None:
        told = messages.text("reset.paste", language, minutes=CODE_MINUTES)
        how: list[Line] = [told, Code(code)]
    else:
        told = messages.text("reset.open", language, minutes=CODE_MINUTES)
        link = Link(messages.text("reset.link", language), reset_url.replace("{code}", code))
        how = [told, link]
    return [asked, *how, messages.text("reset.ignore", language)]


# ---------------------------------------------------------------- resetting


async def account_of(hashed: str) -> int | None:
    """The account whose password the code with this hash may set; None if it counts no more."""
    return await reset_queries.account_of(hashed, now=system_now())


async def use(hashed: str, account_id: int | None, new_hash: str | None) -> PasswordSet:
    """Set the account's password by its code, and end all its sessions; in the transaction.

    With it all codes of the account are used. Raises CredentialsRejected, alike, for a code that
    is not known, was used or has expired: without an account or a new password it counts as one.
    """
    rejected = CredentialsRejected("reset.rejected")
    if account_id is None or new_hash is None:
        raise rejected
    done = await accounts.set_password(account_id, new_hash)
    # After the account's row, for which codes of one account wait in turn.
    if not await reset_queries.use(hashed, account_id=account_id, now=system_now()):
        raise rejected
    return done
