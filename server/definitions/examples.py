"""What a kind's documents may hold, for whoever writes one: their JSON Schema, and an example."""

import json
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import inspect

from server.definitions.checking import shape_of
from server.definitions.kinds import Kind
from server.definitions.writing import document_text


def schema_text(kind: Kind) -> str:
    """The JSON Schema (2020-12) of the kind's documents, descriptions included."""
    return _schema_text(kind.document)


@lru_cache(64)
def _schema_text(document: type[msgspec.Struct]) -> str:
    return json.dumps(msgspec.json.schema(document), ensure_ascii=False, indent=2)


def example_text(kind: Kind) -> str:
    """A document of the kind to begin with, as YAML: its own, or just what the type requires."""
    plain = kind.example if kind.example is not None else _example(shape_of(kind.document))
    return document_text(plain, kind.document)


def _example(shape: inspect.Type) -> Any:  # noqa: PLR0911 - one line for each kind of value
    if isinstance(shape, inspect.Metadata):
        given = (shape.extra_json_schema or {}).get("examples")
        return given[0] if given else _example(shape.type)
    if isinstance(shape, inspect.UnionType):
        return _example(shape.types[0])
    if isinstance(shape, inspect.StructType):
        tag = {shape.tag_field: shape.tag} if shape.tag_field else {}
        needed = {f.encode_name: _example(f.type) for f in shape.fields if f.required}
        return {**tag, **needed}
    if isinstance(shape, inspect.IntType):
        return shape.ge if shape.ge is not None else 1
    if isinstance(shape, inspect.StrType):
        return "text"[: shape.max_length].ljust(shape.min_length or 0, "x")
    if isinstance(shape, inspect.LiteralType):
        return shape.values[0]
    if isinstance(shape, inspect.EnumType):
        return next(iter(shape.cls)).value
    if isinstance(shape, inspect.DictType):
        return {"en": _example(shape.value_type)} if shape.min_length else {}
    if hasattr(shape, "item_type"):
        return [_example(shape.item_type)] * (getattr(shape, "min_length", None) or 0)
    return _EXAMPLES.get(type(shape))


_EXAMPLES: dict[type, Any] = {
    inspect.BoolType: True,
    inspect.DateType: "2026-12-01",
    inspect.TimeType: "12:00:00",
    inspect.DateTimeType: "2026-12-01T00:00:00Z",
}
