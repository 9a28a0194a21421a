"""Each write once: the answer to an idempotency key is kept for ever.

The key, who used it for what, and a hash of the content are stored with the answer in the same
transaction as the write. A refusal writes nothing, so that its key may be used again.

The hashes are keyed with a secret of the deployment: who reads the table alone can't find out by
guessing what was sent.
"""

import hmac
import json
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar, cast

import msgspec
from strawberry import UNSET
from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.models import Model

from server import clock
from server.clock import Instant
from server.edge.observing import note_repetition
from server.errors import IdempotencyConflict, InvalidInput, phrase
from server.storage import sql
from server.storage.exchange import Asked
from server.storage.fields import IdField, InstantField
from server.storage.ids import new_id
from server.storage.secrets import shared_secret


class IdempotencyRecord(Model):
    """One answered write."""

    id = IdField()
    scope = fields.CharField(128)  # who called, by name or hash, and which mutation
    key = fields.CharField(255)
    content_hash = fields.CharField(64)
    answer = fields.TextField()
    recorded_at = InstantField()

    class Meta:
        """Table."""

        table = "idempotency_records"
        unique_together = (("scope", "key"),)


_COLUMNS = "id, scope, key, content_hash, answer, recorded_at"
INSERT = sql.insert("idempotency_records", _COLUMNS)
_CLAIM = sql.insert(
    "idempotency_records",
    _COLUMNS,
    otherwise="ON CONFLICT (scope, key) DO NOTHING",
)
_FIND = "SELECT content_hash, answer FROM idempotency_records WHERE scope = $1 AND key = $2"
_FIND_MANY = "SELECT scope, key, content_hash, answer FROM idempotency_records WHERE scope = $1"
_ANSWER = "UPDATE idempotency_records SET answer = $1 WHERE id = $2"

MAXIMUM_KEY_LENGTH = 255
_SECRET = "idempotency"  # noqa: S105 - the name of a secret
_CONTENT_CONTEXT = b"laurel idempotency content 1:"
_CALLER_CONTEXT = b"laurel idempotency caller 1:"
_Result = TypeVar("_Result", bound=msgspec.Struct)


class NothingWritten(Exception):
    """Raised by a batch in which everything was refused: it answers `result` and stores nothing."""

    def __init__(self, result: Any) -> None:
        super().__init__(result)
        self.result = result


def _encodable(value: Any) -> Any:
    if value is UNSET:
        return None
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


_SORTED = msgspec.json.Encoder(enc_hook=_encodable, order="sorted")
# A quote with a comma or a brace before it and a letter after it opens a name: the one that closes
# a text is followed by punctuation, and one inside it has a backslash before it.
_LATER_NULLS = re.compile(rb',"\w+":null')
_FIRST_NULLS = re.compile(rb'\{"\w+":null,?')


async def content_hash(content: Any) -> str:
    """HMAC-SHA-256, in hexadecimal, of the content's canonical JSON.

    Keys are sorted and nulls left out, so that an optional field added to the schema later does
    not change the hash of what was sent before it.
    """
    return await _keyed_hash(_CONTENT_CONTEXT, _canonical(content))


def _canonical(content: Any) -> bytes:
    try:
        encoded = _SORTED.encode(content)
    except (UnicodeEncodeError, TypeError, ValueError):
        return _canonical_value(content)
    if b":null" in encoded:
        encoded = _FIRST_NULLS.sub(b"{", _LATER_NULLS.sub(b"", encoded))
        if b":null" in encoded:  # in a text perhaps, or below an unusual name
            return _canonical_value(content)
    return encoded


def _canonical_value(content: Any) -> bytes:
    """The same for every content, by a walk over all of it."""
    plain = _without_nulls(msgspec.to_builtins(content, enc_hook=_encodable))
    try:
        return msgspec.json.encode(plain, order="deterministic")
    except UnicodeEncodeError:  # half of a surrogate pair, which the verb refuses in its own words
        return json.dumps(plain, sort_keys=True).encode()


async def caller_hash(whom: str) -> str:
    """HMAC-SHA-256, in hexadecimal, of what stands for a caller without a name."""
    return await _keyed_hash(_CALLER_CONTEXT, whom.encode())


async def _keyed_hash(context: bytes, message: bytes) -> str:
    return hmac.digest(await shared_secret(_SECRET), context + message, "sha256").hex()


def check_key(key: str) -> None:
    """Raise InvalidInput for a key that is empty, too long or not printable."""
    if not 1 <= len(key) <= MAXIMUM_KEY_LENGTH or not key.isprintable():
        raise InvalidInput(
            "idempotency.key",
            path=("input", "idempotencyKey"),
            value=key,
            accepted=phrase("accepted.idempotency_key", maximum=MAXIMUM_KEY_LENGTH),
        )


def records_asked(uses: Iterable[tuple[str, str]]) -> list[Asked]:
    """What asks for (scope, key, content hash, answer) of the uses of keys, each a (scope, key),
    that have been answered; one question for each scope."""
    keys: dict[str, list[str]] = {}
    for scope, key in uses:
        keys.setdefault(scope, []).append(key)
    asked: list[Asked] = []
    for scope, used in sorted(keys.items()):
        values = sql.padded(used)
        wanted = sql.placeholders(len(values), 2)
        asked.append((f"{_FIND_MANY} AND key IN ({wanted})", (scope, *values)))
    return asked


def record(
    scope: str, key: str, content: str, answer: msgspec.Struct, recorded_at: Instant
) -> sql.Row:
    """The values of INSERT for an answered use of a key."""
    encoded = msgspec.json.encode(answer).decode()
    return (new_id(), scope, key, content, encoded, recorded_at)


async def once(
    *,
    scope: str,
    key: str,
    content: str,
    work: Callable[[], Awaitable[_Result]],
    result: type[_Result],
) -> _Result:
    """Do `work` in one transaction, or answer what it answered the first time.

    `content` is the hash of what was asked. Two identical requests at once: the second waits for
    the first and gets its answer. Raises IdempotencyConflict if the key was used with other
    content, and InvalidInput for a key that is empty, too long or not printable.
    """
    check_key(key)

    async def attempt() -> _Result:
        async with sql.transaction():
            record_id = new_id()
            claimed = await sql.execute(
                _CLAIM, record_id, scope, key, content, "", clock.system_now()
            )
            if not claimed:
                return await _first_answer(scope, key, content, result)
            answer = await work()
            await sql.execute(_ANSWER, msgspec.json.encode(answer).decode(), record_id)
            return answer

    try:
        return await sql.retried(attempt)
    except NothingWritten as refused:
        return cast(_Result, refused.result)


async def _first_answer(scope: str, key: str, content: str, result: type[_Result]) -> _Result:
    row = await sql.fetch_one(_FIND, scope, key)
    if row is None:
        raise IntegrityError("the claim was withdrawn while it was read")
    if row[0] != content:
        raise IdempotencyConflict
    note_repetition()
    return msgspec.json.decode(row[1], type=result)
