"""How much one request may ask for: beyond it the operation is refused before it runs.

Without limits, one cheap request could name a field a hundred thousand times over, each with its
own statement, or try as many passwords. The figures are such that the slowest document within them
is scanned, parsed, planned and validated in about 20 ms, while the largest operations of apps,
tools and tills stay at a fifth of them.

The limits on nodes and cost depend on who calls: see `server.edge.budgets`.
"""

from dataclasses import dataclass

from server.edge.refusing import RequestRefused

SECRET_WEIGHT = 100
"""The cost of one attempt at something that is guarded by a secret; what costs as much is one."""


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """What a document may have at most; what is said of operations holds for each of them."""

    characters: int = 32_768
    tokens: int = 1_000  # and as many comments
    nesting: int = 64  # brackets in brackets of any kind; selections in selections by fragments
    directives: int = 50
    operations: int = 20
    fragments: int = 50
    variables: int = 100  # that an operation declares, or that a request gives values for
    depth: int = 12  # fields in fields, whatever fragments they stand in
    introspection_depth: int = 20  # the same below __schema and __type
    fields: int = 500  # of all operations, with every fragment written out where it is spread
    aliases: int = 30
    secrets: int = 5  # attempts at something that is guarded by a secret
    introspected: int = 150_000  # values of the schema that describes itself, estimated
    overlaps: int = 3_000  # comparisons of fields that would stand at the same place of an answer


@dataclass(frozen=True, slots=True)
class VariableLimits:
    """What the values of a request's variables may be at most."""

    variables: int = 100
    depth: int = 32  # lists and objects in one another
    values: int = 2_000


TRUSTED = DocumentLimits(
    characters=262_144,
    tokens=10_000,
    directives=500,
    fragments=500,
    depth=30,
    fields=5_000,
    aliases=500,
    overlaps=100_000,
)
"""For documents that the operator has published, which are made ready only once. They may be
larger; what they may cost is limited as it is for others."""


def exceeded(code: str, key: str, *, requested: int, allowed: int) -> RequestRefused:
    """The refusal of what asks for more than is allowed; where counting stopped at the limit,
    `requested` is one more than that."""
    figures = {"requested": requested, "allowed": allowed}
    return RequestRefused(code, key, extensions=figures, allowed=allowed)
