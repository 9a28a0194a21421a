"""Google's part in Firebase sign-in, on this machine: keys, their certificates, and ID tokens."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

PROJECT = "demo-laurel"
KEY_ID = "key1"
Claims = dict[str, Any]
EXPIRED: Claims = {"exp": 1_700_003_600, "iat": 1_700_000_000, "auth_time": 1_700_000_000}
"""What is changed of a token that was good years ago."""


@dataclass(frozen=True)
class SigningKey:
    """A key and the certificate of it."""

    private: rsa.RSAPrivateKey
    certificate: str


@cache
def signing_key(name: str = KEY_ID) -> SigningKey:
    """The key of that name; made once a process, since that takes a while."""
    private = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=36_500))
        .sign(private, hashes.SHA256())
    )
    return SigningKey(private, made.public_bytes(serialization.Encoding.PEM).decode())


@dataclass
class KeyServer:
    """What the key server answers, and how often it was asked."""

    url: str = ""
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"Cache-Control": "max-age=3600"})
    hits: int = 0
    answers: threading.Event = field(default_factory=threading.Event)
    """Unset, it keeps who asks waiting."""

    def publish(self, *names: str) -> None:
        """Answer the certificates of these keys."""
        certificates = {name: signing_key(name).certificate for name in names}
        self.body = json.dumps(certificates).encode()


def _handler(state: KeyServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.hits += 1
            if not state.answers.wait(30):
                return
            self.send_response(state.status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(state.body)))
            self.end_headers()
            self.wfile.write(state.body)

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:  # who asked has not waited
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
            """Nothing."""

    return Handler


@contextmanager
def serving_keys(*names: str) -> Iterator[KeyServer]:
    """A server of the certificates of the keys; without names, of `KEY_ID`."""
    state = KeyServer()
    state.publish(*(names or (KEY_ID,)))
    state.answers.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    state.url = f"http://127.0.0.1:{server.server_port}/certificates"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.answers.set()
        server.shutdown()
        server.server_close()
        thread.join()


# ---------------------------------------------------------------- ID tokens


def claims(*, uid: str = "uid-1", by: str = "password", **changes: Any) -> Claims:
    """What an ID token says of the user; a change to None leaves a claim out."""
    now = int(time.time())
    said = {
        "iss": f"https://securetoken.google.com/{PROJECT}",
        "aud": PROJECT,
        "sub": uid,
        "user_id": uid,
        "auth_time": now - 5,
        "iat": now - 5,
        "exp": now + 3595,
        "firebase": {"sign_in_provider": by, "identities": {}},
        **changes,
    }
    return {name: value for name, value in said.items() if value is not None}


def id_token(*, key: str = KEY_ID, said: Claims | None = None, **changes: Any) -> str:
    """An ID token that Google would have signed."""
    payload = claims(**changes) if said is None else said
    return jwt.encode(payload, signing_key(key).private, algorithm="RS256", headers={"kid": key})


def with_email(email: str, *, is_verified: bool = True, **changes: Any) -> str:
    """The ID token of a user with an e-mail address."""
    return id_token(email=email, email_verified=is_verified, **changes)


def part(value: object) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(*, said: Claims | None = None, **changes: Any) -> str:
    """An ID token as the Auth emulator makes it, and anybody can."""
    payload = claims(**changes) if said is None else said
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(payload)}."
