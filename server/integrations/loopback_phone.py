"""A phone for who has no Firebase project: what would be pushed is printed at the terminal.

It is the receiving end alone. The messages go through the real library and over HTTP, to a listener
on this machine that speaks as much of FCM's v1 API and of Google's token endpoint as that takes,
with a service account that is made for it and forgotten.
"""

import asyncio
import json
import secrets
import tempfile
import textwrap
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.integrations import push
from server.integrations.push import Outcome, PushMessage

if TYPE_CHECKING:
    from aiohttp.web import AppRunner, Request, Response

    from server.integrations.fcm import FirebasePusher

PROJECT = "loopback"
WIDTH = 62
_HOST = "127.0.0.1"
_TOKEN_SECONDS = 3_600
_SHOWN_OF_TOKEN = 12
_KEY_BITS = 2_048
Say = Callable[[str], None]


class LoopbackPhone:
    """A `push.Pusher` whose messages end at a phone that is drawn by `say`."""

    is_set = True

    def __init__(self, say: Say) -> None:
        """Nothing is loaded or listened on until `begin`, or the first message."""
        self._say = say
        self._starting: asyncio.Task[FirebasePusher] | None = None
        self._runner: AppRunner | None = None
        self._access_tokens: set[str] = set()

    def begin(self) -> None:
        """Switch it on, so that the first message need not wait for that."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._started(), name="loopback phone")

    async def send(self, messages: Sequence[PushMessage]) -> list[Outcome]:
        """What became of each; see `push.Pusher`."""
        self.begin()
        assert self._starting is not None, "it was just begun"
        pusher = await asyncio.shield(self._starting)
        return await pusher.send(messages)

    async def close(self) -> None:
        """Switch it off."""
        if self._starting is None:
            return
        pusher = await self._starting
        await pusher.close()
        if self._runner is not None:
            await self._runner.cleanup()

    # ------------------------------------------------------------ the listener

    async def _started(self) -> "FirebasePusher":
        url = await self._listen()
        return await asyncio.to_thread(_pusher, url)

    async def _listen(self) -> str:
        from aiohttp import web  # noqa: PLC0415 - slow to load, and for demonstrations alone

        app = web.Application()
        app.router.add_post("/token", self._token)
        app.router.add_post(f"/v1/projects/{PROJECT}/messages:send", self._message)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, _HOST, 0).start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def _token(self, _request: "Request") -> "Response":
        token = secrets.token_urlsafe(24)
        self._access_tokens.add(token)
        return _answer(
            {"access_token": token, "expires_in": _TOKEN_SECONDS, "token_type": "Bearer"}
        )

    async def _message(self, request: "Request") -> "Response":
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if shown not in self._access_tokens:
            error = {"code": 401, "message": "unknown access token", "status": "UNAUTHENTICATED"}
            return _answer({"error": error}, status=401)
        message: Mapping[str, Any] = (await request.json())["message"]
        self._say(drawn(message))
        return _answer({"name": f"projects/{PROJECT}/messages/{secrets.token_hex(8)}"})


def _answer(content: Mapping[str, Any], *, status: int = 200) -> "Response":
    from aiohttp import web  # noqa: PLC0415 - loaded by now

    return web.Response(text=json.dumps(content), status=status, content_type="application/json")


def _pusher(url: str) -> "FirebasePusher":
    """What sends to the listener. In a thread: it makes a key and loads the library."""
    from server.integrations.fcm import FirebasePusher  # noqa: PLC0415 - slow to load

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "loopback.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(_account(f"{url}/token")), encoding="utf-8")
        pusher = FirebasePusher(file, url=url)
    push.wire(PushMessage(token="none", title="", body=""))  # noqa: S106 - it goes nowhere
    return pusher


def _account(token_url: str) -> dict[str, str]:
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - seldom needed
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - seldom needed
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = rsa.generate_private_key(public_exponent=65_537, key_size=_KEY_BITS)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": secrets.token_hex(20),
        "private_key": pem.decode(),
        "client_email": f"phone@{PROJECT}.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": token_url,
    }


# ---------------------------------------------------------------- the screen


def drawn(message: Mapping[str, Any]) -> str:
    """What a phone would show of a message as FCM takes it: a box for the terminal."""
    notification = message.get("notification") or {}
    data = message.get("data") or {}
    token = _plain(str(message.get("token", "")))
    picture = notification.get("image")
    lines = [
        *_wrapped(str(notification.get("title", ""))),
        *_wrapped(str(notification.get("body", ""))),
        *([f"opens {_plain(str(data['link']))}"] if "link" in data else []),
        *([f"shows {_plain(str(picture))}"] if picture else []),
    ]
    head = f" push to {token[:_SHOWN_OF_TOKEN]}{'…' if len(token) > _SHOWN_OF_TOKEN else ''} "
    body = [f"│ {line}{' ' * (WIDTH - _cells(line))} │" for line in lines]
    rule = "─" * (WIDTH + 1 - _cells(head))
    return "\n".join([f"╭─{head}{rule}╮", *body, f"╰{'─' * (WIDTH + 2)}╯"])


def _plain(text: str) -> str:
    """The text without what would move the terminal's cursor or colour it."""
    return "".join(one if one.isprintable() else " " for one in text)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(_plain(text), WIDTH) or [""]


def _cells(text: str) -> int:
    """How many places of a terminal the text takes: East Asian characters take two."""
    wide = sum(unicodedata.east_asian_width(one) in "WF" for one in text)
    return len(text) + wide - sum(bool(unicodedata.combining(one)) for one in text)
