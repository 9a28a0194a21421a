"""What follows from a programme alone: worked out once for each, and then at hand."""

from collections.abc import Callable
from typing import TypeVar

from server.programme.document import Programme

MAXIMUM_KEPT = 64
_Derived = TypeVar("_Derived")


def derived(derive: Callable[[Programme], _Derived]) -> Callable[[Programme], _Derived]:
    """A function of a programme that works its answer out once for each programme.

    Programmes are told apart by identity, since comparing two documents costs more than most of
    what is derived of them; published versions stay the same objects while they are in memory.
    """
    kept: dict[int, tuple[Programme, _Derived]] = {}

    def of(programme: Programme) -> _Derived:
        found = kept.get(id(programme))
        if found is not None:  # what is kept keeps its programme, so that no other has its identity
            return found[1]
        if len(kept) >= MAXIMUM_KEPT:
            kept.clear()
        answer = derive(programme)
        kept[id(programme)] = (programme, answer)
        return answer

    return of
