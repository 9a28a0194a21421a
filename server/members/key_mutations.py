"""API keys in the schema: listed, made, replaced and revoked by staff."""

from typing import Annotated, cast

import strawberry

from server.clock import Instant
from server.edge import nodes, pages
from server.edge.context import Info
from server.edge.mutation import write_once
from server.edge.permissions import mutation, query
from server.errors import DomainError, InvalidInput, phrase
from server.members import api_keys
from server.members.api_keys import ApiKeyView, ReplacedApiKey
from server.members.key_shapes import (
    KEY_MANAGERS,
    KEY_READERS,
    ApiKey,
    ApiKeyConnection,
    ApiKeyCreated,
    ApiKeyEdge,
    ApiKeyReplaced,
    ApiKeyRevoked,
    CreateApiKeyInput,
    CreateApiKeyResult,
    ReplaceApiKeyInput,
    ReplaceApiKeyResult,
    RevokeApiKeyInput,
    RevokeApiKeyResult,
    shown_key,
)
from server.principal import KEY_SCOPES, Scope


@nodes.fetches("ApiKey")
async def _api_key(info: Info, key_id: int) -> ApiKey | None:
    if not KEY_READERS.allows(info.context.principal):
        return None
    found = await api_keys.find_api_key(key_id)
    return None if found is None else shown_key(found)


@strawberry.type
class KeyQueries:
    """The root field that reads API keys."""

    @query(KEY_READERS, description="All API keys, ended ones included, the newest first.")
    async def api_keys(
        self,
        first: Annotated[int, strawberry.argument(description="How many at most: 1 to 100.")] = 20,
        after: Annotated[
            str | None,
            strawberry.argument(
                description="The `endCursor` of the page before; null for the first page."
            ),
        ] = None,
    ) -> ApiKeyConnection:
        """A page of keys."""
        limit, before = pages.page(first, after)
        found = await api_keys.api_keys(before=before, limit=limit + 1)
        return pages.connected(
            ApiKeyConnection,
            ApiKeyEdge,
            [(view.id, shown_key(view)) for view in found[:limit]],
            has_next=len(found) > limit,
            after=after,
        )


def _scopes(input: CreateApiKeyInput) -> frozenset[Scope]:
    if (input.kind is None) == (input.scopes is None):
        raise InvalidInput(
            "api_key.scopes",
            path=("scopes",),
            accepted=phrase("accepted.one_of_two", one="kind", other="scopes"),
        )
    return frozenset(input.scopes or ()) if input.kind is None else KEY_SCOPES[input.kind]


def _expiry(given: Instant | None) -> Instant | None:
    if given is strawberry.UNSET:
        return api_keys.expiry_in(api_keys.DEFAULT_LIFETIME_DAYS)
    return None if given is None else api_keys.valid_expiry(given)


async def _created(input: CreateApiKeyInput) -> ApiKeyView:
    try:
        made = await api_keys.add_api_key(
            input.name,
            input.partner,
            _scopes(input),
            expires_at=_expiry(input.expires_at),
        )
    except DomainError as error:
        raise error.below("input") from error
    return await api_keys.api_key(made)


async def _replaced(input: ReplaceApiKeyInput) -> ReplacedApiKey:
    try:
        return await api_keys.replace_api_key(
            nodes.number_of(input.api_key_id, "ApiKey"), overlap_hours=input.overlap_hours
        )
    except DomainError as error:
        raise error.below("input") from error


async def _revoked(input: RevokeApiKeyInput) -> ApiKeyView:
    try:
        found = await api_keys.api_key(nodes.number_of(input.api_key_id, "ApiKey"))
    except DomainError as error:
        raise error.below("input") from error
    await api_keys.revoke_api_key(found.id)
    return await api_keys.api_key(found.id)


@strawberry.type
class KeyMutations:
    """The root fields that write API keys."""

    @mutation(
        KEY_MANAGERS,
        description="Make an API key for a till, a shop or a partner. Its secret is shown this "
        "once.",
    )
    async def create_api_key(
        self,
        info: Info,
        input: Annotated[CreateApiKeyInput, strawberry.argument(description="What it is to be.")],
    ) -> CreateApiKeyResult:
        """Make a key."""

        async def present(view: ApiKeyView) -> ApiKeyCreated:
            return ApiKeyCreated(api_key=shown_key(view), key=await api_keys.derived_key(view.id))

        # A null is not the same as nothing here: the key would never expire.
        hashed = {
            name: "default" if value is strawberry.UNSET else value or "null"
            for name, value in vars(input).items()
            if name != "idempotency_key"
        }
        answer = await write_once(
            info,
            input,
            work=lambda: _created(input),
            result=ApiKeyView,
            present=present,
            hashed=hashed,
        )
        return cast(CreateApiKeyResult, answer)

    @mutation(
        KEY_MANAGERS,
        description="Make a key with the same name, partner, scopes and lifetime as another, which "
        "is accepted for some hours more. NotAllowed for a key that has ended, or that another has "
        "replaced already: replace that one.",
    )
    async def replace_api_key(
        self,
        info: Info,
        input: Annotated[ReplaceApiKeyInput, strawberry.argument(description="Which key.")],
    ) -> ReplaceApiKeyResult:
        """Replace a key."""

        async def present(replaced: ReplacedApiKey) -> ApiKeyReplaced:
            return ApiKeyReplaced(
                api_key=shown_key(replaced.made),
                key=await api_keys.derived_key(replaced.made.id),
                former=shown_key(replaced.former),
            )

        answer = await write_once(
            info, input, work=lambda: _replaced(input), result=ReplacedApiKey, present=present
        )
        return cast(ReplaceApiKeyResult, answer)

    @mutation(
        KEY_MANAGERS,
        description="Revoke an API key: it is refused from now on. Revoking a revoked key changes "
        "nothing.",
    )
    async def revoke_api_key(
        self,
        info: Info,
        input: Annotated[RevokeApiKeyInput, strawberry.argument(description="Which key.")],
    ) -> RevokeApiKeyResult:
        """Revoke a key."""
        answer = await write_once(
            info,
            input,
            work=lambda: _revoked(input),
            result=ApiKeyView,
            present=lambda view: ApiKeyRevoked(api_key=shown_key(view)),
        )
        return cast(RevokeApiKeyResult, answer)
