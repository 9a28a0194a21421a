"""Definitions in the schema: what staff read of them."""

from typing import Annotated

import strawberry

from server.clock import Instant
from server.definitions import bundles, exporting
from server.definitions import service as definitions
from server.definitions.formats import FileFormat
from server.definitions.kinds import in_order
from server.definitions.rules import DefinitionStatus
from server.definitions.shapes import (
    READERS,
    Definition,
    DefinitionKind,
    DefinitionVersionConnection,
    DefinitionVersionEdge,
    ExportedDefinitions,
    kind_shown,
    version_shown,
    versions_shown,
)
from server.edge import pages
from server.edge.context import Info
from server.edge.permissions import query
from server.edge.refusing import RequestRefused
from server.errors import InvalidInput
from server.programme.graphql import programme_now

_KIND = "One of the names of `definitionKinds`."
_AT = "As of this instant; now if left out."


def _kind(name: str) -> definitions.Kind:
    try:
        return definitions.kind_of(name)
    except InvalidInput as error:
        names = ", ".join(sorted(kind.name for kind in definitions.kinds()))
        raise RequestRefused(error.code.value, "definition.kinds", kinds=names) from None


async def money_of(info: Info) -> tuple[str, int]:
    """The programme's currency, and how many decimals it has."""
    identity = (await programme_now(info)).programme.programme
    return identity.currency, identity.minor_unit_digits


@strawberry.type
class DefinitionQueries:
    """The root fields that read definitions."""

    @query(READERS, description="The kinds of things that the shop writes down as documents.")
    def definition_kinds(self) -> list[DefinitionKind]:
        """All kinds, each after those that it refers to."""
        return [kind_shown(kind) for kind in in_order(definitions.kinds())]

    @query(READERS, description="Versions of what the shop has written down, the newest first.")
    async def definitions(
        self,
        info: Info,
        kind: Annotated[
            str | None, strawberry.argument(description=f"{_KIND} All if left out.")
        ] = None,
        status: Annotated[
            DefinitionStatus | None,
            strawberry.argument(description="Only those that stand so; all if left out."),
        ] = None,
        first: Annotated[int, strawberry.argument(description="How many at most: 1 to 100.")] = 20,
        after: Annotated[
            str | None,
            strawberry.argument(
                description="The `endCursor` of the page before; null for the first page."
            ),
        ] = None,
    ) -> DefinitionVersionConnection:
        """A page of versions; one statement."""
        limit, before = pages.page(first, after)
        name = None if kind is None else _kind(kind).name
        found = await definitions.page(name, status, before=before, limit=limit + 1)
        currency, digits = await money_of(info)
        return pages.connected(
            DefinitionVersionConnection,
            DefinitionVersionEdge,
            [(one.id, version_shown(one, currency, digits)) for one in found[:limit]],
            has_next=len(found) > limit,
            after=after,
        )

    @query(READERS, description="Something that the shop has written down; null if there is none.")
    async def definition(
        self,
        info: Info,
        kind: Annotated[str, strawberry.argument(description=_KIND)],
        key: Annotated[str, strawberry.argument(description="Which one.")],
        at: Annotated[Instant | None, strawberry.argument(description=_AT)] = None,
    ) -> Definition | None:
        """One thing with all its versions."""
        name = _kind(kind).name
        history = await definitions.history(name, key)
        if not history:
            return None
        instant = info.context.at if at is None else at
        standing = (await definitions.shelves()).of(name).at(key, instant)
        shown = versions_shown(history, *await money_of(info))
        counting = None if standing is None else standing.version
        return Definition(
            kind=name,
            key=key,
            current=next((one for one in shown if one.version == counting), None),
            history=shown,
        )

    @query(
        READERS,
        description="What counts at an instant, and what is scheduled after it, as one file that "
        "another database takes: importing it there and exporting again gives the same file.",
    )
    async def export_definitions(
        self,
        info: Info,
        kinds: Annotated[
            list[str] | None, strawberry.argument(description=f"{_KIND} All kinds if left out.")
        ] = None,
        file_format: Annotated[
            FileFormat,
            strawberry.argument(name="format", description="How the file is written."),
        ] = FileFormat.YAML,
        at: Annotated[Instant | None, strawberry.argument(description=_AT)] = None,
    ) -> ExportedDefinitions:
        """A file of definitions."""
        chosen = None if kinds is None else [_kind(name) for name in dict.fromkeys(kinds)]
        items = await exporting.exported(info.context.at if at is None else at, chosen)
        return ExportedDefinitions(count=len(items), text=bundles.written(items, file_format))
