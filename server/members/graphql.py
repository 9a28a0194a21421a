"""Signing up, in and out, and a member's own profile, in the schema."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Any, cast

import strawberry

from server import clock
from server.edge import nodes
from server.edge.context import Info
from server.edge.mutation import write_once
from server.edge.permissions import EVERYONE, MEMBER, mutation
from server.edge.problems import CredentialsRejected, Problem, problem_of
from server.errors import CredentialsRejected as Rejected
from server.errors import DomainError, phrase
from server.errors import InvalidInput as Invalid
from server.members import limits, service
from server.members.service import OpenedSession
from server.members.session_mutations import session_shown
from server.members.shapes import (
    Profile,
    SignInInput,
    SignInResult,
    SignUpInput,
    SignUpResult,
    UpdateProfileInput,
    UpdateProfileResult,
)
from server.storage import outbox


def _profile_shown(profile: service.Profile) -> Profile:
    return Profile(
        member_id=nodes.global_id("Member", profile.id),
        name=profile.name,
        birthday=None if profile.birthday is None else date.fromisoformat(profile.birthday),
        locale=profile.locale,
        time_zone=profile.time_zone,
    )


# ---------------------------------------------------------------- signing up

Enrol = Callable[[SignUpInput], Awaitable[int]]
"""Makes a member of the person, with all that the programme gives; the id. In the transaction."""


async def answer_sign_up(info: Info, input: SignUpInput, *, enrol: Enrol) -> SignUpResult:
    """What signUp answers: `enrol` and an account with a session, once for each key.

    The tokens are never stored. A repetition makes them again from the stored session, for who
    knows the password.
    """
    async with limits.trying((limits.SIGN_UP_CLIENT, limits.client(info))) as attempt:
        try:
            answer = await _sign_up(info, input, enrol)
        except DomainError as error:
            answer = problem_of(error, info.context.language)
        if not isinstance(answer, CredentialsRejected):
            attempt.give_back()
    return cast(SignUpResult, answer)


async def _sign_up(info: Info, input: SignUpInput, enrol: Enrol) -> Any:
    path = ("input", "password")
    password_hash = await service.hash_password(input.password, path=path)
    own: OpenedSession | None = None

    async def work() -> OpenedSession:
        nonlocal own
        try:
            member_id = await enrol(input)
            account_id = await service.create_account(member_id, input.email, password_hash)
            outbox.put("account.opened", member_id, {}, occurred_at=clock.now())
            own = await service.open_session(account_id, input.device_name)
            return own
        except DomainError as error:
            raise error.below("input") from error

    answer = await _open_once(info, input, work)
    if not isinstance(answer, OpenedSession):
        return answer
    if answer != own and not await service.password_matches(answer.account_id, input.password):
        raise Rejected("credentials.rejected")
    return await session_shown(answer)


async def _open_once(
    info: Info, input: SignUpInput | SignInInput, work: Callable[[], Awaitable[OpenedSession]]
) -> OpenedSession | Problem:
    """Open a session once for each key and address. The password is no part of what is kept."""
    secret = ("password", "idempotency_key")
    opened: OpenedSession | Problem = await write_once(
        info,
        input,
        work=work,
        result=OpenedSession,
        present=lambda opened: opened,
        hashed={name: value for name, value in vars(input).items() if name not in secret},
        whom=service.email_key(input.email),
    )
    return opened


# ---------------------------------------------------------------- the rest


async def _sign_in(info: Info, input: SignInInput) -> Any:
    async with limits.trying(
        (limits.SIGN_IN_CLIENT, limits.client(info)),
        (limits.SIGN_IN_ACCOUNT, service.email_key(input.email)),
    ) as attempt:
        checked = await service.check_credentials(input.email, input.password)
        attempt.give_back()

    async def work() -> OpenedSession:
        try:
            return await service.sign_in(checked, input.device_name)
        except DomainError as error:
            raise error.below("input") from error

    answer = await _open_once(info, input, work)
    if not isinstance(answer, OpenedSession):
        return answer
    if answer.account_id != checked.account_id:  # the address has another owner since
        raise Rejected("credentials.rejected")
    return await session_shown(answer)


def _changes(input: UpdateProfileInput) -> dict[str, Any]:
    """What is given, for `service.update_profile`. Raises InvalidInput for a null that can't be."""
    given = {
        "name": input.name,
        "birthday": input.birthday.isoformat() if input.birthday else input.birthday,
        "locale": input.locale,
        "time_zone": input.time_zone,
    }
    for field, path, accepted in (
        ("locale", "locale", phrase("accepted.language_tag")),
        ("time_zone", "timeZone", phrase("accepted.time_zone_name")),
    ):
        if given[field] is None:
            raise Invalid("input.required", path=("input", path), accepted=accepted)
    return {field: value for field, value in given.items() if value is not strawberry.UNSET}


@strawberry.type
class MemberMutations:
    """The root fields of members that write, but for signUp, which belongs to enrolment."""

    @mutation(
        EVERYONE,
        description="Sign in with e-mail address and password. An unknown address and a wrong "
        "password are refused alike. After 10 failures with one address in 15 minutes, or 100 from "
        "one network address, it's the top-level error TOO_MANY_ATTEMPTS for a while; a new "
        "password (resetPassword) ends that.",
    )
    async def sign_in(
        self,
        info: Info,
        input: Annotated[SignInInput, strawberry.argument(description="Who signs in.")],
    ) -> SignInResult:
        """Open a session."""
        try:
            return cast(SignInResult, await _sign_in(info, input))
        except DomainError as error:
            return cast(SignInResult, problem_of(error, info.context.language))

    @mutation(MEMBER, description="Change the signed-in member's profile.")
    async def update_profile(
        self,
        info: Info,
        input: Annotated[UpdateProfileInput, strawberry.argument(description="What to change.")],
    ) -> UpdateProfileResult:
        """Change what is given."""
        member_id = info.context.principal.member_id or 0

        async def work() -> service.Profile:
            try:
                return await service.update_profile(member_id, **changes)
            except DomainError as error:
                raise error.below("input") from error

        try:
            changes = _changes(input)
        except DomainError as error:
            return cast(UpdateProfileResult, problem_of(error, info.context.language))
        answer = await write_once(
            info,
            input,
            work=work,
            result=service.Profile,
            present=_profile_shown,
            hashed=sorted(changes.items()),  # pairs, because a null here is not the same as nothing
        )
        return cast(UpdateProfileResult, answer)
