"""What the schema shows of changing and resetting passwords: types, inputs and results."""

from typing import Annotated

import strawberry

from server.edge.mutation import KEY_DESCRIPTION
from server.edge.permissions import EVERYONE, shown_to
from server.edge.problems import CredentialsRejected, IdempotencyConflict, InvalidInput
from server.members.session_shapes import SIGNED_IN

_NEW_PASSWORD = "The new password: 8 to 128 characters of any kind."  # noqa: S105 - no password
_REPEATED = (
    f"{KEY_DESCRIPTION} No password is kept to compare with: the new one has to be the same while "
    "it is the account's password; after that the key alone decides."
)

# ---------------------------------------------------------------- types


@shown_to(SIGNED_IN)
@strawberry.type(description="The password was changed; this session goes on, all others ended.")
class PasswordChanged:
    """The answer to changePassword."""

    ended_session_count: int = strawberry.field(
        description="How many other sessions ended by it, at least 0."
    )


@shown_to(EVERYONE)
@strawberry.type(
    description="If the address has an account, a code is on its way there. The answer is the same "
    "if it has none."
)
class PasswordResetRequested:
    """The answer to requestPasswordReset."""

    code_valid_minutes: int = strawberry.field(
        description="How long a code counts, from when it was sent: 15 minutes."
    )


@shown_to(EVERYONE)
@strawberry.type(
    description="The new password is set; the account's sessions ended. Sign in with it."
)
class PasswordWasReset:
    """The answer to resetPassword."""

    ended_session_count: int = strawberry.field(
        description="How many sessions ended by it, at least 0."
    )


# ---------------------------------------------------------------- inputs


@strawberry.input(description="A password to change.")
class ChangePasswordInput:
    """The input of changePassword."""

    idempotency_key: str = strawberry.field(description=_REPEATED)
    current_password: str = strawberry.field(description="The account's present password.")
    new_password: str = strawberry.field(description=_NEW_PASSWORD)


@strawberry.input(description="Who has forgotten the password.")
class RequestPasswordResetInput:
    """The input of requestPasswordReset."""

    idempotency_key: str = strawberry.field(
        description=f"{KEY_DESCRIPTION} So take a new key to get another code."
    )
    email: str = strawberry.field(
        description="The account's e-mail address, at most 254 characters; upper and lower case "
        "are the same."
    )


@strawberry.input(description="A code that was sent, and the password to set with it.")
class ResetPasswordInput:
    """The input of resetPassword."""

    idempotency_key: str = strawberry.field(description=_REPEATED)
    code: str = strawberry.field(
        description="The code from the letter: 32 letters and digits, in any case, with or "
        "without spaces. It works once, for 15 minutes."
    )
    new_password: str = strawberry.field(description=_NEW_PASSWORD)


# ---------------------------------------------------------------- results

ChangePasswordResult = Annotated[
    PasswordChanged | InvalidInput | CredentialsRejected | IdempotencyConflict,
    strawberry.union(
        "ChangePasswordResult", description="The change, or why the password is unchanged."
    ),
]
RequestPasswordResetResult = Annotated[
    PasswordResetRequested | InvalidInput | IdempotencyConflict,
    strawberry.union(
        "RequestPasswordResetResult",
        description="That it was asked for, or why it could not be; never whether the address has "
        "an account.",
    ),
]
ResetPasswordResult = Annotated[
    PasswordWasReset | InvalidInput | CredentialsRejected | IdempotencyConflict,
    strawberry.union(
        "ResetPasswordResult",
        description="The reset, or why the password is unchanged. A code that is not known, was "
        "used or has expired is CredentialsRejected.",
    ),
]
