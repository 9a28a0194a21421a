"""Answers given again from memory, strictly as fresh as the database.

An answer is given again only if nothing that it shows can have changed: the same operation with the
same variables, in the same language, for the same member; the versions of the member and of the
programme, read anew for every request (`server.storage.versions`), are those that were read before
the answer's data; and the instant has not come at which time alone changes something of it. What
can't promise that is not kept: an operation that uses a field which does not state when time
changes it, answers with errors, callers who are no members.

What is kept is bounded in bytes; what was used least recently goes first. Each kept answer of a
member in an operation is replaced by the next one.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

import msgspec

from server.clock import Instant
from server.edge.context import Context
from server.edge.planning import OperationPlan
from server.principal import PrincipalKind

CAPACITY_BYTES = 16 * 1024 * 1024
MAXIMUM_VARIABLES_BYTES = 1_024
OVERHEAD_BYTES = 700
"""Of each kept answer beside its own bytes: the key, the entry and its place in the order."""


class Key(NamedTuple):
    """What the answer is to."""

    sha256: str  # of the document
    operation_name: str | None
    variables: bytes
    member_id: int
    language: str


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer, and for when it holds."""

    data: bytes
    versions: tuple[int, ...]
    since: Instant
    until: Instant


class Recall(Enum):
    """What memory had to say to a request."""

    HIT = "hit"  # the answer is given again
    CHANGED = "changed"  # something was written since
    OVER = "over"  # time has changed something since, or the request is for an earlier instant
    UNKNOWN = "unknown"  # the operation was not asked for lately by the member
    UNFIT = "unfit"  # nothing can be promised for the operation or the caller


class Memory:
    """The kept answers of one app; `counts` says how often each Recall was."""

    def __init__(self, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self.counts: dict[Recall, int] = dict.fromkeys(Recall, 0)
        self.size_bytes = 0
        self._capacity_bytes = capacity_bytes
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def key(
        self, sha256: str, plan: OperationPlan, variables: Mapping[str, Any], context: Context
    ) -> Key | None:
        """The key of a request's answer; None, counted, if it can't be kept."""
        principal = context.principal
        if (
            plan.is_exact
            and principal.kind is PrincipalKind.MEMBER
            and principal.member_id is not None
            and principal.as_of is not None
        ):
            sent = msgspec.json.encode(variables) if variables else b""
            if len(sent) <= MAXIMUM_VARIABLES_BYTES:
                return Key(sha256, plan.name, sent, principal.member_id, context.language)
        self.counts[Recall.UNFIT] += 1
        return None

    def find(self, key: Key, context: Context) -> bytes | None:
        """The JSON of the `data` that the request would be answered with, if it is known."""
        kept = self._kept.get(key)
        recall = _recall(kept, context)
        self.counts[recall] += 1
        if kept is None or recall is not Recall.HIT:
            return None
        self._kept.move_to_end(key)
        return kept.data

    def keep(self, key: Key, data: bytes, context: Context) -> None:
        """Keep an answer without errors, whose data were read after the caller's versions."""
        as_of = context.principal.as_of
        if as_of is None or context.next_change_at <= context.at:
            return
        self._drop(key)
        self._kept[key] = _Kept(data, as_of, context.at, context.next_change_at)
        self.size_bytes += len(data) + OVERHEAD_BYTES
        while self.size_bytes > self._capacity_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Key) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self.size_bytes -= len(gone.data) + OVERHEAD_BYTES


def _recall(kept: _Kept | None, context: Context) -> Recall:
    if kept is None:
        return Recall.UNKNOWN
    if kept.versions != context.principal.as_of:
        return Recall.CHANGED
    return Recall.HIT if kept.since <= context.at < kept.until else Recall.OVER
