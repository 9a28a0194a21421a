"""Quiet hours in the schema."""

from collections.abc import Sequence
from typing import Annotated, cast

import msgspec
import strawberry

from server import clock
from server.clock import Instant
from server.edge.context import Info
from server.edge.mutation import KEY_DESCRIPTION, write_once
from server.edge.permissions import MEMBER, STAFF, mutation, shown_to
from server.edge.problems import IdempotencyConflict, InvalidInput
from server.errors import DomainError, phrase
from server.errors import InvalidInput as InvalidInputError
from server.notifications import policy, quiet_hours
from server.notifications.quiet_hours import minute_of, time_of
from server.notifications.shapes import Hours


@shown_to(MEMBER | STAFF)
@strawberry.type(
    description="When a member gets no marketing by push or e-mail, by the wall clock of their "
    "time zone: what is due then waits for the end, and what would expire before that is not sent. "
    "Service messages come at any time; the inbox makes no noise."
)
class QuietHours:
    """Quiet hours."""

    from_time: str = strawberry.field(
        name="from", description="The first quiet minute of the day, as HH:MM: 00:00 to 23:59."
    )
    until: str = strawberry.field(
        description="The first minute that is quiet no more, as HH:MM; before `from` it is that of "
        "the next day, and the same as `from` means that it is never quiet."
    )
    is_own: bool = strawberry.field(
        description="Whether the member chose them; false: they are the programme's."
    )


@strawberry.input(description="When the member wants to be left alone.")
class SetQuietHoursInput:
    """Input of setQuietHours."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    from_time: str | None = strawberry.field(
        default=None,
        name="from",
        description="The first quiet minute of the local day, as HH:MM: 00:00 to 23:59; null, as "
        "`until`, for the programme's hours.",
    )
    until: str | None = strawberry.field(
        default=None,
        description="The first minute that is quiet no more, as HH:MM; before `from` it is that of "
        "the next day, and the same as `from` means never to be quiet.",
    )


@shown_to(MEMBER)
@strawberry.type(description="The member's quiet hours are as they wanted.")
class QuietHoursSet:
    """Success of setQuietHours."""

    quiet_hours: QuietHours | None = strawberry.field(
        description="The hours that hold now; null if the programme has none and the member chose "
        "none."
    )


SetQuietHoursResult = Annotated[
    QuietHoursSet | InvalidInput | IdempotencyConflict,
    strawberry.union("SetQuietHoursResult", description="The hours, or what is wrong with them."),
]


class _Held(msgspec.Struct, frozen=True):
    """What setQuietHours answers: the member's own hours, or without them the programme's."""

    hours: Hours | None
    is_own: bool


def _shown(held: _Held) -> QuietHours | None:
    if held.hours is None:
        return None
    return QuietHours(
        from_time=time_of(held.hours.from_minute),
        until=time_of(held.hours.until_minute),
        is_own=held.is_own,
    )


async def _hours(member_ids: list[int], at: Instant) -> Sequence[_Held]:
    own = await quiet_hours.of_members(member_ids)
    usual = (await policy.policy_at(at)).quiet
    return [
        _Held(own[one].hours, is_own=True) if one in own else _Held(usual, is_own=False)
        for one in member_ids
    ]


async def quiet_hours_of_member(info: Info, member_id: int) -> QuietHours | None:
    """When the member wants no sound, looked up together with other members'."""
    return _shown(await info.context.loader(_hours, info.context.at).load(member_id))


def _wanted(input: SetQuietHoursInput) -> Hours | None:
    if input.from_time is None and input.until is None:
        return None
    if input.from_time is None or input.until is None:
        missing = "from" if input.from_time is None else "until"
        raise InvalidInputError(
            "quiet_hours.half", path=(missing,), accepted=phrase("accepted.both_or_neither_time")
        )
    return Hours(
        minute_of(input.from_time, path=("from",)), minute_of(input.until, path=("until",))
    )


@strawberry.type
class QuietHoursMutations:
    """The mutation of quiet hours, for the schema's root."""

    @mutation(
        MEMBER,
        description="Choose when one wants no marketing by push or e-mail, in one's own time zone; "
        "or, with neither time, take the programme's hours.",
    )
    async def set_quiet_hours(
        self,
        info: Info,
        input: Annotated[SetQuietHoursInput, strawberry.argument(description="The hours.")],
    ) -> SetQuietHoursResult:
        """Choose quiet hours."""
        member_id, now = info.context.principal.member_id or 0, clock.now()

        async def work() -> _Held:
            try:
                hours = _wanted(input)
            except DomainError as error:
                raise error.below("input") from None
            await quiet_hours.set_hours(member_id, hours, now=now)
            if hours is not None:
                return _Held(hours, is_own=True)
            return _Held((await policy.policy_at(now)).quiet, is_own=False)

        answer = await write_once(
            info,
            input,
            work=work,
            result=_Held,
            present=lambda held: QuietHoursSet(quiet_hours=_shown(held)),
        )
        return cast(SetQuietHoursResult, answer)
