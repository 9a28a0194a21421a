"""Where the letters of tests arrive."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage

from server.integrations import email
from server.integrations.mail_addresses import sender_of
from server.members import resets, rules

SENDER = sender_of("Laurel <laurel@shop.example>")
RESET_URL = "https://app.shop.example/reset?code={code}"
_CODE = re.compile(r"\b[A-Z2-7]{32}\b")


class Letterbox:
    """A mailer that keeps what it is given."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []

    async def send(self, letter: EmailMessage) -> None:
        self.letters.append(letter)


@asynccontextmanager
async def opened_letterbox(reset_url: str | None = None) -> AsyncIterator[Letterbox]:
    """Within the block the server sends its letters there."""
    box = Letterbox()
    async with email.posting(box, sender=SENDER, reset_url=reset_url):
        yield box


async def arrived() -> list[EmailMessage]:
    """The letters, once all that are under way have arrived."""
    post = email.post()
    assert post is not None
    await post.emptied()
    box = post._mailer
    assert isinstance(box, Letterbox)
    return box.letters


def part(letter: EmailMessage, subtype: str) -> str:
    """One of a letter's two forms: "plain" or "html"."""
    found = letter.get_body(preferencelist=(subtype,))
    assert found is not None
    text: str = found.get_content()
    return text


def code_in(letter: EmailMessage) -> str:
    """The code in a letter."""
    (code,) = set(_CODE.findall(part(letter, "plain")))
    return str(code)


async def code_for(address: str) -> str:
    """A new code for the account with the address, as if it had been asked for."""
    post = email.Post(Letterbox(), sender=SENDER)
    letter = await resets.reset_letter(rules.email_key(address), language="en", post=post)
    assert letter is not None
    return code_in(letter)
