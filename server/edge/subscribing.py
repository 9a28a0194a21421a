"""What subscriptions yield: not what is shown, but that something is to be, and how it's read.

An event is read when it's delivered, with the context that it's delivered with and in the one
snapshot of the database that the whole response shows. So it's never older than its delivery, and
never mixes the states before and after a commit.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, Protocol, TypeVar

from graphql import GraphQLError, GraphQLResolveInfo, GraphQLSchema

from server.edge.context import Context
from server.storage import sql

Read = Callable[[Context], Awaitable[Any]]


@dataclass(slots=True)
class Event:
    """One event of a subscription: `read` gives what the root field shows."""

    read: Read
    is_shown: bool = False  # whether it has been delivered without errors


async def _shown(event: object, info: GraphQLResolveInfo[Context], **_arguments: object) -> Any:
    return await event.read(info.context) if isinstance(event, Event) else event


def read_when_delivered(schema: GraphQLSchema) -> None:
    """Let the subscriptions of the schema show what their events read."""
    if schema.subscription_type is not None:
        for field in schema.subscription_type.fields.values():
            field.resolve = _shown


class _Outcome(Protocol):
    """What running an operation gives."""

    @property
    def errors(self) -> Sequence[GraphQLError] | None: ...


_Given = TypeVar("_Given", bound=_Outcome)


async def delivered(event: object, run: Callable[[], _Given | Awaitable[_Given]]) -> _Given:
    """What `run` answers to the event, from one snapshot of the database."""
    async with sql.snapshot():
        begun = run()
        result = await begun if isawaitable(begun) else begun
    if isinstance(event, Event):
        event.is_shown = not result.errors
    return result
