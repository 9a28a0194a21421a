"""What a shop writes down of a segment: who is in it."""

from typing import Annotated

from msgspec import Meta, Struct

from server.conditions import MAXIMUM_LENGTH

MAXIMUM_LISTED = 100_000

Condition = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAXIMUM_LENGTH,
        description="A condition in CEL over the facts of a member, such as `visits_90 >= 3 && "
        "'PRODUCE' in departments_90`; the facts are those of `segmentFacts`.",
    ),
]


class Live(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="live"):
    """Everybody of whom the condition holds at the time of asking."""

    condition: Condition


class Frozen(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="frozen"):
    """Everybody of whom the condition held when the version was published; nobody joins or leaves
    afterwards."""

    condition: Condition


class Listed(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="list"):
    """The members who are named."""

    external_ids: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...],
        Meta(
            max_length=MAXIMUM_LISTED,
            description="The members' ids in the operator's systems, each once: up to 100,000.",
        ),
    ]


class Segment(Struct, frozen=True, omit_defaults=True):
    """A group of members that offers, rewards and messages may be for."""

    name: Annotated[
        str, Meta(min_length=1, max_length=120, description="What staff call the segment.")
    ]
    members: Annotated[
        Live | Frozen | Listed,
        Meta(
            description="Who is in it. `live`: whoever the condition holds of when asked; "
            "`frozen`: whoever it held of when the version was published; `list`: those named."
        ),
    ]
    description: Annotated[
        str, Meta(max_length=1000, description="What it is for, for colleagues.")
    ] = ""
