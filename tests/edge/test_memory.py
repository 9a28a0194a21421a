"""What memory gives again, and what it doesn't."""

from dataclasses import replace

import pytest

from server.clock import NEVER, Instant
from server.edge.context import Context
from server.edge.memory import OVERHEAD_BYTES, Key, Memory, Recall
from server.principal import AsOf, Principal, PrincipalKind

AT = Instant(1_000)
MEMBER = Principal(PrincipalKind.MEMBER, id=5, member_id=7, as_of=AsOf(3, 1))
KEY = Key("hash", None, b"", 7, "en")


def context(at: int = AT, *, principal: Principal = MEMBER, until: int = NEVER) -> Context:
    return Context(principal=principal, at=Instant(at), next_change_at=Instant(until))


def test_an_answer_is_given_again_while_nothing_has_changed() -> None:
    memory = Memory()
    assert memory.find(KEY, context()) is None
    memory.keep(KEY, b"1", context())

    assert memory.find(KEY, context()) == b"1"
    assert memory.find(KEY, context(AT + 10**12)) == b"1"
    assert memory.counts[Recall.UNKNOWN] == 1
    assert memory.counts[Recall.HIT] == 2


@pytest.mark.parametrize("as_of", [AsOf(4, 1), AsOf(2, 1), AsOf(3, 2), None])
def test_another_version_of_anything_makes_it_read_anew(as_of: AsOf | None) -> None:
    memory = Memory()
    memory.keep(KEY, b"1", context())

    assert memory.find(KEY, context(principal=replace(MEMBER, as_of=as_of))) is None
    assert memory.counts[Recall.CHANGED] == 1


def test_it_is_over_at_the_very_instant_at_which_time_changes_something() -> None:
    memory = Memory()
    memory.keep(KEY, b"1", context(until=AT + 5))

    assert memory.find(KEY, context(AT + 4)) == b"1"
    assert memory.find(KEY, context(AT + 5)) is None
    assert memory.find(KEY, context(AT - 1)) is None
    assert memory.counts[Recall.OVER] == 2


def test_the_newest_answer_takes_the_place_of_the_one_before() -> None:
    memory = Memory()
    memory.keep(KEY, b"1", context())
    memory.keep(KEY, b"22", context())

    assert memory.find(KEY, context()) == b"22"
    assert (len(memory), memory.size_bytes) == (1, 2 + OVERHEAD_BYTES)


def test_what_was_not_used_for_longest_goes_when_there_is_no_room() -> None:
    memory = Memory(capacity_bytes=3 * (OVERHEAD_BYTES + 10))
    keys = [KEY._replace(member_id=number) for number in range(4)]
    for key in keys[:3]:
        memory.keep(key, b"0123456789", context())
    assert memory.find(keys[0], context())
    memory.keep(keys[3], b"0123456789", context())

    assert [memory.find(key, context()) is not None for key in keys] == [True, False, True, True]
    assert memory.size_bytes == 3 * (OVERHEAD_BYTES + 10)


def test_an_answer_larger_than_the_memory_is_not_kept() -> None:
    memory = Memory(capacity_bytes=10)
    memory.keep(KEY, b"0123456789", context())

    assert (len(memory), memory.size_bytes) == (0, 0)


def test_without_versions_nothing_is_kept() -> None:
    memory = Memory()
    memory.keep(KEY, b"1", context(principal=replace(MEMBER, as_of=None)))

    assert len(memory) == 0
