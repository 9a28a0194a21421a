"""What the page shows, and the HTML document that carries it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from graphql import GraphQLSyntaxError, OperationDefinitionNode, parse

_DOCUMENT = Template(files(__package__).joinpath("page.html").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordIdentity:
    """A way to sign in with e-mail and password, for example as a member."""

    slug: str
    label: str
    email: str = ""
    """Prefilled on the page; only ever give a demo's."""
    password: str = ""
    """Prefilled on the page; only ever give a demo's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyIdentity:
    """A way in with an API key that the developer pastes, for example as a till."""

    slug: str
    label: str
    api_key: str = ""
    """Prefilled on the page; only ever give a demo's."""


Identity = PasswordIdentity | ApiKeyIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInOptions:
    """Who may sign in on the page, and how.

    The mutation takes one `$input` with `email`, `password` and `idempotencyKey`. Its first
    field answers `accessToken` and `accessTokenExpiresAt`, or `message` on a refusal.
    """

    mutation: str
    identities: Sequence[Identity]
    unauthenticated_codes: Sequence[str] = ("UNAUTHENTICATED",)
    """The `extensions.code` of errors after which the page suggests signing in again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One operation that the page offers.

    The operation is named, because the name becomes the title of its tab. A variable with the
    value `"$newKey"` becomes a fresh UUID whenever the example is opened, one with `"$now"` the
    instant at which it is.
    """

    slug: str
    """Names the example in a link: `/graphql?example=<slug>`."""
    title: str
    audience: str
    """The slug of the identity that it is for."""
    query: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    opens_at_start: bool = True
    """Whether it has a tab on a fresh page; the others are in the menu of examples."""


def page_settings(
    *,
    graphql_path: str,
    examples: Sequence[Example],
    sign_in: SignInOptions,
    subscriptions_path: str | None,
) -> str:
    """The page's settings as JSON; a mistake in an example is found here, at start-up."""
    identities = [_identity_settings(identity) for identity in sign_in.identities]
    slugs = [identity.slug for identity in sign_in.identities]
    _require_unique("identity", slugs)
    _require_unique("example", [example.slug for example in examples])
    _require_unique("operation", [_operation_name(example) for example in examples])
    for example in examples:
        if example.audience not in slugs:
            raise ValueError(f"Example {example.slug}: nobody signs in as {example.audience!r}")
    settings = {
        "graphqlPath": graphql_path,
        "subscriptionsPath": subscriptions_path,
        "signInMutation": sign_in.mutation,
        "unauthenticatedCodes": list(sign_in.unauthenticated_codes),
        "identities": identities,
        "examples": [
            {
                "slug": example.slug,
                "title": example.title,
                "audience": example.audience,
                "operationName": _operation_name(example),
                "query": example.query.strip() + "\n",
                "variables": json.dumps(example.variables, indent=2, ensure_ascii=False)
                if example.variables
                else "",
                "opensAtStart": example.opens_at_start,
            }
            for example in examples
        ],
    }
    return json.dumps(settings, ensure_ascii=False)


def page_html(*, title: str, settings: str, static_path: str, nonce: str) -> str:
    """The document. The nonce lets the editor's own style elements through the policy."""
    return _DOCUMENT.substitute(
        title=escape(title),
        # A settings value may not end the element that holds it.
        settings=settings.replace("<", "\\u003c"),
        static=escape(static_path),
        nonce=escape(nonce),
    )


def _identity_settings(identity: Identity) -> dict[str, str]:
    """One identity in the page's settings."""
    shared = {"slug": identity.slug, "label": identity.label}
    match identity:
        case PasswordIdentity(email=email, password=password):
            return {**shared, "kind": "password", "email": email, "password": password}
        case ApiKeyIdentity(api_key=api_key):
            return {**shared, "kind": "apiKey", "apiKey": api_key}


def _operation_name(example: Example) -> str:
    """The name of the example's only operation."""
    return _only_operation(example.slug, example.query)


@lru_cache(maxsize=256)
def _only_operation(slug: str, query: str) -> str:
    try:
        document = parse(query)
    except GraphQLSyntaxError as error:
        raise ValueError(f"Example {slug}: {error.message}") from error
    match [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]:
        case [OperationDefinitionNode(name=name)] if name is not None:
            return name.value
        case _:
            raise ValueError(f"Example {slug} needs exactly one operation, with a name")


def _require_unique(kind: str, names: Sequence[str]) -> None:
    """Refuses two of the same name."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"More than one {kind} is named {', '.join(twice)}")
