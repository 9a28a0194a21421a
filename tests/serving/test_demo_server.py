"""The newcomer's path: a first start on nothing, a second one, and everything that was promised."""

import json
import re
import signal
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.demo import identities
from server.edge.graphiql import Example, PasswordIdentity
from server.examples import EXAMPLES, SIGN_IN_MUTATION
from server.storage.database import DATABASE_FILE, Address
from tests.conftest import ENGINES
from tests.postgres import create_database, drop_database
from tests.serving.dumps import contents
from tests.serving.servers import Server, ask, finished, get, options_of, started

CPU_SECONDS_TO_ANSWER = 3.0
PRODUCTION = {"LAUREL_MODE": "production", "LAUREL_ISSUER": "https://loyalty.example.com"}


@dataclass
class Demo:
    """The demonstration, started a second time."""

    address: Address
    first_start: str
    exit_code: int
    in_production: subprocess.CompletedProcess[str]
    rows_before: str
    rows_after: str
    cpu_seconds: float
    server: Server
    tokens: dict[str, str]


@pytest.fixture(scope="module", params=ENGINES)
def address(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Address]:
    """An address at which there is nothing yet."""
    if request.param == "sqlite":
        folder = tmp_path_factory.mktemp("demo") / "not" / "there yet"
        yield Address("sqlite", str(folder / DATABASE_FILE))
        return
    url = create_database(request.getfixturevalue("postgres_server"))
    yield Address("postgres", url)
    drop_database(url)


@pytest.fixture(scope="module")
def demo(address: Address, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demonstration as it is after a first start, Ctrl-C, and a second start."""
    cwd = tmp_path_factory.mktemp("cwd")
    words = ["--demo", "--port", "0", *options_of(address)]
    with started(*words, cwd=cwd) as server:
        assert get(f"{server.url}/readyz")[0] == 200
        exit_code = server.stop(signal.SIGINT)
        first_start = server.text
        assert server.complaints == []
    rows_before = contents(address)
    in_production = finished("serve", *words[1:], cwd=cwd, settings=PRODUCTION)
    with started(*words, cwd=cwd) as server:
        assert get(f"{server.url}/readyz")[0] == 200
        cpu_seconds = server.cpu_seconds
        rows_after = contents(address)
        server.wait_for("Ctrl-C stops it")
        yield Demo(
            address=address,
            first_start=first_start,
            exit_code=exit_code,
            in_production=in_production,
            rows_before=rows_before,
            rows_after=rows_after,
            cpu_seconds=cpu_seconds,
            server=server,
            tokens={},
        )
        assert server.stop() == 0
        assert server.complaints == []
    assert list(cwd.iterdir()) == []


def test_the_first_start_says_what_it_does(demo: Demo) -> None:
    lines = demo.first_start.splitlines()
    assert lines[0].startswith("applying 0001_initial: ")
    assert "Making the sample members ..." in lines
    assert lines[-1] == "Stopped."
    assert demo.exit_code == 0


def test_the_second_start_makes_nothing_again(demo: Demo) -> None:
    assert demo.server.printed[0] == f"Ready: {demo.server.url}"
    assert demo.rows_before.count("sample-") > 100
    assert demo.rows_after == demo.rows_before


def test_the_second_start_is_quick(demo: Demo) -> None:
    assert demo.cpu_seconds < CPU_SECONDS_TO_ANSWER


def test_the_link_opens_graphiql(demo: Demo) -> None:
    link = demo.server.wait_for(r"GraphiQL +(http://\S+)$")[1]
    assert link.startswith(demo.server.url)
    status, page = get(link)
    assert status == 200
    assert "<title>Laurel</title>" in page
    assert "example=home&as=member" in link
    assert "home" in {example.slug for example in EXAMPLES if example.audience == "member"}


def printed_token(demo: Demo, audience: str) -> str:
    """The audience's token by the credentials that the server printed."""
    if audience not in demo.tokens:
        demo.tokens[audience] = _token(demo, audience)
    return demo.tokens[audience]


def _token(demo: Demo, audience: str) -> str:
    if audience == "till":
        return demo.server.wait_for(r"as a till +Authorization: Bearer (\S+)$")[1]
    found = demo.server.wait_for(rf"as (?:a )?{audience} +(\S+), password (\S+)$")
    given = {"email": found[1], "password": found[2], "idempotencyKey": str(uuid.uuid4())}
    answer = ask(demo.server.url, SIGN_IN_MUTATION, {"input": given})["signIn"]
    assert answer["__typename"] == "Session", answer
    return str(answer["accessToken"])


def test_graphiql_offers_the_credentials_that_are_printed() -> None:
    known = identities(is_known=True)
    assert [each.slug for each in known] == ["member", "staff", "approver", "till"]
    for each in identities(is_known=False):
        assert (each.password if isinstance(each, PasswordIdentity) else each.api_key) == ""


SAMPLES = """
{ members(first: 10) { nodes {
    externalId name enrolledAt
    points { available pending lifetimeEarned }
    tier { name next { progressPercent } }
    cashback { available { amount } pending { amount } }
    challenges { progress target }
    activity(first: 100) { nodes { occurredAt } }
} } }
"""


def test_the_samples_have_some_weeks_behind_them(demo: Demo) -> None:
    token = printed_token(demo, "staff")
    samples = ask(demo.server.url, SAMPLES, token=token)["members"]["nodes"]
    assert len(samples) == 5
    now = datetime.now(UTC)
    for sample in samples:
        assert now - timedelta(weeks=9) < moment(sample["enrolledAt"]) < now - timedelta(weeks=7)
        happened = [moment(node["occurredAt"]) for node in sample["activity"]["nodes"]]
        assert len(happened) > 5
        assert max(happened) <= now
        assert sample["points"]["available"] > 0
        assert sample["points"]["lifetimeEarned"] > sample["points"]["available"] // 2
        assert sample["tier"]["name"] in {"Bronze", "Silver", "Gold"}
        assert len(sample["challenges"]) == 3
    latest = max(
        moment(node["occurredAt"]) for each in samples for node in each["activity"]["nodes"]
    )
    assert now - latest < timedelta(days=2)


def test_the_member_has_something_of_everything(demo: Demo) -> None:
    home = next(example for example in EXAMPLES if example.slug == "home")
    me = ask(demo.server.url, home.query, token=printed_token(demo, "member"))["me"]
    assert me["points"]["available"] >= 1000
    assert me["points"]["pending"] > 0
    assert 0 < me["tier"]["next"]["progressPercent"] < 100
    assert float(me["cashback"]["available"]["amount"]) > 0
    assert me["card"]["status"] == "ACTIVE"
    assert len(me["activity"]["nodes"]) == 5


def moment(text: str) -> datetime:
    """The instant that a DateTime says."""
    return datetime.fromisoformat(text)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.slug)
def test_every_example_works_for_its_audience(demo: Demo, example: Example) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = json.dumps(example.variables).replace('"$now"', json.dumps(now))
    text = re.sub(r'"\$newKey"', lambda _: f'"{uuid.uuid4()}"', text)
    assert "$" not in text
    token = printed_token(demo, example.audience)
    for value in ask(demo.server.url, example.query, json.loads(text), token=token).values():
        assert value is not None
        assert set(value) - {"__typename"}
        assert not is_problem(value), value


def test_it_is_not_served_in_production(demo: Demo) -> None:
    assert demo.in_production.returncode == 1
    assert demo.in_production.stderr == (
        f"laurel: the database {demo.address.shown} holds the demonstration, whose credentials"
        " everybody knows; production needs another database\n"
    )


def is_problem(value: Any) -> bool:
    """Whether a mutation answered a problem."""
    return isinstance(value, dict) and {"code", "message"} <= set(value)
