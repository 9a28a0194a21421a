"""Which classes of objects need no second look: learnt as a program meets them."""

from typing import TYPE_CHECKING, Any

from graphql import GraphQLObjectType

from graphql_compiler.bindings import Binder

if TYPE_CHECKING:
    from graphql_compiler.sites import ObjectSpot, Select

MAXIMUM_CLASSES = 64
"""Learnt for each type; what makes classes without end is not remembered."""
_TELLING = ("__await__", "__call__", "__getattr__", "__getattribute__")


class Classes:
    """What a program has learnt of classes."""

    def __init__(self, binder: Binder) -> None:
        self._binder = binder
        self._by_type: dict[str, set[type]] = {}

    def of(self, type_: GraphQLObjectType) -> set[type]:
        """The classes whose objects are of the object type, nothing else, and no awaitables."""
        return self._by_type.setdefault(type_.name, set())

    def learn(
        self, spot: "ObjectSpot", value: object, type_: GraphQLObjectType, select: "Select"
    ) -> None:
        """Remember the class of an object that has turned out to be of the type, if it says so."""
        cls = type(value)
        mark = self._binder.cast_mark
        if mark is not None and getattr(value, mark, None) is not None:
            return
        if not is_plain(cls):
            return
        if type_.is_type_of is not None and not self._binder.is_decided_by_class(type_, cls):
            return
        by_class: dict[type, Select] | None = getattr(spot, "by_class", None)
        if by_class is None:
            known = self.of(type_)
            if len(known) < MAXIMUM_CLASSES:
                known.add(cls)
        elif len(by_class) < MAXIMUM_CLASSES and self._binder.is_decided_by_class(spot.type, cls):
            by_class[cls] = select


def is_plain(cls: type[Any]) -> bool:
    """Whether objects of the class can neither be awaited nor called, are no exceptions, and do
    not make attributes up."""
    if cls is dict:
        return True
    if issubclass(cls, BaseException):
        return False
    return not any(
        name in base.__dict__ for base in cls.__mro__ if base is not object for name in _TELLING
    )
