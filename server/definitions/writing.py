"""Documents as YAML text, as people would write it: keys in the order of their type.

Only what `server.programme.reading` reads as the same data is written: a text that would be taken
for something else stands in quotes.
"""

from typing import Any

import yaml
from msgspec import inspect

from server.definitions.checking import shape_of
from server.programme.reading import scalar

WIDTH = 100
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_DUMPER):  # type: ignore[misc]
    """Writes the safe part of YAML 1.2, and never an anchor."""

    def ignore_aliases(self, data: Any) -> bool:
        """Equal values are written out each time."""
        return True


def _text(dumper: Any, text: str) -> Any:
    is_taken_for_other = scalar(text, is_quoted=False) != text or not text.isprintable()
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style='"' if is_taken_for_other else None
    )


_Dumper.add_representer(str, _text)


def yaml_of(plain: object) -> str:
    """The data as YAML; ends with a new line."""
    text: str = yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)
    return text.removesuffix("...\n")


def document_text(plain: object, type_: Any) -> str:
    """A document of the type as YAML, keys in the order of the type."""
    return yaml_of(in_reading_order(plain, shape_of(type_)))


def in_reading_order(plain: Any, shape: inspect.Type) -> Any:
    """The same data with its keys in the order in which the type has them."""
    if isinstance(shape, inspect.Metadata):
        return in_reading_order(plain, shape.type)
    if isinstance(shape, inspect.UnionType):
        return in_reading_order(plain, _chosen(shape, plain))
    if isinstance(shape, inspect.StructType) and isinstance(plain, dict):
        fields = {field.encode_name: field.type for field in shape.fields}
        tag = [shape.tag_field] if shape.tag_field in plain else []
        return {
            **{name: plain[name] for name in tag},
            **{
                name: in_reading_order(plain[name], inner)
                for name, inner in fields.items()
                if name in plain
            },
            **{name: value for name, value in plain.items() if name not in fields},
        }
    if isinstance(shape, inspect.DictType) and isinstance(plain, dict):
        return {name: in_reading_order(plain[name], shape.value_type) for name in sorted(plain)}
    inner_shape = getattr(shape, "item_type", None)
    if inner_shape is not None and isinstance(plain, list):
        return [in_reading_order(item, inner_shape) for item in plain]
    return plain


def _chosen(shape: inspect.UnionType, plain: Any) -> inspect.Type:
    """The type of the union that the data is of, as far as that matters for its order."""
    found = (one for one in shape.types if _is_of(one, plain))
    return next(found, inspect.AnyType())


def _is_of(shape: inspect.Type, plain: Any) -> bool:
    if isinstance(shape, inspect.StructType):
        return isinstance(plain, dict) and (
            shape.tag_field is None or plain.get(shape.tag_field) == shape.tag
        )
    if isinstance(shape, inspect.DictType):
        return isinstance(plain, dict)
    return isinstance(plain, list) and hasattr(shape, "item_type")
