"""`python -m server documents ...`: publishing, listing and withdrawing documents by hand.

Each command assumes an open, migrated database and returns the text to print.
"""

import json
import re
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

from graphql import GraphQLSchema

from server import clock
from server.clock import Instant
from server.edge import publishing, trusted
from server.edge.documents import Preparing
from server.edge.refusing import RequestRefused
from server.edge.requests import hash_of
from server.edge.trusted import NewDocument
from server.errors import NotFound
from server.storage import sql

APOLLO_FORMAT = "apollo-persisted-query-manifest"
MAXIMUM_PROBLEMS_SHOWN = 20
_OTHER_HASHES = {
    32: "it looks like MD5: set Relay's `persistConfig.algorithm` to SHA256",
    40: "it looks like SHA-1: set graphql-codegen's `persistedDocuments.hashAlgorithm` to 'sha256'",
}
_HEXADECIMAL = re.compile("[0-9a-fA-F]+")


class ManifestRefused(Exception):
    """Nothing of the manifest is published; the message says why, a line for each problem."""


def read(file: Path, schema: GraphQLSchema) -> list[NewDocument]:
    """The manifest's documents, each valid by the schema. Raises ManifestRefused.

    It takes the manifest of Apollo's persisted queries, and an object of texts by their SHA-256,
    as Relay and graphql-codegen write it.
    """
    preparing = Preparing(schema)
    documents: dict[str, NewDocument] = {}
    problems: list[str] = []
    for id_, label, body in _entries(file, _decoded(file)):
        name = label or id_
        wrong = _wrong_id(id_, body)
        if wrong is None:
            try:
                documents[id_] = publishing.checked(preparing, body, label)
                continue
            except RequestRefused as refused:
                wrong = f"{refused.code}: {publishing.said(refused)}"
        problems.append(f"{name}: {wrong}")
    if problems:
        shown = problems[:MAXIMUM_PROBLEMS_SHOWN]
        more = len(problems) - len(shown)
        rest = [f"and {more} more"] if more else []
        count = f"{len(problems)} of {len(problems) + len(documents)} documents can't be published"
        raise ManifestRefused("\n".join([f"{file}: {count}", *shown, *rest]))
    if not documents:
        raise ManifestRefused(f"{file} names no documents")
    return list(documents.values())


def _decoded(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestRefused(f"can't read {file}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ManifestRefused(f"{file} is not JSON in UTF-8: {error}") from error


def _entries(file: Path, manifest: Any) -> Iterator[tuple[str, str | None, str]]:
    """Id, label and text of each document."""
    if isinstance(manifest, dict) and "format" in manifest:
        if manifest["format"] != APOLLO_FORMAT or manifest.get("version") != 1:
            raise ManifestRefused(f"{file}: the format must be {APOLLO_FORMAT}, version 1")
        entries = manifest.get("operations")
        keys = ("id", "name", "body")
        if not isinstance(entries, list) or not all(_has_texts(one, keys) for one in entries):
            raise ManifestRefused(f"{file}: each of its operations needs an id, a name and a body")
        yield from ((one["id"], one["name"], one["body"]) for one in entries)
        return
    if not isinstance(manifest, dict) or not _has_texts(manifest, tuple(manifest)):
        raise ManifestRefused(
            f"{file} is no manifest: it takes Apollo's (format {APOLLO_FORMAT}), or a JSON object"
            " of documents by the SHA-256 of their text, as Relay and graphql-codegen write it"
        )
    yield from ((id_, None, body) for id_, body in manifest.items())


def _has_texts(value: Any, keys: tuple[str, ...]) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in keys)


def _wrong_id(id_: str, body: str) -> str | None:
    given = id_.removeprefix("sha256:")
    if given.lower() == hash_of(body):
        return None
    if _HEXADECIMAL.fullmatch(given) and len(given) in _OTHER_HASHES:
        return f"its id is not the SHA-256 of its text; {_OTHER_HASHES[len(given)]}"
    return "its id is not the SHA-256 of its text"


PUBLISH, WITHDRAW = "publish_documents", "withdraw_document"
"""The errands of the commands that write, for a server that holds the database."""


async def publish(*, documents: list[list[str]]) -> str:
    """Publish texts with their labels, which `read` has found."""
    async with sql.transaction():
        count = await trusted.publish([NewDocument(*one) for one in documents])
    return f"{count} published, {len(documents) - count} were published already"


async def withdraw(*, sha256: str) -> str:
    """Publish a document no longer. Raises NotFound if it isn't published."""
    async with sql.transaction():
        is_withdrawn = await trusted.withdraw(sha256)
    if not is_withdrawn:
        raise NotFound("documents.unknown", path=(), sha256=sha256)
    return f"withdrawn; servers that run stop answering it within a minute: {sha256}"


ERRANDS: Mapping[str, Callable[..., Coroutine[Any, Any, str]]] = {
    PUBLISH: publish,
    WITHDRAW: withdraw,
}


async def listed() -> str:
    """The documents, a line each."""
    found = await trusted.published()
    lines = [
        f"{one.sha256}  {_day(one.published_at)}  "
        f"{'published' if one.withdrawn_at is None else 'withdrawn':9}  {one.label}"
        for one in found
    ]
    return "\n".join(lines) if lines else "no documents have been published"


def _day(instant: Instant) -> str:
    return clock.datetime_of(instant).date().isoformat()
