"""Holding plain data against a document's type, and telling everything that does not fit.

The type is a `msgspec.Struct`: what it says of each field (its type, `Meta` bounds, defaults) is
all that this module knows, so that a document's type is its only description. Checking collects
every problem instead of stopping at the first.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from difflib import get_close_matches
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import inspect

from server.definitions.errors import InvalidDefinition
from server.errors import Path
from server.programme.checking import MAXIMUM_PROBLEMS
from server.programme.errors import DocumentProblem, shown_value


@lru_cache(256)
def shape_of(type_: Any) -> inspect.Type:
    """What a document of the type may hold."""
    return inspect.type_info(type_)


def checked(plain: object, type_: type, problems: Iterable[DocumentProblem] = ()) -> Any:
    """The value of the type that the plain data describes. Raises InvalidDefinition, with all
    that does not fit, at most 100 places."""
    checker = _Checker(list(problems))
    checker.check(shape_of(type_), plain, ())
    if checker.problems:
        raise InvalidDefinition(tuple(checker.problems[:MAXIMUM_PROBLEMS]))
    try:
        return msgspec.convert(plain, type_)
    except msgspec.ValidationError as error:  # what the checker does not know of
        problem = DocumentProblem((), shown_value(plain), str(error))
        raise InvalidDefinition((problem,)) from None


def related(plain: object, misfits: Iterable[tuple[Path, str]]) -> None:
    """Raise InvalidDefinition if there are misfits: places in `plain`, and what is accepted."""
    problems = told(plain, misfits)
    if problems:
        raise InvalidDefinition(tuple(problems[:MAXIMUM_PROBLEMS]))


def told(plain: object, misfits: Iterable[tuple[Path, str]]) -> list[DocumentProblem]:
    """The misfits with what stands in their places."""
    problems = []
    for path, accepted in misfits:
        value: Any = plain
        try:
            for step in path:
                value = value[step]
        except (KeyError, IndexError, TypeError):
            problems.append(DocumentProblem(path, None, accepted))
        else:
            problems.append(DocumentProblem(path, shown_value(value), accepted))
    return problems


class _Checker:
    """One check of one document; `problems` fills up as it goes."""

    def __init__(self, problems: list[DocumentProblem]) -> None:
        self.problems = problems

    def check(self, shape: inspect.Type, value: object, path: Path) -> None:
        if isinstance(shape, inspect.Metadata):
            shape = shape.type
        if isinstance(shape, inspect.UnionType):
            self._union(shape, value, path)
        elif isinstance(shape, inspect.StructType):
            self._struct(shape, value, path)
        elif isinstance(shape, inspect.DictType):
            self._mapping(shape, value, path)
        elif isinstance(shape, _ITEMS):
            self._list(shape, value, path)
        elif not _is_taken(shape, value):
            self._add(path, value, accepted(shape))

    def _add(self, path: Path, value: object, taken: str) -> None:
        self.problems.append(DocumentProblem(path, shown_value(value), taken))

    def _union(self, shape: inspect.UnionType, value: object, path: Path) -> None:
        if value is None and any(isinstance(one, inspect.NoneType) for one in shape.types):
            return
        structs = [one for one in shape.types if isinstance(one, inspect.StructType)]
        if structs and isinstance(value, dict):
            self._tagged(structs, value, path)
            return
        others = [one for one in shape.types if not isinstance(one, inspect.NoneType)]
        if len(others) == 1:
            self.check(others[0], value, path)
        elif not any(_fits(one, value) for one in others):
            self._add(path, value, accepted(shape))

    def _tagged(
        self, structs: list[inspect.StructType], value: Mapping[str, object], path: Path
    ) -> None:
        field = structs[0].tag_field
        if field is None:
            self._struct(structs[0], value, path)
            return
        found = [one for one in structs if one.tag == value.get(field)]
        if found:
            self._struct(found[0], value, path)
            return
        words = _words([str(one.tag) for one in structs])
        if field in value:
            self._add((*path, field), value[field], words)
        else:
            self.problems.append(DocumentProblem((*path, field), None, words))

    def _struct(self, shape: inspect.StructType, value: object, path: Path) -> None:
        if not isinstance(value, dict):
            self._add(path, value, accepted(shape))
            return
        known = {field.encode_name: field for field in shape.fields}
        tag = {shape.tag_field} if shape.tag_field else set()
        if shape.tag_field in value and value[shape.tag_field] != shape.tag:
            self._add((*path, str(shape.tag_field)), value[shape.tag_field], str(shape.tag))
        for name, field in known.items():
            if name in value:
                self.check(field.type, value[name], (*path, name))
            elif field.required:
                taken = f"{accepted(field.type)}; this key has no default"
                self.problems.append(DocumentProblem((*path, name), None, taken))
        for name in value:
            if name not in known and name not in tag:
                self._unknown([*sorted(tag), *known], name, value[name], path)

    def _unknown(self, keys: list[str], name: object, value: object, path: Path) -> None:
        text = str(name)
        nearest = get_close_matches(text[:64], keys, n=1)
        taken = (
            f"there is no such key; the nearest is {nearest[0]}"
            if nearest
            else f"there is no such key; the keys here are {', '.join(keys)}"
        )
        self._add((*path, text), value, taken)

    def _mapping(self, shape: inspect.DictType, value: object, path: Path) -> None:
        if not isinstance(value, dict) or not _is_counted(shape, len(value)):
            self._add(path, value, accepted(shape))
            return
        for key, item in value.items():
            if not _fits(shape.key_type, key):
                self._add((*path, str(key)), key, f"as a key: {accepted(shape.key_type)}")
            else:
                self.check(shape.value_type, item, (*path, str(key)))

    def _list(self, shape: Any, value: object, path: Path) -> None:
        if not isinstance(value, list) or not _is_counted(shape, len(value)):
            self._add(path, value, accepted(shape))
            return
        for place, item in enumerate(value):
            self.check(shape.item_type, item, (*path, place))
        if isinstance(shape, inspect.SetType | inspect.FrozenSetType):
            seen: set[str] = set()
            for place, item in enumerate(value):
                if (text := shown_value(item)) in seen:
                    self._add((*path, place), item, "each value once")
                seen.add(text)


_ITEMS = (
    inspect.ListType,
    inspect.VarTupleType,
    inspect.SetType,
    inspect.FrozenSetType,
)
"""Lists; a tuple of a fixed length is left to msgspec."""


def _is_counted(shape: Any, length: int) -> bool:
    least = shape.min_length or 0
    return length >= least and (shape.max_length is None or length <= shape.max_length)


def _fits(shape: inspect.Type, value: object) -> bool:
    checker = _Checker([])
    checker.check(shape, value, ())
    return not checker.problems


def _is_taken(shape: inspect.Type, value: object) -> bool:
    if isinstance(shape, inspect.IntType) and type(value) is not int:
        return False
    if isinstance(shape, inspect.StrType) and isinstance(value, str) and not _is_printable(value):
        return False
    try:
        msgspec.convert(value, _python_type(shape), strict=True)
    except (msgspec.ValidationError, TypeError):
        return False
    return True


def _is_printable(text: str) -> bool:
    return not any(
        (ord(character) < 32 and character != "\n") or 0xD800 <= ord(character) < 0xE000
        for character in text
    )


def _python_type(shape: inspect.Type) -> Any:
    """The type again, with its bounds, for msgspec to convert to."""
    if isinstance(shape, inspect.IntType):
        bounds = {"ge": shape.ge, "le": shape.le, "gt": shape.gt, "lt": shape.lt}
        return _bounded(int, **bounds, multiple_of=shape.multiple_of)
    if isinstance(shape, inspect.StrType):
        return _bounded(
            str,
            min_length=shape.min_length,
            max_length=shape.max_length,
            pattern=shape.pattern,
        )
    if isinstance(shape, inspect.LiteralType):
        return Literal[tuple(shape.values)]
    if isinstance(shape, inspect.EnumType):
        return shape.cls
    if isinstance(shape, inspect.DateTimeType):
        return _bounded(datetime, tz=shape.tz)
    return _PLAIN.get(type(shape), Any)  # the whole document's conversion tells of the rest


def _bounded(type_: type, **bounds: Any) -> Any:
    """The type with the bounds that are not None."""
    stated = {name: bound for name, bound in bounds.items() if bound is not None}
    return Annotated[type_, msgspec.Meta(**stated)] if stated else type_


_PLAIN: dict[type, Any] = {
    inspect.BoolType: bool,
    inspect.NoneType: None,
    inspect.DateType: date,
    inspect.TimeType: time,
    inspect.AnyType: Any,
}


def accepted(shape: inspect.Type) -> str:  # noqa: PLR0911 - one line for each kind of value
    """What a value of the shape may be, in words."""
    if isinstance(shape, inspect.Metadata):
        return accepted(shape.type)
    if isinstance(shape, inspect.IntType):
        return _whole(shape)
    if isinstance(shape, inspect.StrType):
        return _text(shape)
    if isinstance(shape, inspect.LiteralType):
        return _words([str(one) for one in shape.values])
    if isinstance(shape, inspect.EnumType):
        return _words([str(one.value) for one in shape.cls])
    if isinstance(shape, inspect.UnionType):
        others = [one for one in shape.types if not isinstance(one, inspect.NoneType)]
        return ", or ".join(accepted(one) for one in others)
    if isinstance(shape, inspect.StructType):
        names = [field.encode_name for field in shape.fields]
        keys = [*([shape.tag_field] if shape.tag_field else []), *names]
        return f"a mapping with the keys {', '.join(keys)}"
    if isinstance(shape, inspect.DictType):
        return f"a mapping of {_number(shape)} keys"
    if isinstance(shape, _ITEMS):
        return f"a list of {_number(shape)} items"
    return _named(shape)


def _named(shape: inspect.Type) -> str:
    if isinstance(shape, inspect.DateTimeType) and shape.tz is False:
        return "a date and a time of day, such as 2026-12-01T10:00:00"
    return _NAMED.get(type(shape), "a value")


_NAMED = {
    inspect.BoolType: "true or false",
    inspect.DateType: "a calendar date, YYYY-MM-DD",
    inspect.TimeType: "a time of day, HH:MM:SS",
    inspect.DateTimeType: "an instant with its zone, such as 2017-05-08T00:00:00Z",
}


def _whole(shape: inspect.IntType) -> str:
    least = shape.ge if shape.ge is not None else shape.gt
    most = shape.le if shape.le is not None else shape.lt
    if least is not None and most is not None:
        return f"a whole number from {least} to {most}"
    return "a whole number" if least is None else f"a whole number from {least} on"


def _text(shape: inspect.StrType) -> str:
    most = "" if shape.max_length is None else f" of at most {shape.max_length} characters"
    if shape.pattern:
        return f"text{most} of the form {shape.pattern}"
    return f"text{most}, in quotes where it looks like a number"


def _number(shape: Any) -> str:
    least = shape.min_length or 0
    return f"{least} or more" if shape.max_length is None else f"{least} to {shape.max_length}"


def _words(values: list[str]) -> str:
    *others, last = values
    return f"{', '.join(others)} or {last}" if others else last
