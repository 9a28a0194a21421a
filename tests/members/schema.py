"""Calling the mutations of members through a schema of their own."""

from typing import Annotated, Any

import strawberry
from strawberry.schema.config import StrawberryConfig

from server.edge.context import Context, Info
from server.edge.permissions import EVERYONE, mutation
from server.edge.reporting import shown_errors
from server.edge.scalars import SCALARS
from server.members import graphql, session_mutations
from server.members import service as members
from server.members.shapes import SignUpInput, SignUpResult
from server.principal import ANONYMOUS, Principal
from tests.members.people import PASSWORD, person

PROBLEMS = """
    __typename
    ... on Problem { code message }
    ... on InvalidInput { path value accepted }
"""
SESSION = """
    ... on Session {
        accessToken accessTokenExpiresAt refreshToken refreshTokenExpiresAt memberId
    }
"""
PARTS = {
    "signUp": SESSION,
    "signIn": SESSION,
    "refreshSession": SESSION,
    "signOut": "... on SignedOut { wasActive }",
    "revokeSession": "... on SessionRevoked { sessionId wasActive }",
    "signOutEverywhere": "... on SignedOutEverywhere { endedCount }",
    "updateProfile": "... on Profile { memberId name birthday locale timeZone }",
}
ADA: dict[str, Any] = {"email": "ada@example.com", "password": PASSWORD}
REJECTED = {
    "__typename": "CredentialsRejected",
    "code": "CREDENTIALS_REJECTED",
    "message": "The e-mail address and password were not accepted.",
}
SESSION_REJECTED = {
    "__typename": "SessionRejected",
    "code": "SESSION_REJECTED",
    "message": "This session has ended. Please sign in again.",
}


@strawberry.type
class Query(session_mutations.SessionQueries):
    nothing: int = 0


@strawberry.type
class Mutation(graphql.MemberMutations, session_mutations.SessionMutations):
    """With a signUp like the one of enrolment, without points and card."""

    @mutation(EVERYONE, description="Sign up.")
    async def sign_up(
        self, info: Info, input: Annotated[SignUpInput, strawberry.argument(description="Who.")]
    ) -> SignUpResult:
        async def enrol(given: SignUpInput) -> int:
            return await members.register_member(person(given.name))

        return await graphql.answer_sign_up(info, input, enrol=enrol)


SCHEMA = strawberry.Schema(
    query=Query, mutation=Mutation, config=StrawberryConfig(scalar_map=SCALARS)
)


async def execute(name: str, input: dict[str, Any], caller: Principal = ANONYMOUS) -> Any:
    kind = name[0].upper() + name[1:] + "Input"
    query = f"mutation($input: {kind}!) {{ {name}(input: $input) {{ {PROBLEMS} {PARTS[name]} }} }}"
    return await SCHEMA.execute(query, {"input": input}, Context(principal=caller))


async def call(
    mutation_name: str, caller: Principal = ANONYMOUS, *, key: str = "k1", **input: Any
) -> dict[str, Any]:
    """What the mutation answers."""
    answer = await execute(mutation_name, {"idempotencyKey": key, **input}, caller)
    assert answer.errors is None, answer.errors
    shown: dict[str, Any] = answer.data[mutation_name]
    return shown


async def code(name: str, input: dict[str, Any], caller: Principal = ANONYMOUS) -> Any:
    """The code of the top-level error that the mutation is refused with."""
    answer = await execute(name, input, caller)
    assert answer.errors
    return shown_errors(answer.errors, "en")[0]["extensions"]["code"]


async def caller_of(session: dict[str, Any]) -> Principal:
    return await members.authenticate(f"Bearer {session['accessToken']}")


async def signed_up() -> dict[str, Any]:
    return await call("signUp", key="first", **ADA, name="Ada")
