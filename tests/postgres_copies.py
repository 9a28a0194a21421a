"""Copies of a PostgreSQL database, used again: to empty one costs a tenth of making it.

A copy goes back as it came: its rows are those of the template again, its sequences too. One whose
tables, triggers, functions, settings or statistics are no longer those of the template is dropped,
and so is one that has been used often, for dead rows take room.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from tests.postgres import create_database, drop_database, psql

USES = 40
_NEXT = "0f6e3a0c-the-rows-of-the-next-table"
"""What no row contains; not drawn, for whoever asks may be without chance."""

_OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_SEND_AWAY = f"DO $$ BEGIN PERFORM pg_terminate_backend(pid) {_OTHERS}; END $$;\n"
# What others had begun is over before rows are read or deleted.
_ALONE = f"""
DO $$ BEGIN
  FOR turn IN 1..20000 LOOP
    PERFORM pg_stat_clear_snapshot();
    IF NOT EXISTS (SELECT {_OTHERS}) THEN RETURN; END IF;
    PERFORM pg_sleep(0.001);
  END LOOP;
  RAISE EXCEPTION 'others are still connected';
END $$;
"""

_FIRST_OID = 16_384
"""Of what is no part of PostgreSQL itself."""

# A row of a catalogue that was changed has been written by another transaction.
_SHAPE = " || ' ' || ".join(
    [
        f"(SELECT count(*) || ':' || coalesce(sum(xmin::text::bigint + {key}::bigint), 0)"
        f" FROM {table} WHERE {key} >= {_FIRST_OID})"
        for table, key in (
            ("pg_class", "oid"),
            ("pg_attribute", "attrelid"),
            ("pg_attrdef", "oid"),
            ("pg_constraint", "oid"),
            ("pg_namespace", "oid"),
            ("pg_proc", "oid"),
            ("pg_trigger", "oid"),
            ("pg_type", "oid"),
        )
    ]
    + [
        "(SELECT sum(relpages) || ':' || sum(reltuples) FROM pg_class)",
        "(SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase"
        " WHERE d.datname = current_database())",
    ]
)

_CONTENTS = """
SELECT json_build_object(
  'tables', (SELECT coalesce(json_agg(format('%I', tablename)), '[]')
    FROM pg_tables WHERE schemaname = 'public'),
  'filled', (SELECT coalesce(json_agg(oid::regclass), '[]') FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0),
  'sequences', (SELECT coalesce(json_agg(format('SELECT setval(%L, %s, %L);',
      format('%I', sequencename), coalesce(last_value, start_value), last_value IS NOT NULL)), '[]')
    FROM pg_sequences WHERE schemaname = 'public'))
"""


@dataclass
class _Copy:
    dsn: str
    shape: str
    uses: int = 0


class Copies:
    """The copies of one template, whose rows and tables never change; to nobody connected."""

    def __init__(self, server: str, template: str) -> None:
        self._server = server
        self._template = template
        self._idle: list[_Copy] = []

    @contextmanager
    def one(self) -> Iterator[str]:
        """The DSN of a copy that nobody else has, for the block."""
        copy = self._idle.pop() if self._idle else self._made()
        try:
            yield copy.dsn
        finally:
            copy.uses += 1
            if copy.uses < USES and self._is_as_new(copy):
                self._idle.append(copy)
            else:
                drop_database(copy.dsn)

    def close(self) -> None:
        """Drop the copies that nobody has."""
        while self._idle:
            drop_database(self._idle.pop().dsn)

    def _made(self) -> _Copy:
        rows = self._rows  # read before it is copied, so that nobody is connected then
        assert rows
        dsn = create_database(self._server, template=self._template)
        return _Copy(dsn, self._shape)

    @cached_property
    def _shape(self) -> str:
        return psql(self._template, f"SELECT {_SHAPE}")

    @cached_property
    def _rows(self) -> str:
        """A script that makes the rows of a copy those of the template."""
        contents = _contents(self._template)
        deleted = " ".join(f"DELETE FROM {table};" for table in contents["tables"])
        return "\n".join(
            [
                "SET session_replication_role = replica;",  # no trigger refuses, no key minds
                f"DO $$ BEGIN {deleted} END $$;",
                *(
                    f"COPY {table} FROM STDIN;\n{lines}\n\\."
                    for table, lines in _lines(self._template, contents["filled"])
                ),
                *contents["sequences"],
            ]
        )

    def _is_as_new(self, copy: _Copy) -> bool:
        """Whether it now is what the template is."""
        checked = f"SELECT 'shape ' || {_SHAPE};"
        try:
            said = psql(copy.dsn, f"{_SEND_AWAY}{_ALONE}{checked}\n{self._rows}\n")
        except RuntimeError:
            return False  # a table is gone, or the database itself
        return f"shape {copy.shape}" in said.splitlines()


def told(dsn: str, *, is_alone: bool = True) -> dict[str, list[str]]:
    """Every row of every table that has rows: now, or once nobody else is connected any more."""
    filled = _contents(dsn, before=_ALONE if is_alone else "")["filled"]
    return {table: sorted(lines.split("\n")) for table, lines in _lines(dsn, filled)}


def _contents(dsn: str, *, before: str = "") -> dict[str, list[str]]:
    return cast("dict[str, list[str]]", json.loads(psql(dsn, before + _CONTENTS)))


def _lines(dsn: str, tables: list[str]) -> Iterator[tuple[str, str]]:
    """The rows of those of the tables that have any, as COPY writes them."""
    asked = [f"\\echo {_NEXT}\nCOPY {table} TO STDOUT;\n" for table in tables]
    parts = psql(dsn, "".join(asked)).split(_NEXT)[1:]
    for table, part in zip(tables, parts, strict=True):
        if lines := part[1:].removesuffix("\n"):
            yield table, lines
