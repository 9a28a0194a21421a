"""Signing in through Firebase, in the schema."""

from typing import Annotated, Any, cast

import strawberry

from server.edge.context import Info
from server.edge.mutation import write_once
from server.edge.permissions import EVERYONE, mutation
from server.edge.problems import problem_of
from server.edge.refusing import RequestRefused
from server.enrolment import firebase
from server.enrolment.firebase_shapes import SignInWithFirebaseInput, SignInWithFirebaseResult
from server.enrolment.service import Marks
from server.errors import CredentialsRejected, DomainError, NotAllowed
from server.integrations.firebase import (
    FirebaseUnavailable,
    IdTokenRejected,
    NotConfigured,
    VerifiedIdentity,
    id_tokens,
)
from server.members.service import OpenedSession
from server.members.session_mutations import session_shown

UNAVAILABLE_STATUS = 503


async def _verified(id_token: str) -> VerifiedIdentity:
    """Whom the token stands for. Raises CredentialsRejected, NotAllowed, and RequestRefused if it
    can't be told at the moment."""
    try:
        return await id_tokens().identity(id_token)
    except IdTokenRejected as error:
        reason = "firebase.expired" if error.is_expired else "firebase.rejected"
        raise CredentialsRejected(reason) from None
    except NotConfigured:
        raise NotAllowed("firebase.not_configured", path=("input", *firebase.ID_TOKEN)) from None
    except FirebaseUnavailable as error:
        seconds = error.retry_after_seconds
        raise RequestRefused(
            "UNAVAILABLE",
            "firebase.unavailable",
            status=UNAVAILABLE_STATUS,
            headers={"Retry-After": str(seconds)},
            extensions={"retryAfterSeconds": seconds},
        ) from None


async def _sign_in(info: Info, input: SignInWithFirebaseInput) -> Any:
    verified = await _verified(input.id_token)
    profile = {
        "device_name": input.device_name,
        "name": input.name,
        "locale": input.locale,
        "time_zone": input.time_zone,
    }
    came = {"referral_code": input.referral_code, "device_id": input.device_id}
    marks = Marks(device=input.device_id)

    async def work() -> OpenedSession:
        try:
            return await firebase.sign_in(
                verified, **profile, referral_code=input.referral_code, marks=marks
            )
        except DomainError as error:
            raise error.below("input") from error

    return await write_once(
        info,
        input,
        work=work,
        result=OpenedSession,
        present=session_shown,
        hashed=profile | came,  # the token is a secret, and another one may stand for the same user
        whom=f"{verified.provider} {verified.subject}",
    )


@strawberry.type
class FirebaseMutations:
    """The root field of signing in through Firebase."""

    @mutation(
        EVERYONE,
        description="Sign in with a Firebase ID token, and become a member by it: who is not known "
        "yet gets an account, a card and the welcome points. An account with the user's e-mail "
        "address becomes theirs to sign in to, once they have verified the address at Firebase. If "
        "nobody had ever verified it before, its password is removed and its other sessions end: "
        "set a new password by e-mail to go on using both.",
    )
    async def sign_in_with_firebase(
        self,
        info: Info,
        input: Annotated[SignInWithFirebaseInput, strawberry.argument(description="Who signs in.")],
    ) -> SignInWithFirebaseResult:
        """Open a session."""
        try:
            return cast(SignInWithFirebaseResult, await _sign_in(info, input))
        except DomainError as error:
            return cast(SignInWithFirebaseResult, problem_of(error, info.context.language))
