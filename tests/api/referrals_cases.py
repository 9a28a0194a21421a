"""How the mutations of referrals are called."""

from typing import Any

from server import clock
from server.definitions import service as definitions
from server.edge.nodes import global_id
from server.principal import StaffRole
from server.referrals import service as referrals
from server.referrals.service import Invitation, Marks
from server.storage import sql
from tests.api.calling import NOW, Api, Json, enrolled
from tests.api.cases import Case, case

TERMS: dict[str, Any] = {
    "inviter": {"points": 500},
    "friend": {"points": 300},
    "minimum_purchase_minor": 1_000,
    "milestones": [{"friends": 2, "points": 1_000}],
}


async def open_programme(**changes: Any) -> None:
    """Publish a referral programme."""
    async with sql.transaction():
        await definitions.publish_document(
            "referral", "default", TERMS | changes, by="command line", now=NOW
        )


async def code_of(member_id: int) -> str:
    """The member's code."""
    (code,) = await referrals.codes_of([member_id])
    assert code is not None
    return code


async def brought(inviter_id: int, friend_id: int, *, device: str | None = None) -> int:
    """Let the inviter bring the friend, and both have the device; the referral."""
    code, marks = await code_of(inviter_id), Marks(device=device)
    with clock.moved_to(NOW):
        async with sql.transaction():
            await referrals.note_marks(inviter_id, marks, now=NOW)
            view = await referrals.accept(friend_id, Invitation(code, marks), now=NOW)
    return view.id


@case("acceptReferral", "ReferralAccepted")
async def _accept(api: Api) -> Case:
    await open_programme()
    inviters = [await enrolled() for _ in range(2)]
    wishes: list[Json] = [{"referralCode": await code_of(one)} for one in inviters]
    callers = [await api.member() for _ in range(2)]
    return Case(callers[0], wishes[0], wishes[1], callers[1], wishes[0])


@case("noteMemberMarks", "MemberMarksNoted")
async def _note(api: Api) -> Case:
    callers = [await api.member() for _ in range(2)]
    marks = {"deviceId": "phone", "paymentFingerprint": "card"}
    return Case(callers[0], marks, {"deviceId": "tablet"}, callers[1], marks)


@case("decideReferral", "ReferralDecided")
async def _decide(api: Api) -> Case:
    await open_programme()
    inviter = await enrolled()
    managers = [await api.staff(StaffRole.MANAGER) for _ in range(2)]
    wishes = [await held(inviter) for _ in range(3)]
    return Case(managers[0], wishes[0], wishes[1], managers[1], wishes[2])


async def held(inviter_id: int) -> Json:
    """What approves a referral that is held."""
    referral_id = await brought(inviter_id, await enrolled(), device="phone")
    return {
        "referralId": referral_global_id(referral_id),
        "decision": "APPROVE",
        "reason": "two people",
    }


def referral_global_id(referral_id: int) -> str:
    """The referral's opaque id."""
    return global_id("Referral", referral_id)
