"""What subscriptions yield: not what is shown, but that something is to be, and how it's read.

An event is read when it's delivered, with the context that it's delivered with and in the one
snapshot of the database that the whole response shows. So it's never older than its delivery, and
never mixes the states before and after a commit.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from graphql import ExecutionResult, GraphQLResolveInfo, GraphQLSchema

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


async def delivered(
    event: object, run: Callable[[], Awaitable[ExecutionResult]]
) -> ExecutionResult:
    """What `run` answers to the event, from one snapshot of the database."""
    async with sql.snapshot():
        result = await run()
    if isinstance(event, Event):
        event.is_shown = not result.errors
    return result
