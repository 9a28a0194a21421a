"""A request's headers, read once for all who ask for some of them."""

from starlette.types import Scope

_KEPT = "laurel.headers"


def texts(scope: Scope) -> dict[str, str]:
    """The headers by their names in lower case; of one that is repeated, the first."""
    found: dict[str, str] | None = scope.get(_KEPT)
    if found is None:
        # From the last to the first, so that the first one counts.
        found = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in reversed(scope["headers"])
        }
        scope[_KEPT] = found
    return found


def count(scope: Scope, name: str) -> int:
    """How many headers of that name there are."""
    by_name = texts(scope)
    if name not in by_name:
        return 0
    if len(by_name) == len(scope["headers"]):
        return 1
    sent = name.encode("latin-1")
    return sum(found == sent for found, _ in scope["headers"])
