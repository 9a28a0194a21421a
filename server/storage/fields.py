"""Column types that both engines store alike."""

from typing import Any

import tortoise.models
from tortoise.fields import BigIntField

# It would read the source of each model for comments of columns, which none of them has, and take
# a twentieth of the start for it.
tortoise.models._get_comments = lambda cls: {}


class IdField(BigIntField):
    """The primary key of a table: an id made by `server.storage.ids`, never by the database.

    On SQLite the type is spelled INTEGER, which makes the key the row's own address (rowid) and
    saves a second index.
    """

    def __init__(self, **options: Any) -> None:
        options.setdefault("primary_key", True)
        options["generated"] = False
        super().__init__(**options)

    class _db_sqlite:  # noqa: N801 - the name that Tortoise looks for
        SQL_TYPE = "INTEGER"


class InstantField(BigIntField):
    """An instant: microseconds since 1970-01-01T00:00:00Z (`server.clock.Instant`)."""
