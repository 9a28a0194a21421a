"""Operations of migrations that the ORM lacks."""

from tortoise.migrations.operations import TortoiseOperation
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_generator.state import State

_SQLITE = """
CREATE TRIGGER {table}_refuse_update BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, '{message}'); END;
CREATE TRIGGER {table}_refuse_delete BEFORE DELETE ON {table}
BEGIN SELECT RAISE(ABORT, '{message}'); END;
"""

_POSTGRES = """
CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER {table}_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse();
"""

_UNDO = {
    "sqlite": "DROP TRIGGER {table}_refuse_update; DROP TRIGGER {table}_refuse_delete;",
    "postgres": "DROP TRIGGER {table}_refuse ON {table}; DROP FUNCTION {table}_refuse();",
}


class AppendOnly(TortoiseOperation):
    """From here on the database itself refuses to update or delete rows of the model's table."""

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def describe(self) -> str:
        """What it does, in words."""
        return f"Make {self.model_name} append-only"

    def state_forward(self, app_label: str, state: State) -> None:
        """The model looks as before."""

    async def database_forward(
        self,
        app_label: str,
        old_state: State,
        new_state: State,
        state_editor: BaseSchemaEditor | None = None,
    ) -> None:
        """Create the triggers."""
        if state_editor is not None:
            script = _SQLITE if state_editor.DIALECT == "sqlite" else _POSTGRES
            await self._run(script, app_label, new_state, state_editor)

    async def database_backward(
        self,
        app_label: str,
        old_state: State,
        new_state: State,
        state_editor: BaseSchemaEditor | None = None,
    ) -> None:
        """Drop the triggers."""
        if state_editor is not None:
            await self._run(_UNDO[state_editor.DIALECT], app_label, new_state, state_editor)

    async def _run(
        self, script: str, app_label: str, state: State, editor: BaseSchemaEditor
    ) -> None:
        table = state.models[(app_label, self.model_name)].table
        message = f"{table} are append-only: correct one by adding another"
        await editor._run_sql(script.format(table=table, message=message))
