"""What refers to a definition, and would refer to nothing if that ended."""

from server.clock import Instant
from server.definitions.kinds import Kind, Surroundings, kinds
from server.definitions.rules import digest_of
from server.definitions.shelves import Published, Shelves
from server.programme.document import Programme

SHOWN = 10
"""So many are named at most."""


def referring(
    kind: Kind, key: str, *, known: Shelves, programme: Programme, at: Instant
) -> list[str]:
    """What counts at the instant and would not fit any more without the thing, as `kind key`."""
    version = known.of(kind.name).versions(key)[-1].version + 1
    ended = Published(0, kind.name, key, version, digest_of(""), at, None, "")
    without = known.with_more([ended])
    found = []
    for other in kinds():
        if kind.name not in other.after:
            continue
        for one in known.of(other.name).live(at).by_key.values():
            fits, would_fit = (
                set(other.misfits(one.document, Surroundings(programme, shelves, at, one.key)))
                for shelves in (known, without)
            )
            if would_fit - fits:
                found.append(f"{other.name} {one.key}")
    return found
