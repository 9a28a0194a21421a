"""Whether a text agrees with the variables that it may mention, and with its language's plurals."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import lru_cache

from babel import Locale

from server.messages import plurals
from server.notifications.templates import (
    NONE,
    OTHER,
    Amount,
    Argument,
    Count,
    Day,
    InvalidTemplate,
    Number,
    Parts,
    Plain,
    Plural,
    Select,
    Words,
    parsed,
    place,
)
from server.notifications.triggers import Variable, VariableType
from server.notifications.using import Use

_NUMBERS = frozenset({VariableType.INT, VariableType.DAYS})
_TYPES = {
    Number: _NUMBERS,
    Plural: _NUMBERS,
    Amount: frozenset({VariableType.MONEY}),
    Day: frozenset({VariableType.DATE}),
}
_FORMATS = {
    VariableType.INT: "number or plural",
    VariableType.DAYS: "number or plural",
    VariableType.MONEY: "money",
    VariableType.DATE: "date",
    VariableType.TEXT: "select",
}
_A_MILLION = 1_000_000
"""A number with a plural category of its own in French, Spanish and others."""


@lru_cache(maxsize=64)
def needed_forms(language: str) -> frozenset[str]:
    """The plural forms that a text of the language must have: those of whole numbers, and other."""
    return plurals.categories(language) | {plurals.category(_A_MILLION, language), OTHER}


@lru_cache(maxsize=64)
def _known_forms(language: str) -> frozenset[str]:
    return frozenset(Locale.parse(language, sep="-").plural_form.tags) | {OTHER}


def disagreements(
    source: str, variables: Mapping[str, Variable], language: str, use: Use = Use.WORDS
) -> list[str]:
    """Everything that is wrong with a text, each time what would be accepted and where."""
    try:
        parts = parsed(source)
    except InvalidTemplate as error:
        return [error.accepted]
    found = _Check(variables, language, use).parts(parts, frozenset())
    return [f"{accepted} ({place(source, at)})" for at, accepted in found]


class _Check:
    """One check of one text."""

    def __init__(self, variables: Mapping[str, Variable], language: str, use: Use) -> None:
        self.variables, self.language, self.use = variables, language, use

    def parts(self, parts: Parts, present: frozenset[str]) -> Iterator[tuple[int, str]]:
        """What is wrong with the parts; `present` names what is known not to be empty here."""
        for part in parts:
            if isinstance(part, Words | Count):
                continue
            variable = self.variables.get(part.name)
            if variable is None:
                yield part.at, self._variable_names(part.name)
            else:
                yield from self._argument(part, variable, present)
            if isinstance(part, Plural | Select):
                for selector, form in part.forms:
                    is_there = isinstance(part, Select) and selector != NONE
                    known = present | {part.name} if is_there and _has_none(part) else present
                    yield from self.parts(form, known)

    def _variable_names(self, name: str) -> str:
        names = ", ".join(self.variables)
        nearest = get_close_matches(name, self.variables, n=1)
        hint = f"; the nearest is {nearest[0]}" if nearest else ""
        return f"one of the variables {names}{hint}; there is no {name}"

    def _argument(
        self, part: Argument, variable: Variable, present: frozenset[str]
    ) -> Iterator[tuple[int, str]]:
        name, type_ = variable.name, variable.type
        if self.use is Use.LINK and not isinstance(part, Plain | Select):
            yield part.at, f"{{{name}}} alone: a link holds no formatted values"
            return
        taken = _TYPES.get(type(part))
        if taken is not None and type_ not in taken:
            yield part.at, f"{_FORMATS[type_]}, or {{{name}}} alone: {name} is of the type {type_}"
        elif isinstance(part, Select):
            yield from self._select(part, variable)
        elif isinstance(part, Plural):
            yield from self._plural(part)
        elif type_ is VariableType.DATE and variable.can_be_empty and name not in present:
            yield (
                part.at,
                f"{{{name}, select, none {{…}} other {{… {{{name}}} …}}}}: {name} may be empty",
            )

    def _select(self, part: Select, variable: Variable) -> Iterator[tuple[int, str]]:
        name, type_ = variable.name, variable.type
        if type_ is VariableType.DATE:
            if not variable.can_be_empty or {one for one, _ in part.forms} != {NONE, OTHER}:
                yield part.at, "date; select only for one that may be empty, with none and other"
        elif type_ is not VariableType.TEXT:
            formats = _FORMATS[type_]
            yield part.at, f"{formats}, or {{{name}}} alone: {name} is of the type {type_}"

    def _plural(self, part: Plural) -> Iterator[tuple[int, str]]:
        given = {selector for selector, _form in part.forms if not selector.startswith("=")}
        needed = needed_forms(self.language)
        if not needed <= given or not given <= _known_forms(self.language):
            names = ", ".join(sorted(needed))
            yield part.at, f"the plural forms {names}, which {self.language} has"


def _has_none(part: Plural | Select) -> bool:
    return any(selector == NONE for selector, _form in part.forms)
