"""Relay's connections: forward pages of 1 to 100, by opaque cursors."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import strawberry

from server.edge.permissions import EVERYONE, shown_to
from server.edge.refusing import RequestRefused

_Connection = TypeVar("_Connection")

MAXIMUM_PAGE_SIZE = 100
MAXIMUM_POSITION = 2**63 - 1


@shown_to(EVERYONE)
@strawberry.type(description="Where a page of a list stands in it.")
class PageInfo:
    """Relay's PageInfo."""

    has_next_page: bool = strawberry.field(description="Whether more follow after this page.")
    has_previous_page: bool = strawberry.field(
        description="Whether this page was asked for with `after`, so that others precede it."
    )
    start_cursor: str | None = strawberry.field(
        description="The cursor of the first item; null on an empty page."
    )
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last item, to ask for the next page with `after`; null on "
        "an empty page."
    )


def cursor(position: int) -> str:
    """The opaque cursor of a position."""
    return base64.urlsafe_b64encode(f"after:{position}".encode()).decode()


def outside(name: str, given: int, *, minimum: int, maximum: int) -> RequestRefused:
    """INVALID_INPUT, as a top-level error: the argument takes whole numbers within the bounds."""
    return RequestRefused(
        "INVALID_INPUT",
        "argument.range",
        name=name,
        given=given,
        minimum=minimum,
        maximum=maximum,
    )


def page(first: int, after: str | None) -> tuple[int, int | None]:
    """The page size and the position to start after. Raises INVALID_INPUT as a top-level error."""
    if not 1 <= first <= MAXIMUM_PAGE_SIZE:
        raise outside("first", first, minimum=1, maximum=MAXIMUM_PAGE_SIZE)
    if after is None:
        return first, None
    try:
        name, _, position = base64.urlsafe_b64decode(after.encode()).decode().partition(":")
        if name == "after" and 0 <= int(position) <= MAXIMUM_POSITION:
            return first, int(position)
    except (binascii.Error, ValueError):
        pass
    raise RequestRefused("INVALID_INPUT", "argument.after")


def before(position: int | None) -> int:
    """The position that a page of what is newest comes before; beyond all of them for the first."""
    return MAXIMUM_POSITION if position is None else position


def connected(
    connection: Callable[..., _Connection],
    edge: Callable[..., Any],
    shown: Sequence[tuple[int, Any]],
    *,
    has_next: bool,
    after: str | None,
    with_edges: bool = True,
) -> _Connection:
    """The page as a connection of these types; `shown` are the nodes with their positions.

    Where nobody asks for the edges, none are made.
    """
    edges: list[Any] = []
    if with_edges:
        edges = [edge(cursor=cursor(position), node=node) for position, node in shown]
    return connection(
        edges=edges,
        nodes=[node for _, node in shown],
        page_info=PageInfo(
            has_next_page=has_next,
            has_previous_page=after is not None,
            start_cursor=cursor(shown[0][0]) if shown else None,
            end_cursor=cursor(shown[-1][0]) if shown else None,
        ),
    )
