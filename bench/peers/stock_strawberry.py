"""The same schema as a newcomer writes it: Strawberry and Tortoise by their documentation, under
uvicorn, with nothing of Laurel's but its tables.

    python -m bench.peers.stock_strawberry CONFIG --url URL --port PORT

Of the operations it answers all alike, with the simplifications that `node/rules.mjs` names.
"""

import hashlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from strawberry.asgi import GraphQL
from tortoise import Tortoise, connections, fields
from tortoise.models import Model
from tortoise.transactions import in_transaction

from bench.peers.stock_member import Member, now, told
from bench.peers.stock_types import RecordedPurchase, RecordPurchaseInput

Info = strawberry.Info[dict[str, Any], None]


class PeerAccount(Model):
    """The peers' own ledger account."""

    id = fields.BigIntField(primary_key=True)
    member_id = fields.BigIntField()
    external_id = fields.CharField(64)
    last_sequence = fields.IntField()
    balance = fields.BigIntField()

    class Meta:
        """Table."""

        table = "peer_accounts"


@strawberry.type
class Query:
    """What is read."""

    @strawberry.field
    def me(self, info: Info) -> Member:
        """The signed-in member."""
        return Member(id=info.context["member"])


@strawberry.type
class Mutation:
    """What is written."""

    @strawberry.mutation
    async def record_purchase(self, input: RecordPurchaseInput) -> RecordedPurchase:
        """Add two rows to the ledger."""
        bought = input.purchase
        points = sum(line.sales_minor for line in bought.lines) // 100 * 10
        async with in_transaction():
            account = await PeerAccount.select_for_update().get(
                external_id=bought.member.external_id
            )
            account.balance += points
            account.last_sequence += 2
            for place, debit in enumerate(("issued", "cashback")):
                await _post(account, place, debit, points)
            await account.save()
        return RecordedPurchase(external_id=bought.external_id, points=points)


async def _post(account: PeerAccount, place: int, debit: str, points: int) -> None:
    # Not by a model: the table is a copy of Laurel's, with a default for the id.
    await connections.get("default").execute_query(
        "INSERT INTO peer_postings (member_id, account_id, sequence, debit, credit, amount,"
        " balance_after, reason, rule, programme_version, occurred_at, recorded_at)"
        " VALUES ($1, $2, $3, $4, 'member', $5, $6, 'purchase', 'purchase', 1, $7, $7)",
        [
            account.member_id,
            account.id,
            account.last_sequence - 1 + place,
            debit,
            points,
            account.balance,
            now(),
        ],
    )


class _Api(GraphQL[dict[str, Any], None]):
    """The API with its callers."""

    def __init__(self) -> None:
        super().__init__(strawberry.Schema(Query, Mutation), graphql_ide=None)
        self._keys = {one.key_id: one.key for one in jwt.PyJWKSet.from_dict(told["jwks"]).keys}
        self._known: dict[str, int | None] = {}

    async def get_context(self, request: Any, response: Any) -> dict[str, Any]:
        """Who calls: checked when the token is first seen, then known by its text."""
        token = request.headers["authorization"].removeprefix("Bearer ")
        if token not in self._known:
            self._known[token] = self._member(token)
        return {"member": self._known[token]}

    def _member(self, token: str) -> int | None:
        if hashlib.sha256(token.encode()).hexdigest() == told["keyHash"]:
            return None
        claims = jwt.decode(
            token,
            self._keys[jwt.get_unverified_header(token)["kid"]],
            algorithms=["EdDSA"],
            audience=told["audience"],
            issuer=told["issuer"],
        )
        return int(claims["member"])


async def _healthz(request: Request) -> Response:
    return PlainTextResponse("ok")


def main() -> None:
    """Serve until told to stop."""
    file, url, port = sys.argv[1], sys.argv[3], int(sys.argv[5])
    told.update(json.loads(Path(file).read_text(encoding="utf-8")))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        from server.storage.database import MODELS  # noqa: PLC0415 - the tables alone

        await Tortoise.init(
            db_url=url.replace("postgres://", "asyncpg://", 1),
            modules={"laurel": MODELS, "peers": [__name__]},
            _enable_global_fallback=True,
        )
        yield
        await connections.close_all()

    routes = [Route("/healthz", _healthz), Route("/graphql", _Api())]
    app = Starlette(routes=routes, lifespan=lifespan)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


if __name__ == "__main__":
    main()
