"""The models, prepared once an engine and process, not for each database that a test opens.

Tortoise derives the filters and queries of all models from the engine whenever a database is
opened: what it makes for one database is what it makes for the next of the same engine.
"""

from typing import Any

from tortoise.apps import Apps
from tortoise.context import TortoiseContext
from tortoise.models import Model

from server.storage.database import Address, orm_settings

_DERIVED = (
    *("filters", "basetable", "basequery", "basequery_all_fields"),
    *("db_native_fields", "db_default_fields", "db_complex_fields"),
)
"""What differs between engines; the rest is the same whichever engine was first."""

_Key = tuple[object, ...]
_derived: dict[_Key, list[tuple[Any, dict[str, Any]]]] = {}

_prepare = Apps._build_initial_querysets


def _prepared_once(apps: Apps) -> None:
    models: list[type[Model]] = [model for app in apps.values() for model in app.values()]
    if not models:
        return
    key = (type(models[0]._meta.db), *((one, one._meta.default_connection) for one in models))
    kept = _derived.get(key)
    if kept is not None:
        for meta, values in kept:
            for name, value in values.items():
                setattr(meta, name, value)
        return
    for model in models:  # what the other engine has is its own
        for name in _DERIVED:
            value = getattr(model._meta, name)
            if isinstance(value, dict | list):
                setattr(model._meta, name, type(value)())
    _prepare(apps)
    _derived[key] = [
        (model._meta, {name: getattr(model._meta, name) for name in _DERIVED}) for model in models
    ]


def prepare_once() -> None:
    """From now on, in this process."""
    Apps._build_initial_querysets = _prepared_once  # type: ignore[assignment, method-assign]


async def prepare(engine: str) -> None:
    """Prepare the models for the engine now; without a connection, and so without a thread."""
    nowhere = ":memory:" if engine == "sqlite" else "postgres://nobody@127.0.0.1/nothing"
    async with TortoiseContext() as context:
        await context.init(config=orm_settings(Address(engine, nowhere)))
