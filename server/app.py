"""The composition root: puts the schema, the domains' services and the pages into one ASGI app."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from server import demo
from server.edge import trusted
from server.edge.bodies import BodyLimit
from server.edge.budgets import Budgets
from server.edge.compiling import Compiler, Compiling
from server.edge.cross_origin import CrossOrigin
from server.edge.documents import Documents
from server.edge.executing import Introspection, Operations, Policy, schema_of
from server.edge.execution_metrics import ExecutionMetrics
from server.edge.graphiql import SignInOptions, graphiql_routes
from server.edge.host_check import HostCheck
from server.edge.http import GraphQLEndpoint, Unauthenticated
from server.edge.http_errors import Defects, on_http_exception
from server.edge.memory import Memory
from server.edge.metrics import Metrics
from server.edge.readiness import Readiness, State
from server.edge.security_headers import SecurityHeaders
from server.edge.sockets import SocketEndpoint
from server.edge.straight import Straight
from server.edge.streams import Streams
from server.examples import EXAMPLES, SIGN_IN_MUTATION
from server.integrations import billing, email, firebase, live, push
from server.integrations.live_postgres import carried
from server.integrations.mail_addresses import SmtpServer, sender_of
from server.members import service as members
from server.notifications import sending_rates
from server.notifications.unsubscribe import UNSUBSCRIBE_ROUTE
from server.plans.webhook import billing_route
from server.principal import Principal
from server.referrals import links
from server.schema import schema
from server.settings import (
    EMULATOR_VARIABLE,
    InvalidSettings,
    Mode,
    PrivateAddresses,
    Settings,
    TrustedDocuments,
    tell_firebase,
)
from server.storage import changes, database, sql
from server.webhooks import guarding
from server.webhooks.receiving import orders_route

GRAPHQL_PATH = "/graphql"
LIVENESS_PATH = "/healthz"
READINESS_PATH = "/readyz"

log = structlog.get_logger()


async def _authenticate(authorization: str | None) -> Principal:
    try:
        return await members.authenticate(authorization)
    except members.AuthenticationFailed as error:
        raise Unauthenticated from error


async def _session_ends(principal: Principal) -> AsyncIterator[object]:
    """Something whenever the session of the caller may have ended."""
    if principal.session_id is None:
        return
    async with live.hub.subscribed((changes.SESSION, principal.session_id)) as subscriber:
        while True:
            yield await subscriber.wait()


async def _healthz(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})


def _told(state: State) -> PlainTextResponse:
    status = 200 if state is State.READY else 503
    return PlainTextResponse(f"{state.value}\n", status, {"Cache-Control": "no-store"})


async def _readyz(request: Request) -> PlainTextResponse:
    readiness: Readiness = request.app.state.readiness
    return _told(await readiness.state())


async def _jwks(_request: Request) -> Response:
    try:
        keys = await members.jwks()
    except Exception as error:
        if not sql.is_unavailable(error):
            raise
        return _told(State.WITHOUT_DATABASE)
    maximum_age = f"public, max-age={members.PUBLISHED_KEYS_MAXIMUM_AGE_SECONDS}"
    return JSONResponse(keys, headers={"Cache-Control": maximum_age})


def _policy(settings: Settings) -> Policy:
    return Policy(
        introspection=Introspection(settings.shows_schema_to.value),
        requires_trusted_documents=_requires_trusted_documents(settings),
        time_limit_milliseconds=settings.operation_seconds * 1000,
    )


def _requires_trusted_documents(settings: Settings) -> bool:
    return settings.trusted_documents is TrustedDocuments.REQUIRED


def _operations(settings: Settings) -> Operations:
    documents = Documents(
        schema_of(schema),
        find_trusted=trusted.find,
        registers=not _requires_trusted_documents(settings),
    )
    budgets = Budgets(percent=settings.cost_budget_percent)
    return Operations(
        schema,
        documents=documents,
        budgets=budgets,
        policy=_policy(settings),
        compiler=Compiler(schema, Compiling(settings.compiled_operations.value)),
        memory=Memory(settings.answers_mebibytes * 1024 * 1024),
    )


def _id_tokens(settings: Settings) -> firebase.IdTokens:
    if tell_firebase(settings):
        log.warning(f"{EMULATOR_VARIABLE} is ignored: LAUREL_FIREBASE_EMULATOR decides")
    if settings.firebase_project is None:
        return firebase.NoFirebase()
    if settings.firebase_emulator is not None:
        log.warning("the Firebase emulator's ID tokens are taken: anybody can make them")
    return firebase.Firebase(
        settings.firebase_project,
        certificates_url=settings.firebase_certificates_url,
        is_emulated=settings.firebase_emulator is not None,
    )


def _billing(settings: Settings) -> billing.BillingProvider:
    if settings.billing_url is None or settings.billing_secret is None:
        return billing.NoBilling()
    return billing.HttpBilling(settings.billing_url, settings.billing_secret.get_secret_value())


def guard_webhooks(settings: Settings) -> None:
    """From now on webhooks go where the settings let them go."""
    guarding.use(
        guarding.Policy(
            requires_https=settings.mode is Mode.PRODUCTION,
            allows_private=settings.webhook_private_addresses is PrivateAddresses.ALLOW,
        )
    )


def mailing(
    settings: Settings, *, listens_at: str | None = None
) -> AbstractAsyncContextManager[email.Post | None]:
    """Within the block, which has the database open, letters are sent: by the mail server that the
    settings name; without one into a folder, and in production not at all.

    `listens_at` is the server's own URL: what its letters lead to where no other one is set, and
    never in production, where readers are elsewhere."""
    mailer: email.Mailer | None = None
    if settings.smtp_url is not None:
        mailer = email.SmtpMailer(SmtpServer.of(settings.smtp_url.get_secret_value()))
    elif settings.mode is not Mode.PRODUCTION:
        mailer = email.FolderMailer(settings.mail_folder)
    sender = sender_of(settings.mail_from or "Laurel <laurel@localhost>")
    own = None if settings.mode is Mode.PRODUCTION else listens_at
    return email.posting(
        mailer,
        sender=sender,
        reset_url=settings.reset_url,
        public_url=settings.reached_at or own,
    )


@asynccontextmanager
async def pushing(
    settings: Settings, *, say: Callable[[str], None] | None = None
) -> AsyncIterator[Callable[[], None]]:
    """Within the block push messages are sent: by Firebase Cloud Messaging, with the credentials
    that the settings name. Without them, outside of production, `say` is given what a phone would
    show; else nothing is sent. The yielded verb prepares what is slow to load.

    Raises InvalidSettings.
    """
    pusher, begin = _pusher(settings, say)
    push.use(pusher)
    sending_rates.use(settings.fcm_messages_per_minute)
    try:
        yield begin
    finally:
        push.use(push.NoPush())
        await pusher.close()


def _pusher(
    settings: Settings, say: Callable[[str], None] | None
) -> tuple[push.Pusher, Callable[[], None]]:
    if settings.fcm_credentials is not None:
        return _firebase_pusher(settings, settings.fcm_credentials), lambda: None
    if say is None or settings.mode is Mode.PRODUCTION:
        return push.NoPush(), lambda: None
    from server.integrations.loopback_phone import LoopbackPhone  # noqa: PLC0415 - seldom needed

    phone = LoopbackPhone(say)
    return phone, phone.begin


def _firebase_pusher(settings: Settings, credentials: Path) -> push.Pusher:
    from server.integrations.fcm import BadCredentials, FirebasePusher  # noqa: PLC0415 - seldom needed

    try:
        return FirebasePusher(credentials, url=settings.fcm_url, token_url=settings.fcm_token_url)
    except BadCredentials as error:
        raise InvalidSettings(f"LAUREL_FCM_CREDENTIALS: the file {credentials} {error}") from None


def create_app(
    settings: Settings, *, opens_database: bool = True, metrics: Metrics | None = None
) -> Starlette:
    """The app. With `opens_database` it opens the database at its start and closes it at its end;
    without, it uses the one that its caller has opened. It counts its requests in `metrics`; its
    state has the `readiness` that /readyz tells, and the `streams` to end before the server."""
    is_demo = settings.mode is Mode.DEMO
    firebase.use(_id_tokens(settings))
    billing.use(_billing(settings))
    links.use(settings.referral_url)
    guard_webhooks(settings)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        if not opens_database:
            async with carried(settings.address):
                yield
            return
        async with (
            database.opened(
                settings.address, pool_size=settings.pool_size, patience=database.Patience()
            ),
            carried(settings.address),
        ):
            await members.prepare_keys(issuer=settings.token_issuer, audience=settings.audience)
            async with mailing(settings), members.noting_key_uses():
                yield

    operations = _operations(settings)
    if metrics is not None:
        metrics.registry.register(ExecutionMetrics(operations))
    streams = Streams(metrics=metrics or Metrics())
    endpoint = GraphQLEndpoint(
        operations,
        authenticate=_authenticate,
        accepts_simulated_time=settings.accepts_simulated_time,
        metrics=metrics,
        streams=streams,
        watch=_session_ends,
    )
    routes: list[BaseRoute] = [
        *graphiql_routes(
            graphql_path=GRAPHQL_PATH,
            title="Laurel",
            examples=EXAMPLES,
            sign_in=SignInOptions(
                mutation=SIGN_IN_MUTATION, identities=demo.identities(is_known=is_demo)
            ),
        ),
        Route(GRAPHQL_PATH, endpoint),
        WebSocketRoute(
            GRAPHQL_PATH,
            SocketEndpoint(
                operations, authenticate=_authenticate, streams=streams, watch=_session_ends
            ),
        ),
        Route("/.well-known/jwks.json", _jwks),
        billing_route(settings.webhook_secrets),
        orders_route(),
        UNSUBSCRIBE_ROUTE,
        Route(LIVENESS_PATH, _healthz),
        Route(READINESS_PATH, _readyz),
        Route("/", lambda _request: RedirectResponse(GRAPHQL_PATH)),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[
            *_middleware(settings),
            Middleware(Straight, path=GRAPHQL_PATH, endpoint=endpoint),
        ],
        exception_handlers={HTTPException: on_http_exception},
    )
    app.state.readiness = Readiness()
    app.state.streams = streams
    return app


def _middleware(settings: Settings) -> list[Middleware]:
    """What every request passes, from the outside in."""
    return [
        Middleware(SecurityHeaders, is_https=settings.is_public_by_https),
        Middleware(Defects),
        Middleware(HostCheck, hosts=settings.answers_to, exempt=(LIVENESS_PATH, READINESS_PATH)),
        Middleware(CrossOrigin, origins=settings.answers_pages_of, path=GRAPHQL_PATH),
        Middleware(BodyLimit),
    ]
