"""The GraphiQL page as an HTTP client sees it; tests/browser shows that it works in a browser."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from server.edge.graphiql import (
    ApiKeyIdentity,
    Example,
    PasswordIdentity,
    SignInOptions,
    graphiql_routes,
)

STATIC = Path(__file__).parents[1] / "server/edge/graphiql/static"
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
SIGN_IN = SignInOptions(
    mutation="mutation($input: SignInInput!) { signIn(input: $input) { __typename } }",
    identities=[
        PasswordIdentity(slug="member", label="Member", email="</script>@example.com"),
        ApiKeyIdentity(slug="till", label="Till (API key)"),
    ],
)
HOME = Example(slug="home", title="Home", audience="member", query="query Home { me { name } }")


def routes_of(*examples: Example, sign_in: SignInOptions = SIGN_IN, enabled: bool = True) -> Any:
    return graphiql_routes(
        graphql_path="/graphql", examples=examples, sign_in=sign_in, enabled=enabled
    )


@pytest.fixture
def client() -> TestClient:
    def graphql(request: Request) -> Response:
        return PlainTextResponse(f"GraphQL answers {request.method}")

    route = Route("/graphql", graphql, methods=["GET", "POST"])
    return TestClient(Starlette(routes=[*routes_of(HOME), route]))


def settings_in(html: str) -> Any:
    found = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def static_path(client: TestClient) -> str:
    html = client.get("/graphql", headers=BROWSER).text
    found = re.search(r'src="(/graphql/static/[0-9a-f]+)/page\.js"', html)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/json",
        "application/graphql-response+json, application/json;q=0.9",
        "text/html;q=0, */*",
    ],
)
def test_programs_reach_graphql(client: TestClient, accept: str) -> None:
    assert client.get("/graphql", headers={"accept": accept}).text == "GraphQL answers GET"


def test_a_post_reaches_graphql_whatever_it_accepts(client: TestClient) -> None:
    assert client.post("/graphql", headers=BROWSER).text == "GraphQL answers POST"


def test_browsers_get_the_page(client: TestClient) -> None:
    answer = client.get("/graphql", headers=BROWSER)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["vary"] == "Accept"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"


def test_the_policy_lets_no_inline_or_foreign_script_run(client: TestClient) -> None:
    policy = client.get("/graphql", headers=BROWSER).headers["content-security-policy"]
    directives = dict(entry.split(" ", 1) for entry in policy.split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == "'self'"
    assert directives["connect-src"] == "'self'"
    assert directives["frame-ancestors"] == "'none'"
    assert directives["base-uri"] == "'none'"
    assert [name for name, value in directives.items() if "unsafe" in value] == ["style-src-attr"]
    assert "http" not in policy


def test_every_page_has_its_own_nonce(client: TestClient) -> None:
    policies = set()
    for _ in range(2):
        answer = client.get("/graphql", headers=BROWSER)
        nonces = re.findall(r"'nonce-([\w-]+)'", answer.headers["content-security-policy"])
        assert set(nonces) == set(re.findall(r'nonce="([\w-]+)"', answer.text))
        policies.update(nonces)
    assert len(policies) == 2


def test_settings_cannot_end_their_element(client: TestClient) -> None:
    html = client.get("/graphql", headers=BROWSER).text
    assert settings_in(html)["identities"][0]["email"] == "</script>@example.com"
    assert settings_in(html)["examples"][0]["operationName"] == "Home"


def test_everything_the_page_names_is_served(client: TestClient) -> None:
    html = client.get("/graphql", headers=BROWSER).text
    addresses = set(re.findall(r'(?:src|href)="([^"]+)"', html))
    assert len(addresses) >= 5
    for address in addresses:
        assert address.startswith("/graphql/static/")
        assert client.get(address).status_code == 200


def test_static_files_may_be_kept_for_ever(client: TestClient) -> None:
    address = static_path(client) + "/page.js"
    answer = client.get(address)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    unchanged = client.get(address, headers={"if-none-match": answer.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


def test_static_files_are_compressed_on_request(client: TestClient) -> None:
    address = static_path(client) + "/vendor/graphiql.js"
    original = (STATIC / "vendor/graphiql.js").read_bytes()
    plain = client.get(address, headers={"accept-encoding": "identity"})
    with client.stream("GET", address, headers={"accept-encoding": "gzip"}) as answer:
        compressed = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["etag"] != plain.headers["etag"]
    assert plain.content == original
    assert gzip.decompress(compressed) == original
    assert len(compressed) < len(original) / 2


@pytest.mark.parametrize("name", ["absent.js", "../page.py", "..%2fpage.py", ""])
def test_nothing_else_is_served(client: TestClient, name: str) -> None:
    assert client.get(f"{static_path(client)}/{name}").status_code == 404


def test_a_disabled_page_leaves_no_route() -> None:
    assert routes_of(HOME, enabled=False) == []


@pytest.mark.parametrize(
    ("example", "complaint"),
    [
        (Example(slug="x", title="X", audience="member", query="query X {"), "Syntax Error"),
        (Example(slug="x", title="X", audience="member", query="{ me { name } }"), "with a name"),
        (Example(slug="x", title="X", audience="nobody", query="query X { a }"), "'nobody'"),
        (Example(slug="home", title="X", audience="member", query="query X { a }"), "named home"),
        (Example(slug="x", title="X", audience="member", query="query Home { a }"), "named Home"),
    ],
    ids=["syntax", "anonymous", "audience", "slug", "operation"],
)
def test_a_wrong_example_is_found_at_the_start(example: Example, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        routes_of(HOME, example)


def test_the_vendored_files_are_complete_and_name_no_other_host() -> None:
    vendored = sorted((STATIC / "vendor").iterdir())
    names = {path.name for path in vendored}
    assert sum(path.stat().st_size for path in vendored) < 6_000_000
    assert "THIRD_PARTY_LICENSES.txt" in names
    assert not [name for name in names if name.endswith(".map")]
    for path in vendored:
        if path.suffix == ".js":
            links = re.findall(r'(?:from|import)\s*\(?"([^"]+)"', path.read_text(encoding="utf-8"))
        elif path.suffix == ".css":
            links = re.findall(r'url\("?([^")]+)"?\)', path.read_text(encoding="utf-8"))
        else:
            continue
        # What is imported or linked lies beside it, or in it.
        assert {Path(link).name for link in links if link.startswith(".")} <= names, path.name
        assert not [link for link in links if link.startswith(("http", "//"))], path.name
        assert "sourceMappingURL" not in path.read_text(encoding="utf-8")
