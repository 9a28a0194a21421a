"""Setting a new password by a code that was sent, without a word about whose address it is."""

import asyncio
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from structlog.testing import capture_logs

from server.edge import attempts
from server.integrations import email
from server.members import limits, models, passwords
from server.principal import StaffRole
from server.storage import sql
from tests.api.calling import NOBODY, Api, Json, changed, dump
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
from tests.members.letterbox import arrived, code_for, code_in, opened_letterbox, part
from tests.members.people import PASSWORD, PASSWORD_HASH


@pytest.fixture
def standing() -> Iterator[time_machine.Traveller]:
    """The machine's time, standing still until it's moved."""
    with time_machine.travel(datetime.now(UTC), tick=False) as traveller:
        yield traveller


# ---------------------------------------------------------------- asking for a code


async def ask(api: Api, address: str, *, key: str | None = None) -> Json:
    return await api.mutate("requestPasswordReset", {"email": address}, NOBODY, key=key, at=None)


async def test_the_answer_is_the_same_whether_the_address_is_known_or_not(api: Api) -> None:
    caller = await api.member()
    address = await address_of(caller)
    asked = [await ask(api, one) for one in (address, address.upper(), "nobody@example.com")]
    assert asked == [{"__typename": "PasswordResetRequested", "codeValidMinutes": 15}] * 3
    letters = await arrived()
    assert [str(letter["To"]) for letter in letters] == [address] * 2


async def test_a_request_does_the_same_for_a_known_address_as_for_an_unknown_one(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = await address_of(await api.member())
    jobs: list[object] = []
    monkeypatch.setattr(email.Post, "add", lambda _post, job, _settled: jobs.append(job))
    monkeypatch.setattr(attempts, "_taken", itertools.count(1))  # one in many tidies up as well
    counted = []
    for one in ("first@example.com", address, "nobody@example.com"):
        with sql.counted_statements() as statements:
            await ask(api, one)
        counted.append(list(statements))
    assert counted[1] == counted[2]
    assert not any("accounts" in statement for statement in counted[1])
    assert len(jobs) == 3


@pytest.mark.parametrize(
    ("locale", "subject"),
    [
        ("en-GB", "Set a new password"),
        ("lt-LT", "Naujo slaptažodžio nustatymas"),
        ("lv", "Jaunas paroles iestatīšana"),
        ("cs-CZ", "Nastavení nového hesla"),
        ("ru", "Новый пароль"),
        ("zh-Hant-TW", "設定新密碼"),
        ("fr", "Set a new password"),
    ],
)
async def test_a_letter_is_in_the_members_language(api: Api, locale: str, subject: str) -> None:
    caller = await api.member()
    async with sql.transaction():
        await models.update_member(caller.member_id, {"locale": locale})
    await ask(api, await address_of(caller))
    (letter,) = await arrived()
    assert letter["Subject"] == subject
    code = code_in(letter)
    assert code in part(letter, "html")
    assert "15" in part(letter, "plain")


async def test_staff_get_the_language_that_they_ask_in(api: Api) -> None:
    address = await address_of(await api.staff(StaffRole.MANAGER))
    document = """mutation ($input: RequestPasswordResetInput!) {
        requestPasswordReset(input: $input) { __typename }
    }"""
    given = {"idempotencyKey": "k", "email": address}
    lithuanian: Any = {"Accept-Language": "lt"}
    await api.send(document, {"input": given}, **lithuanian)
    (letter,) = await arrived()
    assert letter["Subject"] == "Naujo slaptažodžio nustatymas"


async def test_the_link_has_the_code_in_it(empty_api: Api) -> None:
    caller = await empty_api.staff(StaffRole.MANAGER)
    async with opened_letterbox("https://app.shop.example/reset?code={code}"):
        await ask(empty_api, await address_of(caller))
        (letter,) = await arrived()
    link = f"https://app.shop.example/reset?code={code_in(letter)}"
    assert link in part(letter, "plain")
    assert f'<a href="{link}">Set a new password</a>' in part(letter, "html")


async def test_three_letters_an_hour_reach_an_account_and_nobody_sees_the_difference(
    api: Api, standing: time_machine.Traveller
) -> None:
    address = await address_of(await api.member())
    first = await ask(api, address)
    assert all([await ask(api, address) == first for _ in range(5)])
    assert len(await arrived()) == 3
    standing.shift(timedelta(minutes=20))
    await ask(api, address)
    await ask(api, address)
    assert len(await arrived()) == 4


async def test_a_client_asks_for_a_bounded_number_and_sees_no_difference(
    api: Api, standing: time_machine.Traveller
) -> None:
    first = await ask(api, "nobody@example.com")
    for number in range(limits.ASK_CLIENT.burst - 1):
        assert await ask(api, f"nobody{number}@example.com") == first
    address = await address_of(await api.member())
    before = await dump()
    assert await ask(api, address) == first
    assert await arrived() == []
    assert await dump() == before


async def test_what_is_no_address_is_refused_and_asks_for_nothing(api: Api) -> None:
    before = await dump()
    for address in ("", "ada", "ada@example.com\nBcc: eve@example.com", "a@b@c"):
        told = await ask(api, address)
        assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", "email"])
    assert await dump() == before


async def test_a_repetition_sends_no_second_letter(api: Api) -> None:
    address = await address_of(await api.member())
    assert await ask(api, address, key="k") == await ask(api, address, key="k")
    assert len(await arrived()) == 1


async def test_a_server_without_mail_says_so_and_keeps_nothing(api: Api) -> None:
    address = await address_of(await api.member())
    before = await dump()
    email._posts.clear()
    document = """mutation ($input: RequestPasswordResetInput!) {
        requestPasswordReset(input: $input) { __typename }
    }"""
    for one in (address, "nobody@example.com"):
        given = {"input": {"idempotencyKey": "k", "email": one}}
        assert await api.codes(document, given) == ["MAIL_UNAVAILABLE"]
    assert await dump() == before


# ---------------------------------------------------------------- setting it


async def reset(api: Api, code: str, *, key: str | None = None, new: str = NEW) -> Json:
    given = {"code": code, "newPassword": new}
    return await api.mutate("resetPassword", given, NOBODY, key=key, at=None)


async def test_a_code_sets_the_password_and_ends_all_sessions_and_codes(api: Api) -> None:
    caller = await api.member()
    other, bystander = await signed_in_too(caller), await api.member()
    address = await address_of(caller)
    await ask(api, address)
    await ask(api, address)
    codes = [code_in(letter) for letter in await arrived()]
    pasted = "  " + codes[1][:16].lower() + "-" + codes[1][16:] + "\n"
    told = await reset(api, pasted)
    assert told == {"__typename": "PasswordWasReset", "endedSessionCount": 2}
    assert [await goes_on(api, one) for one in (caller, other, bystander)] == [False, False, True]
    assert await sign_in(api, address, PASSWORD) == "CredentialsRejected"
    assert await sign_in(api, address, NEW) == "Session"
    rows = await sql.fetch("SELECT used_at FROM password_resets")
    assert len(rows) == 2
    assert all(used_at is not None for (used_at,) in rows)
    assert told_of(await reset(api, codes[0])) == REJECTED


async def test_codes_that_are_used_expired_or_unknown_are_refused_alike(
    api: Api, standing: time_machine.Traveller
) -> None:
    caller = await api.member()
    address = await address_of(caller)
    used, expired = await code_for(address), await code_for(address)
    async with sql.transaction():
        await sql.execute(
            "UPDATE password_resets SET used_at = 1 WHERE id ="
            " (SELECT MIN(id) FROM password_resets)"
        )
    standing.shift(timedelta(minutes=15))
    before = await dump()
    answers = [await reset(api, code) for code in (used, expired, "A" * 32, "", "é\x00")]
    assert answers == [answers[0]] * 5
    assert told_of(answers[0]) == REJECTED
    assert answers[0]["message"] == "This code does not count, or no longer. Ask for a new one."
    assert await dump() == before


async def test_a_code_counts_for_fifteen_minutes(
    api: Api, standing: time_machine.Traveller
) -> None:
    code = await code_for(await address_of(await api.member()))
    standing.shift(timedelta(minutes=15) - timedelta(microseconds=1000))
    assert (await reset(api, code))["__typename"] == "PasswordWasReset"


async def test_a_weak_password_uses_up_no_code(api: Api) -> None:
    code = await code_for(await address_of(await api.member()))
    before = await dump()
    told = await reset(api, code, new="short")
    assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", "newPassword"])
    assert await dump() == before
    assert (await reset(api, code))["__typename"] == "PasswordWasReset"


async def test_a_reset_is_answered_the_same_for_ever(
    api: Api, standing: time_machine.Traveller
) -> None:
    caller = await api.member()
    code = await code_for(await address_of(caller))
    first = await reset(api, code, key="k")
    assert first["__typename"] == "PasswordWasReset"
    standing.shift(timedelta(days=400))
    before = await dump()
    assert await reset(api, code, key="k") == first
    assert told_of(await reset(api, code, key="k", new=THIRD)) == (
        "IdempotencyConflict",
        "IDEMPOTENCY_CONFLICT",
    )
    assert told_of(await reset(api, code, key="another")) == REJECTED
    assert await dump() == before


async def test_of_two_codes_at_once_one_counts(api: Api) -> None:
    address = await address_of(await api.member())
    codes = [await code_for(address) for _ in range(2)]
    answers = await asyncio.gather(
        *(reset(api, code, new=new) for code, new in zip(codes, (NEW, THIRD), strict=True))
    )
    kinds = [answer["__typename"] for answer in answers]
    assert sorted(kinds) == ["CredentialsRejected", "PasswordWasReset"]
    won = kinds.index("PasswordWasReset")
    assert await sign_in(api, address, (NEW, THIRD)[won]) == "Session"


async def test_an_account_that_signed_in_elsewhere_gets_a_password(api: Api) -> None:
    caller = await api.member()
    address = await address_of(caller)
    async with sql.transaction():
        await models.remove_password(caller.account_id)
    assert await sign_in(api, address, PASSWORD) == "CredentialsRejected"
    assert (await reset(api, await code_for(address)))["__typename"] == "PasswordWasReset"
    assert await sign_in(api, address, NEW) == "Session"


async def test_who_was_locked_out_by_anothers_guesses_signs_in_after_a_reset(api: Api) -> None:
    address = await address_of(await api.member())
    for _ in range(10):
        assert await sign_in(api, address, "a wrong guess") == "CredentialsRejected"
    document = "mutation ($input: SignInInput!) { signIn(input: $input) { __typename } }"
    given = {"idempotencyKey": "k", "email": address, "password": PASSWORD}
    assert await api.codes(document, {"input": given}) == ["TOO_MANY_ATTEMPTS"]
    await reset(api, await code_for(address))
    assert await sign_in(api, address, NEW) == "Session"


# ---------------------------------------------------------------- secrets


async def test_neither_passwords_nor_codes_nor_their_guessable_hashes_are_kept_or_logged(
    api: Api,
) -> None:
    with capture_logs() as logs:
        caller = await api.member()
        address = await address_of(caller)
        await api.mutate("changePassword", change(PASSWORD, THIRD), caller, at=None)
        await ask(api, address)
        (letter,) = await arrived()
        code = code_in(letter)
        await reset(api, code, key="k")
    rows = await dump()
    kept = str({table: rows[table] for table in rows.keys() - {"accounts"}})
    for secret in (PASSWORD, THIRD, NEW, code, PASSWORD_HASH):
        assert secret not in str(rows)
        assert secret not in str(logs)
    assert "$argon2" not in kept
    assert address not in kept
    assert address not in str(logs)


async def test_the_answer_that_is_kept_is_the_same_for_every_password(api: Api) -> None:
    """But for a mark of the salted hash, which tells nothing once that hash is gone."""
    kept = []
    for new in (NEW, THIRD):
        caller = await api.member()
        before = await dump()
        await api.mutate("changePassword", change(PASSWORD, new), caller, key="k", at=None)
        assert changed(before, await dump()) == {"accounts", "idempotency_records", "outbox_events"}
        rows = await sql.fetch("SELECT content_hash FROM idempotency_records")
        kept.append({row[0] for row in rows})
    assert kept[0] == kept[1]


async def test_a_refused_code_costs_no_hash(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_in_pool", None)
    assert told_of(await reset(api, "A" * 32)) == REJECTED
