"""The schema editors of migrations: Tortoise's, made to build what the models declare.

Tortoise's own ignore the constraints of a new table on both engines. On SQLite, where most changes
mean that the table is built anew, they also lose its other constraints, indexes and triggers.
"""

import copy
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeGuard

from tortoise.exceptions import OperationalError
from tortoise.fields import Field
from tortoise.fields.relational import ManyToManyFieldInstance
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.migrations.schema_editor.asyncpg import AsyncpgSchemaEditor
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_editor.data import ModelSqlData
from tortoise.migrations.schema_editor.sqlite import SqliteSchemaEditor
from tortoise.models import MetaInfo, Model

from server.storage.sqlite import split_statements

Constraint = CheckConstraint | UniqueConstraint


class _ConstraintsOfNewTables(BaseSchemaEditor):
    """Writes `Meta.constraints` into CREATE TABLE, and the partial unique ones behind it."""

    _constraints: Sequence[Constraint] = ()

    def _get_model_sql_data(self, model: type[Model]) -> ModelSqlData:
        self._constraints = [
            replace(
                constraint,
                fields=tuple(self._resolve_fields_to_columns(model, constraint.fields)),
            )
            if isinstance(constraint, UniqueConstraint)
            else constraint
            for constraint in model._meta.constraints or ()
        ]
        try:
            data = super()._get_model_sql_data(model)
        finally:
            constraints, self._constraints = self._constraints, []
        for constraint in constraints:
            if _is_partial(constraint):
                data.table_sql += "\n" + self._partial_unique_sql(model, constraint)
        return data

    async def add_field(self, model: type[Model], field_name: str) -> None:
        """Add a column, its index included."""
        await super().add_field(model, field_name)
        field = model._meta.fields_map[field_name]
        if field.index and not field.pk and not isinstance(field, ManyToManyFieldInstance):
            await self._run_sql(self._get_index_sql(model, [_column(field)]))

    async def rename_constraint(
        self, model: type[Model], old_constraint: Constraint, new_constraint: Constraint
    ) -> None:
        """Give a constraint another name; the partial unique ones are indexes."""
        if _is_partial(old_constraint):
            await self.remove_constraint(model, old_constraint)
            await self.add_constraint(model, new_constraint)
        else:
            await super().rename_constraint(model, old_constraint, new_constraint)

    def _get_inner_statements(self) -> list[str]:
        return [
            *super()._get_inner_statements(),
            *(
                self._constraint_sql(constraint)
                for constraint in self._constraints
                if not _is_partial(constraint)
            ),
        ]

    def _constraint_sql(self, constraint: Constraint) -> str:
        if isinstance(constraint, CheckConstraint):
            return self.CHECK_CONSTRAINT_CREATE_TEMPLATE.format(
                name=constraint.name, check=constraint.check
            )
        return self.UNIQUE_CONSTRAINT_CREATE_TEMPLATE.format(
            index_name=constraint.name,
            fields=", ".join(self.quote(name) for name in constraint.fields),
        )

    def _partial_unique_sql(self, model: type[Model], constraint: UniqueConstraint) -> str:
        columns = self._resolve_fields_to_columns(model, constraint.fields)
        return self.UNIQUE_INDEX_CREATE_TEMPLATE.format(
            index_name=constraint.name,
            table_name=self.quote(model._meta.db_table),
            index_type="",
            fields=", ".join(self.quote(name) for name in columns),
            extra=f" WHERE {constraint.condition}",
        )


class PostgresEditor(_ConstraintsOfNewTables, AsyncpgSchemaEditor):
    """PostgreSQL changes tables in place; only new tables need help."""


class RebuildingSqliteEditor(_ConstraintsOfNewTables, SqliteSchemaEditor):
    """Rebuilds tables without losing anything: rows, constraints, indexes, triggers, children.

    It works in the transaction of `server.storage.migrate`, with foreign keys not enforced.
    """

    def _get_table_comment_sql(self, table: str, comment: str) -> str:
        return ""  # SQLite keeps none, and a semicolon in one would end the statement

    def _get_column_comment_sql(self, table: str, column: str, comment: str) -> str:
        return ""

    async def _run_sql(self, sql: str) -> None:
        if self.collect_sql:
            await super()._run_sql(sql)
            return
        for statement in split_statements(sql):
            await self.client.execute_query(statement)

    async def add_constraint(self, model: type[Model], constraint: Constraint) -> None:
        """Add a constraint, which `model` declares."""
        if _is_partial(constraint):
            await self._run_sql(self._partial_unique_sql(model, constraint))
        else:
            await self._remake_table(model)

    async def remove_constraint(self, model: type[Model], constraint: Constraint) -> None:
        """Remove a constraint, which `model` still declares."""
        if _is_partial(constraint):
            await self._run_sql(f'DROP INDEX "{constraint.name}"')
            return
        changed = _Changed(model)
        changed.drop_constraint(constraint)
        await self._rebuild(changed)

    async def rename_constraint(
        self, model: type[Model], old_constraint: Constraint, new_constraint: Constraint
    ) -> None:
        """Give a constraint another name; `model` declares the new one."""
        if _is_partial(old_constraint):
            await super().rename_constraint(model, old_constraint, new_constraint)
            return
        changed = _Changed(model)
        changed.drop_constraint(old_constraint)
        changed.drop_constraint(new_constraint)
        changed._meta.constraints = (*(changed._meta.constraints or ()), new_constraint)
        await self._rebuild(changed)

    async def _remake_table(
        self,
        model: type[Model],
        create_field: Field[Any] | None = None,
        delete_field: Field[Any] | None = None,
        alter_fields: Sequence[tuple[Field[Any], Field[Any]]] | None = None,
    ) -> None:
        assert create_field is None, "a column is added in place"
        changed = _Changed(model)
        if delete_field is not None:
            changed.drop_column(_column(delete_field))
        values = {}
        for old, new in alter_fields or ():
            if _column(old) != _column(new):
                # In place, so that indexes and triggers follow.
                await self._run_sql(
                    f'ALTER TABLE "{model._meta.db_table}"'
                    f' RENAME COLUMN "{_column(old)}" TO "{_column(new)}"'
                )
            if old.null and not new.null and new.default is not None:
                value = new.to_db_value(new.default, model)
                literal = self._escape_default_value(value)
                values[_column(new)] = f'COALESCE("{_column(new)}", {literal})'
        await self._rebuild(changed, values)

    async def _rebuild(self, changed: "_Changed", values: dict[str, str] | None = None) -> None:
        """Build the table anew as `changed` declares it, as SQLite's manual advises.

        `values` has the SQL of columns that are not just copied.
        """
        table = changed._meta.db_table
        await self._require_unchecked_foreign_keys()
        indexes, triggers, views = await self._dependents(table)
        for kind, dependents in (("TRIGGER", triggers), ("VIEW", views)):
            for name in dependents:
                await self._run_sql(f'DROP {kind} "{name}"')
        create, *_ = split_statements(self._get_model_sql_data(changed.as_model).table_sql)
        rebuilt = f"new__{table}"
        await self._run_sql(create.replace(f'"{table}"', f'"{rebuilt}"', 1))
        present = {row[1] for row in await self._rows(f'PRAGMA table_info("{table}")')}
        columns = {
            name: (values or {}).get(name, f'"{name}"')
            for name in changed._meta.fields_db_projection.values()
            if name in present
        }
        names = ", ".join(f'"{name}"' for name in columns)
        await self._run_sql(
            f'INSERT INTO "{rebuilt}" ({names}) SELECT {", ".join(columns.values())} FROM "{table}"'
        )
        await self._run_sql(f'DROP TABLE "{table}"')
        await self._run_sql(f'ALTER TABLE "{rebuilt}" RENAME TO "{table}"')
        await self._create_indexes(changed.as_model, saved=self._kept(changed, indexes))
        for statement in (*views.values(), *triggers.values()):
            await self._run_sql(statement)

    async def _require_unchecked_foreign_keys(self) -> None:
        if (await self._rows("PRAGMA foreign_keys"))[0][0]:
            # Dropping the old table would delete the rows that refer to it.
            raise OperationalError("a table is rebuilt only by server.storage.migrate")

    async def _rows(self, query: str) -> Sequence[Any]:
        _, rows = await self.client.execute_query(query)
        return [tuple(row) for row in rows]

    async def _dependents(
        self, table: str
    ) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
        """The SQL, by name, of the table's indexes, and of all triggers and views that name it."""
        indexes: dict[str, str] = {}
        triggers: dict[str, str] = {}
        views: dict[str, str] = {}
        rows = await self._rows(
            "SELECT type, name, tbl_name, sql FROM sqlite_master"
            " WHERE sql IS NOT NULL ORDER BY rowid"
        )
        for kind, name, owner, statement in rows:
            if kind == "index" and owner == table:
                indexes[name] = statement
            elif kind == "trigger" and (owner == table or table in statement):
                triggers[name] = statement
            elif kind == "view" and table in statement:
                views[name] = statement
        view_triggers = {
            name: statement
            for kind, name, owner, statement in rows
            if kind == "trigger" and owner in views
        }
        return indexes, {**triggers, **view_triggers}, views

    def _kept(self, changed: "_Changed", indexes: dict[str, str]) -> dict[str, str]:
        """Those of the table's indexes that the change leaves."""
        declared = changed._meta.fields_db_projection.values()
        automatic = {
            self._generate_index_name("idx", changed.as_model, [name]) for name in declared
        }
        return {
            name: statement
            for name, statement in indexes.items()
            # An automatic one is declared again, or the change takes it away.
            if name not in automatic and not changed.is_dropped_column_in(statement)
        }

    async def _create_indexes(self, model: type[Model], *, saved: dict[str, str]) -> None:
        """Create the indexes that the model declares, and the saved ones that it does not know."""
        _, *declared = split_statements(self._get_model_sql_data(model).table_sql)
        for statement in declared:
            await self._run_sql(statement)
        for name, statement in saved.items():
            if not any(f'INDEX "{name}"' in known for known in declared):
                await self._run_sql(statement)


class _Changed:
    """A model's table as it will be: stands in for the model where its SQL is written."""

    def __init__(self, model: type[Model]) -> None:
        self._meta: MetaInfo = copy.copy(model._meta)
        self._meta.fields_db_projection = dict(model._meta.fields_db_projection)
        self._dropped_column: str | None = None

    @property
    def as_model(self) -> type[Model]:
        """This, where a model is asked for: the editors only read its `_meta`."""
        model: Any = self
        return model  # type: ignore[no-any-return]

    def drop_column(self, column: str) -> None:
        """Leave out a column, and the unique keys and indexes that it is part of."""
        self._dropped_column = column
        names = {
            name for name, source in self._meta.fields_db_projection.items() if source == column
        } | {column}
        for name in names:
            self._meta.fields_db_projection.pop(name, None)
        self._meta.unique_together = tuple(
            fields for fields in self._meta.unique_together or () if not names & set(fields)
        )
        self._meta.indexes = tuple(
            index
            for index in self._meta.indexes or ()
            if not names & set(index.fields if isinstance(index, Index) else index)
        )

    def drop_constraint(self, constraint: Constraint) -> None:
        """Leave out a constraint."""
        if constraint.name:
            self._meta.constraints = tuple(
                kept for kept in self._meta.constraints or () if kept.name != constraint.name
            )
        else:
            fields = tuple(getattr(constraint, "fields", ()))
            self._meta.unique_together = tuple(
                kept for kept in self._meta.unique_together or () if tuple(kept) != fields
            )

    def is_dropped_column_in(self, statement: str) -> bool:
        """Whether the statement of an index names the column that is left out."""
        if self._dropped_column is None:
            return False
        return re.search(rf"\b{re.escape(self._dropped_column)}\b", statement) is not None


def _is_partial(constraint: Constraint) -> TypeGuard[UniqueConstraint]:
    """Whether the constraint is really a unique index of some rows."""
    return isinstance(constraint, UniqueConstraint) and constraint.condition is not None


def _column(field: Field[Any]) -> str:
    return field.source_field or field.model_field_name
