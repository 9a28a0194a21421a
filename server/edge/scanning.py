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
    match = _TOKEN.scanner(text, 0, limits.characters).match  # type: ignore[attr-defined] # not in typeshed
    while (found := match()) is not None:
        kind = found.lastgroup
        if kind == "comment":
            comments += 1
            if comments > limits.tokens:
                break
            continue
        tokens += 1
        if tokens > limits.tokens:
            break
        if kind == "open":
            nesting += 1
            if nesting > limits.nesting:
                raise exceeded(
                    "TOO_DEEP", "request.depth", requested=nesting, allowed=limits.nesting
                )
        elif kind == "close":
            nesting -= 1
        elif kind == "directive":
            directives += 1
    if found is not None:
        raise exceeded(
            "TOO_MANY_TOKENS", "request.tokens", requested=limits.tokens + 1, allowed=limits.tokens
        )
    if len(text) > limits.characters:
        raise exceeded(
            "TOO_LONG", "request.characters", requested=len(text), allowed=limits.characters
        )
    if directives > limits.directives:
        raise exceeded(
            "TOO_MANY_DIRECTIVES",
            "request.directives",
            requested=directives,
            allowed=limits.directives,
        )
    return tokens


def check_variables(values: Mapping[str, Any], limits: VariableLimits) -> None:
    """Raise RequestRefused if the variables' values are more, or nest deeper, than allowed."""
    if len(values) > limits.variables:
        raise exceeded(
            "TOO_MANY_VARIABLES",
            "request.variables",
            requested=len(values),
            allowed=limits.variables,
        )
    level: list[Any] = [*values.values()]
    count, depth = len(level), 0
    while True:
        inner = [value for value in level if type(value) is list or type(value) is dict]
        count += sum(map(len, inner))
        if count > limits.values:
            raise exceeded(
                "TOO_MANY_VALUES",
                "request.values",
                requested=limits.values + 1,
                allowed=limits.values,
            )
        if not inner:
            return
        depth += 1
        if depth > limits.depth:
            raise exceeded(
                "VARIABLES_TOO_DEEP",
                "request.variables_depth",
                requested=depth,
                allowed=limits.depth,
            )
        level = []
        for value in inner:
            level += value if type(value) is list else value.values()
