"""Calling signInWithFirebase through a schema of its own, with tokens that Google would sign."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionResult

from server.edge.context import Context
from server.edge.nodes import number_of
from server.edge.scalars import SCALARS
from server.enrolment.firebase_mutation import FirebaseMutations
from server.integrations import firebase
from server.integrations.firebase import IdTokens
from server.members import service as members
from server.storage import sql
from tests.members.people import count

Shown = dict[str, Any]
DOCUMENT = """
    mutation ($input: SignInWithFirebaseInput!) {
        signInWithFirebase(input: $input) {
            __typename
            ... on Problem { code message }
            ... on InvalidInput { path }
            ... on NotAllowed { path }
            ... on Session {
                accessToken accessTokenExpiresAt refreshToken refreshTokenExpiresAt memberId
            }
        }
    }
"""
REJECTED = {
    "__typename": "CredentialsRejected",
    "code": "CREDENTIALS_REJECTED",
    "message": "This sign-in was not accepted. Please sign in again.",
}
TABLES = (
    "members",
    "accounts",
    "account_identities",
    "sessions",
    "cards",
    "lots",
    "idempotency_records",
)


@strawberry.type
class _Query:
    nothing: int = 0


SCHEMA = strawberry.Schema(
    query=_Query, mutation=FirebaseMutations, config=StrawberryConfig(scalar_map=SCALARS)
)


@contextmanager
def using(tokens: IdTokens) -> Iterator[None]:
    """Within the block, these ID tokens are taken."""
    before = firebase.id_tokens()
    firebase.use(tokens)
    try:
        yield
    finally:
        firebase.use(before)


async def execute(token: str, *, language: str = "en", **input: Any) -> ExecutionResult:
    """The execution of the mutation; with the key "k" if none is given."""
    given = {"idempotencyKey": "k", "idToken": token, **input}
    answer = await SCHEMA.execute(DOCUMENT, {"input": given}, Context(language=language))
    assert isinstance(answer, ExecutionResult)
    return answer


async def sign_in(token: str, **input: Any) -> Shown:
    """What the mutation answers."""
    answer = await execute(token, **input)
    assert answer.errors is None, answer.errors
    assert answer.data is not None
    shown: Shown = answer.data["signInWithFirebase"]
    return shown


async def member_of(session: Shown) -> int:
    """The member who has signed in, by the answer and by the access token alike."""
    assert session["__typename"] == "Session", session
    principal = await members.authenticate(f"Bearer {session['accessToken']}")
    assert number_of(session["memberId"], "Member") == principal.member_id
    assert principal.member_id is not None
    return principal.member_id


async def counts() -> dict[str, int]:
    """How many rows the tables have."""
    return {table: await count(table) for table in TABLES}


async def accounts() -> list[tuple[Any, ...]]:
    """(member id, address, whether there is a password) of all accounts, in order."""
    rows = await sql.fetch("SELECT member_id, email, password_hash FROM accounts ORDER BY id")
    return [(member_id, email, hashed is not None) for member_id, email, hashed in rows]


async def stored_text() -> str:
    """Everything that the tables hold, as text."""
    found = []
    for table in TABLES:
        rows = await sql.fetch(f"SELECT * FROM {table}")  # noqa: S608 - our names
        found += [json.dumps([str(value) for value in row]) for row in rows]
    return "\n".join(found)
