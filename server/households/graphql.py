"""Households in the schema: what members and staff may do about them."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import msgspec
import strawberry

from server import clock
from server.edge import attempts, nodes
from server.edge.context import Info
from server.edge.mutation import write_once
from server.edge.permissions import MEMBER, access, mutation
from server.edge.problems import NotFound
from server.errors import DomainError
from server.households import service
from server.households.limits import INVITATION_CODES
from server.households.service import HouseholdView, Invitation, Left, Removed
from server.households.shapes import (
    ChangeHouseholdRoleInput,
    ChangeHouseholdRoleResult,
    DissolveHouseholdInput,
    DissolveHouseholdResult,
    FoundHouseholdInput,
    FoundHouseholdResult,
    HouseholdChanged,
    HouseholdInvitation,
    HouseholdLeft,
    InviteToHouseholdInput,
    InviteToHouseholdResult,
    JoinHouseholdInput,
    JoinHouseholdResult,
    LeaveHouseholdInput,
    LeaveHouseholdResult,
    RemovedFromHousehold,
    RemoveFromHouseholdInput,
    RemoveFromHouseholdResult,
    shown_household,
)
from server.principal import PrincipalKind, StaffRole

_Answer = TypeVar("_Answer", bound=msgspec.Struct)


async def _write(
    info: Info,
    input: Any,
    verb: Callable[[], Awaitable[_Answer]],
    result: type[_Answer],
    present: Callable[[_Answer], Any],
    *,
    hashed: Any = None,
) -> Any:
    async def work() -> _Answer:
        try:
            return await verb()
        except DomainError as error:
            raise error.below("input") from None

    return await write_once(info, input, work=work, result=result, present=present, hashed=hashed)


def _caller(info: Info) -> int:
    member_id = info.context.principal.member_id
    assert member_id is not None, "the guard lets only members pass"
    return member_id


def _shown_to_caller(info: Info) -> Callable[[HouseholdView], HouseholdChanged]:
    def present(household: HouseholdView) -> HouseholdChanged:
        return HouseholdChanged(
            household=shown_household(household, household.roles[_caller(info)])
        )

    return present


async def _shown_invitation(invitation: Invitation) -> HouseholdInvitation:
    return HouseholdInvitation(
        invitation_code=await service.invitation_code(invitation.id),
        role=invitation.role,
        expires_at=invitation.expires_at,
    )


def _shown_left(left: Left) -> HouseholdLeft:
    return HouseholdLeft(is_dissolved=left.is_dissolved, rejoin_from=clock.date_of(left.rejoin_day))


def _shown_removed(info: Info, removed: Removed) -> RemovedFromHousehold:
    is_staff = info.context.principal.kind is PrincipalKind.STAFF
    if is_staff or removed.household is None:
        return RemovedFromHousehold(household=None)
    role = removed.household.roles[_caller(info)]
    return RemovedFromHousehold(household=shown_household(removed.household, role))


def _household_number(opaque: str | None) -> int | None:
    return None if opaque is None else nodes.number_of(opaque, "Household")


def _member_number(opaque: str) -> int:
    return nodes.number_of(opaque, "Member")


_REMOVERS = access(members=True, roles=frozenset({StaffRole.SUPPORT, StaffRole.MANAGER}))


@strawberry.type
class HouseholdMutations:
    """The mutations of households, for the schema's root."""

    @mutation(
        MEMBER,
        description="Found a household, as its owner. One can be in one household at a time, and "
        "after leaving one has to wait: `households.rejoinWaitDays` of the programme's terms.",
    )
    async def found_household(
        self,
        info: Info,
        input: Annotated[
            FoundHouseholdInput, strawberry.argument(description="Which household to found.")
        ],
    ) -> FoundHouseholdResult:
        """Which household to found."""
        answer: FoundHouseholdResult = await _write(
            info,
            input,
            lambda: service.found(_caller(info), input.name, now=clock.now()),
            HouseholdView,
            _shown_to_caller(info),
        )
        return answer

    @mutation(
        MEMBER,
        description="Invite one person to the caller's household: owners may. The code works "
        "once, for seven days, and as long as the caller is an owner.",
    )
    async def invite_to_household(
        self,
        info: Info,
        input: Annotated[
            InviteToHouseholdInput, strawberry.argument(description="In which role to invite.")
        ],
    ) -> InviteToHouseholdResult:
        """In which role to invite."""
        answer: InviteToHouseholdResult = await _write(
            info,
            input,
            lambda: service.invite(_caller(info), input.role, now=clock.now()),
            Invitation,
            _shown_invitation,
        )
        return answer

    @mutation(
        MEMBER,
        description="Take up an invitation. Owners and spenders of the household can spend the "
        "caller's points from then on. More than 10 codes of no invitation in 15 minutes are the "
        "top-level error TOO_MANY_ATTEMPTS.",
    )
    async def join_household(
        self,
        info: Info,
        input: Annotated[
            JoinHouseholdInput, strawberry.argument(description="Which household to join.")
        ],
    ) -> JoinHouseholdResult:
        """Which household to join."""
        hashed = {"code": await service.code_hash(input.code)}
        answer: JoinHouseholdResult = await attempts.counting_failures(
            INVITATION_CODES,
            info.context.principal.name,
            lambda: _write(
                info,
                input,
                lambda: service.join(_caller(info), input.code, now=clock.now()),
                HouseholdView,
                _shown_to_caller(info),
                hashed=hashed,
            ),
            is_failure=lambda answer: isinstance(answer, NotFound),
        )
        return answer

    @mutation(
        MEMBER,
        description="Leave the household, with exactly what is left of one's own points. The last "
        "one to leave dissolves it; the last owner of others hands over first.",
    )
    async def leave_household(
        self,
        info: Info,
        input: Annotated[
            LeaveHouseholdInput, strawberry.argument(description="Leave the household.")
        ],
    ) -> LeaveHouseholdResult:
        """Leave the household."""
        answer: LeaveHouseholdResult = await _write(
            info,
            input,
            lambda: service.leave(
                _caller(info), household_id=_household_number(input.household_id), now=clock.now()
            ),
            Left,
            _shown_left,
        )
        return answer

    @mutation(
        MEMBER,
        description="Give a member of the caller's household another role: owners may, their own "
        "too as long as there is another owner.",
    )
    async def change_household_role(
        self,
        info: Info,
        input: Annotated[
            ChangeHouseholdRoleInput, strawberry.argument(description="Who gets which role.")
        ],
    ) -> ChangeHouseholdRoleResult:
        """Who gets which role."""
        answer: ChangeHouseholdRoleResult = await _write(
            info,
            input,
            lambda: service.change_role(
                _member_number(input.member_id), input.role, by=_caller(info), now=clock.now()
            ),
            HouseholdView,
            _shown_to_caller(info),
        )
        return answer

    @mutation(
        MEMBER,
        description="End the caller's household: owners may. Everybody keeps what is left of "
        "their own points.",
    )
    async def dissolve_household(
        self,
        info: Info,
        input: Annotated[
            DissolveHouseholdInput, strawberry.argument(description="End the household.")
        ],
    ) -> DissolveHouseholdResult:
        """End the household."""
        answer: DissolveHouseholdResult = await _write(
            info,
            input,
            lambda: service.dissolve(
                _caller(info), household_id=_household_number(input.household_id), now=clock.now()
            ),
            Left,
            _shown_left,
        )
        return answer

    @mutation(
        _REMOVERS,
        description="Remove a member from their household, with exactly what is left of their own "
        "points: owners may remove others of theirs, staff anybody but the last owner of others.",
    )
    async def remove_from_household(
        self,
        info: Info,
        input: Annotated[
            RemoveFromHouseholdInput, strawberry.argument(description="Whom to remove.")
        ],
    ) -> RemoveFromHouseholdResult:
        """Whom to remove."""
        answer: RemoveFromHouseholdResult = await _write(
            info,
            input,
            lambda: service.remove(
                _member_number(input.member_id),
                by=info.context.principal.member_id,
                now=clock.now(),
            ),
            Removed,
            lambda removed: _shown_removed(info, removed),
        )
        return answer
