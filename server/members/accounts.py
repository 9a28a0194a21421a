"""Accounts: an e-mail address and a password, for a member or for the operator's staff."""

import hmac
from dataclasses import dataclass

import msgspec

from server import clock
from server.clock import system_now
from server.errors import CredentialsRejected, InvalidInput, phrase
from server.members import models, passwords, reset_queries, rules, sessions
from server.members.tokens import OpenedSession
from server.principal import StaffRole
from server.storage import outbox, sql
from server.storage.ids import new_id
from server.storage.secrets import shared_secret

_MAXIMUM_CHANGES_MEANWHILE = 3
_SECRET = "idempotency"  # noqa: S105 - the name of a secret
_MARK_CONTEXT = b"laurel password mark 1:"


@dataclass(frozen=True, slots=True)
class CheckedCredentials:
    """An account whose owner has just shown the password, by the hash that it was checked with."""

    account_id: int
    password_hash: str


class PasswordSet(msgspec.Struct, frozen=True):
    """A password that was set, as it may be kept: `mark` tells whether it still is the password,
    and nothing of what it is."""

    account_id: int
    mark: str
    ended_sessions: int


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
            accepted=phrase("accepted.new_email"),
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

    A hash with older parameters is replaced. Raises CredentialsRejected, the same and after the
    same time whether the address is unknown or the password is wrong, and TooManySignIns. Call it
    before the transaction: it takes long enough to keep other writers waiting.
    """
    address = email.strip()
    key = rules.email_key(address) if rules.is_email(address) else None
    for _ in range(_MAXIMUM_CHANGES_MEANWHILE):
        found = None if key is None else await models.account_by_email(key)
        account_id, password_hash = found or (0, None)
        if not await passwords.matches(password_hash, password) or password_hash is None:
            break
        if not passwords.needs_rehash(password_hash):
            return CheckedCredentials(account_id, password_hash)
        upgraded = await passwords.rehash(password)
        async with sql.transaction():
            if await models.replace_password(account_id, old=password_hash, new=upgraded):
                return CheckedCredentials(account_id, upgraded)
        # Another sign-in has upgraded it, or it was changed: look again.
    raise CredentialsRejected("credentials.rejected")


async def sign_in(checked: CheckedCredentials, device_name: str | None = None) -> OpenedSession:
    """Open a session for checked credentials: the second half of a sign-in, in the transaction.

    Raises InvalidInput for the device's name, and CredentialsRejected if the password has changed
    since it was checked: whoever changes it ends all sessions, and this one must not come after.
    """
    if await models.kept_password(checked.account_id) != checked.password_hash:
        raise CredentialsRejected("credentials.rejected")
    return await sessions.open_session(checked.account_id, device_name)


async def password_matches(account_id: int, password: str) -> bool:
    """Whether it is the account's password; as slow without an account. Raises TooManySignIns.

    Call it outside of a transaction.
    """
    found = await models.account(account_id)
    return await passwords.matches(None if found is None else found[0], password)


# ---------------------------------------------------------------- setting passwords


async def shown_password(account_id: int, password: str) -> str | None:
    """The hash of the account's password if this is it. Raises TooManySignIns.

    Call it outside of a transaction.
    """
    found = await models.account(account_id)
    password_hash: str | None = None if found is None else found[0]
    return password_hash if await passwords.matches(password_hash, password) else None


async def change_password(
    account_id: int, *, old_hash: str | None, new_hash: str | None, kept_session_id: int | None
) -> PasswordSet:
    """Put a new password in the place of the one that was shown; in the transaction.

    All other sessions end and no reset that was asked for counts any more. Raises
    CredentialsRejected without an old hash, or if the password has been changed since.
    """
    if old_hash is None or new_hash is None:
        raise CredentialsRejected("password.current_rejected", path=("currentPassword",))
    if not await models.replace_password(account_id, old=old_hash, new=new_hash):
        raise CredentialsRejected("password.current_rejected", path=("currentPassword",))
    await reset_queries.withdraw(account_id, now=system_now())
    ended = await sessions.sign_out_everywhere(account_id, kept_session_id=kept_session_id)
    await _tell(account_id)
    return PasswordSet(account_id, await _mark(new_hash), ended)


async def set_password(account_id: int, new_hash: str) -> PasswordSet:
    """Give the account a password whatever it had, and end all its sessions; in the transaction.

    Whoever calls has checked that it's the owner who asks.
    """
    await models.set_password(account_id, new_hash)
    ended = await sessions.sign_out_everywhere(account_id)
    await _tell(account_id)
    return PasswordSet(account_id, await _mark(new_hash), ended)


async def _tell(account_id: int) -> None:
    """Have the member told that their password is another one; staff have nobody to be told by."""
    found = await models.account(account_id)
    if found is not None and found[1] is not None:
        outbox.put("password.changed", found[1], {}, occurred_at=clock.now())


async def was_set(kept: PasswordSet, password: str) -> bool:
    """Whether this is the password that was set then, as far as can be told: once it has been
    changed again, nothing is left to compare with, and the answer is yes. Raises TooManySignIns.

    Call it outside of a transaction.
    """
    found = await models.account(kept.account_id)
    if found is None or found[0] is None or await _mark(found[0]) != kept.mark:
        return True
    return await passwords.matches(found[0], password)


async def _mark(password_hash: str) -> str:
    # The hash has 128 random bits of salt: without it there is nothing to try passwords on.
    secret = await shared_secret(_SECRET)
    return hmac.digest(secret, _MARK_CONTEXT + password_hash.encode(), "sha256").hex()
