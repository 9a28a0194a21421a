"""What a transaction changed, announced once it is committed: hints to whoever shows it.

Inside a transaction a verb notes what others may want to look at again: `note("member", 7)`. What
was noted is announced after the commit of the outermost transaction, each change once; what is
rolled back, a savepoint included, is announced to no one.

An announcement is a hint and never the truth: whoever hears it reads the database. It's lost if the
process dies in that moment, so that listeners look again from time to time as well.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

MEMBER = "member"
"""By member: anything that this member can see may have changed."""
HOUSEHOLD = "household"
"""By household: somebody is in it again, whom the others did not listen to."""
DROP = "drop"
"""By line: who stands in the line of a drop may stand elsewhere in it."""
PROGRAMME = "programme"
"""By 0: a version was published, which may concern every member."""
SESSION = "session"
"""By session: it has ended, and what runs on its behalf must stop."""
API_KEY = "api_key"
"""By API key: it is not what it was, or is no more."""
SIGNING_KEY = "signing_key"
"""By 0: a key that tokens are signed with was made, is about to go, or is gone."""

PROGRAMME_VERSION_ID = -1
SIGNING_KEY_VERSION_ID = -2
_VERSION_IDS = {PROGRAMME: PROGRAMME_VERSION_ID, SIGNING_KEY: SIGNING_KEY_VERSION_ID}
"""The rows of `versions` for what there is only one of; no id is negative."""

Change = tuple[str, int]
"""A topic, and the number of the row that it's about."""
PutEvent = tuple[str, int | None, str, int]
"""What `server.storage.outbox` writes: kind, member, facts as JSON, when it counts."""
Announce = Callable[[frozenset[Change]], None]


@dataclass(slots=True)
class Noted:
    """What one transaction or savepoint has noted so far."""

    changes: set[Change] = field(default_factory=set)
    events: list[PutEvent] = field(default_factory=list)
    is_complete: bool = False  # all is done but the commit
    outer: "Noted | None" = None  # of the transaction that this savepoint is in

    @property
    def version_ids(self) -> set[int]:
        """The rows of `versions` that go one on."""
        return {_VERSION_IDS.get(topic, number) for topic, number in self.changes}


_noted: ContextVar[Noted | None] = ContextVar("noted", default=None)
_receivers: list[Announce] = []


def note(topic: str, number: int) -> None:
    """Announce (topic, number) after the commit of the transaction that this is called in.

    Whatever a transaction notes costs it one statement together, which also takes the versions of
    what changed a step on (`server.storage.versions`). Noting again what is noted changes nothing.
    """
    noted = _noted.get()
    assert noted is not None, "a change is noted inside the transaction that makes it"
    noted.changes.add((topic, number))


def put(event: PutEvent) -> None:
    """Have the event written at the end of the transaction that this is called in."""
    noted = _noted.get()
    assert noted is not None, "an event is put inside the transaction that makes it happen"
    noted.events.append(event)


def has_noted(topic: str) -> bool:
    """Whether the transaction that this is called in, if any, has noted a change of the topic."""
    noted = _noted.get()
    while noted is not None:
        if any(one == topic for one, _number in noted.changes):
            return True
        noted = noted.outer
    return False


@contextmanager
def announced() -> Iterator[Noted]:
    """Around a transaction: what is noted within the block is announced after it.

    A block inside another gives what it noted to that one. If the block raises, nothing is
    announced, unless `is_complete` says that only the commit was left: who is interrupted then
    can't know whether it happened.
    """
    outer = _noted.get()
    noted = Noted(outer=outer)
    token = _noted.set(noted)
    may_be_committed = False
    try:
        yield noted
        may_be_committed = True
    except BaseException:
        may_be_committed = noted.is_complete
        raise
    finally:
        _noted.reset(token)
        if may_be_committed and outer is not None:
            outer.changes |= noted.changes
            outer.events += noted.events
        elif may_be_committed and noted.changes:
            _announce(frozenset(noted.changes))


def _announce(changes: frozenset[Change]) -> None:
    for receive in tuple(_receivers):
        try:
            receive(changes)
        except Exception:
            # What is committed stays so, and its caller is told, whatever a listener does.
            import structlog  # noqa: PLC0415 - slow to load, and hardly ever needed

            structlog.get_logger("changes").exception("a change was not announced")


@contextmanager
def announced_to(receive: Announce) -> Iterator[None]:
    """Within the block `receive` is called with the changes of each transaction of this process
    after its commit, in the committing task: it must return at once."""
    _receivers.append(receive)
    try:
        yield
    finally:
        _receivers.remove(receive)
