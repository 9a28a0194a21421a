"""One-tap unsubscribing: the link in each letter that ends one category of messages on one channel.

The link says whom and what it is about, under a keyed hash of the deployment: nobody can make one
who does not have the letter, and it never expires, as the letter doesn't. Looking at it changes
nothing, since programs that scan mail do; its button does, and so does a mail program's own
one-click request (RFC 8058).
"""

import base64
import binascii
import hashlib
import hmac
import html
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from server import clock, messages
from server.edge import attempts
from server.edge.attempts import AttemptRule, TooManyAttempts
from server.edge.client_address import limited_address
from server.members import service as members
from server.notifications import choices
from server.notifications.shapes import MARKETING, Category, Channel
from server.storage import sql
from server.storage.secrets import shared_secret

UNSUBSCRIBE_PATH = "/unsubscribe"
FALSE_LINKS = AttemptRule("unsubscribe, client", 60, 15 * 60)
"""False links from one network address."""

_SECRET = "unsubscribe"  # noqa: S105 - the name of a secret
_CONTEXT = b"laurel unsubscribe 1:"
_HASH_BYTES = 16
_CHANNELS = {Channel.PUSH: 1, Channel.EMAIL: 2, Channel.IN_APP: 3}
_CATEGORIES = {Category.OFFERS: 1, Category.POINTS: 2, Category.CHALLENGES: 3}
_CHANNEL_NUMBERED = {number: one for one, number in _CHANNELS.items()}
_CATEGORY_NUMBERED = {number: one for one, number in _CATEGORIES.items()}
_FACT_BYTES = 10  # the member's id, the channel and the category


class Subscription(NamedTuple):
    """What a link ends."""

    member_id: int
    channel: Channel
    category: Category


# ---------------------------------------------------------------- links


async def link(member_id: int, channel: Channel, category: Category, base_url: str) -> str:
    """The address that ends the member's messages of the category, a marketing one, on the channel;
    `base_url` is where this server is reached, such as https://club.example.org."""
    if category not in MARKETING:
        raise ValueError("service messages can't be unsubscribed from")
    facts = member_id.to_bytes(8, "big") + bytes((_CHANNELS[channel], _CATEGORIES[category]))
    token = base64.urlsafe_b64encode(facts + await _keyed_hash(facts)).rstrip(b"=").decode()
    return f"{base_url.rstrip('/')}{UNSUBSCRIBE_PATH}/{token}"


async def subscription_of(token: str) -> Subscription | None:
    """What a link with the token ends; None if we made no such link."""
    try:
        given = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    facts, shown = given[:_FACT_BYTES], given[_FACT_BYTES:]
    if not hmac.compare_digest(shown, await _keyed_hash(facts)):
        return None
    number, channel, category = int.from_bytes(facts[:8], "big"), facts[8], facts[9]
    return Subscription(number, _CHANNEL_NUMBERED[channel], _CATEGORY_NUMBERED[category])


async def _keyed_hash(facts: bytes) -> bytes:
    return hmac.digest(await shared_secret(_SECRET), _CONTEXT + facts, "sha256")[:_HASH_BYTES]


# ---------------------------------------------------------------- the page


async def _answered(request: Request) -> Response:
    try:
        return await attempts.counting_failures(
            FALSE_LINKS,
            attempts.client_of(limited_address(request.scope)),
            lambda: _answer(request),
            is_failure=lambda answer: answer.status_code == 404,
        )
    except TooManyAttempts as error:
        language = messages.preferred_language(request.headers.get("accept-language"))
        return _page(language, ["unsubscribe.too_many"], status=429, headers=error.headers)
    except Exception as error:
        if not sql.is_unavailable(error):
            raise
        return Response(status_code=503, headers={"Cache-Control": "no-store"})


async def _answer(request: Request) -> Response:
    meant = await subscription_of(request.path_params["token"])
    if meant is None:
        language = messages.preferred_language(request.headers.get("accept-language"))
        return _page(language, ["unsubscribe.invalid"], status=404)
    number = (await members.survivors([meant.member_id])).get(meant.member_id, meant.member_id)
    profile = await members.profile(number)
    language = messages.language_of_locale(profile.locale)
    if request.method != "POST":
        return _page(language, ["unsubscribe.ask"], meant=meant, has_button=True)
    await sql.retried(lambda: _end(meant._replace(member_id=number)))
    return _page(language, ["unsubscribe.done", "unsubscribe.back"], meant=meant)


async def _end(meant: Subscription) -> None:
    async with sql.transaction():
        await choices.end_by_link(meant.member_id, meant.channel, meant.category, now=clock.now())


_STYLE = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1.5rem;"
    "color:#1b2733;background:#fff}button{font:inherit;padding:.6rem 1.4rem;border:0;"
    "border-radius:.5rem;color:#fff;background:#1c6b4a;cursor:pointer}"
    "@media(prefers-color-scheme:dark){body{color:#e8edf2;background:#14191f}}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}
_BUTTON = (
    '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
    '<button type="submit">{text}</button></form>'
)


def _page(
    language: str,
    keys: list[str],
    *,
    meant: Subscription | None = None,
    has_button: bool = False,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    facts: dict[str, str | int] = {}
    if meant is not None:
        facts["channel"] = messages.text(f"channel.{meant.channel}", language)
        facts["category"] = messages.text(f"category.{meant.category}", language)
    title = html.escape(messages.text("unsubscribe.title", language))
    shown = "".join(f"<p>{html.escape(messages.text(key, language, **facts))}</p>" for key in keys)
    if has_button:
        shown += _BUTTON.format(text=html.escape(messages.text("unsubscribe.button", language)))
    page = (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{title}</h1>{shown}</body></html>"
    )
    return HTMLResponse(page, status, {**_HEADERS, **(headers or {})})


UNSUBSCRIBE_ROUTE = Route(f"{UNSUBSCRIBE_PATH}/{{token}}", _answered, methods=["GET", "POST"])
"""Where the links lead."""
