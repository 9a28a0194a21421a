"""Writes how the value of a field is had, by its binding."""

from typing import Any

from graphql_compiler.bindings import Attribute, Direct, Lookup, Resolve
from graphql_compiler.constants import is_immutable
from graphql_compiler.sites import Site
from graphql_compiler.source import Source, is_identifier


def value_of(source: Source, site: Site, where: str) -> str:
    """An expression for the value as it is found; `m` says whether the source is a mapping."""
    match site.binding:
        case Attribute(name, None):
            if is_identifier(name):
                return f"s.{name}"
            return f"getattr(s, {source.bind(name)})"
        case Attribute(name, getter):
            return f"{source.bind(getter)}(s, {source.text(name)})"
        case Lookup(name):
            key = source.text(name)
            return f"s.get({key}) if m else getattr(s, {key}, None)"
        case Resolve(function):
            return _resolved(source, site, where, function)
        case Direct():
            return _called(source, site, where, site.binding)


def _resolved(source: Source, site: Site, where: str, function: Any) -> str:
    field = source.bind(site)
    constant = site.arguments.constant
    arguments = f"**{field}.arguments.of(c)"
    if constant is not None:
        arguments = _keywords(source, constant) or f"**{source.bind(constant)}"
    return f"{source.bind(function)}(s, {field}.info(c, {where}), {arguments})"


def _called(source: Source, site: Site, where: str, binding: Direct) -> str:
    field = source.bind(site)
    constant = _converted(site, binding)
    names = [*binding.source_names, *([binding.info_name] if binding.info_name else [])]
    if (
        constant is None
        or not all(is_identifier(name) for name in (*names, *constant))
        or (binding.info_name and binding.info is None)
    ):
        return f"{field}.called(c, s, {where})"
    parts = ["s"] if binding.takes_source_first else []
    parts += [f"{name}=s" for name in binding.source_names]
    if binding.info_name:
        parts.append(f"{binding.info_name}={source.bind(binding.info)}(c, {field}, {where})")
    if constant:
        parts.append(_keywords(source, constant))
    return f"{source.bind(binding.function)}({', '.join(parts)})"


def _converted(site: Site, binding: Direct) -> dict[str, Any] | None:
    """The keyword arguments, if they are the same for every call."""
    constant = site.arguments.constant
    if not constant or binding.convert is None:
        return constant
    try:
        converted = binding.convert(dict(constant), None)
    except Exception:  # told when the field is called
        return None
    return converted if all(map(is_immutable, converted.values())) else None


def _keywords(source: Source, constant: dict[str, Any]) -> str:
    """The arguments as keywords, or nothing if one of them is no identifier."""
    if not all(map(is_identifier, constant)):
        return ""
    return ", ".join(f"{name}={source.bind(value)}" for name, value in constant.items())
