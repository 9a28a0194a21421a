"""A caller of each kind, and the words of the schema that stand for it."""

from server.principal import KEY_SCOPES, KeyKind, Scope, StaffRole
from tests.api.calling import NOBODY, Api, Caller

WORDS_OF: dict[str, frozenset[str]] = {
    "nobody": frozenset({"NOBODY"}),
    "member": frozenset({"MEMBER"}),
    "another member": frozenset({"MEMBER"}),
    **{role.value.lower(): frozenset({f"STAFF_{role.value}"}) for role in StaffRole},
    **{
        f"{kind.value}'s key": frozenset(f"KEY_{scope.value}" for scope in KEY_SCOPES[kind])
        for kind in KeyKind
    },
    **{f"key for {scope.value}": frozenset({f"KEY_{scope.value}"}) for scope in Scope},
}
"""The words for each kind of caller; NOBODY stands for who shows no credentials."""


async def caller_of(api: Api, kind: str) -> Caller:
    """A new caller of the kind."""
    words = WORDS_OF[kind]
    if words == {"NOBODY"}:
        return NOBODY
    if words == {"MEMBER"}:
        return await api.member()
    (first, *_) = sorted(words)
    if first.startswith("STAFF_"):
        return await api.staff(StaffRole(first.removeprefix("STAFF_")))
    return await api.key(*(Scope(word.removeprefix("KEY_")) for word in sorted(words)))
