"""Kinds of things to write down in tests: posters, and leaflets that are made of posters."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from server import clock
from server.clock import Instant
from server.definitions import service as definitions
from server.definitions.service import Kind, Misfits, Surroundings, Version
from server.programme import service as programme
from server.programme.document import Programme
from server.storage import sql
from tests.programme.demo import demo_yaml

Name = Annotated[str, Meta(min_length=1, max_length=40, description="A name.")]
Minor = Annotated[int, Meta(ge=0, le=10**12, description="Minor units of the currency.")]


class Percent(Struct, frozen=True, omit_defaults=True, tag="percent", tag_field="kind"):
    """So many hundredths of a percent."""

    rate_bps: Annotated[int, Meta(ge=1, le=10_000, description="Hundredths of a percent.")]


class Amount(Struct, frozen=True, omit_defaults=True, tag="amount", tag_field="kind"):
    """So much."""

    amount_minor: Minor
    once: bool = False


class Poster(Struct, frozen=True, omit_defaults=True):
    """A poster."""

    title: Annotated[Mapping[Name, Name], Meta(min_length=1, description="By language.")]
    discount: Percent | Amount | None = None
    stores: frozenset[Name] = frozenset()
    tags: tuple[Name, ...] = ()
    budget_minor: Minor | None = 0
    since: date | None = None
    until: Annotated[datetime, Meta(tz=True)] | None = None


class Leaflet(Struct, frozen=True, omit_defaults=True):
    """A leaflet made of a poster."""

    poster: Annotated[str, Meta(max_length=64, description="The key of the poster.")]
    copies: Annotated[int, Meta(ge=1, le=1_000, description="How many.")] = 1


def _budget(poster: Poster, _programme: Programme) -> int | None:
    return poster.budget_minor


def _misfits(leaflet: Leaflet, around: Surroundings) -> Misfits:
    if leaflet.poster not in around.shelves.of("poster").live(around.now).by_key:
        yield ("poster",), "the key of a poster that counts then"


POSTED: list[tuple[str, int]] = []
"""What `on_published` was called with: keys and versions of leaflets."""


async def _posted(version: Version, leaflet: Leaflet) -> None:
    assert isinstance(leaflet, Leaflet)
    POSTED.append((version.key, version.version))


POSTER = definitions.register(Kind("poster", Poster, budget=_budget))
LEAFLET = definitions.register(
    Kind("leaflet", Leaflet, misfits=_misfits, on_published=_posted, after=("poster",))
)

PLAIN: dict[str, Any] = {"title": {"en": "Summer"}}
ANNA, BERT, CARL = "staff:1", "staff:2", "staff:3"
NOW = Instant(1_772_643_600_000_000)  # 2026-03-04T17:00:00Z
SECOND = clock.MICROSECONDS_PER_SECOND
HOUR = 3600 * SECOND


def poster(title: str = "Summer", **more: Any) -> dict[str, Any]:
    """The plain data of a poster."""
    return {"title": {"en": title}, **more}


async def programme_published() -> None:
    """Let there be a programme: up to a budget of 100.00 one person is enough."""
    with clock.moved_to(NOW):
        async with sql.transaction():
            text = demo_yaml({("approvals",): {"second_person_above_budget_minor": 10_000}})
            await programme.publish(text, published_by="test")


async def published(
    key: str = "summer",
    plain: Any = PLAIN,
    *,
    kind: str = "poster",
    at: Instant | None = None,
    by: str = ANNA,
    now: Instant = NOW,
) -> Version:
    """A version that somebody has published, or asked to be."""
    async with sql.transaction():
        draft = await definitions.save_draft(kind, key, plain, by=by, now=now)
        return await definitions.publish(kind, key, draft.version, effective_at=at, by=by, now=now)


async def live(kind: str = "poster", at: Instant = NOW) -> dict[str, int]:
    """The versions that count, by key."""
    found = (await definitions.shelves()).of(kind).live(at).by_key
    return {key: one.version for key, one in found.items()}
