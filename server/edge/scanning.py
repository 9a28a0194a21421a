"""The cheapest look at what was sent: tokens counted before parsing, values before use.

It never takes longer than the limits allow, whatever is sent: it stops at the first token too many,
and at whatever is no token, which the parser then reports.
"""

import re
from collections.abc import Mapping
from typing import Any

from server.edge.limits import DocumentLimits, VariableLimits, exceeded

# Every repetition is possessive: what does not match is never tried in another way.
_TOKEN = re.compile(
    r"""
    [\ \t\r\n,\ufeff]*+                                     # what is ignored
    (?:
        (?P<comment>\#[^\r\n]*+)
      | (?P<open>[\[({])
      | (?P<close>[\])}])
      | (?P<directive>@)
      | (?P<other>
            [_A-Za-z][_0-9A-Za-z]*+
          | [!$&:=|]
          | \.\.\.
          | -?[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?
          | "{3}(?:[^"\\]++|\\(?:"{3})?|"(?!""))*+"{3}
          | "(?:[^"\\\r\n]++|\\.)*+"
        )
    )
    """,
    re.VERBOSE,
)


def check(text: str, limits: DocumentLimits) -> int:
    """The number of tokens, which is right for a text that can be parsed.

    Raises RequestRefused if the text is longer, has more tokens or directives, or nests deeper,
    than the limits allow.
    """
    tokens = comments = nesting = directives = 0
    scanner = _TOKEN.scanner(text, 0, limits.characters)  # type: ignore[attr-defined] # not in typeshed
    for match in iter(scanner.match, None):
        kind = match.lastgroup
        if kind == "comment":
            comments += 1
        else:
            tokens += 1
        if tokens > limits.tokens or comments > limits.tokens:
            _bounded("TOO_MANY_TOKENS", "tokens", limits.tokens + 1, limits.tokens)
        if kind == "open":
            nesting += 1
            _bounded("TOO_DEEP", "depth", nesting, limits.nesting)
        elif kind == "close":
            nesting -= 1
        elif kind == "directive":
            directives += 1
    _bounded("TOO_LONG", "characters", len(text), limits.characters)
    _bounded("TOO_MANY_DIRECTIVES", "directives", directives, limits.directives)
    return tokens


def _bounded(code: str, what: str, requested: int, allowed: int) -> None:
    if requested > allowed:
        raise exceeded(code, f"request.{what}", requested=requested, allowed=allowed)


def check_variables(values: Mapping[str, Any], limits: VariableLimits) -> None:
    """Raise RequestRefused if the variables' values are more, or nest deeper, than allowed."""
    _bounded("TOO_MANY_VARIABLES", "variables", len(values), limits.variables)
    level: list[Any] = [*values.values()]
    count, depth = len(level), 0
    while True:
        inner = [value for value in level if type(value) is list or type(value) is dict]
        count += sum(map(len, inner))
        _bounded("TOO_MANY_VALUES", "values", count, limits.values)
        if not inner:
            return
        depth += 1
        _bounded("VARIABLES_TOO_DEEP", "variables_depth", depth, limits.depth)
        level = []
        for value in inner:
            level += value.values() if isinstance(value, dict) else value
