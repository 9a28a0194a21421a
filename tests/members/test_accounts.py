"""Signing up and signing in: one account an address, one answer for every refusal."""

import asyncio

import pytest

from server.errors import CredentialsRejected, DomainError, InvalidInput
from server.members import models, passwords
from server.members import service as members
from server.members.service import OpenedSession
from server.principal import StaffRole
from server.storage import sql
from server.storage.database import Address
from tests.members.people import (
    OLD_PASSWORD_HASH,
    PASSWORD,
    PASSWORD_HASH,
    START,
    count,
    person,
    signed_up,
)

TABLES = ("members", "accounts", "sessions")


async def counts() -> tuple[int, ...]:
    return tuple([await count(table) for table in TABLES])


async def sign_in(email: str, password: str) -> OpenedSession:
    checked = await members.check_credentials(email, password)
    async with sql.transaction():
        return await members.sign_in(checked, "tablet")


def told(error: DomainError) -> tuple[object, ...]:
    return type(error), error.code, error.reason, error.path, error.facts


async def test_a_sign_up_makes_a_member_an_account_and_a_session(keys: Address) -> None:
    opened = await signed_up(" Ada@Example.com ")
    assert await counts() == (1, 1, 1)
    assert opened.member_id is not None
    assert (opened.generation, opened.staff_role) == (1, None)
    assert opened.issued_at == int(START.timestamp()) * 10**6 + 890123
    assert (await members.profile(opened.member_id)).name == "Ada"
    row = await sql.fetch_one("SELECT id, email, email_key, member_id FROM accounts")
    assert row is not None
    assert tuple(row) == (
        opened.account_id,
        "Ada@Example.com",
        "ada@example.com",
        opened.member_id,
    )
    session = await sql.fetch_one("SELECT id, account_id, device_name FROM sessions")
    assert session is not None
    assert tuple(session) == (opened.session_id, opened.account_id, "phone")


async def test_a_sign_up_with_a_taken_address_writes_nothing(keys: Address) -> None:
    await signed_up("ada@example.com")
    for email in ("ada@example.com", "ADA@EXAMPLE.COM", "\uff41da@example.com"):
        with pytest.raises(CredentialsRejected):
            await signed_up(email)
        assert await counts() == (1, 1, 1)


async def test_of_sign_ups_of_one_address_at_once_one_succeeds(keys: Address) -> None:
    emails = ["ada@example.com", "Ada@example.com", "ADA@example.com", " ada@EXAMPLE.com"]
    outcomes = await asyncio.gather(*map(signed_up, emails), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == [
        "CredentialsRejected",
        "CredentialsRejected",
        "CredentialsRejected",
        "OpenedSession",
    ]
    assert await counts() == (1, 1, 1)


async def test_a_sign_up_with_a_value_that_is_refused_writes_nothing(keys: Address) -> None:
    with pytest.raises(InvalidInput) as caught:
        await signed_up("ada")
    assert caught.value.path == ("email",)
    with pytest.raises(InvalidInput) as caught:
        await signed_up(name="\n")
    assert caught.value.path == ("name",)
    assert await counts() == (0, 0, 0)


async def test_the_owner_signs_in_by_any_spelling_of_the_address(keys: Address) -> None:
    first = await signed_up("ada@example.com")
    second = await sign_in(" ADA@example.com", PASSWORD)
    assert (second.account_id, second.member_id) == (first.account_id, first.member_id)
    assert second.session_id != first.session_id
    assert await counts() == (1, 1, 2)


async def test_every_refusal_is_the_same_and_writes_nothing(keys: Address) -> None:
    await signed_up("ada@example.com")
    refusals = []
    for email, password in [
        ("ada@example.com", "wrong password"),
        ("ada@example.com", ""),
        ("ada@example.com", "x" * 9999),
        ("eve@example.com", PASSWORD),
        ("no address", PASSWORD),
        ("ada\x00@example.com", PASSWORD),
        ("ada\ud800@example.com", PASSWORD),
        ("x" * 9999 + "@example.com", PASSWORD),
    ]:
        with pytest.raises(CredentialsRejected) as caught:
            await sign_in(email, password)
        refusals.append(told(caught.value))
    with pytest.raises(CredentialsRejected) as caught:
        await signed_up("ada@example.com")
    refusals.append(told(caught.value))
    assert set(map(repr, refusals)) == {repr(refusals[0])}
    assert await counts() == (1, 1, 1)


async def test_each_refusal_checks_one_hash(keys: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    await signed_up("ada@example.com")
    checked: list[str] = []

    def record(password_hash: str, _password: str) -> bool:
        checked.append(password_hash)
        return False

    monkeypatch.setattr(passwords, "_verify", record)
    for email in ("ada@example.com", "eve@example.com", "no address"):
        with pytest.raises(CredentialsRejected):
            await sign_in(email, "wrong password")
    assert checked == [PASSWORD_HASH, passwords.DUMMY_HASH, passwords.DUMMY_HASH]


async def test_a_hash_with_older_parameters_is_replaced_at_sign_in(keys: Address) -> None:
    opened = await signed_up(password_hash=OLD_PASSWORD_HASH)
    await sign_in("ada@example.com", PASSWORD)
    stored = await models.account(opened.account_id)
    assert stored is not None
    assert not passwords.needs_rehash(stored[0])
    assert await passwords.matches(stored[0], PASSWORD)
    unchanged = stored[0]
    await sign_in("ada@example.com", PASSWORD)
    stored = await models.account(opened.account_id)
    assert stored is not None
    assert stored[0] == unchanged


async def test_a_password_changed_during_the_sign_in_opens_no_session(keys: Address) -> None:
    """Who changes a password ends all sessions, and one that was on its way must not come after."""
    await signed_up()
    checked = await members.check_credentials("ada@example.com", PASSWORD)
    async with sql.transaction():
        await sql.execute("UPDATE accounts SET password_hash = $1", OLD_PASSWORD_HASH)
    with pytest.raises(CredentialsRejected):
        async with sql.transaction():
            await members.sign_in(checked)
    assert await counts() == (1, 1, 1)


async def test_an_older_hash_that_others_upgrade_or_change_meanwhile_is_looked_at_again(
    keys: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = await signed_up(password_hash=OLD_PASSWORD_HASH)
    rehash = passwords.rehash

    async def late(password: str) -> str:
        async with sql.transaction():
            await models.set_password(opened.account_id, PASSWORD_HASH)
        return await rehash(password)

    monkeypatch.setattr(passwords, "rehash", late)
    checked = await members.check_credentials("ada@example.com", PASSWORD)
    assert checked == members.CheckedCredentials(opened.account_id, PASSWORD_HASH)


async def test_a_repeated_sign_up_is_told_from_one_with_another_password(keys: Address) -> None:
    opened = await signed_up()
    assert await members.password_matches(opened.account_id, PASSWORD)
    assert not await members.password_matches(opened.account_id, "wrong password")
    assert not await members.password_matches(opened.account_id + 1, PASSWORD)


async def test_staff_have_a_role_and_no_member(keys: Address) -> None:
    async with sql.transaction():
        account_id = await members.create_staff(
            "grace@example.com", PASSWORD_HASH, StaffRole.MANAGER
        )
    opened = await sign_in("Grace@example.com", PASSWORD)
    assert (opened.account_id, opened.member_id, opened.staff_role) == (account_id, None, "MANAGER")
    assert await counts() == (0, 1, 1)


async def test_staff_need_an_address_of_their_own(keys: Address) -> None:
    await signed_up("ada@example.com")
    with pytest.raises(InvalidInput) as caught:
        async with sql.transaction():
            await members.create_staff("ADA@example.com", PASSWORD_HASH, StaffRole.AUDITOR)
    assert (caught.value.reason, caught.value.path) == ("account.email_taken", ("email",))
    assert await counts() == (1, 1, 1)


async def test_a_session_needs_an_account(keys: Address) -> None:
    with pytest.raises(CredentialsRejected):
        async with sql.transaction():
            await members.open_session(1)
    assert await counts() == (0, 0, 0)


async def test_an_account_can_be_given_to_a_member_who_was_enrolled_before(keys: Address) -> None:
    async with sql.transaction():
        member_id = await members.register_member(person(None, "2375"))
    async with sql.transaction():
        account_id = await members.create_account(member_id, "ada@example.com", PASSWORD_HASH)
        opened = await members.open_session(account_id)
    assert (opened.account_id, opened.member_id) == (account_id, member_id)
