"""Turns a GraphQL operation once into Python functions that answer it straight as JSON.

`compile_operation` takes a graphql-core schema and a valid document and gives what graphql-core's
executor gives for it: the same bytes and the same errors, without walking the document again. What
it does not cover it says with `NotCovered`, before anything has run.
"""

from graphql_compiler.bindings import Attribute, Binder, Direct, Lookup, Resolve, default_bind
from graphql_compiler.compiling import CompiledOperation, Outcome, compile_operation
from graphql_compiler.covering import NotCovered

__all__ = [
    "Attribute",
    "Binder",
    "CompiledOperation",
    "Direct",
    "Lookup",
    "NotCovered",
    "Outcome",
    "Resolve",
    "compile_operation",
    "default_bind",
]
