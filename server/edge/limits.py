"""How much one request may ask for: beyond it the operation is refused before it runs.

Without limits, one cheap request could name a field a hundred thousand times over, each with its
own statement, or try as many passwords.
"""

from graphql import ASTValidationRule
from strawberry.extensions import (
    AddValidationRules,
    MaxAliasesLimiter,
    MaxTokensLimiter,
    QueryDepthLimiter,
    SchemaExtension,
)

MAXIMUM_TOKENS = 5_000
MAXIMUM_ALIASES = 30
MAXIMUM_DEPTH = 12

# Made once: what was validated is remembered by the rules that it was validated with.
_RULES: list[type[ASTValidationRule]] = [
    *MaxAliasesLimiter(max_alias_count=MAXIMUM_ALIASES).validation_rules,
    *QueryDepthLimiter(max_depth=MAXIMUM_DEPTH).validation_rules,
]


def document_size() -> SchemaExtension:
    """Limits the document's tokens; values in variables are none."""
    return MaxTokensLimiter(max_token_count=MAXIMUM_TOKENS)


def document_shape() -> SchemaExtension:
    """Limits the document's aliases and how deep its fields lie in one another."""
    return AddValidationRules(_RULES)
