"""Accounts: an e-mail address and a password, for a member or for the operator's staff."""

from dataclasses import dataclass

from server.clock import system_now
from server.errors import CredentialsRejected, InvalidInput
from server.members import models, passwords, rules, sessions
from server.members.tokens import OpenedSession
from server.principal import StaffRole
from server.storage.ids import new_id


@dataclass(frozen=True, slots=True)
class CheckedCredentials:
    """An account whose owner has just shown the password."""

    account_id: int
    password_hash: str
    upgraded_hash: str | None  # the same password by today's parameters, if the stored one is older


async def create_account(member_id: int, email: str, password_hash: str) -> int:
    """Give a member an account; its id. The hash comes from `hash_password`.

    Raises InvalidInput for what is no address, and CredentialsRejected if the address has an
    account, in the words of a refused sign-in. Of several who claim one address at once, one gets
    it and the others are refused.
    """
    account_id = await _add(email, password_hash, member_id=member_id, role=None)
    if account_id is None:
        raise CredentialsRejected("credentials.rejected")
    return account_id


async def create_staff(email: str, password_hash: str, role: StaffRole) -> int:
    """Make an account for one of the operator's staff; its id.

    Raises InvalidInput for what is no address, and for an address that has an account.
    """
    account_id = await _add(email, password_hash, member_id=None, role=role)
    if account_id is None:
        raise InvalidInput(
            "account.email_taken",
            path=("email",),
            value=email,
            accepted="an e-mail address without an account",
        )
    return account_id


async def _add(
    email: str, password_hash: str, *, member_id: int | None, role: StaffRole | None
) -> int | None:
    address = rules.valid_email(email)
    account_id = new_id()
    added = await models.add_account_if_new(
        (
            account_id,
            member_id,
            address,
            rules.email_key(address),
            password_hash,
            None if role is None else role.value,
            system_now(),
        )
    )
    return account_id if added else None


async def check_credentials(email: str, password: str) -> CheckedCredentials:
    """The account with this address and password: the first half of a sign-in.

    Raises CredentialsRejected, the same and after the same time whether the address is unknown or
    the password is wrong, and TooManySignIns. Call it before the transaction: it takes long enough
    to keep other writers waiting.
    """
    address = email.strip()
    found = (
        await models.account_by_email(rules.email_key(address)) if rules.is_email(address) else None
    )
    account_id, password_hash = found or (0, None)
    if not await passwords.matches(password_hash, password) or password_hash is None:
        raise CredentialsRejected("credentials.rejected")
    upgraded = None
    if passwords.needs_rehash(password_hash):
        upgraded = await passwords.rehash(password)
    return CheckedCredentials(account_id, password_hash, upgraded)


async def sign_in(checked: CheckedCredentials, device_name: str | None = None) -> OpenedSession:
    """Open a session for checked credentials: the second half of a sign-in, in the transaction.

    A password hash with older parameters is replaced. Raises InvalidInput for the device's name.
    """
    if checked.upgraded_hash is not None:
        await models.upgrade_password_hash(
            checked.account_id, old=checked.password_hash, new=checked.upgraded_hash
        )
    return await sessions.open_session(checked.account_id, device_name)


async def password_matches(account_id: int, password: str) -> bool:
    """Whether it is the account's password, for a sign-up that is repeated. Raises TooManySignIns.

    Call it outside of a transaction.
    """
    found = await models.account(account_id)
    return await passwords.matches(None if found is None else found[0], password)
