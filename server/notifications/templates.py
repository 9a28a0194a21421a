"""The language of messages' texts: the part of ICU MessageFormat that messages need.

    {name}                          the value, written as its type is
    {points, number}                a whole number: 12,345
    {amount, money}                 an amount with its currency: €12.34
    {ends_on, date, long}           a day: short, medium (left out), long or full
    {points, plural, =0 {none} one {# point} other {# points}}
    {tier, select, Gold {for gold} other {for everybody else}}

Plural forms are those of the text's language (CLDR), or exact numbers; `#` is the number. A
`select` goes by the very words of the value; `none` is an empty one. Forms may hold all of this
again. Braces that are meant as such stand between apostrophes, '{', and so does # in a plural form;
two apostrophes are one, and one that stands before no brace is itself, as in ICU.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, get_args

DateStyle = Literal["short", "medium", "long", "full"]
DATE_STYLES: tuple[DateStyle, ...] = get_args(DateStyle)
NONE = "none"
"""The form of a `select` for an empty value."""
OTHER = "other"
PLURAL_CATEGORIES = frozenset({"zero", "one", "two", "few", "many", OTHER})
MAXIMUM_DEPTH = 5
"""So deep may forms stand in forms."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_SELECTOR = re.compile(r"[^\s{}'#,|=]{1,64}")
_EXACT = re.compile(r"=(0|[1-9][0-9]{0,17})")
_WORD = re.compile(r"[A-Za-z]+")
_SPACE = re.compile(r"[ \t\r\n]*")


class InvalidTemplate(ValueError):
    """A text that can't be read: where, and what would be accepted there."""

    def __init__(self, source: str, at: int, accepted: str) -> None:
        super().__init__(f"{place(source, at)}: {accepted}")
        self.accepted = f"{accepted} ({place(source, at)})"


def place(source: str, at: int) -> str:
    """A place of a text in words."""
    line = source.count("\n", 0, at) + 1
    column = at - (source.rfind("\n", 0, at) + 1) + 1
    return f"line {line}, column {column}"


def _at() -> int:
    """Where it stands in the source; equal texts are equal wherever they stand."""
    return field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Words:
    """What stands there."""

    text: str


@dataclass(frozen=True, slots=True)
class Plain:
    """A value, written as its type is."""

    name: str
    at: int = _at()


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number, its thousands set apart."""

    name: str
    at: int = _at()


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of money."""

    name: str
    at: int = _at()


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day."""

    name: str
    style: DateStyle
    at: int = _at()


@dataclass(frozen=True, slots=True)
class Count:
    """`#`: the number of the plural form that it stands in."""


@dataclass(frozen=True, slots=True)
class Plural:
    """The form for a number; a form's selector is a plural category or `=` and a number."""

    name: str
    forms: tuple[tuple[str, "Parts"], ...]
    at: int = _at()


@dataclass(frozen=True, slots=True)
class Select:
    """The form for a value."""

    name: str
    forms: tuple[tuple[str, "Parts"], ...]
    at: int = _at()


Argument = Plain | Number | Amount | Day | Plural | Select
Part = Words | Count | Argument
Parts = tuple[Part, ...]


@lru_cache(maxsize=4096)
def parsed(source: str) -> Parts:
    """The parts of a text. Raises InvalidTemplate."""
    reader = _Reader(source)
    parts = reader.parts(_Within(), 0)
    if reader.at < len(source):
        raise reader.refusal("no closing brace without an opening one; as a character it is '}'")
    return parts


@dataclass(frozen=True, slots=True)
class _Within:
    """What the parts stand in."""

    is_plural: bool = False  # directly in a plural form: # is a number
    has_plural: bool = False  # in a plural form, however deep


class _Reader:
    """One reading of one text, from its beginning to its end."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0

    def refusal(self, accepted: str, at: int | None = None) -> InvalidTemplate:
        return InvalidTemplate(self.source, self.at if at is None else at, accepted)

    def parts(self, within: _Within, depth: int) -> Parts:
        """Everything up to the end of the text or of the form."""
        found: list[Part] = []
        words: list[str] = []

        def end_words() -> None:
            if words:
                found.append(Words("".join(words)))
                words.clear()

        while self.at < len(self.source) and (character := self.source[self.at]) != "}":
            if character == "'":
                words.append(self._apostrophe(within))
            elif character == "{":
                end_words()
                found.append(self._argument(within, depth))
            elif character == "#" and within.has_plural:
                end_words()
                found.append(self._count(within))
            else:
                words.append(character)
                self.at += 1
        end_words()
        return tuple(found)

    def _apostrophe(self, within: _Within) -> str:
        """An apostrophe, or what stands between two of them."""
        following = self.source[self.at + 1 : self.at + 2]
        if following == "'":
            self.at += 2
            return "'"
        if not following or following not in ("{}#" if within.has_plural else "{}"):
            self.at += 1
            return "'"
        return self._quoted()

    def _quoted(self) -> str:
        started_at, place_ = self.at, self.at + 1
        words: list[str] = []
        while True:
            end = self.source.find("'", place_)
            if end < 0:
                raise self.refusal(
                    "a second apostrophe; before a brace one begins what is taken as it stands, "
                    "and two are an apostrophe",
                    started_at,
                )
            words.append(self.source[place_:end])
            if self.source[end + 1 : end + 2] != "'":
                self.at = end + 1
                return "'".join(words)
            place_ = end + 2

    def _count(self, within: _Within) -> Count:
        if not within.is_plural:
            raise self.refusal("here the variable's name, as in {points, number}, in place of #")
        self.at += 1
        return Count()

    def _argument(self, within: _Within, depth: int) -> Argument:
        started_at = self.at
        self.at += 1
        name = self._taken(_NAME, "the name of a variable, such as {points}")
        if self._took("}"):
            return Plain(name, started_at)
        self._needs(",", "a closing brace, or a comma and a format")
        self._skip_space()
        form_at = self.at
        form = self._taken(_WORD, "number, money, date, plural or select")
        if form in ("plural", "select"):
            return self._with_forms(form, name, within, depth, started_at)
        simple: dict[str, Callable[[], Argument]] = {
            "number": lambda: Number(name, started_at),
            "money": lambda: Amount(name, started_at),
            "date": lambda: Day(name, self._style(), started_at),
        }
        if form not in simple:
            raise self.refusal("number, money, date, plural or select", form_at)
        made = simple[form]()
        self._needs("}", "a closing brace")
        return made

    def _style(self) -> DateStyle:
        if not self._took(","):
            return "medium"
        self._skip_space()
        at = self.at
        word = self._taken(_WORD, "short, medium, long or full")
        for style in DATE_STYLES:
            if word == style:
                return style
        raise self.refusal("short, medium, long or full", at)

    def _with_forms(
        self, form: str, name: str, within: _Within, depth: int, started_at: int
    ) -> Plural | Select:
        if depth == MAXIMUM_DEPTH:
            raise self.refusal(f"forms in forms at most {MAXIMUM_DEPTH} deep", started_at)
        self._needs(",", "a comma, and then the forms")
        is_plural = form == "plural"
        inner = _Within(is_plural, is_plural or within.has_plural)
        forms: dict[str, Parts] = {}
        while not self._took("}"):
            selector = self._selector(is_plural, forms)
            self._needs("{", "an opening brace, and then the form")
            forms[selector] = self.parts(inner, depth + 1)
            self._needs("}", "a closing brace", skips_space=False)
        if OTHER not in forms:
            raise self.refusal("a form for other: other {…}", self.at - 1)
        made = tuple(forms.items())
        return Plural(name, made, started_at) if is_plural else Select(name, made, started_at)

    def _selector(self, is_plural: bool, forms: dict[str, Parts]) -> str:
        self._skip_space()
        at = self.at
        if is_plural and (exact := _EXACT.match(self.source, self.at)):
            self.at = exact.end()
            selector = exact[0]
        else:
            selector = self._taken(_SELECTOR, "the name of a form, such as other {…}")
            if is_plural and selector not in PLURAL_CATEGORIES:
                names = ", ".join(sorted(PLURAL_CATEGORIES))
                raise self.refusal(f"one of {names}, or an exact number such as =0", at)
        if selector in forms:
            raise self.refusal(f"each form once; {selector} stands there before", at)
        return selector

    def _skip_space(self) -> None:
        found = _SPACE.match(self.source, self.at)
        self.at = found.end() if found else self.at

    def _taken(self, pattern: re.Pattern[str], accepted: str) -> str:
        self._skip_space()
        found = pattern.match(self.source, self.at)
        if found is None:
            raise self.refusal(accepted)
        self.at = found.end()
        return found[0]

    def _took(self, character: str) -> bool:
        self._skip_space()
        if not self.source.startswith(character, self.at):
            return False
        self.at += 1
        return True

    def _needs(self, character: str, accepted: str, *, skips_space: bool = True) -> None:
        if skips_space:
            self._skip_space()
        if not self.source.startswith(character, self.at):
            raise self.refusal(accepted)
        self.at += 1


# ---------------------------------------------------------------- and back


def written(parts: Parts) -> str:
    """The parts as a text: reading it gives the same parts."""
    return "".join(_written(part, has_plural=False) for part in parts)


def _written(part: Part, *, has_plural: bool) -> str:
    if isinstance(part, Words):
        return _escaped(part.text, "{}#" if has_plural else "{}")
    if isinstance(part, Count):
        return "#"
    if isinstance(part, Plural | Select):
        is_plural = isinstance(part, Plural)
        inner = has_plural or is_plural
        forms = " ".join(
            f"{selector} {{{''.join(_written(one, has_plural=inner) for one in form)}}}"
            for selector, form in part.forms
        )
        return f"{{{part.name}, {'plural' if is_plural else 'select'}, {forms}}}"
    if isinstance(part, Plain):
        return f"{{{part.name}}}"
    if isinstance(part, Day):
        return f"{{{part.name}, date, {part.style}}}"
    return f"{{{part.name}, {'number' if isinstance(part, Number) else 'money'}}}"


def _escaped(text: str, special: str) -> str:
    """The text as itself: from its first special character on between apostrophes."""
    first = min((at for one in special if (at := text.find(one)) >= 0), default=len(text))
    head, rest = text[:first].replace("'", "''"), text[first:].replace("'", "''")
    return f"{head}'{rest}'" if rest else head


def arguments(parts: Parts) -> Iterator[Argument]:
    """All arguments of a text, those in forms included."""
    for part in parts:
        if isinstance(part, Words | Count):
            continue
        yield part
        if isinstance(part, Plural | Select):
            for _selector, form in part.forms:
                yield from arguments(form)
