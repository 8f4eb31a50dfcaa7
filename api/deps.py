"""Dependencies of endpoints: one object made by the app, and typed access to its parts."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from temporalio.client import Client

from api.announcements import Announcements
from api.background import Background
from api.changes import Changes
from api.charges import Charges
from api.costs import CostBook
from api.gathering import BatchedReads, SharedReads
from api.keyring import KeyRing
from api.limits import Limiter
from api.outgoing import Slots
from api.pool import StatementPool
from api.price_facts import PriceFacts
from api.unpaid import UnpaidBook
from domain.common.access import Actor
from domain.common.errors import Unavailable
from providers.files import Files
from providers.judged import Receivers
from providers.payments.registry import Providers
from providers.secrets.caller import SecretCaller
from providers.secrets.registry import SecretBackends
from repositories.reputation.reputation import AgentReputation
from repositories.tenants import audit
from repositories.usage.model_price import PriceBook
from runtime.database import Database
from runtime.metrics import ApiMetrics
from runtime.sealing import Sealer
from runtime.settings import Settings
from runtime.turns import ConcurrencyLimiter
from services.billing.document_files import Documents
from services.billing.outside_tax import OutsideTaxes
from services.messages.mail_suppression import BounceAddresses
from services.messages.unsubscribing import UnsubscribeLinks
from services.payments.payment_terms import TermsMaker
from services.risk.decision import Risk


@dataclass(slots=True)
class Deps:
    """All dependencies of endpoints, created once by `create_app`."""

    settings: Settings
    database: Database
    pool: StatementPool
    platform_pool: StatementPool
    background: Background
    announcements: Announcements
    changes: Changes
    keyring: KeyRing
    limiter: Limiter
    organization_limiter: Limiter
    address_limiter: Limiter
    temporal: Client | None
    metrics: ApiMetrics
    providers: Providers
    secrets: SecretBackends
    secret_caller: SecretCaller
    secret_uses: Slots
    sealer: Sealer
    webhook_sealer: Sealer
    notification_sealer: Sealer
    link_sealer: Sealer
    receivers: Receivers
    charges: Charges
    risk: Risk
    costs: CostBook
    unpaid: UnpaidBook
    documents: Documents
    files: Files
    prices: PriceBook
    price_facts: PriceFacts
    standings: BatchedReads[tuple[str, str | None], AgentReputation]
    sharing: SharedReads
    questions: ConcurrencyLimiter
    answers: ConcurrencyLimiter
    streams: Slots
    unsubscribing: UnsubscribeLinks
    bounces: BounceAddresses | None

    @property
    def taxes(self) -> OutsideTaxes:
        return OutsideTaxes(self.database, self.providers.taxes, self.settings.invoice_rules)

    @property
    def terms(self) -> TermsMaker:
        settings = self.settings
        return TermsMaker.of(settings.payment_rules, self.providers, self.database, settings.sale_rules)

    @asynccontextmanager
    async def session_for(self, actor: Actor) -> AsyncIterator[AsyncSession]:
        """Open a transaction limited to the actor's organization; unlimited for the platform."""
        async with self.database.platform() if actor.org_id is None else self.database.tenant(actor.org_id) as session:
            yield session

    @asynccontextmanager
    async def asking(self, actor: Actor, org_id: str | None) -> AsyncIterator[AsyncSession]:
        """Open a repeatable-read transaction for figures, limited in concurrency by the actor's organization."""
        async with self.questions.turn(actor.org_id), self.database.repeatable_read(org_id) as session:
            yield session

    async def record_act(
        self, actor: Actor, action: str, target: str, details: Mapping[str, Any] | None = None
    ) -> None:
        """Write the audit entry of an action with an external effect, in its own transaction.

        Functions in `services` write the entries of changes in the database.
        """
        async with self.session_for(actor) as session:
            await audit.record(session, actor, action, target, details)


async def get_deps(request: Request) -> Deps:
    deps: Deps = request.app.state.deps
    return deps


DepsDep = Annotated[Deps, Depends(get_deps)]


async def get_settings(deps: DepsDep) -> Settings:
    return deps.settings


async def get_temporal(deps: DepsDep) -> Client:
    """Return the Temporal client, which connects with its first call, so that this never waits."""
    if deps.temporal is None:
        raise Unavailable("This process has no connection to Temporal.")
    return deps.temporal


SettingsDep = Annotated[Settings, Depends(get_settings)]
TemporalDep = Annotated[Client, Depends(get_temporal)]
