"""Drafts, publishing, approval by a second person, withdrawal and rollback, on both engines."""

import asyncio
from typing import Any

import pytest

from server.clock import Instant
from server.definitions import service as definitions
from server.definitions.rules import DefinitionStatus
from server.errors import AlreadyDecided, InvalidInput, NotAllowed, NotFound
from server.messages import told
from server.storage import sql
from tests.definitions.things import (
    ANNA,
    BERT,
    CARL,
    HOUR,
    NOW,
    PLAIN,
    POSTED,
    live,
    poster,
    published,
)

pytestmark = pytest.mark.usefixtures("shop")
DEAR = poster(budget_minor=10_001)
TOMORROW = Instant(NOW + 24 * HOUR)


async def save(plain: Any = PLAIN, key: str = "summer", **more: Any) -> definitions.Version:
    async with sql.transaction():
        given = {"by": ANNA, "now": NOW, **more}
        return await definitions.save_draft("poster", key, plain, **given)


async def done(verb: Any, *args: Any, by: str = ANNA, now: Instant = NOW, **more: Any) -> Any:
    async with sql.transaction():
        return await verb("poster", "summer", *args, by=by, now=now, **more)


async def statuses() -> list[tuple[int, str]]:
    return [
        (one.version, one.status.value) for one in await definitions.history("poster", "summer")
    ]


async def test_a_draft_counts_for_nobody_until_it_is_published() -> None:
    draft = await save()
    assert (draft.version, draft.status, draft.effective_at) == (1, DefinitionStatus.DRAFT, None)
    assert await live() == {}
    await done(definitions.publish, 1)
    assert await live() == {"summer": 1}
    assert await live(at=Instant(NOW - 1)) == {}


async def test_a_draft_is_written_anew_until_it_is_published() -> None:
    await save()
    assert (await save(poster("Autumn"), by=BERT)).version == 1
    await done(definitions.publish, 1)
    assert (await save(poster("Winter"))).version == 2
    assert await statuses() == [(2, "draft"), (1, "published")]
    (standing,) = (await definitions.shelves()).of("poster").live(NOW).by_key.values()
    assert standing.document.title == {"en": "Autumn"}


async def test_equal_documents_have_equal_digests_however_they_are_written() -> None:
    one = await save(poster(stores=["b", "a"], budget_minor=0))
    other = await save(poster(stores=["a", "b"]))
    assert one.digest == other.digest
    assert other.document == '{"stores":["a","b"],"title":{"en":"Summer"}}'


@pytest.mark.parametrize("key", ["", "A", "a_b", "-a", "a-", "a" * 65, "ä", "a\n"])
async def test_a_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await save(key=key)
    assert refused.value.path == ("key",)


async def test_an_unknown_kind_is_refused_with_those_that_there_are() -> None:
    async with sql.transaction():
        with pytest.raises(InvalidInput) as refused:
            await definitions.save_draft("nonsense", "a", {}, by=ANNA, now=NOW)
    assert refused.value.path == ("kind",)
    accepted: Any = refused.value.accepted
    assert {"leaflet", "poster"} <= set(accepted.facts["kinds"].split(", "))


async def test_a_version_takes_effect_at_its_instant_and_not_in_the_past() -> None:
    await published()
    assert (await published(plain=poster("Autumn"), at=TOMORROW)).effective_at == TOMORROW
    assert await live(at=Instant(TOMORROW - 1)) == {"summer": 1}
    assert await live(at=TOMORROW) == {"summer": 2}
    await save(poster("Winter"))
    with pytest.raises(InvalidInput) as refused:
        await done(definitions.publish, 3, effective_at=Instant(NOW - 1))
    assert refused.value.path == ("effectiveAt",)
    assert await statuses() == [(3, "draft"), (2, "published"), (1, "published")]


# ---------------------------------------------------------------- approval


async def test_a_budget_at_the_limit_needs_no_second_person() -> None:
    version = await published(plain=poster(budget_minor=10_000))
    assert (version.status, version.decided_by) == (DefinitionStatus.PUBLISHED, None)


@pytest.mark.parametrize("budget_minor", [10_001, None])
async def test_a_budget_above_the_limit_or_without_one_waits(budget_minor: int | None) -> None:
    version = await published(plain=poster(budget_minor=budget_minor))
    assert (version.status, version.requested_by) == (DefinitionStatus.WAITING, ANNA)
    assert await live() == {}
    later = Instant(NOW + HOUR)
    approved = await done(definitions.approve, 1, by=BERT, now=later)
    assert (approved.effective_at, approved.decided_by) == (later, BERT)
    assert await live(at=later) == {"summer": 1}
    assert await live(at=Instant(later - 1)) == {}


async def test_what_is_approved_in_time_counts_from_the_instant_asked_for() -> None:
    await published(plain=DEAR, at=TOMORROW)
    assert (await done(definitions.approve, 1, by=BERT)).effective_at == TOMORROW
    assert await live() == {}
    assert await live(at=TOMORROW) == {"summer": 1}


@pytest.mark.parametrize("verb", ["approve", "reject"])
async def test_neither_who_wrote_it_nor_who_asked_for_it_decides(verb: str) -> None:
    await save(DEAR)
    await done(definitions.publish, 1, by=BERT)
    note = () if verb == "approve" else ("too dear",)
    for by in (ANNA, BERT):
        with pytest.raises(NotAllowed):
            await done(getattr(definitions, verb), 1, *note, by=by)
    assert await statuses() == [(1, "waiting")]
    await done(getattr(definitions, verb), 1, *note, by=CARL)
    assert await statuses() == [(1, {"approve": "published", "reject": "rejected"}[verb])]


async def test_while_a_version_waits_no_other_is_written() -> None:
    await published(plain=DEAR)
    with pytest.raises(AlreadyDecided) as refused:
        await save()
    assert refused.value.status == "WAITING"
    await done(definitions.reject, 1, "  too dear ", by=BERT)
    assert (await definitions.history("poster", "summer"))[0].note == "too dear"
    assert (await save()).version == 2


@pytest.mark.parametrize("note", ["", "  ", "x" * 501, "a\nb"])
async def test_a_rejection_says_why(note: str) -> None:
    await published(plain=DEAR)
    with pytest.raises(InvalidInput):
        await done(definitions.reject, 1, note, by=BERT)
    assert await statuses() == [(1, "waiting")]


async def test_the_command_line_needs_no_second_person() -> None:
    version = await published(plain=DEAR, by=definitions.COMMAND_LINE)
    assert version.status is DefinitionStatus.PUBLISHED


@pytest.mark.parametrize("verb", ["publish", "approve", "discard"])
async def test_what_is_decided_is_not_decided_again(verb: str) -> None:
    await published()
    with pytest.raises(AlreadyDecided) as refused:
        await done(getattr(definitions, verb), 1, by=BERT)
    assert (refused.value.status, refused.value.path) == ("PUBLISHED", ("version",))
    with pytest.raises(NotFound):
        await done(getattr(definitions, verb), 2, by=BERT)


async def test_a_draft_or_what_waits_can_be_given_up() -> None:
    await save()
    await done(definitions.discard, 1)
    await published(plain=DEAR)
    await done(definitions.discard, 2)
    assert await statuses() == [(2, "discarded"), (1, "discarded")]
    assert await live() == {}


# ---------------------------------------------------------------- withdrawal and rollback


async def test_what_is_withdrawn_counts_no_more_and_can_be_brought_back() -> None:
    await published()
    await done(definitions.withdraw, effective_at=TOMORROW)
    assert await live() == {"summer": 1}
    assert await live(at=TOMORROW) == {}
    back = await done(definitions.rollback, 1, now=TOMORROW)
    assert (back.version, back.document) == (3, '{"title":{"en":"Summer"}}')
    assert await live(at=TOMORROW) == {"summer": 3}
    await done(definitions.rollback, 2, now=Instant(TOMORROW + 1))
    assert await live(at=Instant(TOMORROW + 1)) == {}


async def test_a_rollback_needs_the_approval_that_its_budget_needs() -> None:
    await published(plain=DEAR, by=definitions.COMMAND_LINE)
    await published(plain=poster("Autumn"))
    assert (await done(definitions.rollback, 1)).status is DefinitionStatus.WAITING


async def test_nothing_is_withdrawn_or_rolled_back_while_a_version_is_open() -> None:
    with pytest.raises(NotFound):
        await done(definitions.withdraw)
    await published()
    await save(poster("Autumn"))
    for verb, args in ((definitions.withdraw, ()), (definitions.rollback, (1,))):
        with pytest.raises(AlreadyDecided) as refused:
            await done(verb, *args)
        assert refused.value.status == "DRAFT"
    with pytest.raises(NotFound):
        await done(definitions.rollback, 2)


# ---------------------------------------------------------------- what else is held against it


async def test_a_document_is_held_against_what_counts_when_it_takes_effect() -> None:
    await published(at=TOMORROW)
    with pytest.raises(definitions.InvalidDefinition) as refused:
        await published("hand-out", {"poster": "summer"}, kind="leaflet")
    (problem,) = refused.value.problems
    assert (problem.path, problem.value) == (("poster",), '"summer"')
    async with sql.transaction():
        with pytest.raises(definitions.InvalidDefinition):
            await definitions.publish_document(
                "leaflet", "x", {"poster": "y"}, effective_at=TOMORROW, by=ANNA, now=NOW
            )
        version, is_new = await definitions.publish_document(
            "leaflet", "x", {"poster": "summer"}, effective_at=TOMORROW, by="command line", now=NOW
        )
    assert version is not None
    assert (version.effective_at, is_new) == (TOMORROW, True)


async def test_what_counts_already_is_not_published_again() -> None:
    async def put(plain: Any) -> tuple[definitions.Version | None, bool]:
        async with sql.transaction():
            return await definitions.publish_document("poster", "a", plain, by=ANNA, now=NOW)

    first, is_new = await put(PLAIN)
    assert first is not None
    assert (first.version, is_new) == (1, True)
    assert await put(poster(budget_minor=0)) == (None, False)
    assert await live() == {"a": 1}


async def test_what_publishing_entails_is_done_when_it_is_published() -> None:
    await published()
    await published("x", {"poster": "summer"}, kind="leaflet")
    assert POSTED == [("x", 1)]
    async with sql.transaction():
        await definitions.withdraw("leaflet", "x", by=ANNA, now=NOW)
    assert POSTED == [("x", 1)]


# ---------------------------------------------------------------- at once


async def outcomes(*works: Any) -> list[str]:
    async def one(work: Any) -> str:
        async def attempt() -> Any:
            async with sql.transaction():
                return await work()

        try:
            await sql.retried(attempt)
        except AlreadyDecided as refused:
            return refused.status
        return "done"

    return sorted(await asyncio.gather(*(one(work) for work in works)))


async def test_one_draft_is_published_once_however_many_try() -> None:
    await save()

    async def publish() -> Any:
        return await definitions.publish("poster", "summer", 1, by=ANNA, now=NOW)

    assert await outcomes(*[publish] * 8) == ["PUBLISHED"] * 7 + ["done"]
    assert await statuses() == [(1, "published")]


async def test_drafts_written_at_once_are_one_draft() -> None:
    def save(number: int) -> Any:
        plain = poster(f"No {number}")
        return lambda: definitions.save_draft("poster", "summer", plain, by=ANNA, now=NOW)

    assert await outcomes(*[save(number) for number in range(4)]) == ["done"] * 4
    assert await statuses() == [(1, "draft")]


async def test_what_waits_is_decided_once() -> None:
    await published(plain=DEAR)

    async def approve() -> Any:
        return await definitions.approve("poster", "summer", 1, by=BERT, now=NOW)

    async def reject() -> Any:
        return await definitions.reject("poster", "summer", 1, "no", by=CARL, now=NOW)

    told = await outcomes(approve, reject, approve, reject)
    assert told.count("done") == 1
    assert len(set(told)) == 2


# ---------------------------------------------------------------- ending what others refer to


async def test_what_others_refer_to_is_not_withdrawn_before_them() -> None:
    await published()
    await published("x", {"poster": "summer"}, kind="leaflet")
    with pytest.raises(InvalidInput) as caught:
        async with sql.transaction():
            await definitions.withdraw("poster", "summer", by=ANNA, now=NOW)
    assert caught.value.reason == "definition.referred_to"
    assert told(caught.value.accepted, "en").endswith("withdraw first: leaflet x")
    assert await live() == {"summer": 1}
    for kind, key in (("leaflet", "x"), ("poster", "summer")):
        async with sql.transaction():
            await definitions.withdraw(kind, key, by=ANNA, now=NOW)
    assert await live() == {}
