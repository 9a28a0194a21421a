"""Files taken from one database into another: all or nothing, and exactly the same."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.clock import Instant
from server.definitions import bundles, exporting, importing
from server.definitions import service as definitions
from server.definitions.bundles import Item
from server.definitions.errors import InvalidDefinition
from server.definitions.formats import FileFormat
from server.definitions.importing import Import
from server.definitions.kinds import in_order, kind_of
from server.storage import sql
from server.storage.database import Address, opened
from tests.definitions.things import (
    ANNA,
    BERT,
    HOUR,
    LEAFLET,
    NOW,
    PLAIN,
    POSTED,
    POSTER,
    live,
    poster,
    programme_published,
    published,
)

TOMORROW = Instant(NOW + 24 * HOUR)
LEAF = {"poster": "summer"}


def item(key: str, plain: Any, kind: str = "poster", at: Instant | None = None) -> Item:
    return Item(kind, key, at, plain, ("definitions", key), ("definitions", key, "document"))


async def bring_in(*items: Item, by: str = ANNA, now: Instant = NOW, **more: Any) -> Import:
    async with sql.transaction():
        return await importing.bring_in(items, by=by, now=now, **more)


async def told(*items: Item, **more: Any) -> list[tuple[str, int | None]]:
    return [(one.outcome.value, one.version) for one in (await bring_in(*items, **more)).items]


async def wrong(*items: Item, **more: Any) -> list[tuple[Any, str | None]]:
    before = await everything()
    with pytest.raises(InvalidDefinition) as refused:
        await bring_in(*items, **more)
    assert await everything() == before
    return [(one.path, one.value) for one in refused.value.problems]


async def everything() -> list[Any]:
    return [tuple(row) for row in await sql.fetch("SELECT * FROM definition_versions ORDER BY id")]


async def exported(at: Instant = NOW, file_format: FileFormat = FileFormat.YAML) -> str:
    return bundles.written(await exporting.exported(at, [POSTER, LEAFLET]), file_format)


@pytest.mark.usefixtures("shop")
async def test_items_may_refer_to_each_other_in_any_order() -> None:
    assert await told(item("x", LEAF, "leaflet"), item("summer", PLAIN)) == [
        ("created", 1),
        ("created", 1),
    ]
    assert await live() == {"summer": 1}
    assert await live("leaflet") == {"x": 1}
    assert POSTED == [("x", 1)]


@pytest.mark.usefixtures("shop")
async def test_what_is_there_already_makes_no_version() -> None:
    await published()
    await published("winter")
    items = [item("summer", poster(budget_minor=0)), item("winter", poster("W")), item("a", PLAIN)]
    expected = [("unchanged", None), ("changed", 2), ("created", 1)]
    assert await told(*items, is_dry_run=True) == expected
    assert await live() == {"summer": 1, "winter": 1}
    assert await told(*items) == expected
    before = await everything()
    assert await told(*items) == [("unchanged", None)] * 3
    assert await everything() == before


@pytest.mark.usefixtures("shop")
async def test_a_file_has_versions_to_come_and_ends_too() -> None:
    later = Instant(TOMORROW + HOUR)
    items = [
        item("summer", None, at=later),
        item("summer", poster("Autumn"), at=TOMORROW),
        item("summer", PLAIN),
        item("never", None),
    ]
    assert await told(*items) == [
        ("changed", 3),
        ("changed", 2),
        ("created", 1),
        ("unchanged", None),
    ]
    assert [await live(at=at) for at in (NOW, TOMORROW, later)] == [
        {"summer": 1},
        {"summer": 2},
        {},
    ]
    assert await told(*items) == [("unchanged", None)] * 4
    # Later, what has passed is there already, as long as it is what counts.
    assert await told(items[1], now=Instant(TOMORROW + 1)) == [("unchanged", None)]
    assert await wrong(items[1], now=later) == [
        (("definitions", "summer", "effective_at"), '"2026-03-05T17:00:00Z"')
    ]


@pytest.mark.usefixtures("shop")
async def test_everything_that_is_wrong_is_told_and_nothing_is_written() -> None:
    items = [
        item("good", PLAIN),
        item("good", poster("Again")),
        item("Bad", PLAIN),
        item("x", {}, "nonsense"),
        item("wrong", {"title": {}, "tags": [1], "discount": {"kind": "gift"}, "extra": 1}),
    ]
    assert await wrong(*items) == [
        (("definitions", "Bad", "key"), '"Bad"'),
        (("definitions", "good", "key"), '"good"'),
        (("definitions", "wrong", "document", "title"), "{}"),
        (("definitions", "wrong", "document", "discount", "kind"), '"gift"'),
        (("definitions", "wrong", "document", "tags", 0), "1"),
        (("definitions", "wrong", "document", "extra"), "1"),
        (("definitions", "x", "kind"), '"nonsense"'),
    ]
    assert await wrong(item("x", {"poster": "nowhere"}, "leaflet")) == [
        (("definitions", "x", "document", "poster"), '"nowhere"')
    ]
    assert await wrong(item("x", LEAF, "leaflet"), item("summer", PLAIN, at=TOMORROW)) == [
        (("definitions", "x", "document", "poster"), '"summer"')
    ]


@pytest.mark.usefixtures("shop")
async def test_what_is_above_the_limit_waits_and_so_does_what_needs_it() -> None:
    items = [
        item("x", LEAF, "leaflet"),
        item("summer", poster(budget_minor=None)),
        item("a", PLAIN),
    ]
    assert await told(*items) == [("waiting", 1), ("waiting", 1), ("created", 1)]
    assert (await live(), await live("leaflet"), POSTED) == ({"a": 1}, {}, [])
    async with sql.transaction():
        for kind, key in (("poster", "summer"), ("leaflet", "x")):
            await definitions.approve(kind, key, 1, by=BERT, now=NOW)
    assert (await live(), await live("leaflet")) == ({"a": 1, "summer": 1}, {"x": 1})
    assert POSTED == [("x", 1)]


@pytest.mark.usefixtures("shop")
async def test_the_command_line_waits_for_nobody() -> None:
    items = [item("x", LEAF, "leaflet"), item("summer", poster(budget_minor=None))]
    assert await told(*items, by=definitions.COMMAND_LINE) == [("created", 1)] * 2


@pytest.mark.usefixtures("shop")
async def test_as_drafts_nothing_counts_and_open_drafts_are_written_anew() -> None:
    items = [item("summer", PLAIN, at=TOMORROW), item("x", LEAF, "leaflet")]
    assert await told(*items, as_drafts=True) == [("created", 1)] * 2
    assert await told(*items, as_drafts=True) == [("unchanged", None)] * 2
    assert await told(item("summer", poster("S")), as_drafts=True) == [("changed", 1)]
    assert (await live(), await live("leaflet")) == ({}, {})
    assert await wrong(item("summer", None), as_drafts=True) == [
        (("definitions", "summer", "document"), None)
    ]


@pytest.mark.usefixtures("shop")
async def test_an_open_draft_is_never_lost_but_published_if_it_is_the_same() -> None:
    async with sql.transaction():
        await definitions.save_draft("poster", "summer", PLAIN, by=BERT, now=NOW)
    assert await wrong(item("summer", poster("Mine"))) == [
        (("definitions", "summer", "key"), '"summer"')
    ]
    assert await told(item("summer", PLAIN)) == [("created", 1)]
    assert await live() == {"summer": 1}


# ---------------------------------------------------------------- promotion

titles = st.sampled_from(["a", "=b", "1", "NO", "é, x", "two\nlines", " x ", "-"])
posters = st.fixed_dictionaries(
    {"title": st.dictionaries(st.sampled_from(["en", "lt", "zh-Hant"]), titles, min_size=1)},
    optional={
        "discount": st.sampled_from(
            [
                {"kind": "percent", "rate_bps": 5},
                {"kind": "amount", "amount_minor": 1, "once": True},
            ]
        ),
        "stores": st.lists(titles, unique=True, max_size=3),
        "tags": st.lists(titles, max_size=3),
        "budget_minor": st.none() | st.integers(0, 10**12),
        "since": st.just("2026-12-01"),
        "until": st.just("2026-12-01T00:00:00+02:00"),
    },
)
starts = st.none() | st.sampled_from([TOMORROW, Instant(TOMORROW + HOUR)])
shops = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), starts, posters | st.none()),
    max_size=6,
    unique_by=lambda one: one[:2],
)


@pytest.mark.parametrize("file_format", FileFormat)
@pytest.mark.usefixtures("shop")
async def test_importing_what_was_exported_and_exporting_again_gives_the_same_file(
    file_format: FileFormat,
) -> None:
    loop = asyncio.get_running_loop()

    @settings(max_examples=12)
    @given(shops)
    def promote(given_shop: Any) -> None:
        asyncio.run_coroutine_threadsafe(_promote(given_shop, file_format), loop).result(60)

    await asyncio.to_thread(promote)


async def _promote(given_shop: Any, file_format: FileFormat) -> None:
    await _emptied()
    items = [item(key, plain, at=at) for key, at, plain in given_shop]
    await bring_in(*items, by=definitions.COMMAND_LINE)
    text = await exported(file_format=file_format)
    digests = await _digests()
    await _emptied()
    read = bundles.read(text, file_format)
    later = Instant(NOW + 1)
    await bring_in(*read, by=definitions.COMMAND_LINE, now=later)
    assert await exported(later, file_format) == text
    assert await _digests() == digests


async def _emptied() -> None:
    async with sql.transaction():
        await sql.execute("DELETE FROM definition_versions")
        await sql.execute("UPDATE versions SET version = version + 1")


async def _digests() -> list[Any]:
    shelf = (await definitions.shelves()).of("poster")
    return [
        [one and one.digest for key in shelf.keys for one in [shelf.at(key, at)]]
        for at in (Instant(NOW + 1), TOMORROW, Instant(TOMORROW + HOUR))
    ]


async def test_another_database_is_made_the_same(
    database_address: Address, sqlite_template: Any, tmp_path: Any
) -> None:
    async with opened(database_address):
        await programme_published()
        await published()
        await published("x", LEAF, kind="leaflet")
        await published("summer", poster("Autumn", tags=["=1"]), at=TOMORROW)
        text = await exported()
    other = tmp_path / "other.sqlite3"
    other.write_bytes(sqlite_template.read_bytes())
    if database_address.engine == "postgres":  # one engine a process and name
        assert "effective_at" in text
        return
    async with opened(Address("sqlite", str(other))):
        await programme_published()
        done = await bring_in(*bundles.read(text, FileFormat.YAML))
        assert [one.outcome.value for one in done.items] == ["created", "changed", "created"]
        assert await exported() == text
    assert text == (
        "laurel_definitions: 1\n"
        "definitions:\n"
        "- kind: poster\n  key: summer\n  document:\n    title:\n      en: Summer\n"
        "- kind: poster\n  key: summer\n  effective_at: '2026-03-05T17:00:00Z'\n"
        "  document:\n    title:\n      en: Autumn\n    tags:\n    - =1\n"
        "- kind: leaflet\n  key: x\n  document:\n    poster: summer\n"
    )


def test_kinds_come_after_those_that_they_refer_to() -> None:
    assert in_order([LEAFLET, POSTER]) == [POSTER, LEAFLET]
    assert kind_of("leaflet") is LEAFLET
