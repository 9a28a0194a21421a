"""Changing a password, and setting a new one in the place of one that was forgotten.

Passwords are hashed before the transaction and never kept with an answer. So a repetition is told
from another request by what the account has now (`accounts.was_set`).
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, cast

import msgspec
import strawberry

from server.edge import attempts
from server.edge.attempts import Attempt, TooManyAttempts
from server.edge.context import Info
from server.edge.mutation import write_once
from server.edge.permissions import EVERYONE, mutation
from server.edge.problems import Problem, problem_of
from server.edge.refusing import RequestRefused
from server.errors import DomainError, IdempotencyConflict
from server.integrations import email
from server.integrations.email import Post
from server.members import accounts, limits, models, passwords, resets, rules
from server.members.accounts import PasswordSet
from server.members.password_shapes import (
    ChangePasswordInput,
    ChangePasswordResult,
    PasswordChanged,
    PasswordResetRequested,
    PasswordWasReset,
    RequestPasswordResetInput,
    RequestPasswordResetResult,
    ResetPasswordInput,
    ResetPasswordResult,
)
from server.members.reset_requests import ResetRequest
from server.members.session_shapes import SIGNED_IN

_NEW_PASSWORD = ("input", "newPassword")


class _Asked(msgspec.Struct, frozen=True):
    """What requestPasswordReset answers for ever: nothing of the address."""


async def _set_once(
    info: Info,
    input: ChangePasswordInput | ResetPasswordInput,
    work: Callable[[], Awaitable[PasswordSet]],
    *,
    attempt: Attempt,
    whom: str | None,
) -> tuple[PasswordSet | Problem, bool]:
    """Set the password once for each key; whether it happened now. A success is no attempt."""
    own: PasswordSet | None = None

    async def noted() -> PasswordSet:
        nonlocal own
        own = await work()
        return own

    answer: PasswordSet | Problem = await write_once(
        info,
        input,
        work=noted,
        result=PasswordSet,
        present=lambda done: done,
        hashed={},
        whom=whom,
    )
    if not isinstance(answer, PasswordSet):
        return answer, False
    is_own = answer is own
    if not is_own and not await accounts.was_set(answer, input.new_password):
        raise IdempotencyConflict
    attempt.give_back()
    return answer, is_own


async def _change(info: Info, input: ChangePasswordInput) -> Any:
    principal = info.context.principal
    rules.valid_password(input.new_password, path=_NEW_PASSWORD)
    async with limits.trying((limits.CHANGE_PASSWORD, principal.name)) as attempt:
        old_hash = await accounts.shown_password(principal.id, input.current_password)
        new_hash = None
        if old_hash is not None:
            new_hash = await passwords.hash_password(input.new_password, path=_NEW_PASSWORD)

        async def work() -> PasswordSet:
            return await accounts.change_password(
                principal.id,
                old_hash=old_hash,
                new_hash=new_hash,
                kept_session_id=principal.session_id,
            )

        answer, _is_own = await _set_once(info, input, work, attempt=attempt, whom=None)
    if not isinstance(answer, PasswordSet):
        return answer
    return PasswordChanged(ended_session_count=answer.ended_sessions)


async def _reset(info: Info, input: ResetPasswordInput) -> Any:
    rules.valid_password(input.new_password, path=_NEW_PASSWORD)
    async with limits.trying((limits.RESET_CLIENT, limits.client(info))) as attempt:
        hashed = await resets.code_hash(input.code)
        account_id = await resets.account_of(hashed)
        new_hash = None
        if account_id is not None:
            new_hash = await passwords.hash_password(input.new_password, path=_NEW_PASSWORD)
        answer, is_own = await _set_once(
            info,
            input,
            lambda: resets.use(hashed, account_id, new_hash),
            attempt=attempt,
            whom=f"reset {hashed}",
        )
    if not isinstance(answer, PasswordSet):
        return answer
    if is_own:
        await _let_sign_in(answer.account_id)
    return PasswordWasReset(ended_session_count=answer.ended_sessions)


async def _let_sign_in(account_id: int) -> None:
    """Forget the failed sign-ins, which may have been somebody else's guesses."""
    key = await models.email_key_of(account_id)
    if key is not None:
        await attempts.forgive(limits.SIGN_IN_ACCOUNT, key)


def _post() -> Post:
    post = email.post()
    if post is None or post.is_full:
        raise RequestRefused(
            "MAIL_UNAVAILABLE", "reset.no_mail" if post is None else "reset.mail_busy", status=503
        )
    return post


async def _request(info: Info, input: RequestPasswordResetInput) -> Any:
    key = rules.email_key(rules.valid_email(input.email, path=("input", "email")))
    post, language = _post(), info.context.language
    wish: tuple[_Asked, ResetRequest] | None = None

    async def work() -> _Asked:
        nonlocal wish
        wish = _Asked(), await ResetRequest.asked(key, language)
        return wish[0]

    asked = PasswordResetRequested(code_valid_minutes=resets.CODE_MINUTES)
    client = limits.client(info)
    try:
        if client is not None:
            await attempts.take(limits.ASK_CLIENT, client)
    except TooManyAttempts:
        return asked
    answer: _Asked | Problem = await write_once(
        info,
        input,
        work=work,
        result=_Asked,
        present=lambda done: done,
        hashed={"email": input.email},
        whom=key,
    )
    if not isinstance(answer, _Asked):
        return answer
    if wish is not None and answer is wish[0]:
        wish[1].send(post)  # what follows depends on the address, and nobody waits for it
    return asked


@strawberry.type
class PasswordMutations:
    """The root fields that set passwords."""

    @mutation(
        SIGNED_IN,
        description="Change the password of the signed-in account. All its other sessions end, and "
        "no code that was sent to reset it counts any more. A wrong current password is "
        "CredentialsRejected; 10 of them in 15 minutes are the top-level error TOO_MANY_ATTEMPTS.",
    )
    async def change_password(
        self,
        info: Info,
        input: Annotated[
            ChangePasswordInput, strawberry.argument(description="The present and the new one.")
        ],
    ) -> ChangePasswordResult:
        """Change one's own password."""
        try:
            return cast(ChangePasswordResult, await _change(info, input))
        except DomainError as error:
            return cast(ChangePasswordResult, problem_of(error, info.context.language))

    @mutation(
        EVERYONE,
        description="Have a code sent to an account's e-mail address, in the member's language, "
        "for resetPassword. The answer is the same, after the same time, if the address has no "
        "account, or has been sent 3 codes in the last hour. A server that can't send mail answers "
        "with the top-level error MAIL_UNAVAILABLE.",
    )
    async def request_password_reset(
        self,
        info: Info,
        input: Annotated[
            RequestPasswordResetInput, strawberry.argument(description="Whose password it is.")
        ],
    ) -> RequestPasswordResetResult:
        """Ask for a code."""
        try:
            return cast(RequestPasswordResetResult, await _request(info, input))
        except DomainError as error:
            return cast(RequestPasswordResetResult, problem_of(error, info.context.language))

    @mutation(
        EVERYONE,
        description="Set a new password with a code that was sent. The code and all others of the "
        "account are used up, all its sessions end, and failed sign-ins are forgotten. An account "
        "that had no password, for signing in elsewhere, gets one. Many refused codes from one "
        "network address are the top-level error TOO_MANY_ATTEMPTS.",
    )
    async def reset_password(
        self,
        info: Info,
        input: Annotated[
            ResetPasswordInput, strawberry.argument(description="The code and the new password.")
        ],
    ) -> ResetPasswordResult:
        """Set a new password."""
        try:
            return cast(ResetPasswordResult, await _reset(info, input))
        except DomainError as error:
            return cast(ResetPasswordResult, problem_of(error, info.context.language))
