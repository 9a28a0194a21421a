"""Bringing friends, as apps, tills and staff see it."""

from server.clock import Instant
from server.principal import Scope, StaffRole
from tests.api.calling import NOBODY, NOW, SECOND, Api, Caller, Json, line
from tests.api.referrals_cases import brought, code_of, held, open_programme
from tests.members.people import PASSWORD

LATER = Instant(NOW + 20 * 86_400 * SECOND)
OWN = """{ me { referral {
  code link friendsRewarded earnedPoints earnedCashback { amount }
  milestones { friends points isReached }
  own { state points }
  friends { nodes { name state points } }
  terms { inviterReward { points } friendReward { points } minimumPurchase { amount } }
} } }"""


async def seen(api: Api, caller: Caller, at: Instant = NOW) -> Json:
    """The member's referral."""
    told: Json = (await api.data(OWN, caller=caller, at=at))["me"]["referral"]
    return told


async def test_a_friend_signs_up_with_the_code_and_buys(api: Api) -> None:
    await open_programme()
    anna = await api.member("anna", name="Anna Smith")
    before = await seen(api, anna)
    assert (before["code"], before["link"]) == (await code_of(anna.member_id), None)
    assert before["terms"] == {
        "inviterReward": {"points": 500},
        "friendReward": {"points": 300},
        "minimumPurchase": {"amount": "10.00"},
    }
    wish = {"email": "bob@example.com", "password": PASSWORD, "name": "Bob Jones"}
    session = await api.mutate(
        "signUp", {**wish, "referralCode": before["code"].lower(), "deviceId": "d"}, NOBODY
    )
    assert session["__typename"] == "Session"
    assert (await seen(api, anna))["friends"]["nodes"] == [
        {"name": "Bob", "state": "WAITING", "points": 0}
    ]
    till = await api.key(*Scope)
    bought = await api.record(
        till, member={"id": session["memberId"]}, lines=[line(salesMinor=1_000)]
    )
    assert bought["__typename"] == "RecordedPurchase"
    pending = await seen(api, anna)
    assert pending["friends"]["nodes"] == [{"name": "Bob", "state": "PENDING", "points": 500}]
    assert (pending["friendsRewarded"], pending["earnedPoints"]) == (1, 500)
    assert pending["milestones"] == [{"friends": 2, "points": 1_000, "isReached": False}]
    [friend] = (await seen(api, anna, LATER))["friends"]["nodes"]
    assert friend["state"] == "REWARDED"


async def test_a_code_that_is_nobodys_enrols_nobody(api: Api) -> None:
    await open_programme()
    wish = {"email": "x@example.com", "password": PASSWORD, "name": "X", "referralCode": "WRONG"}
    told = await api.mutate("signUp", wish, NOBODY)
    assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", "referralCode"])
    shop = await api.key(Scope.MEMBERS_ENROL)
    told = await api.mutate("enrolMember", {"externalId": "x", "referralCode": "WRONG"}, shop)
    assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", "referralCode"])


async def test_members_are_not_told_of_doubts_and_staff_are(api: Api) -> None:
    await open_programme()
    anna, bob = await api.member("anna"), await api.member("bob")
    await brought(anna.member_id, bob.member_id, device="phone")
    assert (await seen(api, bob))["own"] == {"state": "UNDER_REVIEW", "points": 0}
    assert (await seen(api, anna))["friends"]["nodes"][0]["state"] == "UNDER_REVIEW"
    staff = await api.staff(StaffRole.SUPPORT)
    told = await api.data(
        "{ referrals(state: HELD) { nodes { friendId doubts state } } }", caller=staff, at=NOW
    )
    assert told["referrals"]["nodes"] == [
        {"friendId": bob.id, "doubts": ["SAME_DEVICE"], "state": "HELD"}
    ]


async def test_a_decision_is_made_once_and_says_why(api: Api) -> None:
    await open_programme()
    anna = await api.member("anna")
    manager = await api.staff(StaffRole.MANAGER)
    wish = await held(anna.member_id)
    told = await api.mutate("decideReferral", {**wish, "reason": "-"}, manager)
    assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", "reason"])
    told = await api.mutate("decideReferral", wish, manager)
    assert (told["referral"]["state"], told["referral"]["note"]) == ("WAITING", "two people")
    told = await api.mutate("decideReferral", wish, manager)
    assert told["__typename"] == "AlreadyDecided"


async def test_nobody_brings_themselves(api: Api) -> None:
    await open_programme()
    anna = await api.member("anna")
    wish = {"referralCode": await code_of(anna.member_id)}
    told = await api.mutate("acceptReferral", wish, anna)
    assert (told["__typename"], told["path"]) == ("NotAllowed", ["input", "referralCode"])
