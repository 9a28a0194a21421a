"""Identities elsewhere that sign in to accounts: one account may have several, and no password."""

from dataclasses import dataclass

from tortoise.exceptions import IntegrityError

from server.clock import system_now
from server.errors import CredentialsRejected
from server.members import models, rules, sessions
from server.storage.ids import new_id


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody, as another service knows them."""

    provider: str  # the service, at most 32 characters: "firebase/<project>"
    subject: str  # their unchanging id there, at most 128 characters


@dataclass(frozen=True, slots=True)
class AddressHolder:
    """The account that has an e-mail address."""

    account_id: int
    is_staff: bool
    has_unproven_password: bool
    """Whether it has a password of somebody who never showed that the address is theirs."""


async def account_of_identity(identity: Identity) -> int | None:
    """The account that the identity signs in to; None if it is not known.

    Raises CredentialsRejected for an account of the staff, who sign in by password only.
    """
    found = await models.identity_account(identity.provider, identity.subject)
    if found is None:
        return None
    account_id, staff_role = found
    if staff_role is not None:
        raise CredentialsRejected("credentials.rejected")
    return int(account_id)


async def address_holder(email: str) -> AddressHolder | None:
    """The account with the address, which stays as it is until the transaction ends.

    A sign-up does not prove an address. It is proven once somebody has used a code that was sent to
    it, or was let in because another service had seen them prove it.
    """
    found = await models.address_proof(rules.email_key(email))
    if found is None:
        return None
    account_id, staff_role, has_password, identities, resets = found
    is_proven = identities > 0 or resets > 0
    return AddressHolder(account_id, staff_role is not None, bool(has_password) and not is_proven)


async def add_account(member_id: int, identity: Identity, *, email: str | None) -> int:
    """Give a member an account that the identity signs in to; its id.

    The address, if there is one, has been shown to be theirs. In the transaction; fails as a lost
    race does if the address or the identity has an account by now (`sql.retried`).
    """
    account_id = new_id()
    key = None if email is None else rules.email_key(email)
    row = (account_id, member_id, email, key, None, None, system_now())
    if not await models.add_account_if_new(row):
        raise IntegrityError("the address was given an account while it was looked for")
    await _add(identity, account_id)
    return account_id


async def link(holder: AddressHolder, identity: Identity) -> None:
    """Let the identity, which has shown that the address is theirs, sign in to the account.

    A password that somebody chose without showing this is removed, and the sessions end: whoever
    that was must not stay in what is the owner's now. In the transaction; fails as a lost race does
    if the identity has an account by now. Raises CredentialsRejected for an account of the staff.
    """
    if holder.is_staff:
        raise CredentialsRejected("credentials.rejected")
    if holder.has_unproven_password:
        await models.remove_password(holder.account_id)
        await sessions.sign_out_everywhere(holder.account_id)
    await _add(identity, holder.account_id)


async def _add(identity: Identity, account_id: int) -> None:
    await models.add_identity(
        (new_id(), account_id, identity.provider, identity.subject, system_now())
    )
