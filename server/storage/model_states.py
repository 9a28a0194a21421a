"""What the models are as of a migration, of which only those asked for are rendered.

Tortoise renders a changed model and all related to it, at any distance, with every operation: that
is quadratic in the number of tables, and most of what a first start would do. A table's SQL needs
its model and those that it refers to.
"""

from collections.abc import Iterable
from dataclasses import replace

from tortoise.connection import ConnectionHandler
from tortoise.fields.relational import (
    ForeignKeyFieldInstance,
    ManyToManyFieldInstance,
    OneToOneFieldInstance,
)
from tortoise.migrations.schema_generator.state import ModelState, State
from tortoise.migrations.schema_generator.state_apps import StateApps
from tortoise.models import Model

ModelStates = dict[tuple[str, str], ModelState]

_REFERENCES = (ForeignKeyFieldInstance, OneToOneFieldInstance, ManyToManyFieldInstance)


class LazyApps(StateApps):
    """Models as of a migration. One is rendered, with those it refers to, when first asked for."""

    def __init__(
        self,
        default_connections: dict[str, str] | None = None,
        connections: ConnectionHandler | None = None,
        *,
        states: ModelStates | None = None,
    ) -> None:
        super().__init__(default_connections, connections)
        self._states = {} if states is None else states

    def clone(self, model_states: ModelStates | None = None) -> "LazyApps":
        """Models of these states, none of them rendered."""
        return LazyApps(dict(self._default_connections), self._connections, states=model_states)

    def get_model(self, app_label: str, model_name: str | None = None) -> type[Model]:
        """The model of this name. Raises KeyError if there is none."""
        key = self.split_reference(app_label) if model_name is None else (app_label, model_name)
        self._render(key)
        return super().get_model(*key)

    def _render(self, key: tuple[str, str]) -> None:
        asked, is_changed = [key], False
        while asked:
            app_label, model_name = asked.pop()
            state = self._states.get((app_label, model_name))
            if state is None or model_name in self.apps.get(app_label, {}):
                continue
            self.register_model(app_label, state.render(self))
            asked += _references(self, state)
            is_changed = True
        if is_changed:
            self._init_relations()
            self._build_initial_querysets()


class LazyState(State):
    """What the models are; to change one renders none."""

    def __init__(self, models: ModelStates, apps: StateApps) -> None:
        super().__init__(models, apps.clone(models))

    @classmethod
    def before_all(cls, default_connections: dict[str, str] | None = None) -> "LazyState":
        """No model at all."""
        return cls({}, LazyApps(default_connections))

    def reload_model(self, app_label: str, model_name: str) -> None:
        """Forget what was rendered before this model changed."""
        self.reload_models([(app_label, model_name)])

    def reload_models(self, model_tuples: Iterable[tuple[str, str]]) -> None:
        """Forget what was rendered before these models changed."""
        self.apps = self.apps.clone(self.models)

    def validate_relations_initialized(self) -> None:
        """Raises RuntimeError if a model refers to one that is not there."""
        for (app_label, model_name), state in self.models.items():
            for reference in _references(self.apps, state):
                if reference not in self.models:
                    there = ".".join(reference)
                    raise RuntimeError(f"{app_label}.{model_name} refers to {there}: there is none")

    def clone(self) -> "LazyState":
        """The same models, of which changes of these know nothing."""
        # Fields are shared: an operation puts another in a field's place, and rendering copies it.
        return LazyState(
            {
                key: replace(state, options=dict(state.options), fields=dict(state.fields))
                for key, state in self.models.items()
            },
            self.apps,
        )


def _references(apps: StateApps, state: ModelState) -> list[tuple[str, str]]:
    """The models that one refers to itself."""
    return [
        apps.split_reference(field.model_name)
        for field in state.fields.values()
        if isinstance(field, _REFERENCES)
    ]
