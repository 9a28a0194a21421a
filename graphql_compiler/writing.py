"""Writes an operation's functions: one for each selection set, list, and result to wait for.

All functions take the run, a source (or a list) and its place: `c`, `s`, `p`. Within them, `w` is
what the result still waits for, `x` a value as it was found, `v1`, `v2` ... what is shown of it.
"""

from typing import TYPE_CHECKING, Any

from graphql import GraphQLObjectType, TypeNameMetaFieldDef
from graphql.execution.collect_fields import GroupedFieldSet

from graphql_compiler.bindings import Attribute, Direct, Lookup
from graphql_compiler.completing import Completion, is_shown_as_found
from graphql_compiler.fetching import value_of
from graphql_compiler.sites import AbstractSpot, LeafSpot, ListSpot, ObjectSpot, Site, Spot, spot_of
from graphql_compiler.source import Source

if TYPE_CHECKING:
    from graphql_compiler.programs import Program, SelectionKey


class Module:
    """Functions that are compiled together."""

    def __init__(self, program: "Program") -> None:
        self._program = program
        self._source = Source()
        self._named: dict[SelectionKey, str] = {}
        self._count = 0
        self._owners: list[tuple[Spot, str, str]] = []  # whose attribute becomes which function

    def compiled(self) -> dict[str, Any]:
        """The functions by name."""
        functions = self._source.run()
        for spot, attribute, name in self._owners:
            setattr(spot, attribute, functions[name])
        for key, name in self._named.items():
            self._program.selections[key] = functions[name]
        return functions

    def selection(self, type_: GraphQLObjectType, fields: GroupedFieldSet) -> str:
        """The name of the function for the fields of an object of the type."""
        key = _key_of(type_, fields)
        known = self._program.selections.get(key)
        if known is not None:
            return self._source.bind(known)
        name = self._named.get(key)
        if name is None:
            name = self._named[key] = self._new_name("s")
            self._write_selection(name, type_, fields)
        return name

    def _new_name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count}"

    # ---------------------------------------------------------------- selection sets

    def _write_selection(
        self, name: str, type_: GraphQLObjectType, fields: GroupedFieldSet
    ) -> None:
        source = self._source
        shown: list[str] = []
        sites = [site for site in self._sites(type_, fields) if site is not None]
        # Functions that it calls come first, so that its own lines stay together.
        prepared = [(site, *self._prepared(site)) for site in sites]
        source.line(0, f"def {name}(c, s, p):")
        source.line(1, "w = None")
        if any(isinstance(site.binding, Lookup) for site in sites):
            source.line(1, "m = is_mapping(s)")
        source.line(1, "try:")
        for number, (site, spot, function) in enumerate(prepared):
            value = f"v{number}"
            self._write_field(site, spot, function, value)
            shown.append(f"{source.text(site.key)}: {value}")
        source.line(2, "pass")
        source.line(1, "except E:")
        source.line(2, "c.settle(w)")
        source.line(2, "raise")
        source.line(1, f"r = {{{', '.join(shown)}}}")
        source.line(1, "return r if w is None else c.gather(r, w)")

    def _sites(self, type_: GraphQLObjectType, fields: GroupedFieldSet) -> list[Site | None]:
        schema = self._program.schema
        sites: list[Site | None] = []
        for key, details in fields.items():
            definition = schema.get_field(type_, details[0].node.name.value)
            if definition is not None:  # graphql-core leaves out what it does not know
                sites.append(Site(self._program, key, type_, definition, details))
        return sites

    def _prepared(self, site: Site) -> tuple[Spot, str | None]:
        """The spot of a field, and the function for the list or the object in it."""
        spot = spot_of(site, site.definition.type)
        function = self._function_of(spot)
        if not isinstance(spot, LeafSpot) and not isinstance(site.binding, Attribute | Lookup):
            self._write_completed(spot, function)
        return spot, function

    def _write_field(self, site: Site, spot: Spot, function: str | None, value: str) -> None:
        source = self._source
        if site.definition is TypeNameMetaFieldDef:
            source.line(2, f"{value} = {source.text(site.parent_type.name)}")
            return
        where = f"(p, {source.text(site.key)}, {source.text(site.parent_type.name)})"
        found = value if is_shown_as_found(spot) else "x"
        is_lookup = isinstance(site.binding, Lookup)
        source.line(2, "try:")
        if isinstance(site.binding, Attribute | Lookup) and site.arguments.constant is None:
            source.line(3, f"{source.bind(site)}.arguments.of(c)")  # for its errors
        source.line(3, f"{found} = {value_of(source, site, where)}")
        if isinstance(site.binding, Direct) and site.binding.is_async:
            source.line(3, f"{value}, w = {source.bind(spot)}.awaited(c, {where}, {found}, w)")
        else:
            Completion(
                source,
                self._program.binder,
                spot,
                found=found,
                shown=value,
                where=where,
                may_wait=True,
                is_lookup=is_lookup,
            ).write(3, function)
        source.line(2, "except E:")
        source.line(3, f"{value} = {source.bind(spot)}.failed(c, p)")

    # ---------------------------------------------------------------- lists and awaited values

    def _function_of(self, spot: Spot) -> str | None:
        """The function for the list or the object in a spot, if it can be told already."""
        if isinstance(spot, ListSpot):
            name = self._new_name("l")
            self._write_list(name, spot)
            self._owners.append((spot, "walk", name))
            return name
        if isinstance(spot, ObjectSpot) and not isinstance(spot, AbstractSpot):
            fields = self._program.subfields(spot.type, spot.site.details)
            name = self.selection(spot.type, fields)
            self._owners.append((spot, "select", name))
            return name
        return None

    def _write_list(self, name: str, spot: ListSpot) -> None:
        item = spot.item
        function = self._function_of(item)
        source = self._source
        source.line(0, f"def {name}(c, s, p):")
        source.line(1, "a = iter(s)")
        source.line(1, "r = []")
        source.line(1, "w = None")
        source.line(1, "try:")
        source.line(2, "for i, x in enumerate(a):")
        source.line(3, "try:")
        self._completion(item, where="(p, i, None)", may_wait=True).write(4, function)
        source.line(3, "except E as e:")
        source.line(4, f"v = {source.bind(item)}.fail(c, (p, i, None), e)")
        source.line(3, "r.append(v)")
        source.line(1, "except E:")
        source.line(2, "c.drain(a, w)")
        source.line(2, "raise")
        source.line(1, "return r if w is None else c.gather(r, w)")

    def _write_completed(self, spot: Spot, function: str | None) -> None:
        """A function for what a field is when it has been awaited."""
        name = self._new_name("d")
        self._source.line(0, f"def {name}(c, x, p):")
        self._completion(spot, where="p", may_wait=False).write(1, function)
        self._source.line(1, "return v")
        self._owners.append((spot, "completed", name))

    def _completion(self, spot: Spot, *, where: str, may_wait: bool) -> Completion:
        return Completion(
            self._source,
            self._program.binder,
            spot,
            found="x",
            shown="v",
            where=where,
            may_wait=may_wait,
        )


def _key_of(type_: GraphQLObjectType, fields: GroupedFieldSet) -> "SelectionKey":
    """What makes two selection sets the same: the type, and the nodes of each field."""
    return type_.name, tuple(
        (key, tuple(id(one.node) for one in details)) for key, details in fields.items()
    )
