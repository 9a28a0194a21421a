"""Actions are rewarded when they are done, and as often as their caps say."""

import asyncio

import pytest

from server.actions import service as actions
from server.actions.service import Answer
from server.errors import InvalidInput, LimitReached, NotAllowed, NotFound
from server.members.consents import ConsentPurpose, ConsentSource, set_consent
from server.storage import sql
from tests.actions.doing import JOINED, done, granted, member, opened, publish_action
from tests.purchases.baskets import at, draft, line, recorded
from tests.purchases.returns import return_draft, take_back

pytestmark = pytest.mark.usefixtures("database")


async def limit_of(member_id: int, when: str = "2026-01-05", subject: str | None = None) -> str:
    """Why the action is not rewarded once more."""
    with pytest.raises(LimitReached) as refusal:
        await done(member_id, now=at(when), subject=subject)
    assert refusal.value.left == 0
    return refusal.value.reason


async def test_each_time_gives_the_points_until_a_cap_is_reached() -> None:
    await opened(caps={"per_member": 3, "per_day": 2})
    anna = await member("anna")
    for day in ("2026-01-05", "2026-01-05"):
        await done(anna, now=at(day))
    assert await limit_of(anna) == "action.limit_day"
    await done(anna, now=at("2026-01-06"))
    assert await limit_of(anna, "2026-01-07") == "action.limit_member"
    assert await granted(anna) == [("action:visit", 50)] * 3


async def test_each_subject_has_a_cap_of_its_own() -> None:
    await opened(caps={"per_subject": 1})
    anna = await member("anna")
    await done(anna, subject="a")
    await done(anna, subject="b")
    assert await limit_of(anna, subject="a") == "action.limit_subject"


async def test_all_together_never_exceed_the_total() -> None:
    await opened(caps={"total": 5})
    members = [await member(f"m{number}") for number in range(8)]
    answers = await asyncio.gather(
        *(done(members[number % 8]) for number in range(64)), return_exceptions=True
    )
    refusals = [one for one in answers if isinstance(one, BaseException)]
    assert {type(one) for one in refusals} == {LimitReached}
    assert len(answers) - len(refusals) == 5
    assert sum([len(await granted(one)) for one in members]) == 5


async def test_a_total_that_is_set_later_counts_what_was_before() -> None:
    await opened()
    anna = await member("anna")
    await done(anna)
    await done(anna)
    await publish_action("visit", caps={"total": 3})
    await done(anna)
    assert await limit_of(anna) == "action.limit_total"


async def test_a_newsletter_needs_consent() -> None:
    await opened("news", type="newsletter", caps={"per_member": 1})
    anna = await member("anna")
    with pytest.raises(NotAllowed):
        await done(anna, "news", is_own=True)
    async with sql.transaction():
        await set_consent(
            anna,
            ConsentPurpose.EMAIL,
            is_given=True,
            source=ConsentSource.MEMBER,
            by="member:1",
            note=None,
            now=JOINED,
        )
    await done(anna, "news", is_own=True)
    assert await granted(anna) == [("action:news", 50)]


async def test_a_profile_must_say_what_is_asked_for() -> None:
    await opened("profile", type="profile_completed", fields=["name", "birthday"])
    anna = await member("anna", name="Anna")
    bob = await member("bob", name="Bob", birthday="1990-01-01")
    with pytest.raises(NotAllowed) as refusal:
        await done(anna, "profile", is_own=True)
    assert refusal.value.facts["fields"] == "birthday"
    await done(bob, "profile", is_own=True)


async def test_what_was_bought_and_kept_can_be_reviewed() -> None:
    await opened("review", type="review", caps={"per_subject": 1})
    anna = await member("anna")
    await recorded(draft("1", "2026-01-06", line("GROCERY", 500, product="P1"), household="anna"))
    with pytest.raises(NotAllowed):
        await done(anna, "review", subject="P2", is_own=True)
    await done(anna, "review", subject="P1", is_own=True)
    await take_back(return_draft("r", "1", "2026-01-07"))
    bob = await member("bob")
    await recorded(draft("2", "2026-01-06", line("GROCERY", 500, product="P1"), household="bob"))
    await take_back(return_draft("r2", "2", "2026-01-07"))
    with pytest.raises(NotAllowed):
        await done(bob, "review", subject="P1", is_own=True)


async def test_members_do_not_tell_of_what_the_shop_tells() -> None:
    await opened()
    anna = await member("anna")
    with pytest.raises(NotAllowed):
        await done(anna, is_own=True)
    with pytest.raises(NotFound):
        await done(anna, "nothing")
    assert await granted(anna) == []


async def test_a_survey_adds_up() -> None:
    questions = [
        {"type": "nps", "id": "recommend", "texts": {"en": "?"}},
        {"type": "text", "id": "why", "texts": {"en": "?"}},
    ]
    await opened("survey", type="survey", questions=questions, caps={"per_member": 1})
    for place, number in enumerate([10, 9, 9, 8, 7, 6, 0]):
        who = await member(f"m{place}")
        text = [Answer("why", text=f" because {place} ")] if place < 3 else []
        await done(who, "survey", Answer("recommend", number), *text, is_own=True)
    found = await actions.survey_results("survey", now=JOINED)
    assert found is not None
    recommend, why = found.questions
    score = recommend.net_promoter
    assert score is not None
    assert (score.promoters, score.passives, score.detractors) == (3, 2, 2)
    assert (score.score_bps, recommend.answers, why.answers, found.responses) == (1428, 7, 3, 7)
    assert dict(recommend.counts)["9"] == 2
    page = await actions.survey_texts("survey", "why", before=2**63 - 1, limit=2)
    assert [one.text for one in page] == ["because 2", "because 1"]
    rest = await actions.survey_texts("survey", "why", before=page[-1].id, limit=2)
    assert [one.text for one in rest] == ["because 0"]


async def test_a_refused_answer_leaves_nothing() -> None:
    questions = [{"type": "nps", "id": "recommend", "texts": {"en": "?"}}]
    await opened("survey", type="survey", questions=questions)
    anna = await member("anna")
    with pytest.raises(InvalidInput) as refusal:
        await done(anna, "survey", Answer("recommend", 11), is_own=True)
    assert refusal.value.path == ("answers", 0)
    assert await granted(anna) == []
    assert await sql.fetch("SELECT id FROM survey_answers") == []
