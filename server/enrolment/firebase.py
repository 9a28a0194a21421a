"""Signing in through Firebase: to one's account, to the one with one's address, or to a new one."""

from server import clock
from server.enrolment import service as enrolment
from server.enrolment.service import Invitation, Marks
from server.errors import CredentialsRejected, InvalidInput, NotAllowed
from server.integrations.firebase import VerifiedIdentity
from server.members import service as members
from server.members.service import Identity, OpenedSession
from server.programme import service as programme

ID_TOKEN = ("idToken",)


def identity_of(verified: VerifiedIdentity) -> Identity:
    """The identity as accounts know it."""
    return Identity(verified.provider, verified.subject)


async def sign_in(
    verified: VerifiedIdentity,
    *,
    device_name: str | None,
    name: str | None,
    locale: str | None,
    time_zone: str | None,
    referral_code: str | None,
    marks: Marks,
) -> OpenedSession:
    """Open a session for whom Firebase has verified; a new member, if they are not known.

    Name (if Firebase tells none), locale, time zone, who brought them and the marks are for a new
    member. In the transaction. Raises InvalidInput for what is refused of them, though of the code
    for a new member alone; NotAllowed for a user who has not signed in yet, and if the address has
    an account that they have not shown to be theirs; and CredentialsRejected for the staff's
    addresses.
    """
    if verified.is_anonymous:
        raise NotAllowed("firebase.anonymous", path=ID_TOKEN)
    profile = {
        "name": None if name is None else members.valid_name(name),
        "locale": None if locale is None else members.valid_locale(locale),
        "time_zone": None if time_zone is None else members.valid_time_zone(time_zone),
    }
    enrolment.check_marks(marks)
    invitation = Invitation(referral_code, marks, _address(verified))
    try:
        account_id = await members.account_of_identity(identity_of(verified))
        if account_id is None:
            account_id = await _first_account(verified, profile, invitation)
    except CredentialsRejected:
        # Told like a token that counts for nothing: whose the address is, is nobody's business.
        raise CredentialsRejected("firebase.rejected") from None
    return await members.open_session(account_id, device_name)


async def _first_account(
    verified: VerifiedIdentity, profile: dict[str, str | None], invitation: Invitation
) -> int:
    """The account of somebody who signs in through Firebase for the first time."""
    identity, email = identity_of(verified), invitation.email
    holder = None if email is None else await members.address_holder(email)
    if holder is None:
        proven = email if verified.email_is_verified else None
        member_id = await _enrol(verified, profile, invitation)
        return await members.add_account_of_identity(member_id, identity, email=proven)
    if not verified.email_is_verified:
        raise NotAllowed("firebase.email_unverified", path=ID_TOKEN)
    await members.link_identity(holder, identity)
    return holder.account_id


async def _enrol(
    verified: VerifiedIdentity, profile: dict[str, str | None], invitation: Invitation
) -> int:
    now = clock.now()
    published = (await programme.rulebook()).at(now)
    name = _name(verified) or profile["name"]
    return await enrolment.enrol(
        enrolment.newcomer(now, published, **{**profile, "name": name}), invitation=invitation
    )


def _address(verified: VerifiedIdentity) -> str | None:
    """The address, if it is one that an account can have."""
    try:
        return None if verified.email is None else members.valid_email(verified.email)
    except InvalidInput:
        return None


def _name(verified: VerifiedIdentity) -> str | None:
    """The name, if it is one that a member can have."""
    try:
        return None if verified.name is None else members.valid_name(verified.name)
    except InvalidInput:
        return None
