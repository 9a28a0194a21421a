"""Versions, the instants from which they count, and what is kept of them in memory."""

from contextlib import suppress

import msgspec
import pytest

from server import clock
from server.clock import Instant
from server.errors import InvalidInput, NotFound
from server.programme import comparing, models, rules, service
from server.programme.errors import InvalidDocument, NoProgramme
from server.programme.service import BEGINNING, PublishedProgramme
from server.storage import sql
from server.storage.ids import new_id
from tests.programme.demo import demo_text, demo_yaml

NOW = Instant(1_600_000_000_000_000)
DAY = 86_400_000_000


def days_from_now(days: int) -> Instant:
    return Instant(NOW + days * DAY)


def document(expiry_days: int) -> str:
    return demo_yaml({("points", "expiry_days"): expiry_days})


async def publish(text: str, effective_at: Instant | None = None) -> PublishedProgramme:
    with clock.moved_to(NOW):
        async with sql.transaction():
            return await service.publish(text, effective_at=effective_at, published_by="staff:1")


async def written_by_another_process(
    expiry_days: int, *, version: int, effective_at: Instant
) -> None:
    checked = rules.checked(document(expiry_days))
    async with sql.transaction():
        await sql.execute(
            "INSERT INTO programme_versions (id, version, document, digest, effective_at,"
            " published_at, published_by) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            new_id(),
            version,
            checked.canonical,
            checked.digest,
            effective_at,
            NOW,
            "another",
        )


async def expiry_days_at(instant: Instant) -> int:
    return (await service.rulebook()).at(instant).programme.points.expiry_days


pytestmark = pytest.mark.usefixtures("database")


async def test_without_a_version_there_is_no_programme() -> None:
    with pytest.raises(NoProgramme) as raised:
        (await service.rulebook()).at(NOW)
    assert raised.value.reason == "programme.none_published"
    with pytest.raises(NoProgramme):
        await service.current()
    assert await service.history() == []
    assert (await service.rulebook()).newest_version == 0


async def test_the_first_version_counts_from_the_beginning_whatever_is_asked() -> None:
    published = await publish(demo_text(), days_from_now(30))
    assert published.version == 1
    assert published.effective_at == BEGINNING
    assert published.counts_from_the_beginning
    assert published.published_at == NOW
    assert published.published_by == "staff:1"
    assert published.digest == rules.checked(demo_text()).digest
    book = await service.rulebook()
    assert book.at(BEGINNING) == book.at(Instant(BEGINNING - 1)) == book.at(NOW) == published
    assert clock.datetime_of(BEGINNING).isoformat() == "0001-01-01T00:00:00+00:00"


async def test_the_version_with_the_latest_start_counts() -> None:
    await publish(document(100))
    await publish(document(200), days_from_now(10))
    await publish(document(300), days_from_now(5))
    assert await expiry_days_at(days_from_now(0)) == 100
    assert await expiry_days_at(Instant(days_from_now(5) - 1)) == 100
    assert await expiry_days_at(days_from_now(5)) == 300
    assert await expiry_days_at(Instant(days_from_now(10) - 1)) == 300
    assert await expiry_days_at(days_from_now(10)) == 200
    assert [version.version for version in await service.history()] == [1, 2, 3]


async def test_of_two_versions_from_the_same_instant_the_higher_counts() -> None:
    await publish(document(100))
    await publish(document(200), days_from_now(1))
    await publish(document(300), days_from_now(1))
    assert await expiry_days_at(days_from_now(1)) == 300


async def test_a_version_counts_from_now_by_default() -> None:
    await publish(document(100))
    published = await publish(document(200))
    assert published.effective_at == NOW
    assert await expiry_days_at(Instant(NOW - 1)) == 100
    with clock.moved_to(NOW):
        assert (await service.current()) == published


async def test_a_later_version_does_not_change_the_past() -> None:
    await publish(document(100))
    with pytest.raises(InvalidInput) as raised:
        await publish(document(200), Instant(NOW - 1))
    assert raised.value.path == ("input", "effectiveAt")
    assert raised.value.value == "2020-09-13T12:26:39.999999+00:00"
    assert [version.version for version in await service.history()] == [1]
    assert await expiry_days_at(Instant(NOW - 1)) == 100


async def test_the_same_rules_again_make_no_version() -> None:
    first = await publish(demo_text())
    assert await publish(demo_yaml()) == first
    assert await publish(demo_text(), days_from_now(9)) == first
    assert await publish(demo_text(), days_from_now(-9)) == first
    assert len(await service.history()) == 1


async def test_the_same_rules_are_a_version_where_others_are_to_follow() -> None:
    await publish(document(100))
    await publish(document(200), days_from_now(10))
    called_off = await publish(document(100), days_from_now(10))
    assert called_off.version == 3
    assert await expiry_days_at(days_from_now(11)) == 100


async def test_going_back_to_older_rules_is_a_new_version() -> None:
    first = await publish(document(100))
    await publish(document(200))
    back = await publish(document(100))
    assert (back.version, back.digest) == (3, first.digest)


async def test_an_invalid_document_is_not_published() -> None:
    with pytest.raises(InvalidDocument):
        await publish(document(0))
    assert await service.history() == []


async def test_a_version_is_found_by_its_number() -> None:
    await publish(document(100))
    second = await publish(document(200))
    book = await service.rulebook()
    assert book.numbered(2) == second
    with pytest.raises(NotFound) as raised:
        book.numbered(3)
    assert raised.value.reason == "programme.version_not_found"


async def test_what_is_answered_survives_storage() -> None:
    published = await publish(demo_text())
    stored = msgspec.json.encode(published)
    assert msgspec.json.decode(stored, type=PublishedProgramme) == published


async def test_versions_can_be_compared() -> None:
    first = await publish(document(100))
    second = await publish(document(200))
    (difference,) = comparing.diff(first.plain, second.plain)
    assert difference.line == "points.expiry_days: 100 -> 200"


# ---------------------------------------------------------------- memory


async def test_a_known_rulebook_costs_one_statement_and_a_new_version_reads_only_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await publish(document(100))
    before = await service.rulebook()
    with sql.counted_statements() as statements:
        assert await service.rulebook() is before
    assert len(statements) == 1
    await written_by_another_process(200, version=2, effective_at=NOW)
    read: list[str] = []

    def recorded(text: str) -> object:
        read.append(text)
        return programme_of(text)

    programme_of = rules.programme_of
    monkeypatch.setattr(rules, "programme_of", recorded)
    after = await service.rulebook()
    assert read == [rules.checked(document(200)).canonical]
    assert after.at(Instant(NOW - 1)) is before.at(NOW)
    assert after.at(NOW).published_by == "another"


async def test_a_version_of_another_process_counts_at_once() -> None:
    await publish(document(100))
    assert await expiry_days_at(days_from_now(2)) == 100
    await written_by_another_process(200, version=2, effective_at=days_from_now(1))
    assert await expiry_days_at(days_from_now(2)) == 200
    assert await expiry_days_at(NOW) == 100
    assert (await publish(document(300), days_from_now(3))).version == 3


class UndoneError(Exception):
    pass


async def published_and_undone(text: str) -> None:
    with suppress(UndoneError):
        async with sql.transaction():
            with clock.moved_to(NOW):
                undone = await service.publish(text, published_by="staff:1")
            assert (await service.rulebook()).at(NOW) == undone
            raise UndoneError


async def test_a_version_whose_transaction_is_undone_is_forgotten() -> None:
    """The number is given again, to other rules, and more follow before memory is looked at."""
    await publish(document(100))
    await published_and_undone(document(200))
    await written_by_another_process(300, version=2, effective_at=NOW)
    await written_by_another_process(400, version=3, effective_at=days_from_now(1))
    assert await expiry_days_at(NOW) == 300
    assert await expiry_days_at(days_from_now(1)) == 400


async def test_a_version_whose_transaction_is_undone_leaves_what_was_there() -> None:
    first = await publish(document(100))
    await published_and_undone(document(200))
    assert (await service.rulebook()).ordered == (first,)


async def test_rows_of_no_ids_asks_nothing() -> None:
    with sql.counted_statements() as statements:
        assert await models.rows_of([]) == []
    assert statements == []
