"""One line in the log for each operation: who found it slow or refused can be helped by its id."""

import re
from functools import lru_cache
from random import Random

from server.edge.context import Context
from server.edge.observing import Observed
from server.edge.telling import Plain, teller

REQUEST_ID_HEADER = "X-Request-Id"
_numbers = Random()  # noqa: S311 - the ids are names, not secrets; asking the system takes longer
_plain = lru_cache(maxsize=1024)(Plain)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def request_id(given: str | None) -> str:
    """The id that the caller gave its request, if it's 8 to 64 letters, digits and ._- and no
    secret by its looks; a new one otherwise."""
    if given is not None and _REQUEST_ID.fullmatch(given) and not given.startswith("eyJ"):
        return given
    return Plain(f"{_numbers.getrandbits(128):032x}")


def log_operation(
    observed: Observed, context: Context, *, transport: str, microseconds: int, status: int = 0
) -> None:
    """Log what became of an operation: names of the schema, codes and figures, no values.

    The operation's own name is told only of a valid document; whoever calls is told by number.
    """
    tell = teller()
    if tell is None:
        return
    tell(
        {
            "request_id": context.request_id,
            "transport": _plain(transport),
            "kind": _plain(observed.kind),
            "field": _plain(observed.root_field),
            "operation": observed.operation_name,
            "cost": observed.cost,
            "outcome": _plain(observed.outcome.value),
            "codes": observed.codes,
            "caller": Plain(context.principal.name),
            "status": status,
            "duration_microseconds": microseconds,
        }
    )
