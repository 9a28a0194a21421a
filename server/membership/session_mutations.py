"""Ending a member's sessions for them, in the schema."""

from typing import Annotated, cast

import msgspec
import strawberry

from server.cards import service as cards
from server.cards.graphql import MemberReference, member_reference
from server.edge import nodes
from server.edge.context import Info
from server.edge.mutation import KEY_DESCRIPTION, write_once
from server.edge.permissions import OPERATORS, access, mutation, shown_to
from server.edge.problems import IdempotencyConflict, InvalidInput, NotFound
from server.members import service as members

_SUPPORTERS = access(roles=OPERATORS)
_MEMBER_PATH = ("input", "member")


class _Ended(msgspec.Struct, frozen=True):
    """What endMemberSessions answers."""

    member_id: int
    ended_count: int


@strawberry.input(description="Whose sessions to end.")
class EndMemberSessionsInput:
    """The input of endMemberSessions."""

    idempotency_key: str = strawberry.field(
        description=f"{KEY_DESCRIPTION} `endedCount` stays what it was, and later sign-ins go on."
    )
    member: MemberReference = strawberry.field(
        description="The member; a card's number names its owner also when the card is blocked."
    )


@shown_to(_SUPPORTERS)
@strawberry.type(
    description="The member is signed out everywhere: all access and refresh tokens are refused."
)
class MemberSessionsEnded:
    """The answer to endMemberSessions."""

    member_id: strawberry.ID = strawberry.field(description="The id of the member.")
    ended_count: int = strawberry.field(
        description="How many sessions were active until now, at least 0."
    )


EndMemberSessionsResult = Annotated[
    MemberSessionsEnded | InvalidInput | NotFound | IdempotencyConflict,
    strawberry.union(
        "EndMemberSessionsResult", description="The end of the sessions, or why they go on."
    ),
]


@strawberry.type
class MemberSessionMutations:
    """The root fields that end members' sessions for them."""

    @mutation(
        _SUPPORTERS,
        description="End all sessions of a member, as when their phone was stolen. The password "
        "stays, so who knows it can sign in again; what the member owns stays with them.",
    )
    async def end_member_sessions(
        self,
        info: Info,
        input: Annotated[
            EndMemberSessionsInput, strawberry.argument(description="Whose sessions to end.")
        ],
    ) -> EndMemberSessionsResult:
        """Sign a member out everywhere."""

        async def work() -> _Ended:
            member_id, _card_id = await cards.resolve_card(
                member_reference(input.member),
                info.context.principal,
                path=_MEMBER_PATH,
            )
            return _Ended(member_id, await members.end_sessions_of_member(member_id))

        answer = await write_once(
            info,
            input,
            work=work,
            result=_Ended,
            present=lambda ended: MemberSessionsEnded(
                member_id=nodes.global_id("Member", ended.member_id),
                ended_count=ended.ended_count,
            ),
        )
        return cast(EndMemberSessionsResult, answer)
