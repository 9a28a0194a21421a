"""Signing up, in and out, and a member's own profile, in the schema."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Any, cast

import msgspec
import strawberry
from graphql import GraphQLError

from server.edge import nodes
from server.edge.context import Info
from server.edge.mutation import write_once
from server.edge.permissions import ALL_STAFF, EVERYONE, MEMBER, Access, check, mutation
from server.edge.problems import Problem, problem_of
from server.errors import CredentialsRejected as Rejected
from server.errors import DomainError
from server.errors import InvalidInput as Invalid
from server.members import service
from server.members.service import OpenedSession, TooManySignIns
from server.members.shapes import (
    Profile,
    RefreshSessionInput,
    RefreshSessionResult,
    Session,
    SignedOut,
    SignInInput,
    SignInResult,
    SignOutInput,
    SignOutResult,
    SignUpInput,
    SignUpResult,
    UpdateProfileInput,
    UpdateProfileResult,
)
from server.refusals import Refusal

_SIGNED_IN = Access(members=True, roles=ALL_STAFF)


class _Refreshed(msgspec.Struct, frozen=True):
    """What refreshSession answers: a refusal too, if it is for an end that must be kept."""

    answer: OpenedSession | Refusal


class _Ended(msgspec.Struct, frozen=True):
    """What signOut answers."""

    was_active: int  # 1 or 0


async def _session_shown(opened: OpenedSession) -> Session:
    tokens = await service.session_tokens(opened)
    return Session(
        access_token=tokens.access_token,
        access_token_expires_at=tokens.access_token_expires_at,
        refresh_token=tokens.refresh_token,
        refresh_token_expires_at=tokens.refresh_token_expires_at,
        member_id=None if opened.member_id is None else nodes.global_id("Member", opened.member_id),
    )


def _profile_shown(profile: service.Profile) -> Profile:
    return Profile(
        member_id=nodes.global_id("Member", profile.id),
        name=profile.name,
        birthday=None if profile.birthday is None else date.fromisoformat(profile.birthday),
        locale=profile.locale,
        time_zone=profile.time_zone,
    )


def _too_many(error: TooManySignIns) -> GraphQLError:
    return GraphQLError(
        "Too many people are signing in at the moment. Try again in a few seconds.",
        extensions={"code": "TOO_MANY_SIGN_INS", "retryAfterSeconds": error.retry_after_seconds},
    )


# ---------------------------------------------------------------- signing up

Enrol = Callable[[SignUpInput], Awaitable[int]]
"""Makes a member of the person, with all that the programme gives; the id. In the transaction."""


async def answer_sign_up(info: Info, input: SignUpInput, *, enrol: Enrol) -> SignUpResult:
    """What signUp answers: `enrol` and an account with a session, once for each key.

    The tokens are never stored. A repetition makes them again from the stored session, for who
    knows the password.
    """
    try:
        return cast(SignUpResult, await _sign_up(info, input, enrol))
    except DomainError as error:
        return cast(SignUpResult, problem_of(error, info.context.language))
    except TooManySignIns as error:
        raise _too_many(error) from error


async def _sign_up(info: Info, input: SignUpInput, enrol: Enrol) -> Any:
    path = ("input", "password")
    password_hash = await service.hash_password(input.password, path=path)
    own: OpenedSession | None = None

    async def work() -> OpenedSession:
        nonlocal own
        try:
            member_id = await enrol(input)
            account_id = await service.create_account(member_id, input.email, password_hash)
            own = await service.open_session(account_id, input.device_name)
            return own
        except DomainError as error:
            raise error.below("input") from error

    answer = await _open_once(info, input, work)
    if not isinstance(answer, OpenedSession):
        return answer
    if answer != own and not await service.password_matches(answer.account_id, input.password):
        raise Rejected("credentials.rejected")
    return await _session_shown(answer)


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


def _of_session(shown: service.ShownRefreshToken) -> str:
    return f"session {shown.session_id}"


# ---------------------------------------------------------------- the rest


async def _sign_in(info: Info, input: SignInInput) -> Any:
    checked = await service.check_credentials(input.email, input.password)

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
    return await _session_shown(answer)


def _changes(input: UpdateProfileInput) -> dict[str, Any]:
    """What is given, for `service.update_profile`. Raises InvalidInput for a null that can't be."""
    given = {
        "name": input.name,
        "birthday": input.birthday.isoformat() if input.birthday else input.birthday,
        "locale": input.locale,
        "time_zone": input.time_zone,
    }
    for field, path, accepted in (
        ("locale", "locale", "a language tag such as en-GB"),
        ("time_zone", "timeZone", "the name of a time zone such as Europe/London"),
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
        "password are refused alike.",
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
        except TooManySignIns as error:
            raise _too_many(error) from error

    @mutation(
        EVERYONE,
        description="Get a session's next tokens. A refresh token that was used before with "
        "another key ends the session, since somebody else may have it.",
    )
    async def refresh_session(
        self,
        info: Info,
        input: Annotated[
            RefreshSessionInput, strawberry.argument(description="Which session to go on with.")
        ],
    ) -> RefreshSessionResult:
        """Begin the session's next generation."""
        try:
            shown = await service.shown_refresh_token(input.refresh_token)
        except DomainError as error:
            return cast(RefreshSessionResult, problem_of(error, info.context.language))

        async def work() -> _Refreshed:
            return _Refreshed(await service.refresh_session(shown))

        async def present(refreshed: _Refreshed) -> Session | Problem:
            if isinstance(refreshed.answer, Refusal):
                return problem_of(refreshed.answer.error(), info.context.language)
            return await _session_shown(refreshed.answer)

        answer = await write_once(
            info,
            input,
            work=work,
            result=_Refreshed,
            present=present,
            hashed=shown,
            whom=_of_session(shown),
        )
        return cast(RefreshSessionResult, answer)

    @mutation(
        EVERYONE,
        description="End a session: the caller's, or the one that a refresh token belongs to. "
        "Its access token is refused from then on, also when this is sent again with it; with a "
        "refresh token, and without an access token, it may be sent again at any time.",
    )
    async def sign_out(
        self,
        info: Info,
        input: Annotated[SignOutInput, strawberry.argument(description="Which session to end.")],
    ) -> SignOutResult:
        """End a session."""
        principal = info.context.principal
        shown: service.ShownRefreshToken | None = None
        if input.refresh_token is None:
            check(_SIGNED_IN, principal)
        else:
            try:
                shown = await service.shown_refresh_token(input.refresh_token)
            except DomainError as error:
                return cast(SignOutResult, problem_of(error, info.context.language))
        session_id = principal.session_id or 0 if shown is None else shown.session_id

        async def work() -> _Ended:
            return _Ended(int(await service.sign_out(session_id=session_id)))

        answer = await write_once(
            info,
            input,
            work=work,
            result=_Ended,
            present=lambda ended: SignedOut(was_active=bool(ended.was_active)),
            # The session is part of the content: a key that was used on one device must not seem
            # to sign out another.
            hashed={"session_id": session_id} if shown is None else shown,
            whom=None if shown is None else _of_session(shown),
        )
        return cast(SignOutResult, answer)

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
