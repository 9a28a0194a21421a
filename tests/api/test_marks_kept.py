"""What tells people apart is kept as a keyed hash alone, whoever tells it and in whatever table."""

import base64
import hashlib
import json
from collections.abc import Iterator

from server.principal import Scope
from tests.api.calling import NOBODY, Api, dump
from tests.api.referrals_cases import code_of, open_programme
from tests.members.people import PASSWORD

KINDS = ("device", "payment", "address")


def _readable(mark: str) -> Iterator[str]:
    """The mark, and its hashes that anybody can make who guesses it."""
    yield mark
    for kind in ("", *(f"{one}\n" for one in KINDS), *(f"{one}:" for one in KINDS)):
        for name in ("sha256", "sha1", "md5"):
            digest = hashlib.new(name, f"{kind}{mark}".encode()).digest()
            yield digest.hex()
            yield base64.b64encode(digest).decode().rstrip("=")
            yield base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _hashed_input(name: str, value: object) -> str:
    """The plain hash of a content that is nothing but the mark."""
    return hashlib.sha256(json.dumps({name: value}, separators=(",", ":")).encode()).hexdigest()


async def test_no_table_has_a_mark_or_a_hash_that_can_be_guessed(api: Api) -> None:
    await open_programme()
    anna, bob = await api.member("anna"), await api.member("bob")
    code = await code_of(anna.member_id)
    shop = await api.key(*Scope)
    for name, wish, caller, success in (
        (
            "signUp",
            {"email": "c@x.org", "password": PASSWORD, "name": "C", "deviceId": "mark-1"},
            NOBODY,
            "Session",
        ),
        (
            "enrolMember",
            {
                "externalId": "dora",
                "referralCode": code,
                "paymentFingerprint": "mark-2",
                "addressFingerprint": "mark-3",
            },
            shop,
            "EnrolledMember",
        ),
        (
            "acceptReferral",
            {
                "referralCode": code,
                "deviceId": "mark-4",
                "paymentFingerprint": "mark-5",
                "addressFingerprint": "mark-6",
            },
            bob,
            "ReferralAccepted",
        ),
        (
            "noteMemberMarks",
            {
                "deviceId": "mark-7",
                "paymentFingerprint": "mark-8",
                "addressFingerprint": "mark-9",
            },
            anna,
            "MemberMarksNoted",
        ),
    ):
        told = await api.mutate(name, wish, caller)
        assert told["__typename"] == success, told
    kept = await dump()
    assert len(kept["member_marks"]) == 9
    everything = "\n".join(row for rows in kept.values() for row in rows)
    for number in range(1, 10):
        mark = f"mark-{number}"
        found = [one for one in _readable(mark) if one in everything]
        assert found == [], mark
        for name in ("deviceId", "device_id", "paymentFingerprint", "addressFingerprint"):
            assert _hashed_input(name, mark) not in everything
