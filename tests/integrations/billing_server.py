"""A billing provider on this machine: it speaks the protocol over real sockets, and signs what it
tells."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from server.clock import MICROSECONDS_PER_SECOND, system_now
from server.integrations.billing import Checkout
from server.integrations.billing_webhooks import signature

SECRET = "provider-secret"
WEBHOOK_SECRET = b"0123456789abcdef0123456789abcdef"
Plain = dict[str, Any]


@dataclass
class BillingServer:
    """What the provider was asked, each key once, and how it answers."""

    url: str = ""
    status: int = 200
    body: bytes | None = None  # instead of what is right
    hits: int = 0
    done: dict[str, tuple[str, Plain]] = field(default_factory=dict)
    """By idempotency key: the path and the content of what was asked first."""
    answers: threading.Event = field(default_factory=threading.Event)
    """Unset, it keeps who asks waiting."""

    def asked(self, path: str) -> list[Plain]:
        """The contents of what was asked at the path, in order, each once."""
        return [content for at, content in self.done.values() if at == path]


def _handler(state: BillingServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.hits += 1
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if not state.answers.wait(30):
                return
            status, body = state.status, state.body
            if self.headers["Authorization"] != f"Bearer {SECRET}":
                status, body = 401, b""
            elif status == 200:
                asked = (self.path, json.loads(content))
                first = state.done.setdefault(self.headers["Idempotency-Key"], asked)
                status = 200 if first == asked else 409
            if body is None:
                url = f"{state.url}/pay/{json.loads(content).get('subscription')}"
                body = json.dumps({"url": url}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: Any) -> None:
            pass

    return Handler


@contextmanager
def serving_billing() -> Iterator[BillingServer]:
    """Within the block the provider listens on a port of its own."""
    state = BillingServer()
    state.answers.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.answers.set()
        server.shutdown()
        thread.join()
        server.server_close()


def signed(
    body: bytes,
    message_id: str,
    *,
    secret: bytes = WEBHOOK_SECRET,
    at_seconds: int | None = None,
) -> dict[str, str]:
    """The headers of a webhook, signed now or at another time."""
    seconds = system_now() // MICROSECONDS_PER_SECOND if at_seconds is None else at_seconds
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": signature(secret, message_id, seconds, body),
    }


class Obliging:
    """A provider without sockets that does what it is asked."""

    is_set = True

    async def create_checkout(self, checkout: Checkout, *, key: str) -> str:
        return f"https://pay.example.com/{checkout.subscription}"

    async def cancel(self, subscription: str, *, at_once: bool, key: str) -> None: ...

    async def resume(self, subscription: str, *, key: str) -> None: ...

    async def refund(
        self, subscription: str, payment: str, *, amount_minor: int, currency: str, key: str
    ) -> None: ...
