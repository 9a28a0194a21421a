"""Batches: many things in one mutation, each answered by itself."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from server.edge.problems import problem_of
from server.errors import DomainError
from server.refusals import Refusal

_Input = TypeVar("_Input")
_Wish = TypeVar("_Wish")
_Done = TypeVar("_Done")


async def answer_each(
    inputs: Sequence[_Input],
    *,
    field: str,
    wish_of: Callable[[_Input], _Wish],
    do: Callable[[list[_Wish]], Awaitable[Sequence[_Done | DomainError]]],
) -> list[_Done | Refusal]:
    """What became of each of the inputs, in order, for an answer that is kept.

    `wish_of` makes of an input what the service takes, or raises its refusal; `do` answers all
    wishes in one call. `field` is the name of the list in the mutation's input: refusals' paths
    are put below it.
    """
    wishes: list[_Wish] = []
    refusals: dict[int, DomainError] = {}
    for position, one in enumerate(inputs):
        try:
            wishes.append(wish_of(one))
        except DomainError as refusal:
            refusals[position] = refusal
    done = iter(await do(wishes) if wishes else ())
    answers: list[_Done | Refusal] = []
    for position in range(len(inputs)):
        answer = refusals.get(position) or next(done)
        if isinstance(answer, DomainError):
            answers.append(Refusal.of(answer.below("input", field, position)))
        else:
            answers.append(answer)
    return answers


def shown_each(
    answers: Sequence[_Done | Refusal], language: str, *, show: Callable[[_Done], Any]
) -> list[Any]:
    """The answers as the schema shows them, refusals as problems in the language."""
    return [
        problem_of(answer.error(), language) if isinstance(answer, Refusal) else show(answer)
        for answer in answers
    ]
