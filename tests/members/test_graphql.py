"""Signing up and in over the schema, and the profile: answers, repetitions and refusals."""

import asyncio
import hashlib
from typing import Any

import pytest
import time_machine

from server.edge.nodes import global_id
from server.members import passwords
from server.members.errors import TooManySignIns
from server.principal import ANONYMOUS, Principal, PrincipalKind
from server.storage import sql
from server.storage.database import Address
from tests.members.people import PASSWORD, count, staff_session
from tests.members.schema import ADA, REJECTED, SCHEMA, call, caller_of, code, signed_up


async def test_signing_up_answers_a_session_of_the_new_member(keys: Address) -> None:
    session = await signed_up()
    assert session["__typename"] == "Session"
    assert session["accessTokenExpiresAt"] == "2026-03-04T05:16:07Z"
    assert session["refreshTokenExpiresAt"] == "2026-04-03T05:06:07.890123Z"
    caller = await caller_of(session)
    assert caller.kind is PrincipalKind.MEMBER
    assert caller.member_id is not None
    assert session["memberId"] == global_id("Member", caller.member_id)


async def test_a_repeated_sign_up_answers_the_same_bytes(
    keys: Address, clock: time_machine.Traveller
) -> None:
    session = await signed_up()
    clock.shift(61)
    assert await signed_up() == session
    assert await count("members") == 1
    assert await count("sessions") == 1


async def test_the_same_sign_up_twice_at_once_is_one_sign_up(keys: Address) -> None:
    first, second = await asyncio.gather(signed_up(), signed_up())
    assert first["__typename"] == "Session"
    assert first == second
    assert await count("members") == 1


async def test_a_repeated_sign_up_with_another_password_is_refused(keys: Address) -> None:
    await signed_up()
    again = await call("signUp", key="first", **{**ADA, "password": "wrong password"}, name="Ada")
    assert again == REJECTED


async def test_other_content_under_the_same_key_conflicts(keys: Address) -> None:
    await signed_up()
    again = await call("signUp", key="first", **ADA, name="Eve")
    assert again["__typename"] == "IdempotencyConflict"


async def test_a_taken_address_a_wrong_password_and_an_unknown_address_look_alike(
    keys: Address,
) -> None:
    await signed_up()
    assert await call("signUp", **ADA, name="Eve") == REJECTED
    assert await call("signIn", email="ada@example.com", password="wrong password") == REJECTED
    assert await call("signIn", email="eve@example.com", password="wrong password") == REJECTED
    assert await count("members") == 1
    assert await count("sessions") == 1


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"email": "ada"}, ["input", "email"]),
        ({"password": "short"}, ["input", "password"]),
        ({"name": ""}, ["input", "name"]),
        ({"deviceName": "x" * 121}, ["input", "deviceName"]),
        ({"idempotencyKey": ""}, ["input", "idempotencyKey"]),
    ],
)
async def test_a_refused_value_is_named_and_nothing_is_written(
    keys: Address, changes: dict[str, str], path: list[str]
) -> None:
    answer = await call("signUp", **{**ADA, "name": "Ada", **changes})
    assert (answer["__typename"], answer["code"]) == ("InvalidInput", "INVALID_INPUT")
    assert answer["path"] == path
    assert "short" not in str(answer["value"])
    assert await count("members") == 0
    assert await count("idempotency_records") == 0


async def test_signing_in_opens_another_session_once_for_each_key(keys: Address) -> None:
    await signed_up()
    session = await call("signIn", **ADA, deviceName="tablet")
    assert session["__typename"] == "Session"
    assert await call("signIn", **ADA, deviceName="tablet") == session
    assert (await caller_of(session)).member_id
    assert await count("sessions") == 2
    wrong = {**ADA, "password": "wrong password"}
    assert await call("signIn", **wrong, deviceName="tablet") == REJECTED


async def test_staff_sign_in_without_a_member(keys: Address) -> None:
    await staff_session()
    session = await call("signIn", email="grace@example.com", password=PASSWORD)
    assert session["memberId"] is None
    assert (await caller_of(session)).kind is PrincipalKind.STAFF


async def test_the_same_key_with_another_address_is_another_request(keys: Address) -> None:
    eve: dict[str, Any] = {"email": "eve@example.com", "password": "another good one"}
    assert (await call("signUp", key="1", **ADA, name="Ada"))["__typename"] == "Session"
    assert (await call("signUp", key="1", **eve, name="Eve"))["__typename"] == "Session"
    conflict = await call("signUp", key="1", **ADA, name="Augusta")
    assert conflict["__typename"] == "IdempotencyConflict"
    ours = await call("signIn", key="1", **ADA)
    theirs = await call("signIn", key="1", **eve)
    assert ours["__typename"] == theirs["__typename"] == "Session"
    assert ours["memberId"] != theirs["memberId"]
    conflict = await call("signIn", key="1", **ADA, deviceName="tablet")
    assert conflict["__typename"] == "IdempotencyConflict"
    spelled = await call("signIn", key="1", email="ADA@example.com", password=PASSWORD)
    assert spelled["__typename"] == "IdempotencyConflict"
    assert (await count("members"), await count("sessions")) == (2, 4)


async def stored_texts() -> dict[str, str]:
    """All that each column of each table holds, as text, by "table.column"."""
    if sql.engine() == "sqlite":
        columns = await sql.fetch(
            "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c"
            " WHERE m.type = 'table'"
        )
    else:
        columns = await sql.fetch(
            "SELECT table_name::text, column_name::text FROM information_schema.columns"
            " WHERE table_schema = 'public'"
        )
    return {
        f"{table}.{column}": "\n".join(
            str(row[0])
            for row in await sql.fetch(f'SELECT "{column}" FROM "{table}"')  # noqa: S608
        )
        for table, column in columns
    }


async def test_no_mutation_stores_a_password_a_token_or_an_address_in_clear(
    keys: Address, clock: time_machine.Traveller
) -> None:
    secrets = [PASSWORD]

    async def done(what: str, caller: Principal = ANONYMOUS, **input: Any) -> dict[str, Any]:
        answer = await call(what, caller, **input)
        secrets.extend(answer[part] for part in ("accessToken", "refreshToken") if part in answer)
        return answer

    session = await done("signUp", **ADA, name="Ada")
    caller = await caller_of(session)
    other = await done("signIn", **ADA)
    await done("updateProfile", caller, name="Augusta")
    await done("refreshSession", refreshToken=session["refreshToken"])
    clock.shift(31)
    assert (await done("refreshSession", key="k2", refreshToken=session["refreshToken"]))["code"]
    await done("signOut", await caller_of(other))
    await done("signOut", refreshToken=session["refreshToken"])
    await done("signUp", key="k2", **ADA, name="Eve")
    assert len(secrets) == 7
    stored = await stored_texts()
    assert '"generation":1' in stored["idempotency_records.answer"]
    assert "example.com" in stored.pop("accounts.email")
    assert "example.com" in stored.pop("accounts.email_key")
    for column, text in stored.items():
        assert "example.com" not in text.lower(), column
        for secret in secrets:
            assert secret not in text, column
            assert secret.rsplit(".", 1)[-1] not in text, column  # a JWT's signature
    # Nor can the hashes be found out by guessing without the deployment's secret.
    assert stored["idempotency_records.content_hash"].count("\n") == 6
    for guess in (ADA["email"], '"ada@example.com"', '{"email":"ada@example.com"}'):
        guessed = hashlib.sha256(guess.encode()).hexdigest()
        assert not any(guessed in text for text in stored.values())


async def test_too_many_sign_ins_are_told_when_to_come_back(
    keys: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_work: object) -> None:
        raise TooManySignIns

    monkeypatch.setattr(passwords, "_in_pool", full)
    given = {"idempotencyKey": "k", **ADA}
    assert await code("signIn", given) == "TOO_MANY_SIGN_INS"
    assert await code("signUp", {**given, "name": "Ada"}) == "TOO_MANY_SIGN_INS"


async def test_only_what_is_given_of_a_profile_changes(keys: Address) -> None:
    session = await signed_up()
    caller = await caller_of(session)
    profile = {
        "__typename": "Profile",
        "memberId": session["memberId"],
        "name": "Augusta",
        "birthday": "1990-12-31",
        "locale": "en",
        "timeZone": "UTC",
    }
    changed = await call("updateProfile", caller, name="Augusta", birthday="1990-12-31")
    assert changed == profile
    changed = await call("updateProfile", caller, key="k2", locale="en-gb", timeZone="Asia/Tokyo")
    assert changed == {**profile, "locale": "en-GB", "timeZone": "Asia/Tokyo"}
    # Null clears, which is other content than leaving it out.
    cleared = await call("updateProfile", caller, key="k3", birthday=None)
    assert (cleared["birthday"], cleared["name"]) == (None, "Augusta")
    conflict = await call("updateProfile", caller, key="k3")
    assert conflict["__typename"] == "IdempotencyConflict"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("birthday", "2999-01-01"),
        ("locale", "xx"),
        ("locale", None),
        ("timeZone", "x"),
        ("timeZone", None),
    ],
)
async def test_a_refused_change_is_named(keys: Address, field: str, value: str | None) -> None:
    caller = await caller_of(await signed_up())
    changes: dict[str, Any] = {field: value}
    answer = await call("updateProfile", caller, **changes)
    assert (answer["__typename"], answer["path"]) == ("InvalidInput", ["input", field])


async def test_only_members_have_a_profile(keys: Address) -> None:
    given = {"idempotencyKey": "k", "name": "Ada"}
    assert await code("updateProfile", given) == "UNAUTHENTICATED"
    staff = Principal(PrincipalKind.STAFF, id=1)
    assert await code("updateProfile", given, staff) == "FORBIDDEN"


def test_everything_in_the_schema_is_described() -> None:
    undescribed = []
    for name, kind in SCHEMA._schema.type_map.items():
        if name in ("Query", "Mutation") or name.startswith("__"):
            continue
        if not kind.description:
            undescribed.append(name)
        for field_name, field in getattr(kind, "fields", {}).items():
            if not field.description:
                undescribed.append(f"{name}.{field_name}")
    assert undescribed == []
