"""Signing in through Firebase, as the schema shows it."""

from typing import Annotated

import strawberry

from server.edge.mutation import KEY_DESCRIPTION
from server.edge.problems import (
    CredentialsRejected,
    IdempotencyConflict,
    InvalidInput,
    NotAllowed,
)
from server.members.shapes import Session


@strawberry.input(
    description="Somebody who has signed in with Firebase Authentication, by any of its ways that "
    "names a user: e-mail, phone, Google and the others, but not anonymously."
)
class SignInWithFirebaseInput:
    """The input of signInWithFirebase."""

    idempotency_key: str = strawberry.field(
        description=f"{KEY_DESCRIPTION} It belongs to the user, not to the ID token: a repetition "
        "may send a newer one, and needs one that has not expired. The session's tokens expire all "
        "the same, so take a new key for every new sign-in."
    )
    id_token: str = strawberry.field(
        description="The user's Firebase ID token (getIdToken), at most 8,192 characters. It is "
        "good for an hour; it is neither kept nor logged."
    )
    device_name: str | None = strawberry.field(
        default=None,
        description="What the person calls the device, at most 120 characters; null if unnamed.",
    )
    name: str | None = strawberry.field(
        default=None,
        description="A new member's name if Firebase knows none: 1 to 120 characters. Who is a "
        "member already keeps theirs.",
    )
    locale: str | None = strawberry.field(
        default=None,
        description="A new member's language and region as a tag (BCP 47), such as en-GB; null for "
        "en.",
    )
    time_zone: str | None = strawberry.field(
        default=None,
        description="A new member's time zone by its IANA name, such as Europe/London; null for "
        "the programme's.",
    )
    referral_code: str | None = strawberry.field(
        default=None,
        description="The code of the member who brought a new one (`Member.referral`); null for "
        "nobody. Of who is a member already it says nothing: for them it is not looked at.",
    )
    device_id: str | None = strawberry.field(
        default=None,
        description="What the app knows a new member's device by: 1 to 200 printable characters, "
        "always the same on it; kept as a keyed hash alone, to see that nobody brings themselves.",
    )


SignInWithFirebaseResult = Annotated[
    Session | InvalidInput | CredentialsRejected | NotAllowed | IdempotencyConflict,
    strawberry.union("SignInWithFirebaseResult", description="The session, or why there is none."),
]
