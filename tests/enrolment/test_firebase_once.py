"""Signing in through Firebase once, whatever the network does and whoever comes meanwhile."""

import asyncio

import pytest

from server.errors import CredentialsRejected
from server.refusals import Refusal
from tests.enrolment.signing_in import (
    REJECTED,
    accounts,
    counts,
    member_of,
    sign_in,
    stored_text,
)
from tests.integrations.firebase_google import EXPIRED, with_email
from tests.members.people import signed_up

ADA = "ada@example.com"

pytestmark = pytest.mark.usefixtures("programme")


async def test_a_repetition_is_answered_the_same_to_the_byte_with_any_token_of_the_user() -> None:
    first = await sign_in(with_email(ADA, name="Ada"), deviceName="phone")
    before = await stored_text()
    newer = with_email("eva@example.com", name="Eva", jti="newer", by="google.com")
    assert await sign_in(newer, deviceName="phone") == first
    assert await stored_text() == before


async def test_a_repetition_needs_a_token_that_counts() -> None:
    await sign_in(with_email(ADA))
    assert (await sign_in(with_email(ADA, **EXPIRED)))["__typename"] == "CredentialsRejected"
    assert await sign_in(with_email(ADA, key="other")) == REJECTED


async def test_a_key_with_other_content_is_a_conflict_and_another_users_is_another_key() -> None:
    first = await sign_in(with_email(ADA))
    before = await stored_text()
    for input in ({"deviceName": "x"}, {"name": "x"}, {"locale": "lt"}, {"timeZone": "UTC"}):
        assert (await sign_in(with_email(ADA), **input))["__typename"] == "IdempotencyConflict"
    assert await stored_text() == before
    other = await sign_in(with_email("eva@example.com", uid="uid-2"))
    assert await member_of(other) != await member_of(first)


@pytest.mark.parametrize("key_count", [1, 4])
async def test_four_devices_at_once_make_one_member(key_count: int) -> None:
    before = await counts()
    answers = await asyncio.gather(
        *(
            sign_in(with_email(ADA, name="Ada"), idempotencyKey=f"k{number % key_count}")
            for number in range(4)
        )
    )
    assert len({await member_of(answer) for answer in answers}) == 1
    assert len({answer["refreshToken"] for answer in answers}) == key_count
    after = await counts()
    assert {table: after[table] - before[table] for table in after} == {
        "members": 1,
        "accounts": 1,
        "account_identities": 1,
        "sessions": key_count,
        "cards": 1,
        "lots": 1,
        "idempotency_records": key_count,
    }


async def test_four_users_of_one_address_at_once_sign_in_to_one_account() -> None:
    answers = await asyncio.gather(
        *(sign_in(with_email(ADA, uid=f"uid-{number}"), name="Ada") for number in range(4))
    )
    assert len({await member_of(answer) for answer in answers}) == 1
    after = await counts()
    assert (after["members"], after["accounts"], after["account_identities"]) == (1, 1, 4)


async def test_signing_up_and_signing_in_at_once_with_one_address_leaves_it_to_its_owner() -> None:
    async def sign_up() -> Refusal | None:
        try:
            await signed_up(ADA)
        except CredentialsRejected as error:
            return Refusal.of(error)
        return None

    refused, session = await asyncio.gather(sign_up(), sign_in(with_email(ADA)))
    await member_of(session)
    [(_, email, has_password)] = await accounts()
    assert (email, has_password) == (ADA, False)
    assert refused is None or refused.kind == "CredentialsRejected"


async def test_no_id_token_is_kept_or_logged(capfd: pytest.CaptureFixture[str]) -> None:
    good, bad = with_email(ADA), with_email(ADA, key="other")
    await sign_in(good)
    await sign_in(bad, idempotencyKey="2")
    captured = capfd.readouterr()
    everything = await stored_text() + captured.out + captured.err
    for token in (good, bad):
        for part in token.split("."):
            assert part not in everything
