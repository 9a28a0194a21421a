"""Signing up, in and out over the schema, and the profile: answers, repetitions and refusals."""

import asyncio
import hashlib
from typing import Annotated, Any

import pytest
import strawberry
import time_machine
from strawberry.schema.config import StrawberryConfig

from server.edge.context import Context, Info
from server.edge.nodes import global_id
from server.edge.permissions import EVERYONE, mutation
from server.edge.scalars import SCALARS
from server.members import graphql, passwords
from server.members import service as members
from server.members.errors import TooManySignIns
from server.members.shapes import SignUpInput, SignUpResult
from server.principal import ANONYMOUS, Principal, PrincipalKind
from server.storage import sql
from server.storage.database import Address
from tests.members.people import PASSWORD, count, person, staff_session

PROBLEMS = """
    __typename
    ... on Problem { code message }
    ... on InvalidInput { path value accepted }
"""
SESSION = """
    ... on Session {
        accessToken accessTokenExpiresAt refreshToken refreshTokenExpiresAt memberId
    }
"""
PARTS = {
    "signUp": SESSION,
    "signIn": SESSION,
    "refreshSession": SESSION,
    "signOut": "... on SignedOut { wasActive }",
    "updateProfile": "... on Profile { memberId name birthday locale timeZone }",
}
ADA: dict[str, Any] = {"email": "ada@example.com", "password": PASSWORD}
REJECTED = {
    "__typename": "CredentialsRejected",
    "code": "CREDENTIALS_REJECTED",
    "message": "The e-mail address and password were not accepted.",
}
SESSION_REJECTED = {
    "__typename": "SessionRejected",
    "code": "SESSION_REJECTED",
    "message": "This session has ended. Please sign in again.",
}


@strawberry.type
class Query:
    nothing: int = 0


@strawberry.type
class Mutation(graphql.MemberMutation):
    """With a signUp like the one of enrolment, without points and card."""

    @mutation(EVERYONE, description="Sign up.")
    async def sign_up(
        self, info: Info, input: Annotated[SignUpInput, strawberry.argument(description="Who.")]
    ) -> SignUpResult:
        async def enrol(given: SignUpInput) -> int:
            return await members.register_member(person(given.name))

        return await graphql.answer_sign_up(info, input, enrol=enrol)


SCHEMA = strawberry.Schema(
    query=Query, mutation=Mutation, config=StrawberryConfig(scalar_map=SCALARS)
)


async def execute(name: str, input: dict[str, Any], caller: Principal = ANONYMOUS) -> Any:
    kind = name[0].upper() + name[1:] + "Input"
    query = f"mutation($input: {kind}!) {{ {name}(input: $input) {{ {PROBLEMS} {PARTS[name]} }} }}"
    return await SCHEMA.execute(query, {"input": input}, Context(principal=caller))


async def call(
    mutation_name: str, caller: Principal = ANONYMOUS, *, key: str = "k1", **input: Any
) -> dict[str, Any]:
    """What the mutation answers."""
    answer = await execute(mutation_name, {"idempotencyKey": key, **input}, caller)
    assert answer.errors is None, answer.errors
    shown: dict[str, Any] = answer.data[mutation_name]
    return shown


async def code(name: str, input: dict[str, Any], caller: Principal = ANONYMOUS) -> Any:
    """The code of the top-level error that the mutation is refused with."""
    answer = await execute(name, input, caller)
    assert answer.errors
    return answer.errors[0].extensions["code"]


async def caller_of(session: dict[str, Any]) -> Principal:
    return await members.authenticate(f"Bearer {session['accessToken']}")


async def signed_up() -> dict[str, Any]:
    return await call("signUp", key="first", **ADA, name="Ada")


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


async def test_a_refresh_works_once_and_with_other_keys_for_30_seconds(
    keys: Address, clock: time_machine.Traveller
) -> None:
    token = (await signed_up())["refreshToken"]
    refreshed = await call("refreshSession", key="k1", refreshToken=token)
    assert refreshed["__typename"] == "Session"
    clock.shift(30)
    assert await call("refreshSession", key="k2", refreshToken=token) == refreshed
    clock.shift(1)
    assert await call("refreshSession", key="k3", refreshToken=token) == SESSION_REJECTED
    latest = refreshed["refreshToken"]
    assert await call("refreshSession", key="k4", refreshToken=latest) == SESSION_REJECTED


async def test_a_repeated_refresh_answers_the_same_bytes_for_ever(
    keys: Address, clock: time_machine.Traveller
) -> None:
    session = await signed_up()
    caller = await caller_of(session)
    token = session["refreshToken"]

    async def refreshed(principal: Principal = ANONYMOUS) -> dict[str, Any]:
        return await call("refreshSession", principal, key="k1", refreshToken=token)

    first = await refreshed(caller)  # the access token may be sent as well, or not
    clock.shift(31)
    assert await refreshed() == first
    latest = await call("refreshSession", key="k2", refreshToken=first["refreshToken"])
    assert latest["__typename"] == "Session"
    clock.shift(31)
    assert await refreshed() == first  # and nobody was caught:
    assert (await caller_of(latest)).session_id == caller.session_id
    ended = await call("signOut", refreshToken=latest["refreshToken"])
    assert ended == {"__typename": "SignedOut", "wasActive": True}
    assert await refreshed() == first
    clock.shift(40 * 86_400)
    assert await refreshed() == first


@pytest.mark.parametrize("key_count", [1, 4])
async def test_the_same_refresh_at_once_is_one_refresh(keys: Address, key_count: int) -> None:
    token = (await signed_up())["refreshToken"]
    answers = await asyncio.gather(
        *(
            call("refreshSession", key=f"k{number % key_count}", refreshToken=token)
            for number in range(4)
        )
    )
    assert answers[0]["__typename"] == "Session"
    assert all(answer == answers[0] for answer in answers)
    assert await sql.fetch("SELECT generation FROM sessions") == [(2,)]
    assert await count("idempotency_records") == 1 + key_count


async def test_a_session_that_ended_after_a_reuse_stays_ended(
    keys: Address, clock: time_machine.Traveller
) -> None:
    token = (await signed_up())["refreshToken"]
    refreshed = await call("refreshSession", key="owner", refreshToken=token)
    clock.shift(31)
    for _ in range(2):
        assert await call("refreshSession", key="thief", refreshToken=token) == SESSION_REJECTED
    assert await count("sessions") == 1
    assert await sql.fetch("SELECT id FROM sessions WHERE revoked_at IS NULL") == []
    with pytest.raises(members.AuthenticationFailed, match="revoked"):
        await caller_of(refreshed)
    answer = await execute("refreshSession", {"idempotencyKey": "thief", "refreshToken": token})
    assert answer.data["refreshSession"] == SESSION_REJECTED
    assert await call("refreshSession", key="owner", refreshToken=token) == refreshed


async def test_a_refusal_that_ends_nothing_leaves_the_key_unused(keys: Address) -> None:
    token = (await signed_up())["refreshToken"]
    await call("signOut", refreshToken=token)
    before = await count("idempotency_records")
    assert await call("refreshSession", refreshToken=token) == SESSION_REJECTED
    assert await call("refreshSession", refreshToken="A" * 59) == SESSION_REJECTED
    assert await count("idempotency_records") == before


async def test_another_refresh_token_of_the_session_under_the_same_key_conflicts(
    keys: Address,
) -> None:
    first = (await signed_up())["refreshToken"]
    second = (await call("refreshSession", refreshToken=first))["refreshToken"]
    for name in ("refreshSession", "signOut"):
        await call(name, refreshToken=first)
        conflict = await call(name, refreshToken=second)
        assert conflict["__typename"] == "IdempotencyConflict"
    assert await sql.fetch("SELECT generation FROM sessions") == [(2,)]


async def test_the_same_key_for_two_sessions_is_two_requests(keys: Address) -> None:
    one = (await signed_up())["refreshToken"]
    other = (await call("signIn", **ADA))["refreshToken"]
    refreshed = [
        await call("refreshSession", key="1", refreshToken=token) for token in (one, other)
    ]
    assert {session["__typename"] for session in refreshed} == {"Session"}
    assert refreshed[0] != refreshed[1]
    for token in (one, other):
        answer = await call("signOut", key="1", refreshToken=token)
        assert answer == {"__typename": "SignedOut", "wasActive": True}


@pytest.mark.parametrize("name", ["refreshSession", "signOut"])
@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb"])
async def test_a_key_that_is_none_is_named(keys: Address, name: str, key: str) -> None:
    token = (await signed_up())["refreshToken"]
    answer = await call(name, key=key, refreshToken=token)
    assert (answer["__typename"], answer["path"]) == ("InvalidInput", ["input", "idempotencyKey"])
    assert await sql.fetch("SELECT generation, revoked_at FROM sessions") == [(1, None)]


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


async def test_signing_out_ends_the_callers_session(keys: Address) -> None:
    session = await signed_up()
    caller = await caller_of(session)
    for key, was_active in (("k1", True), ("k1", True), ("k2", False)):
        assert await call("signOut", caller, key=key) == {
            "__typename": "SignedOut",
            "wasActive": was_active,
        }
    with pytest.raises(members.AuthenticationFailed, match="revoked"):
        await caller_of(session)


async def test_a_key_that_was_used_on_one_device_does_not_seem_to_sign_out_another(
    keys: Address,
) -> None:
    phone = await caller_of(await signed_up())
    tablet = await caller_of(await call("signIn", **ADA))
    assert (await call("signOut", phone, key="1"))["wasActive"]
    assert (await call("signOut", tablet, key="1"))["__typename"] == "IdempotencyConflict"
    assert (await call("signOut", tablet, key="2"))["wasActive"]


async def test_a_refresh_token_signs_out_without_an_access_token(keys: Address) -> None:
    session = await signed_up()
    token = session["refreshToken"]
    for caller in (await caller_of(session), ANONYMOUS):  # sent again when it was refused as ended
        answer = await call("signOut", caller, refreshToken=token)
        assert answer == {"__typename": "SignedOut", "wasActive": True}
    answer = await call("signOut", key="k2", refreshToken=token)
    assert answer == {"__typename": "SignedOut", "wasActive": False}
    assert await call("signOut", refreshToken="x") == SESSION_REJECTED


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


async def test_nobody_known_has_no_session_to_end(keys: Address) -> None:
    given = {"idempotencyKey": "k"}
    assert await code("signOut", given) == "UNAUTHENTICATED"
    key = Principal(PrincipalKind.KEY, id=1)
    assert await code("signOut", given, key) == "FORBIDDEN"


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
