"""The commands that write files of definitions, take them, and list what there is."""

from pathlib import Path

import pytest

from server import clock
from server.clock import Instant
from server.definitions import commands
from server.definitions.formats import FileFormat
from server.programme.commands import CommandRefused
from tests.definitions.things import ANNA, BERT, HOUR, NOW, POSTED, poster, published

pytestmark = pytest.mark.usefixtures("shop")
KINDS = ["poster", "leaflet"]


async def take(file: Path, *, as_drafts: bool = False, is_dry_run: bool = False) -> str:
    with clock.moved_to(NOW):
        return await commands.bring_in(file, None, as_drafts=as_drafts, is_dry_run=is_dry_run)


async def test_a_file_is_written_and_taken_in_the_format_of_its_name(tmp_path: Path) -> None:
    await published()
    await published("summer", poster("Autumn"), at=Instant(NOW + HOUR))
    for name, first_line in (
        ("all.yaml", "laurel_definitions: 1"),
        ("all.CSV", "kind,key,effective_at,title.en"),
    ):
        file = tmp_path / name
        with clock.moved_to(NOW):
            assert await commands.export(file, KINDS, None) == f"2 definitions written to {file}"
        assert file.read_text().splitlines()[0] == first_line
        assert await take(file) == "0 created, 0 changed, 2 unchanged, 0 waiting"
        file.write_text(file.read_text().replace("Summer", "Sommer"))
        assert await take(file, is_dry_run=True) == (
            "changed: poster summer, version 3\n"
            "0 created, 1 changed, 1 unchanged, 0 waiting (nothing was written)"
        )


async def test_without_a_file_the_text_is_printed() -> None:
    await published()
    with clock.moved_to(NOW):
        text = await commands.export(None, ["poster"], FileFormat.CSV)
    assert text == "kind,key,effective_at,title.en\nposter,summer,,Summer"


async def test_everything_wrong_is_told_in_a_line_each(tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("kind,key,effective_at,title.en,tags[0]\nposter,A,,x,\nposter,b,,,1\n")
    with pytest.raises(CommandRefused) as refused:
        await take(file)
    assert str(refused.value).splitlines() == [
        f"{file}: 3 problems, nothing was written",
        'rows[2].key: "A" is not accepted: a key of the form ^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$',
        "rows[3].title: the key is missing: a mapping of 1 or more keys; this key has no default",
        "rows[3].tags[0]: 1 is not accepted: text of at most 40 characters, in quotes where it"
        " looks like a number",
    ]
    with pytest.raises(CommandRefused, match="can't read"):
        await take(tmp_path / "missing.yaml")


async def test_the_command_line_publishes_at_once_and_drafts_if_asked(tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(
        "laurel_definitions: 1\ndefinitions:\n"
        "- {kind: leaflet, key: x, document: {poster: dear}}\n"
        "- {kind: poster, key: dear, document: {title: {en: Dear}, budget_minor: null}}\n"
    )
    assert await take(file, as_drafts=True) == (
        "created: leaflet x, version 1\ncreated: poster dear, version 1\n"
        "2 created, 0 changed, 0 unchanged, 0 waiting"
    )
    assert POSTED == []
    assert (await take(file)).endswith("2 created, 0 changed, 0 unchanged, 0 waiting")
    assert POSTED == [("x", 1)]


async def test_what_counts_is_listed_and_the_history_told() -> None:
    await published(by=ANNA)
    await published("x", {"poster": "summer"}, kind="leaflet", by=BERT)
    with clock.moved_to(NOW):
        assert await commands.listed(["leaflet", "poster"]) == (
            "poster summer: version 1, from 2026-03-04T17:00:00Z\n"
            "leaflet x: version 1, from 2026-03-04T17:00:00Z"
        )
    told = await commands.history("leaflet", "x")
    assert told.startswith("version 1: published, ")
    assert told.endswith(", from 2026-03-04T17:00:00Z, written 2026-03-04T17:00:00Z by staff:2")
    with pytest.raises(CommandRefused, match="there is no leaflet y"):
        await commands.history("leaflet", "y")
    with pytest.raises(CommandRefused, match="there is no kind nonsense: the kinds are"):
        await commands.listed(["nonsense"])
