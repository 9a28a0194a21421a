"""The subscription `memberChanged`: the home screen, kept up to date."""

from collections.abc import AsyncGenerator
from typing import cast

import strawberry

from server import clock
from server.edge.context import Context, Info
from server.edge.permissions import MEMBER, subscription
from server.edge.subscribing import Event
from server.integrations.live import hub
from server.membership.following import following
from server.membership.member_type import Member, own_member
from server.programme import service as programme


@strawberry.type
class MembershipSubscriptions:
    """The root fields that go on answering about members."""

    @subscription(
        MEMBER,
        description="The signed-in member: as they are now, at once, and again after each commit "
        "that changes what is shown of them (balance, tier, challenges, card, household and all "
        "else of `Member`), when value becomes available or lapses, when a reservation ends, and "
        "when a day of the programme begins. Each event shows one state of the database, the "
        "newest; several commits in quick succession may be one event, and an older state never "
        "follows a newer one.",
    )
    async def member_changed(self, info: Info) -> AsyncGenerator[Member, None]:
        """Events, each read when it is delivered."""
        last: Event | None = None
        async with following(hub, info.context.principal.member_id or 0) as followed:

            async def read(context: Context) -> Member:
                # Of a duplicate that was merged meanwhile it is the survivor.
                followed.member_id = context.principal.member_id or followed.member_id
                # The snapshot begins with this look-up.
                await programme.rulebook()
                # Not before anything that the snapshot shows.
                context.at = clock.now()
                return await own_member(context)

            while True:
                await followed.occasion(last)
                last = Event(read)
                # What strawberry takes for the shown value; `subscribing` lets it be read.
                yield cast(Member, last)
