"""Kinds of indexes that the ORM lacks."""

from collections.abc import Sequence
from typing import Any

from tortoise.indexes import Index


class PartialIndex(Index):
    """An index of the rows that meet a condition, which is SQL that both engines know."""

    def __init__(self, *, fields: Sequence[str], where: str, name: str) -> None:
        super().__init__(fields=list(fields), name=name)
        self.where = where
        self.extra = f" WHERE {where}"

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """What a migration has to write to make this index again."""
        path, arguments, keywords = super().deconstruct()
        return path, arguments, {**keywords, "where": self.where}
