"""The names that the server answers to, and those that it does not."""

import httpx2
import pytest

from server.app import create_app
from server.edge.hosts import Host, Hosts
from server.settings import Mode, Settings

ISSUER = "https://loyalty.example.com"


def answered(settings: Settings, header: str) -> bool:
    host = Host.of(header)
    return host is not None and settings.answers_to.allow(host)


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("localhost", Host("localhost", None)),
        ("Shop.Example.COM:8443", Host("shop.example.com", 8443)),
        ("shop.example.com.", Host("shop.example.com", None)),
        ("[0:0::1]:80", Host("[::1]", 80)),
        ("127.0.0.1:8000", Host("127.0.0.1", 8000)),
        *((wrong, None) for wrong in ("", "a b", "a/b", "a@b", "a:", "a:x", "a:70000", "a..b")),
        *((wrong, None) for wrong in ("[::1", "::1", "[x]", "a:1:2", "é", "a,b", "x" * 300)),
    ],
)
def test_a_host_is_read_strictly(header: str, host: Host | None) -> None:
    assert Host.of(header) == host


@pytest.mark.parametrize(
    ("header", "is_answered"),
    [
        ("localhost:8000", True),
        ("127.0.0.1", True),
        ("[::1]:8000", True),
        ("10.0.2.2:8000", True),  # how an Android emulator sees the developer's machine
        ("laurel.test", True),
        ("attacker.example", False),
        ("localhost.attacker.example", False),
        ("127.0.0.1.attacker.example", False),
    ],
)
def test_a_developers_machine_answers_to_itself(header: str, is_answered: bool) -> None:
    assert answered(Settings(), header) is is_answered


def test_a_machine_on_every_network_answers_to_any_name_unless_hosts_are_listed() -> None:
    assert answered(Settings(host="0.0.0.0"), "my-laptop")  # noqa: S104
    assert answered(Settings(host="::"), "my-laptop")
    assert not answered(Settings(host="0.0.0.0", hosts=("a.example",)), "my-laptop")  # noqa: S104
    assert answered(Settings(host="my-laptop"), "my-laptop:8000")


def test_production_answers_to_its_public_name_or_the_listed_ones_only() -> None:
    production = Settings(mode=Mode.PRODUCTION, issuer=ISSUER)
    assert answered(production, "loyalty.example.com")
    assert answered(production, "loyalty.example.com:443")
    for other in ("localhost", "127.0.0.1", "laurel.test", "example.com"):
        assert not answered(production, other)
    listed = Settings(mode=Mode.PRODUCTION, issuer=ISSUER, hosts=("a.example", "b.example:8443"))
    assert answered(listed, "a.example:1234")
    assert answered(listed, "b.example:8443")
    for other in ("b.example", "b.example:443", "loyalty.example.com"):
        assert not answered(listed, other)


def test_any_is_any() -> None:
    assert Hosts.of(["*"], is_developers=False).allow(Host("anything.example", 1))


@pytest.mark.parametrize(
    ("headers", "path", "status", "code"),
    [
        ([("host", "localhost")], "/graphql?query={__typename}", 200, None),
        ([("host", "attacker.example")], "/graphql", 421, "HOST_NOT_ALLOWED"),
        ([("host", "attacker.example")], "/nothing", 421, "HOST_NOT_ALLOWED"),
        ([("host", "attacker.example")], "/healthz", 200, None),
        ([], "/healthz", 200, None),
        ([], "/graphql", 400, "BAD_REQUEST"),
        ([("host", "a b")], "/graphql", 400, "BAD_REQUEST"),
        ([("host", "localhost"), ("host", "localhost")], "/graphql", 400, "BAD_REQUEST"),
    ],
)
async def test_other_hosts_are_refused_but_for_probes(
    headers: list[tuple[str, str]], path: str, status: int, code: str | None
) -> None:
    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""}

    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "scheme": "http",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }
    await create_app(Settings(), opens_database=False)(scope, receive, send)  # type: ignore[arg-type] # plain dictionaries
    assert sent[0]["status"] == status
    if code is not None:
        assert f'"code":"{code}"'.encode() in sent[1]["body"]  # type: ignore[operator] # bytes


async def test_the_refusal_is_told_in_the_callers_language() -> None:
    app = create_app(Settings(), opens_database=False)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://attacker.example"
    ) as client:
        response = await client.get("/", headers={"Accept-Language": "lt"})
    assert response.json()["errors"][0]["message"].startswith("Šis serveris")
    assert response.headers["content-type"] == "application/json; charset=utf-8"
