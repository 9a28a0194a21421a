"""Hostile requests by the thousand, the same for the same seed: documents, bodies and frames.

Each kind is a way in which somebody has hurt a GraphQL server: by work that grows faster than what
is sent, by what a parser does not expect, or by asking what is none of one's business.
"""

import json
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

HTTP = "http"
RAW = "raw"
MESSAGE = "message"
FRAME = "frame"


@dataclass(frozen=True, slots=True)
class Attack:
    """One hostile request: an HTTP request's bytes (HTTP), bytes that are none (RAW), a message on
    an open graphql-transport-ws socket (MESSAGE), or a WebSocket frame's bytes (FRAME)."""

    kind: str
    transport: str
    payload: bytes


_FIELDS = (
    "me",
    "programme",
    "member",
    "members",
    "insights",
    "node",
    "__schema",
    "nothing",
    "points",
)
_NAMES = ("id", "name", "card", "points", "available", "tier", "challenges", "secret", "__typename")


def _post(kind: str, body: bytes, *headers: str, media_type: str = "application/json") -> Attack:
    lines = [
        "POST /graphql HTTP/1.1",
        "Host: localhost",
        f"Content-Type: {media_type}",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return Attack(kind, HTTP, "\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def _document(kind: str, text: str, *headers: str, **more: object) -> Attack:
    return _post(kind, json.dumps({"query": text, **more}).encode(), *headers)


def _words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choice(_NAMES) for _ in range(count))


# ---------------------------------------------------------------- documents


def _deep(chance: random.Random) -> str:
    depth = chance.choice((20, 60, 500, 20_000))
    return "{ me " * depth + "{ id }" + " }" * depth


def _wide(chance: random.Random) -> str:
    return "{ " + "me { id } " * chance.choice((100, 400, 5_000, 50_000)) + "}"


def _aliased(chance: random.Random) -> str:
    count = chance.choice((31, 200, 5_000))
    return "{ " + " ".join(f"a{n}: programme {{ version }}" for n in range(count)) + " }"


def _guessing(chance: random.Random) -> str:
    tries = " ".join(
        f'a{n}: signIn(input: {{email: "member@demo.example", password: "p{chance.random()}",'
        f' idempotencyKey: "{n}"}}) {{ __typename }}'
        for n in range(chance.choice((2, 10, 30, 200)))
    )
    return f"mutation {{ {tries} }}"


def _spread(chance: random.Random) -> str:
    count = chance.choice((10, 60, 400))
    spreads = " ".join(f"...F{n}" for n in range(count))
    fragments = " ".join(
        f"fragment F{n} on Member {{ {_words(chance, 5)} ...F{chance.randrange(count)} }}"
        for n in range(count)
    )
    return f"{{ me {{ {spreads} }} }} {fragments}"


def _doubling(chance: random.Random) -> str:
    count = chance.choice((8, 20, 100))
    fragments = " ".join(
        f"fragment F{n} on Member {{ ...F{n + 1} ...F{n + 1} }}" for n in range(count)
    )
    return f"{{ me {{ ...F0 }} }} {fragments} fragment F{count} on Member {{ id }}"


def _directed(chance: random.Random) -> str:
    directives = " @skip(if: false)" * chance.choice((51, 300, 10_000))
    return f"{{ programme {{ version{directives} }} }}"


def _introspecting(chance: random.Random) -> str:
    depth = chance.choice((2, 4, 20))
    return "{ __schema { types " + "{ fields { type " * depth + "{ name }" + " } }" * depth + " } }"


def _misnamed(chance: random.Random) -> str:
    names = " ".join(
        f"availabl{chance.randrange(10**9)}" for _ in range(chance.choice((1, 50, 400)))
    )
    return f"{{ me {{ {names} }} }}"


def _many_nodes(chance: random.Random) -> str:
    inner = "{ __typename }"
    for _ in range(chance.choice((1, 2, 3))):
        inner = f"{{ nodes {{ activity(first: 100) {{ nodes {inner} }} }} }}"
    return f"{{ members(first: {chance.choice((100, 101, 2**31 - 1, -1))}) {inner} }}"


def _valued(chance: random.Random) -> str:
    value = chance.choice(
        (
            "[" * 3000 + "]" * 3000,
            "9" * 5000,
            '"' + "\\u0000" * 3000 + '"',
            '"""' + "x" * 90_000 + '"""',
        )
    )
    return f"{{ programme(at: {value}) {{ version }} }}"


def _garbled(chance: random.Random) -> str:
    whole = (
        "query Home($n: Int = 3) { me { id ...F } } fragment F on Member { points { available } }"
    )
    text = list(whole)
    for _ in range(chance.randrange(1, 12)):
        text[chance.randrange(len(text))] = chance.choice(
            "{}()[]$@!:|&=\"'#\\\x00\u2028é\U0001f600 \n"
        )
    return "".join(text)


def _many_variables(chance: random.Random) -> str:
    count = chance.choice((101, 300))
    return f"query ({' '.join(f'$v{n}: Int' for n in range(count))}) {{ programme {{ version }} }}"


_DOCUMENTS: dict[str, Callable[[random.Random], str]] = {
    "nested": _deep,
    "repeated fields": _wide,
    "aliases": _aliased,
    "guessed passwords": _guessing,
    "fragments of fragments": _spread,
    "doubling fragments": _doubling,
    "directives": _directed,
    "introspection": _introspecting,
    "wrong names": _misnamed,
    "lists of lists": _many_nodes,
    "odd values": _valued,
    "garbled": _garbled,
    "variables": _many_variables,
}


def _of_document(kind: str, chance: random.Random, credentials: tuple[str, ...]) -> Attack:
    text = _DOCUMENTS[kind](chance)
    shown = chance.choice(("", *credentials))
    headers = (f"Authorization: Bearer {shown}",) if shown else ()
    return _document(kind, text, *headers)


# ---------------------------------------------------------------- bodies and requests


def _body(chance: random.Random) -> Attack:
    body = chance.choice(
        (
            b"null",
            b"[]",
            b'"x"',
            b"NaN",
            b"{",
            b'{"query": NaN}',
            b'{"query": "\xff\xfe"}',
            b'{"query": "\\ud800"}',
            b"[" * chance.choice((100, 100_000)),
            b'{"a":' * chance.choice((100, 50_000)),
            b'[{"query":"{__typename}"}]' * 3,
            b'{"query": "{__typename}", "variables": []}',
            b'{"query": "{__typename}", "operationName": {}}',
            b'{"query": {"a": 1}}',
            b'{"documentId": "sha256:%064x"}' % chance.getrandbits(256),
            b'{"documentId": 7}',
            b'{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "%064x"}}}'
            % chance.getrandbits(256),
            b'{"extensions": {"persistedQuery": []}}',
            b'{"query": "query ($x: [Int]) { programme { version } }", "variables": {"x": ['
            + b"1," * 50_000
            + b"1]}}",
            chance.randbytes(chance.choice((1, 100, 10_000))),
            b" " * 1_000_001,
        )
    )
    return _post("bodies", body)


def _media_type(chance: random.Random) -> Attack:
    media_type = chance.choice(
        ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x",
         "application/json; charset=utf-16", "application/graphql")
    )  # fmt: skip
    return _post("media types", b'{"query": "{__typename}"}', media_type=media_type)


def _credential(chance: random.Random) -> Attack:
    token = chance.choice(
        ("x", "eyJhbGciOiJub25lIn0.e30.", "a.b.c", "laurel_" + "x" * 40, "x" * 5_000,
         "eyJhbGciOiJFZERTQSIsImprdSI6Imh0dHA6Ly94IiwidHlwIjoiYXQrand0In0.e30.AAAA")
    )  # fmt: skip
    return _document("credentials", "{ __typename }", f"Authorization: Bearer {token}")


def _method(chance: random.Random) -> Attack:
    method = chance.choice(("PUT", "DELETE", "PATCH", "TRACE", "GET", "HEAD", "OPTIONS"))
    query = quote(
        chance.choice(("mutation { signOut }", "{", "subscription { memberChanged { id } }"))
    )
    path = chance.choice((f"/graphql?query={query}", "/nothing", "/.env", "/graphql/../etc/passwd"))
    return Attack("methods", HTTP, f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


def _header(chance: random.Random) -> Attack:
    header = chance.choice(
        ("Accept: text/nothing", "Accept: " + "a/b," * 2_000, "Accept-Language: " + "x;q=," * 1_000,
         "Laurel-Simulated-Time: 9999-99-99", "Origin: https://evil.example", "Host: evil.example",
         "Content-Encoding: gzip", "X-Request-Id: " + "x" * 500, "traceparent: 00-zz-zz-zz")
    )  # fmt: skip
    return _document("headers", "{ nothing }", header)


def _raw(chance: random.Random) -> Attack:
    payload = chance.choice(
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(100),
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET /graphql\r\n\r\n",
            b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
            b"POST /graphql HTTP/1.1\r\nHost: localhost\r\n"
            b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
            b"GET /graphql?query=" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /graphql HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            chance.randbytes(200) + b"\r\n\r\n",
        )
    )
    return Attack("no HTTP", RAW, payload)


# ---------------------------------------------------------------- sockets


def _message(chance: random.Random) -> Attack:
    document = _DOCUMENTS[chance.choice(list(_DOCUMENTS))](chance)
    subscribe = {"id": str(chance.random()), "type": "subscribe", "payload": {"query": document}}
    message = chance.choice(
        (
            json.dumps(subscribe).encode(),
            json.dumps(subscribe).encode(),
            json.dumps(subscribe).encode(),
            b"not JSON",
            b"[]",
            b'{"type": "start"}',
            b'{"type": "subscribe"}',
            b'{"type": "subscribe", "id": "", "payload": {"query": "{__typename}"}}',
            b'{"type": "subscribe", "id": "1", "payload": null}',
            b'{"type": "connection_init"}',
            b'{"type": "complete"}',
            b'{"type": "ping", "payload": 7}',
            b'{"type": ' + b"[" * 10_000,
        )
    )
    return Attack("messages", MESSAGE, message)


def _frame(chance: random.Random) -> Attack:
    mask = chance.randbytes(4)

    def framed(first: int, payload: bytes) -> bytes:
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        return bytes((first, 0x80 | len(payload))) + mask + masked

    payload = chance.choice(
        (
            framed(0x81, b"\xff\xfe"),  # text that is no UTF-8
            framed(0x82, b"\x00\x01"),  # binary
            framed(0x83, b"x"),  # a reserved opcode
            framed(0xF1, b"x"),  # reserved bits
            framed(0x80, b"x"),  # a continuation of nothing
            framed(0x88, struct.pack("!H", 999)),  # a close with no such code
            b"\x81\x01x",  # not masked
            b"\x81\xff" + struct.pack("!Q", 2**62) + mask,  # longer than there is
            b"\x81\xff" + struct.pack("!Q", 2**63) + mask,
            framed(0x89, b"x" * 100),
            chance.randbytes(60),
        )
    )
    return Attack("frames", FRAME, payload)


_OTHERS: tuple[Callable[[random.Random], Attack], ...] = (
    _body,
    _body,
    _media_type,
    _credential,
    _method,
    _header,
    _raw,
    _message,
    _message,
    _frame,
)


def attacks(count: int, seed: int, credentials: tuple[str, ...]) -> list[Attack]:
    """So many attacks, two thirds of them documents; some are sent with one of the credentials."""
    chance = random.Random(seed)
    kinds = list(_DOCUMENTS)
    made: list[Attack] = []
    for number in range(count):
        if number % 3 < 2:
            made.append(_of_document(kinds[number % len(kinds)], chance, credentials))
        else:
            made.append(chance.choice(_OTHERS)(chance))
    return made
