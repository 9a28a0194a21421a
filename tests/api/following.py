"""Subscriptions as transports see them: the events of one operation, one after the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from server.edge.context import Context
from server.edge.executing import Introspection, Operations, Policy
from server.edge.requests import GraphQLRequest
from server.principal import Principal, PrincipalKind
from server.schema import schema
from tests.api.calling import Json

PATIENCE_SECONDS = 20
SHOWN = "id name points { available pending lifetimeEarned }"


class Events:
    """What has been delivered and was not looked at yet."""

    def __init__(self) -> None:
        self.delivered: asyncio.Queue[Json] = asyncio.Queue()
        self.principal = Principal(PrincipalKind.MEMBER)

    async def next(self) -> Json:
        """The member in the next event."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            body = await self.delivered.get()
        assert "errors" not in body, body
        member: Json = body["data"]["memberChanged"]
        return member


@asynccontextmanager
async def followed(member_id: int, shown: str = SHOWN) -> AsyncIterator[Events]:
    """Within the block the member follows themselves."""
    events = Events()
    events.principal = Principal(PrincipalKind.MEMBER, id=1, member_id=member_id)
    operations = Operations(schema, policy=Policy(introspection=Introspection.EVERYONE))
    request = GraphQLRequest(f"subscription {{ memberChanged {{ {shown} }} }}", None, None, {})

    async def renewed() -> Context:
        return Context(principal=events.principal)

    async def deliver() -> None:
        context = await renewed()
        planned = await operations.planned(request, context, allows=lambda _kind: None)
        async for answer in operations.events(planned, context, renewed):
            events.delivered.put_nowait(answer.body)

    task = asyncio.create_task(deliver())
    task.add_done_callback(lambda ended: events.delivered.put_nowait({"errors": repr(ended)}))
    try:
        yield events
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
