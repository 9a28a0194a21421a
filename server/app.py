"""The composition root: puts the schema, the domains' services and the pages into one ASGI app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from server import demo
from server.edge.graphiql import SignInOptions, graphiql_routes
from server.edge.http import GraphQLEndpoint, Unauthenticated
from server.edge.metrics import Metrics
from server.examples import EXAMPLES, SIGN_IN_MUTATION
from server.members import service as members
from server.principal import Principal
from server.schema import schema
from server.settings import Mode, Settings
from server.storage import database, sql

MAXIMUM_BODY_BYTES = 4 * 1024 * 1024
GRAPHQL_PATH = "/graphql"


async def _authenticate(authorization: str | None) -> Principal:
    try:
        return await members.authenticate(authorization)
    except members.AuthenticationFailed as error:
        raise Unauthenticated from error


async def _healthz(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok\n")


def _without_database() -> PlainTextResponse:
    return PlainTextResponse("the database does not answer\n", status_code=503)


async def _readyz(_request: Request) -> PlainTextResponse:
    try:
        await sql.fetch("SELECT 1")
    except Exception:
        return _without_database()
    return PlainTextResponse("ok\n")


async def _jwks(_request: Request) -> Response:
    try:
        keys = await members.jwks()
    except Exception as error:
        if not sql.is_unavailable(error):
            raise
        return _without_database()
    return JSONResponse(keys, headers={"Cache-Control": "public, max-age=300"})


def create_app(
    settings: Settings, *, opens_database: bool = True, metrics: Metrics | None = None
) -> Starlette:
    """The app. With `opens_database` it opens the database at its start and closes it at its end;
    without, it uses the one that its caller has opened. It counts its requests in `metrics`."""
    is_demo = settings.mode is Mode.DEMO

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        if not opens_database:
            yield
            return
        async with database.opened(settings.address, pool_size=settings.pool_size):
            await members.prepare_keys(issuer=settings.token_issuer, audience=settings.audience)
            yield

    routes: list[BaseRoute] = [
        *graphiql_routes(
            graphql_path=GRAPHQL_PATH,
            title="Laurel",
            examples=EXAMPLES,
            sign_in=SignInOptions(
                mutation=SIGN_IN_MUTATION, identities=demo.identities(is_known=is_demo)
            ),
        ),
        Route(
            GRAPHQL_PATH,
            GraphQLEndpoint(
                schema,
                authenticate=_authenticate,
                accepts_simulated_time=settings.accepts_simulated_time,
                metrics=metrics,
            ),
        ),
        Route("/.well-known/jwks.json", _jwks),
        Route("/healthz", _healthz),
        Route("/readyz", _readyz),
        Route("/", lambda _request: RedirectResponse(GRAPHQL_PATH)),
    ]
    return Starlette(routes=routes, lifespan=lifespan, max_body_size=MAXIMUM_BODY_BYTES)
