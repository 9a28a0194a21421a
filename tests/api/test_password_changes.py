"""Changing a password: who knows the present one sets another, and other devices are signed out."""

import asyncio

import pytest

from server.members import models
from server.principal import StaffRole
from server.storage import sql
from tests.api.calling import NOBODY, Api, dump
from tests.api.password_steps import (
    NEW,
    REJECTED,
    THIRD,
    address_of,
    change,
    goes_on,
    sign_in,
    signed_in_too,
    told_of,
)
from tests.members.letterbox import code_for
from tests.members.people import PASSWORD


@pytest.mark.parametrize("role", [None, StaffRole.SUPPORT])
async def test_a_changed_password_ends_the_other_sessions_and_the_codes(
    api: Api, role: StaffRole | None
) -> None:
    caller = await api.member() if role is None else await api.staff(role)
    bystander = await api.member()
    others = [await signed_in_too(caller) for _ in range(2)]
    address = await address_of(caller)
    code = await code_for(address)
    told = await api.mutate("changePassword", change(PASSWORD, NEW), caller, at=None)
    assert told == {"__typename": "PasswordChanged", "endedSessionCount": 2}
    assert [await goes_on(api, one) for one in (caller, bystander, *others)] == [
        True,
        True,
        False,
        False,
    ]
    assert await sign_in(api, address, PASSWORD) == "CredentialsRejected"
    assert await sign_in(api, address, NEW) == "Session"
    told = await api.mutate("resetPassword", {"code": code, "newPassword": THIRD}, NOBODY, at=None)
    assert told_of(told) == REJECTED


async def test_a_code_that_a_change_ended_proves_nothing(api: Api) -> None:
    """Only a code that was used shows that the address is the owner's."""
    caller = await api.member()
    await code_for(await address_of(caller))
    await api.mutate("changePassword", change(PASSWORD, NEW), caller, at=None)
    ((used_at,),) = await sql.fetch("SELECT used_at FROM password_resets")
    assert used_at is None


async def test_a_refused_change_changes_nothing(api: Api) -> None:
    caller = await api.member()
    await signed_in_too(caller)
    await code_for(await address_of(caller))
    before = await dump()
    told = await api.mutate("changePassword", change("wrong password", NEW), caller, at=None)
    assert told_of(told) == REJECTED
    assert told["message"] == "The current password is not right."
    told = await api.mutate("changePassword", change(PASSWORD, "short"), caller, at=None)
    assert (told["__typename"], told["path"], told["value"]) == (
        "InvalidInput",
        ["input", "newPassword"],
        None,
    )
    assert await dump() == before


async def test_an_account_without_a_password_has_none_to_change(api: Api) -> None:
    caller = await api.member()
    async with sql.transaction():
        await models.remove_password(caller.account_id)
    told = await api.mutate("changePassword", change("", NEW), caller, at=None)
    assert told_of(told) == REJECTED


async def test_of_two_changes_at_once_one_happens(api: Api) -> None:
    caller = await api.member()
    answers = await asyncio.gather(
        *(
            api.mutate("changePassword", change(PASSWORD, new), caller, at=None)
            for new in (NEW, THIRD)
        )
    )
    assert sorted(answer["__typename"] for answer in answers) == [
        "CredentialsRejected",
        "PasswordChanged",
    ]
    won = [answer["__typename"] for answer in answers].index("PasswordChanged")
    assert await sign_in(api, await address_of(caller), (NEW, THIRD)[won]) == "Session"


async def test_a_change_is_answered_the_same_for_ever(api: Api) -> None:
    caller = await api.member()
    first = await api.mutate("changePassword", change(PASSWORD, NEW), caller, key="k", at=None)
    assert first["__typename"] == "PasswordChanged"
    await api.mutate("changePassword", change(NEW, THIRD), caller, at=None)
    told = await api.mutate("changePassword", change(PASSWORD, NEW), caller, key="k", at=None)
    assert told == first
    assert await sign_in(api, await address_of(caller), THIRD) == "Session"


async def test_passwords_can_not_be_guessed_by_repeating_a_key(api: Api) -> None:
    caller = await api.member()
    await api.mutate("changePassword", change(PASSWORD, NEW), caller, key="k", at=None)
    document = """mutation ($input: ChangePasswordInput!) {
        changePassword(input: $input) { __typename }
    }"""
    codes, kinds = [], []
    for number in range(12):
        given = {"idempotencyKey": "k", **change("", f"guess number {number}")}
        body = (await api.send(document, {"input": given}, caller)).json()
        codes += [error["extensions"]["code"] for error in body.get("errors", [])]
        kinds += [(body["data"] or {}).get("changePassword", {}).get("__typename")]
    assert kinds[:10] == ["IdempotencyConflict"] * 10
    assert codes == ["TOO_MANY_ATTEMPTS"] * 2
