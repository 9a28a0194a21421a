"""Signing in through Firebase: who becomes a member, who signs in to what, and who does not."""

from collections.abc import Callable
from typing import Any

import pytest

from server import clock
from server.cards import service as cards
from server.errors import CredentialsRejected, SessionRejected
from server.integrations.firebase import Firebase, NoFirebase
from server.ledger import service as ledger
from server.members import service as members
from server.money import POINTS
from server.principal import StaffRole
from server.storage import sql
from tests.enrolment.signing_in import (
    REJECTED,
    Shown,
    accounts,
    counts,
    execute,
    member_of,
    sign_in,
    stored_text,
    using,
)
from tests.integrations.firebase_google import (
    EXPIRED,
    PROJECT,
    id_token,
    serving_keys,
    unsigned,
    with_email,
)
from tests.members.people import PASSWORD, PASSWORD_HASH, signed_up

WELCOME_POINTS = 100
ADA = "ada@example.com"
PHONE: dict[str, Any] = {"by": "phone", "phone_number": "+37060000000"}
UNVERIFIED = {
    "__typename": "NotAllowed",
    "code": "NOT_ALLOWED",
    "message": "There is an account with this e-mail address. Please confirm the address with the "
    "link sent to it, or sign in with the account's password.",
    "path": ["input", "idToken"],
}


pytestmark = pytest.mark.usefixtures("programme")


async def stands(session_id: int) -> bool:
    """Whether the session goes on."""
    return session_id in await members.session_stands([session_id])


async def staff(email: str = ADA) -> None:
    """One of the staff with the address."""
    async with sql.transaction():
        await members.create_staff(email, PASSWORD_HASH, StaffRole.MANAGER)


# ---------------------------------------------------------------- becoming a member


@pytest.mark.parametrize(
    ("token", "input", "name", "email"),
    [
        (lambda: with_email(ADA, name="Ada"), {"name": "A."}, "Ada", ADA),
        (lambda: with_email(f" {ADA} ", by="google.com", name=" "), {"name": "A."}, "A.", ADA),
        (lambda: with_email(ADA, is_verified=False, name="A\x00"), {}, None, None),
        (lambda: with_email("no address", name="Ada"), {}, "Ada", None),
        (lambda: id_token(**PHONE), {"name": "Ada"}, "Ada", None),
        (lambda: id_token(by="custom", name="x" * 121), {}, None, None),
    ],
    ids=["e-mail", "google", "unverified", "no address", "phone", "custom"],
)
async def test_who_is_not_known_becomes_a_member_as_by_signing_up(
    token: Callable[[], str], input: Shown, name: str | None, email: str | None
) -> None:
    session = await sign_in(token(), deviceName="phone", locale="lt", **input)
    member_id = await member_of(session)
    profile = await members.profile(member_id)
    assert (profile.name, profile.locale, profile.time_zone) == (name, "lt", "UTC")
    assert await accounts() == [(member_id, email, False)]
    card = await cards.card_of(member_id)
    assert card.issued_at == profile.enrolled_at
    balances = await ledger.balances([member_id], clock.now())
    assert balances[(member_id, POINTS)].available == WELCOME_POINTS
    assert await sql.fetch("SELECT provider, subject FROM account_identities") == [
        (f"firebase/{PROJECT}", "uid-1")
    ]
    assert await sql.fetch("SELECT device_name FROM sessions") == [("phone",)]


async def test_who_is_known_signs_in_again_whatever_became_of_their_address() -> None:
    first = await member_of(await sign_in(with_email(ADA, name="Ada")))
    again = [
        with_email(ADA, name="Eva"),
        with_email(ADA, is_verified=False),
        with_email("eva@example.com"),
        id_token(**PHONE),
    ]
    for number, token in enumerate(again):
        given = {"idempotencyKey": str(number), "name": "Eva", "timeZone": "Europe/Vilnius"}
        assert await member_of(await sign_in(token, **given)) == first
    assert (await members.profile(first)).name == "Ada"
    assert await accounts() == [(first, ADA, False)]
    assert (await counts())["members"] == 1


async def test_the_account_of_a_duplicate_signs_in_as_the_survivor() -> None:
    duplicate = await member_of(await sign_in(with_email(ADA)))
    survivor = await member_of(await sign_in(id_token(uid="uid-2", **PHONE)))
    async with sql.transaction():
        await sql.execute("UPDATE members SET merged_into = $1 WHERE id = $2", survivor, duplicate)
    assert await member_of(await sign_in(with_email(ADA), idempotencyKey="2")) == survivor
    # Another of their users with the same address is let in to the same account.
    other = with_email(ADA, uid="uid-3", by="google.com")
    assert await member_of(await sign_in(other, idempotencyKey="3")) == survivor
    assert (await counts())["accounts"] == 2


@pytest.mark.parametrize(
    ("input", "path"),
    [
        ({"name": ""}, "name"),
        ({"locale": "x"}, "locale"),
        ({"timeZone": "Mars"}, "timeZone"),
        ({"deviceName": "x" * 121}, "deviceName"),
    ],
    ids=["name", "locale", "time zone", "device"],
)
async def test_what_is_said_of_a_new_member_is_checked_for_everybody(
    input: Shown, path: str
) -> None:
    before = await counts()
    for known in (False, True):
        told = await sign_in(with_email(ADA, name="Ada"), **input)
        assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", path])
        if not known:
            assert await counts() == before
            await sign_in(with_email(ADA), idempotencyKey="good")


# ---------------------------------------------------------------- linking


async def test_a_verified_address_leads_to_the_account_that_has_it() -> None:
    owner = await signed_up("Ada@Example.com")
    member_id = await member_of(await sign_in(with_email(ADA)))
    assert member_id == owner.member_id
    assert (await counts())["members"] == 1
    [(_, email, _)] = await accounts()
    assert email == "Ada@Example.com"


async def test_a_password_of_somebody_who_never_proved_the_address_goes_with_their_sessions() -> (
    None
):
    stranger = await signed_up(ADA)
    checked = await members.check_credentials(ADA, PASSWORD)
    owner = await sign_in(with_email(ADA))
    assert await accounts() == [(stranger.member_id, ADA, False)]
    assert not await stands(stranger.session_id)
    assert await member_of(owner) == stranger.member_id
    with pytest.raises(CredentialsRejected):
        await members.check_credentials(ADA, PASSWORD)
    with pytest.raises(CredentialsRejected):  # the password was right a moment ago
        async with sql.transaction():
            await members.sign_in(checked)
    tokens = await members.session_tokens(stranger)
    shown = await members.shown_refresh_token(tokens.refresh_token)
    with pytest.raises(SessionRejected):
        async with sql.transaction():
            await members.refresh_session(shown)


async def _reset(account_id: int) -> None:
    """The owner of the address has set the password by a code that was sent to it."""
    async with sql.transaction():
        await sql.execute(
            "INSERT INTO password_resets (id, account_id, code_hash, created_at, expires_at,"
            " used_at) VALUES (1, $1, 'x', 1, 2, 1)",
            account_id,
        )


async def _linked(account_id: int) -> None:
    """A verified identity signs in to the account."""
    async with sql.transaction():
        await sql.execute(
            "INSERT INTO account_identities (id, account_id, provider, subject, created_at)"
            " VALUES (1, $1, 'firebase/other', 'x', 1)",
            account_id,
        )


@pytest.mark.parametrize("prove", [_reset, _linked])
async def test_a_password_of_who_proved_the_address_stays_with_their_sessions(
    prove: Callable[[int], Any],
) -> None:
    owner = await signed_up(ADA)
    await prove(owner.account_id)
    assert await member_of(await sign_in(with_email(ADA))) == owner.member_id
    assert await accounts() == [(owner.member_id, ADA, True)]
    assert await stands(owner.session_id)
    assert (await members.check_credentials(ADA, PASSWORD)).account_id == owner.account_id


async def test_a_code_that_was_sent_and_not_used_proves_nothing() -> None:
    stranger = await signed_up(ADA)
    async with sql.transaction():
        await sql.execute(
            "INSERT INTO password_resets (id, account_id, code_hash, created_at, expires_at)"
            " VALUES (1, $1, 'x', 1, 2)",
            stranger.account_id,
        )
    await sign_in(with_email(ADA))
    assert await accounts() == [(stranger.member_id, ADA, False)]


async def test_only_the_first_link_takes_the_password() -> None:
    owner = await signed_up(ADA)
    await sign_in(with_email(ADA))
    async with sql.transaction():
        await sql.execute("UPDATE accounts SET password_hash = $1", PASSWORD_HASH)
    await sign_in(with_email(ADA, uid="uid-2", by="google.com"))
    assert await accounts() == [(owner.member_id, ADA, True)]
    rows = await sql.fetch("SELECT account_id, subject FROM account_identities ORDER BY subject")
    assert rows == [(owner.account_id, "uid-1"), (owner.account_id, "uid-2")]


@pytest.mark.parametrize("verified", [False, None, "true", 1])
async def test_an_address_that_is_not_verified_leads_nowhere_and_changes_nothing(
    verified: object,
) -> None:
    owner = await signed_up(ADA)
    before = await stored_text()
    for email in (ADA, "ADA@example.com", "ａda@example.com"):
        assert await sign_in(id_token(email=email, email_verified=verified)) == UNVERIFIED
    assert await stored_text() == before
    assert await stands(owner.session_id)
    # Once it is verified, the same key works.
    assert await member_of(await sign_in(with_email(ADA))) == owner.member_id


async def test_the_staffs_addresses_are_nobodys_to_sign_in_to() -> None:
    await staff()
    before = await stored_text()
    assert await sign_in(with_email(ADA, by="google.com")) == REJECTED
    assert await sign_in(with_email(ADA, is_verified=False)) == UNVERIFIED  # as of a member's
    assert await stored_text() == before


async def test_an_identity_of_the_staff_if_there_ever_is_one_does_not_sign_in() -> None:
    await staff()
    [(account_id,)] = await sql.fetch("SELECT id FROM accounts")
    async with sql.transaction():
        await sql.execute(
            "INSERT INTO account_identities (id, account_id, provider, subject, created_at)"
            " VALUES (1, $1, $2, 'uid-1', 1)",
            account_id,
            f"firebase/{PROJECT}",
        )
    before = await stored_text()
    assert await sign_in(id_token(**PHONE)) == REJECTED
    assert await stored_text() == before


async def test_the_emulators_users_are_not_the_projects(monkeypatch: pytest.MonkeyPatch) -> None:
    real = await member_of(await sign_in(id_token(name="Ada", **PHONE)))
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", "127.0.0.1:9099")
    with using(Firebase(PROJECT, is_emulated=True)):
        made_up = await sign_in(unsigned(name="Ada", **PHONE))
    assert await member_of(made_up) != real


# ---------------------------------------------------------------- refusals


async def test_refusals_change_nothing_and_leave_the_key_free() -> None:
    before = await stored_text()
    anonymous = await sign_in(id_token(by="anonymous"))
    assert anonymous == {
        "__typename": "NotAllowed",
        "code": "NOT_ALLOWED",
        "message": "Please sign in with an e-mail address, a phone number or an account you have "
        "elsewhere first.",
        "path": ["input", "idToken"],
    }
    for token in ("", "x", id_token(aud="other"), id_token(key="other")):
        assert await sign_in(token) == REJECTED
    assert (await sign_in(id_token(**EXPIRED)))["message"] == (
        "This sign-in has expired. Please sign in again."
    )
    with using(NoFirebase()):
        assert await sign_in(id_token()) == {
            "__typename": "NotAllowed",
            "code": "NOT_ALLOWED",
            "message": "You can't sign in this way here.",
            "path": ["input", "idToken"],
        }
    assert await stored_text() == before
    assert (await sign_in(id_token()))["__typename"] == "Session"


async def test_a_refusal_is_told_in_the_callers_language() -> None:
    answer = await execute("x", language="lt")
    assert answer.data is not None
    assert answer.data["signInWithFirebase"]["message"] == (
        "Prisijungti nepavyko. Prisijunkite iš naujo."
    )


async def test_without_googles_keys_the_caller_is_told_when_to_try_again() -> None:
    with serving_keys() as gone:
        pass
    with using(Firebase(PROJECT, certificates_url=gone.url)):
        answer = await execute(id_token())
    assert answer.errors
    [error] = answer.errors
    refusal: Any = error.original_error
    assert (refusal.code, refusal.status, refusal.headers) == (
        "UNAVAILABLE",
        503,
        {"Retry-After": "5"},
    )
    assert refusal.errors("en") == [
        {
            "message": "Signing in this way does not work at the moment. Please try again soon.",
            "extensions": {"code": "UNAVAILABLE", "retryAfterSeconds": 5},
        }
    ]
    assert (await counts())["idempotency_records"] == 0
