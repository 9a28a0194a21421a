"""What is different between two programme documents, change by change."""

import json
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

_NAMING_KEY = {"tiers.levels": "name", "cashback.caps": "period", "offers": "id"}
"""The lists whose items are the same item wherever they stand, and by which key."""

_INDEXES = frozenset({"cashback.tier_rates_basis_points"})
"""The mappings whose keys are names that the document chose; they stand in brackets."""


class Difference(Struct, frozen=True):
    """One change. `before` and `after` are plain data; None says that it is not there at all.

    Levels go by their name in the path, caps by their period and offers by their id,
    `tiers.levels[Silver].name`; other items by their place, from 0. A list of words is compared,
    and changes, as a whole. So does what only one of the documents has: leaving out an optional
    section or key differs from writing its default, though both mean the same.
    """

    path: str
    before: Any
    after: Any

    @property
    def line(self) -> str:
        """The change in one line: `points.expiry_days: 180 -> 365`."""
        return f"{self.path}: {_shown(self.before)} -> {_shown(self.after)}"


def _shown(value: object) -> str:
    return "(none)" if value is None else json.dumps(value, ensure_ascii=False)


def diff(old: Any, new: Any) -> list[Difference]:
    """All changes from one plain document to another; none exactly if they say the same."""
    return list(_changes(old, new, ""))


def _changes(old: Any, new: Any, path: str) -> Iterator[Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old | new:
            yield from _changes(old.get(key), new.get(key), _below(path, key))
    elif _is_list_of_mappings(old) and _is_list_of_mappings(new):
        yield from _changes_of_items(old, new, path)
    elif old != new:
        yield Difference(path, old, new)


def _below(path: str, key: str) -> str:
    if path in _INDEXES:
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def _is_list_of_mappings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _changes_of_items(
    old: list[dict[str, Any]], new: list[dict[str, Any]], path: str
) -> Iterator[Difference]:
    naming_key = _NAMING_KEY.get(path)
    if naming_key is None:
        named_old: dict[Any, Any] = dict(enumerate(old))
        named_new: dict[Any, Any] = dict(enumerate(new))
    else:
        named_old = {item[naming_key]: item for item in old}
        named_new = {item[naming_key]: item for item in new}
    for name in named_old | named_new:
        yield from _changes(named_old.get(name), named_new.get(name), f"{path}[{name}]")
    stayed_old = [name for name in named_old if name in named_new]
    stayed_new = [name for name in named_new if name in named_old]
    if stayed_old != stayed_new:
        yield Difference(f"{path} (order)", list(named_old), list(named_new))
