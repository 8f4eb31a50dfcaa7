"""ASGI application; `server.py` runs it, tests call it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache, partial

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from temporalio.client import Client

from api import errors, openapi, pages, reference, unsubscribe
from api.announcements import Announcements
from api.auth import current_actor
from api.background import Background
from api.body import StrictRoute
from api.changes import Changes
from api.charges import Charges
from api.codec import codec_router
from api.cors import Cors
from api.costs import CostBook
from api.deps import Deps
from api.gathering import BatchedReads, SharedReads
from api.keyring import KeyRing
from api.limits import Limiter, storage_at
from api.maintenance import Maintenance
from api.middleware import Edge
from api.outgoing import Slots
from api.pool import StatementPool
from api.price_facts import PriceFacts
from api.routing import ByResource, copies, routes_of
from api.unpaid import UnpaidBook
from api.v1 import PRIVATE_ROOT_ROUTERS, PRIVATE_ROUTERS, ROOT_ROUTERS, ROUTERS
from api.v1.secrets.using import MAX_USES_AT_ONCE
from providers.expressions import compile_rule
from providers.files import Files
from providers.judged import Receivers
from providers.payments.registry import Providers
from providers.secrets.caller import SecretCaller
from providers.secrets.registry import SecretBackends
from repositories.reputation.reputation import AgentReputation, agent_reputations
from repositories.usage.model_price import PriceBook
from runtime.database import Database
from runtime.metrics import ApiMetrics, client_runtime
from runtime.sealing import OF_CHANNELS, OF_LINKS, OF_WEBHOOKS, Sealer
from runtime.settings import Settings
from runtime.telemetry import Telemetry
from runtime.temporal import connect
from runtime.turns import ConcurrencyLimiter
from services.billing.document_files import Documents
from services.messages.mail_suppression import BounceAddresses
from services.messages.unsubscribing import UnsubscribeLinks
from services.risk.decision import Risk

VERSION = "0.1.0"
V1 = "/api/v1"
UNTRACED: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
DESCRIPTION = """
Credits, escrow and the books behind them, for platforms where AI agents work for pay.

Ids are [TypeIDs](https://github.com/jetify-com/typeid). Amounts are decimal strings in answers; requests take a string
or a JSON number. Times are RFC 3339 in UTC. Every POST that moves money takes an `Idempotency-Key`. Every refusal is a
problem document (RFC 9457) whose `code` is explained at [/docs/errors](/docs/errors).
"""


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    temporal: Client | None = None,
    telemetry: Telemetry | None = None,
    providers: Providers | None = None,
    prices: PriceBook | None = None,
    receivers: Receivers | None = None,
    secrets: SecretBackends | None = None,
) -> FastAPI:
    """Build the application. It starts while PostgreSQL or Temporal are down; /readyz reports that.

    Args:
        settings: of the process.
        database: the engines; by default made from the settings, and closed at the end.
        temporal: the client; by default made from the settings, and connected with its first call.
        telemetry: the traces of the process; closed at the end. Without it nothing is traced.
        providers: payment providers; closed at the end. By default none.
        prices: the prices of usage; by default the imported ones, without a default price.
        receivers: the address check of webhooks; by default made from the settings.
        secrets: the backends of secrets; closed at the end. By default none can be stored or opened.
    """
    deps = _dependencies(
        settings,
        database,
        temporal,
        providers or Providers({}),
        prices or PriceBook(),
        receivers,
        secrets or SecretBackends(),
    )
    app = FastAPI(
        title="Bursar",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lambda _app: _running(deps, telemetry, owns_database=database is None),
        redirect_slashes=False,
        openapi_url=None,
        # FastAPI's own pages load scripts from a CDN.
        docs_url=None,
        redoc_url=None,
        telemetry=telemetry.fastapi() if telemetry else UNTRACED,
    )
    app.state.deps = deps
    app.router.route_class = StrictRoute
    routes = _public_routes(has_private_port=bool(settings.private_port))
    app.router.routes.extend(routes)
    app.router.middleware_stack = ByResource(app.router, routes)
    # Last, because paths are tried in order and these are asked for least.
    app.openapi_url = "/openapi.json"
    app.setup()
    app.include_router(reference.router)
    app.include_router(pages.router)
    app.include_router(unsubscribe.router)
    app.include_router(codec_router(settings, current_actor))
    errors.install(app)
    openapi.install(app, settings.public_url or "/")
    if settings.allowed_origins:
        app.add_middleware(Cors, origins=settings.allowed_origins)
    app.add_middleware(Edge, max_body_bytes=settings.max_body_bytes, metrics=deps.metrics)
    return app


@asynccontextmanager
async def _running(deps: Deps, telemetry: Telemetry | None, *, owns_database: bool) -> AsyncIterator[None]:
    settings = deps.settings
    if deps.temporal is None:
        plugins = telemetry.temporal_plugins() if telemetry else []
        deps.temporal = await connect(settings, plugins=plugins, runtime=client_runtime(), lazy=True)
    maintenance = Maintenance(deps.database, settings.price_of_credits, settings.value_of_granted)
    deps.announcements.start()
    deps.keyring.start()
    deps.changes.start()
    maintenance.start()
    try:
        yield
    finally:
        await maintenance.close()
        await deps.changes.close()
        await deps.announcements.close()
        await deps.keyring.close()
        await deps.background.close()
        await deps.charges.close()
        await deps.pool.close()
        await deps.platform_pool.close()
        await deps.providers.aclose()
        await deps.secrets.aclose()
        if owns_database:
            await deps.database.close()
        if telemetry is not None:
            await asyncio.to_thread(telemetry.close)


def create_private_app(app: FastAPI) -> FastAPI:
    """Build the app of the private port for probes and scrapers, which shares the parts of the public app."""
    deps: Deps = app.state.deps
    private = FastAPI(openapi_url=None, redirect_slashes=False, telemetry=UNTRACED)
    private.state.deps = deps
    private.router.routes.extend(_private_routes())
    errors.install(private)
    private.add_middleware(Edge, max_body_bytes=deps.settings.max_body_bytes, metrics=deps.metrics)
    return private


def _dependencies(
    settings: Settings,
    database: Database | None,
    temporal: Client | None,
    providers: Providers,
    prices: PriceBook,
    receivers: Receivers | None,
    secrets: SecretBackends,
) -> Deps:
    judge = receivers or Receivers(local=settings.allow_insecure_webhooks)
    engines = database or Database(
        settings.database_url,
        settings.platform_database_url,
        pool_size=settings.database_pool_size,
        statement_timeout=settings.database_timeout,
        sealer=Sealer(settings.encryption_keys),
    )
    counts = storage_at(settings.rate_limit_storage)
    size, timeout = settings.database_pool_size, settings.database_timeout
    pool = StatementPool(settings.database_url, size=size, timeout=timeout)
    announcements = Announcements(pool)
    platform_pool = StatementPool(settings.platform_database_url, size=size, timeout=timeout)
    return Deps(
        settings=settings,
        database=engines,
        pool=pool,
        platform_pool=platform_pool,
        background=Background(),
        announcements=announcements,
        changes=Changes(platform_pool, limit=settings.limit_streams),
        keyring=KeyRing(pool, engines, announcements),
        limiter=Limiter(settings.rate_limit, counts, "key"),
        organization_limiter=Limiter(settings.organization_rate_limit, counts, "organization"),
        address_limiter=Limiter(settings.rate_limit, counts, "address"),
        temporal=temporal,
        metrics=ApiMetrics(),
        providers=providers,
        secrets=secrets,
        secret_caller=SecretCaller(judge),
        secret_uses=Slots(MAX_USES_AT_ONCE, "Too many uses of secrets are under way. Repeat this one soon."),
        sealer=Sealer(settings.encryption_keys),
        webhook_sealer=Sealer(settings.webhook_keys or settings.encryption_keys, bound=OF_WEBHOOKS),
        notification_sealer=Sealer(settings.webhook_keys or settings.encryption_keys, bound=OF_CHANNELS),
        link_sealer=Sealer(settings.signing_keys, bound=OF_LINKS),
        receivers=judge,
        charges=Charges(pool),
        risk=Risk(settings.risk_settings, compile_rule),
        unpaid=UnpaidBook(engines, settings.arrears_rules),
        costs=CostBook(engines, settings.default_costs, announcements),
        documents=Documents.of(engines, settings.document_templates, settings.entities, settings.look),
        files=Files(settings.exports),
        prices=prices,
        price_facts=PriceFacts(platform_pool, settings.evidence_policy),
        standings=BatchedReads(partial(_standings, platform_pool)),
        sharing=SharedReads(),
        # A fifth of a pool's maximum connections; the others are for payments and commands.
        questions=ConcurrencyLimiter("questions about figures", each=2, overall=max(1, min(4, size // 2))),
        # They wait as well, because a page asks for several charts at once.
        answers=ConcurrencyLimiter("answers of figures or files", each=4, overall=settings.limit_concurrency),
        streams=Slots(8, "Eight files are being downloaded. Repeat this request when one is finished."),
        unsubscribing=UnsubscribeLinks.of(settings.public_url, settings.signing_keys),
        bounces=BounceAddresses.of(settings.mail_bounces, settings.signing_keys),
    )


async def _standings(
    pool: StatementPool, asked: Sequence[tuple[str, str | None]]
) -> Mapping[tuple[str, str | None], AgentReputation]:
    """Read the reputation of several agents as of today."""
    today = datetime.now(UTC).date()
    return await pool.read(lambda statements: agent_reputations(statements, asked, today))


@cache
def _public_routes(*, has_private_port: bool) -> tuple[APIRoute, ...]:
    """Return the public routes, made once for all apps of a process: routes hold no state of an app."""
    below, root = ((), ()) if has_private_port else (PRIVATE_ROUTERS, PRIVATE_ROOT_ROUTERS)
    versioned = routes_of((*ROUTERS, *below), StrictRoute, prefix=V1)
    return (*versioned, *copies(versioned, V1, "/api"), *routes_of((*ROOT_ROUTERS, *root), StrictRoute))


@cache
def _private_routes() -> tuple[APIRoute, ...]:
    return tuple(routes_of((*ROOT_ROUTERS, *PRIVATE_ROOT_ROUTERS), APIRoute))
