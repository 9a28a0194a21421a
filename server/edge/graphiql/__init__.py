"""The GraphiQL page: an offline GraphQL IDE with examples and a way to sign in.

Everything the page loads is answered from this folder under a strict Content-Security-Policy.
What the examples do and who may sign in is the caller's: nothing here knows the domain.
"""

from server.edge.graphiql.page import (
    ApiKeyIdentity,
    Example,
    Identity,
    PasswordIdentity,
    SignInOptions,
)
from server.edge.graphiql.routes import graphiql_routes

__all__ = [
    "ApiKeyIdentity",
    "Example",
    "Identity",
    "PasswordIdentity",
    "SignInOptions",
    "graphiql_routes",
]
