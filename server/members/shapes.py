"""What the schema shows of sign-ins and profiles: types, inputs and results."""

from datetime import date
from typing import Annotated

import strawberry

from server.clock import Instant
from server.edge.mutation import KEY_DESCRIPTION
from server.edge.permissions import EVERYONE, MEMBER, shown_to
from server.edge.problems import (
    CredentialsRejected,
    IdempotencyConflict,
    InvalidInput,
)

# ---------------------------------------------------------------- types


@shown_to(EVERYONE)
@strawberry.type(
    description="A sign-in on one device. Send the access token as `Authorization: Bearer ...`, "
    "and keep both tokens where only the app can read them."
)
class Session:
    """A session's tokens."""

    access_token: str = strawberry.field(
        description="Says who is calling, for 10 minutes. A JWT (RFC 9068), checked with the keys "
        "at /.well-known/jwks.json."
    )
    access_token_expires_at: Instant = strawberry.field(
        description="When the access token expires: refresh the session shortly before."
    )
    refresh_token: str = strawberry.field(
        description="Gets the next pair of tokens from refreshSession, once."
    )
    refresh_token_expires_at: Instant = strawberry.field(
        description="When the session ends, unless it is refreshed before: after 30 days."
    )
    member_id: strawberry.ID | None = strawberry.field(
        description="The id of the member who signed in; null for staff."
    )


@shown_to(MEMBER)
@strawberry.type(description="What a member may change about themselves.")
class Profile:
    """A member's profile."""

    member_id: strawberry.ID = strawberry.field(description="The id of the member.")
    name: str | None = strawberry.field(description="The member's name; null if not known.")
    birthday: date | None = strawberry.field(
        description="The day the member was born; null if not known."
    )
    locale: str = strawberry.field(
        description="The member's language and region as a tag (BCP 47), such as en-GB."
    )
    time_zone: str = strawberry.field(
        description="The member's time zone by its IANA name, such as Europe/London."
    )


# ---------------------------------------------------------------- inputs


@strawberry.input(description="A person who wants to become a member.")
class SignUpInput:
    """The input of signUp."""

    idempotency_key: str = strawberry.field(
        description=f"{KEY_DESCRIPTION} The password must be right again."
    )
    email: str = strawberry.field(
        description="The e-mail address to sign in with; upper and lower case are the same."
    )
    password: str = strawberry.field(description="The password: 8 to 128 characters of any kind.")
    name: str = strawberry.field(description="The person's name: 1 to 120 characters.")
    birthday: date | None = strawberry.field(
        default=None, description="The day the person was born; null to leave it open."
    )
    locale: str | None = strawberry.field(
        default=None,
        description="The person's language and region as a tag (BCP 47), such as en-GB; null for "
        "en.",
    )
    time_zone: str | None = strawberry.field(
        default=None,
        description="The person's time zone by its IANA name, such as Europe/London; null for the "
        "programme's.",
    )
    device_name: str | None = strawberry.field(
        default=None,
        description="What the person calls the device, at most 120 characters; null if unnamed.",
    )
    referral_code: str | None = strawberry.field(
        default=None,
        description="The code of the member who brought them (`Member.referral`); null for nobody.",
    )
    device_id: str | None = strawberry.field(
        default=None,
        description="What the app knows the device by: 1 to 200 printable characters, always the "
        "same on it; kept as a keyed hash alone, to see that nobody brings themselves.",
    )


@strawberry.input(description="A member or one of the staff who wants to sign in.")
class SignInInput:
    """The input of signIn."""

    idempotency_key: str = strawberry.field(
        description=f"{KEY_DESCRIPTION} The tokens expire all the same, so take a new key for "
        "every new sign-in."
    )
    email: str = strawberry.field(description="The account's e-mail address.")
    password: str = strawberry.field(description="The account's password.")
    device_name: str | None = strawberry.field(
        default=None,
        description="What the person calls the device, at most 120 characters; null if unnamed.",
    )


@strawberry.input(description="What to change of the caller's profile; what is left out stays.")
class UpdateProfileInput:
    """The input of updateProfile."""

    idempotency_key: str = strawberry.field(
        description=f"{KEY_DESCRIPTION} Later changes are not undone."
    )
    name: str | None = strawberry.field(
        default=strawberry.UNSET, description="The new name: 1 to 120 characters; null clears it."
    )
    birthday: date | None = strawberry.field(
        default=strawberry.UNSET, description="The new birthday; null clears it."
    )
    locale: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The new language and region as a tag (BCP 47), such as en-GB; not null.",
    )
    time_zone: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The new time zone by its IANA name, such as Europe/London; not null.",
    )


# ---------------------------------------------------------------- results

SignUpResult = Annotated[
    Session | InvalidInput | CredentialsRejected | IdempotencyConflict,
    strawberry.union("SignUpResult", description="The first session, or why there is none."),
]
SignInResult = Annotated[
    Session | InvalidInput | CredentialsRejected | IdempotencyConflict,
    strawberry.union("SignInResult", description="The session, or why there is none."),
]
UpdateProfileResult = Annotated[
    Profile | InvalidInput | IdempotencyConflict,
    strawberry.union(
        "UpdateProfileResult", description="The profile after the change, or why it's unchanged."
    ),
]
