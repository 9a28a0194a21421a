"""A new member who signs in through Firebase says who brought them, as by signing up."""

import hashlib
import json

import pytest

from server.referrals import service as referrals
from server.referrals.service import Doubt, Marks, ReferralState
from server.storage import sql
from tests.api.calling import dump
from tests.enrolment.signing_in import counts, member_of, sign_in
from tests.integrations.firebase_google import id_token, with_email
from tests.referrals.friends import JOINED, came, member, publish_terms

pytestmark = pytest.mark.usefixtures("programme")

ADA = "ada@example.com"
DEVICE = "a device of Ada's"


async def opened() -> tuple[int, str]:
    """An inviter and their code, under a referral programme."""
    await publish_terms()
    inviter = await member("inviter")
    (code,) = await referrals.codes_of([inviter])
    assert code is not None
    return inviter, code


async def test_a_new_member_is_brought_by_the_code() -> None:
    inviter, code = await opened()
    friend = await member_of(await sign_in(with_email(ADA), referralCode=code.lower()))
    referral = await came(friend)
    assert (referral.inviter_id, referral.state) == (inviter, ReferralState.WAITING)


async def test_a_device_that_the_inviter_has_is_doubted_and_kept_as_a_keyed_hash() -> None:
    inviter, code = await opened()
    async with sql.transaction():
        await referrals.note_marks(inviter, Marks(device=DEVICE), now=JOINED)
    friend = await member_of(await sign_in(with_email(ADA), referralCode=code, deviceId=DEVICE))
    referral = await came(friend)
    assert (referral.state, referral.doubts) == (ReferralState.HELD, (Doubt.SAME_DEVICE,))
    kept = json.dumps(await dump())
    assert DEVICE not in kept
    assert hashlib.sha256(DEVICE.encode()).hexdigest() not in kept


async def test_an_address_in_the_inviters_mailbox_is_blocked_whether_or_not_it_is_verified() -> (
    None
):
    inviter, code = await opened()
    async with sql.transaction():
        await sql.execute(
            "INSERT INTO accounts (id, member_id, email, email_key, created_at)"
            " VALUES (1, $1, $2, $2, 1)",
            inviter,
            ADA,
        )
    token = with_email("ada+2@example.com", is_verified=False)
    friend = await member_of(await sign_in(token, referralCode=code))
    referral = await came(friend)
    assert (referral.state, referral.doubts) == (ReferralState.BLOCKED, (Doubt.SAME_PERSON,))


async def test_a_code_that_is_nobodys_makes_no_member_and_leaves_the_key_free() -> None:
    await opened()
    before = await counts()
    told = await sign_in(with_email(ADA), referralCode="WRONG")
    assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", "referralCode"])
    assert await counts() == before
    assert (await sign_in(with_email(ADA)))["__typename"] == "Session"


async def test_who_is_a_member_already_comes_through_nobody() -> None:
    _inviter, code = await opened()
    friend = await member_of(await sign_in(with_email(ADA)))
    for number, given in enumerate((code, "WRONG")):
        told = await sign_in(with_email(ADA), referralCode=given, idempotencyKey=str(number))
        assert await member_of(told) == friend
    assert await referrals.of_friends([friend]) == {}
    told = await sign_in(with_email(ADA), deviceId="", idempotencyKey="2")
    assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", "deviceId"])


async def test_another_code_under_the_same_key_is_another_request() -> None:
    _inviter, code = await opened()
    first = await sign_in(id_token(), referralCode=code, deviceId=DEVICE)
    again = await sign_in(id_token(), referralCode=code, deviceId=DEVICE)
    assert await member_of(again) == await member_of(first)
    for given in ({"referralCode": code}, {"deviceId": DEVICE}, {}):
        told = await sign_in(id_token(), **given)
        assert told["__typename"] == "IdempotencyConflict"
