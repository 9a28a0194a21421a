"""The app as its callers see it: over HTTP, with credentials of their own."""

import itertools
import json
import zoneinfo
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import httpx2

from server import clock
from server.clock import Instant
from server.edge.http import SIMULATED_TIME_HEADER
from server.edge.nodes import global_id
from server.enrolment import service as enrolment
from server.members import service as members
from server.principal import Scope, StaffRole
from server.programme import service as programme
from server.storage import sql
from tests.api.contract import mutation_document, mutations, takes_key
from tests.members.people import PASSWORD_HASH

Json = dict[str, Any]

ZONE = zoneinfo.ZoneInfo("America/New_York")
PARTNER = "shop"
SECOND = clock.MICROSECONDS_PER_SECOND
DAY = 86_400 * SECOND


def instant(text: str) -> Instant:
    """The instant of an RFC 3339 text."""
    return clock.instant_of(datetime.fromisoformat(text))


def shown(at: Instant) -> str:
    """An instant as the API shows it."""
    return clock.datetime_of(at).isoformat().replace("+00:00", "Z")


def midnight(day: str) -> str:
    """The start of the local day of the demo programme, as the API shows it."""
    start = datetime.combine(date.fromisoformat(day), datetime.min.time(), ZONE)
    return start.astimezone(UTC).isoformat().replace("+00:00", "Z")


def usd(amount: str) -> Json:
    """Money as the API shows it."""
    return {"amount": amount, "currencyCode": "USD"}


NOW = instant("2026-03-04T17:00:00Z")  # a Wednesday, noon in New York
NOW_SHOWN = "2026-03-04T17:00:00Z"

SPEC = "application/graphql-response+json"
"""The media type of every answer, for clients that know it."""
PLAIN = "application/json"
"""The media type of answers that have data, for all others."""
VERSION = "{ programme { version } }"
"""What anybody may ask."""


@dataclass(frozen=True)
class Caller:
    """Somebody with credentials, or nobody."""

    token: str | None = None
    account_id: int = 0  # or the id of the key
    member_id: int = 0
    scopes: frozenset[Scope] = field(default_factory=frozenset)
    refresh_token: str = ""

    @property
    def id(self) -> str:
        """The member's id in the API."""
        return global_id("Member", self.member_id)

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}


NOBODY = Caller()
_numbers = itertools.count(1)


def new_key() -> str:
    """A new idempotency key."""
    return f"key-{next(_numbers)}"


class Api:
    """The running app."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client

    # ------------------------------------------------------------ requests

    async def send(
        self,
        document: str,
        variables: Json | None = None,
        caller: Caller = NOBODY,
        *,
        at: Instant | None = None,
        **headers: str,
    ) -> httpx2.Response:
        """One request. Keys that may name its time do so, for others the clock is moved."""
        if at is not None and Scope.SIMULATE_TIME in caller.scopes:
            headers[SIMULATED_TIME_HEADER] = shown(at)
            at = None
        with nullcontext() if at is None else clock.moved_to(at):
            return await self.client.post(
                "/graphql",
                json={"query": document, "variables": variables or {}},
                headers={**caller.headers, **headers},
            )

    async def data(
        self,
        document: str,
        variables: Json | None = None,
        caller: Caller = NOBODY,
        *,
        at: Instant | None = None,
    ) -> Json:
        """The data of a request without errors."""
        response = await self.send(document, variables, caller, at=at)
        body = response.json()
        assert response.status_code == 200, body
        assert "errors" not in body, body
        data: Json = body["data"]
        return data

    async def codes(
        self,
        document: str,
        variables: Json | None = None,
        caller: Caller = NOBODY,
        *,
        at: Instant | None = None,
    ) -> list[str | None]:
        """The codes of a request's top-level errors."""
        body = (await self.send(document, variables, caller, at=at)).json()
        return [error.get("extensions", {}).get("code") for error in body.get("errors", [])]

    async def mutate(
        self,
        name: str,
        input: Json,
        caller: Caller,
        *,
        key: str | None = None,
        at: Instant | None = NOW,
    ) -> Json:
        """What a mutation answers, asked for everything; with a new key if none is given."""
        if takes_key(mutations()[name]):
            input = {"idempotencyKey": new_key() if key is None else key, **input}
        data = await self.data(mutation_document(name), {"input": input}, caller, at=at)
        answer: Json = data["answer"]
        return answer

    async def record(self, caller: Caller, *, at: Instant | None = NOW, **purchase: Any) -> Json:
        """What recordPurchase answers to a `purchase(...)`."""
        return await self.mutate(
            "recordPurchase", {"purchase": purchase_input(**purchase)}, caller, at=at
        )

    # ------------------------------------------------------------ callers

    async def key(self, *scopes: Scope, partner: str = PARTNER) -> Caller:
        """A till's or shop's new key."""
        async with sql.transaction():
            made = await members.create_api_key("Till", partner, scopes)
        return Caller(made.key, account_id=made.id, scopes=frozenset(scopes))

    async def staff(self, role: StaffRole) -> Caller:
        """A new member of staff."""
        async with sql.transaction():
            account = await members.create_staff(
                f"staff{next(_numbers)}@example.com", PASSWORD_HASH, role
            )
            opened = await members.open_session(account)
        return await _caller(opened)

    async def member(
        self, external_id: str | None = None, *, at: Instant = NOW, name: str | None = None
    ) -> Caller:
        """A new member, signed in; with the welcome points of the programme."""
        return await self.signed_in(await enrolled(external_id, at=at, name=name))

    async def signed_in(self, member_id: int) -> Caller:
        """A member, with a new account and its session."""
        async with sql.transaction():
            account = await members.create_account(
                member_id, f"member{next(_numbers)}@example.com", PASSWORD_HASH
            )
            opened = await members.open_session(account)
        return await _caller(opened)


async def _caller(opened: members.OpenedSession) -> Caller:
    tokens = await members.session_tokens(opened)
    return Caller(
        tokens.access_token,
        account_id=opened.account_id,
        member_id=opened.member_id or 0,
        refresh_token=tokens.refresh_token,
    )


async def enrolled(
    external_id: str | None = None, *, at: Instant = NOW, name: str | None = None
) -> int:
    """A new member without an account; the id."""
    with clock.moved_to(at):
        async with sql.transaction():
            return await enrolment.enrol(
                enrolment.newcomer(
                    at, (await programme.rulebook()).at(at), external_id=external_id, name=name
                )
            )


def coded(response: httpx2.Response) -> list[str | None]:
    """The codes of the errors of an answer without data."""
    body = response.json()
    assert "data" not in body
    return [error.get("extensions", {}).get("code") for error in body["errors"]]


# ---------------------------------------------------------------- what tills send


def line(**changes: Any) -> Json:
    """A line of 10.00 from GROCERY."""
    return {
        "productId": "1",
        "department": "GROCERY",
        "quantity": 1,
        "salesMinor": 1000,
        **changes,
    }


def purchase_input(**changes: Any) -> Json:
    """A purchase of 10.00 by the member with the external id "anna", at NOW."""
    return {
        "externalId": f"basket-{next(_numbers)}",
        "member": {"externalId": "anna"},
        "occurredAt": NOW_SHOWN,
        "storeId": "7",
        "currencyCode": "USD",
        "lines": [line()],
        **changes,
    }


def return_input(**changes: Any) -> Json:
    """A return, at NOW, of everything that is left of the purchase that is to be named."""
    return {"externalId": f"return-{next(_numbers)}", "occurredAt": NOW_SHOWN, **changes}


# ---------------------------------------------------------------- what is stored


async def dump() -> dict[str, list[str]]:
    """Every row of every table, but for the deployment's secrets, which are made when needed, the
    counts of attempts, which refusals are meant to leave, and the requests for a password reset,
    which go when the letter has left, beside whoever asked."""
    names = await sql.fetch(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        if sql.engine() == "sqlite"
        else "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    )
    return {
        str(name): sorted(
            json.dumps(list(row), default=str)
            for row in await sql.fetch(f'SELECT * FROM "{name}"')  # noqa: S608 - our tables
        )
        for (name,) in names
        if name not in ("shared_secrets", "attempt_limits", "reset_requests")
    }


def changed(before: dict[str, list[str]], after: dict[str, list[str]]) -> set[str]:
    """The tables whose contents differ."""
    return {
        table for table in before.keys() | after.keys() if before.get(table) != after.get(table)
    }


def uncosted(response: httpx2.Response) -> Json:
    """The body of an answer, without what it tells of the caller's budget."""
    body: Json = response.json()
    if "data" in body:
        assert set(body.pop("extensions")) == {"cost"}
    return body
