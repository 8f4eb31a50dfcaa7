"""Search by a text: finds ids by indexes, and then reads the objects. A tenant's session finds what it may see."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.ids import dispute_id_of, is_id, uuid_of
from domain.payments.payment.state import PaymentStatus
from domain.payments.payment.terms import PurposeKind
from repositories.tenants.search_hits import HITS

#: How many names of a kind are searched, newest first; there is no index of parts of names.
LOOKED_AT = 5_000
#: How many payments of a state and a purpose are searched for a refund, newest first.
REFUNDS_LOOKED_AT = 1_000
#: How late a workflow may be before it counts as stuck; sweeps run every five minutes.
LATE = timedelta(minutes=15)

#: Providers with references for payments, subscriptions and chargebacks.
PROVIDERS = ("stripe", "paypal", "crypto")
_REFUNDED_STATES = [
    *(PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.REFUNDED),
    *(PaymentStatus.DISPUTED, PaymentStatus.CHARGED_BACK),
]

_NAMED = {"agents": "name", "contracts": "title", "projects": "name"}
#: The index of external ids begins with the kind.
_ANY_PREFIX = "prefix IN ('org', 'agt', 'ctr', 'esc', 'pay', 'inv', 'lot', 'prj')"
#: Ids by external id, each from an index. Each side of a contract has its own external id; this is the client's.
_WRITTEN = f"SELECT object_id FROM object_metadata WHERE {_ANY_PREFIX} AND external_id = :exact AND org_id = :org_id"
#: Numbers of documents, and what each is for: an invoice, the invoice of a credit note, the payment of a receipt, the
#: organization of a statement.
_NUMBERED = {
    "invoices": "id",
    "credit_notes": "invoice_id",
    "tax_receipts": "payment_id",
    "creator_statements": "org_id",
    "creator_corrections": "org_id",
}
_OF_TENANT = f"""
    SELECT id FROM organizations WHERE id = :org_id AND name ILIKE :within
    UNION ALL ({_WRITTEN})
    {
    "".join(
        f"UNION ALL (SELECT {what} FROM {table} WHERE number = upper(:exact) AND org_id = :org_id) "
        for table, what in _NUMBERED.items()
    )
}
    {
    "".join(
        f'''UNION ALL (
        SELECT id FROM (
            SELECT id, {name} AS name FROM {table} WHERE org_id = :org_id ORDER BY id DESC LIMIT {LOOKED_AT}
        ) newest WHERE name ILIKE :within LIMIT :limit
    )
    '''
        for table, name in _NAMED.items()
    )
}
"""
#: The filter for an agent's key, applied before the limit.
_OF_AGENT = f"""
    SELECT id FROM agents WHERE id = :agent_id AND name ILIKE :within
    UNION ALL ({_WRITTEN})
    UNION ALL (
        SELECT id FROM (
            SELECT id, title AS name FROM contracts WHERE agent_id = :agent_id ORDER BY id DESC LIMIT {LOOKED_AT}
        ) newest WHERE name ILIKE :within LIMIT :limit
    )
"""
#: Keys are found by their principal; the secret is neither searched nor read.
_KEYS = f"""
    UNION ALL (
        SELECT id FROM (SELECT id, principal AS name FROM api_keys {{whose}} ORDER BY id DESC LIMIT {LOOKED_AT}) newest
        WHERE name ILIKE :within LIMIT :limit
    )
"""
_OF_ALL = f"""
    (
        SELECT object_id FROM object_metadata WHERE {_ANY_PREFIX} AND external_id = :exact LIMIT :limit
    )
    {
    "".join(
        f"UNION ALL (SELECT {what} FROM {table} WHERE number = upper(:exact)) " for table, what in _NUMBERED.items()
    )
}
    UNION ALL (
        SELECT id FROM (SELECT id, name FROM organizations ORDER BY id DESC LIMIT {LOOKED_AT}) newest
        WHERE name ILIKE :within LIMIT :limit
    )
    {
    "".join(
        f'''UNION ALL (
        SELECT id FROM (SELECT id, {name} AS name FROM {table} ORDER BY id DESC LIMIT {LOOKED_AT}) newest
        WHERE name ILIKE :within LIMIT :limit
    )
    '''
        for table, name in _NAMED.items()
    )
}
"""
#: Ids by a provider's reference of a payment or a subscription, from the unique index that begins with the provider.
_REFERENCED = "".join(
    f"""
    UNION ALL (
        SELECT id FROM {table} WHERE provider = ANY(:providers) AND provider_ref = :exact {{whose}}
    )
    """
    for table in ("payments", "subscriptions")
)
#: The payment of a refund. A refund's id does not contain the payment, so the newest ones with refunds are searched.
_REFUNDED = f"""
    SELECT p.id FROM unnest(CAST(:refunded AS text[])) s, unnest(CAST(:purposes AS text[])) w, LATERAL (
        SELECT id, state FROM payments WHERE status = s AND purpose = w {{whose}}
        ORDER BY id DESC LIMIT {REFUNDS_LOOKED_AT}
    ) p WHERE p.state -> 'refunds' @> jsonb_build_array(jsonb_build_object('refund_id', CAST(:exact AS text))) LIMIT 1
"""
_ALERTS = text(
    """
    SELECT id, kind, severity, subject, detail, created_at AS raised_at FROM alerts
    WHERE org_id = :org_id AND resolved_at IS NULL AND (CAST(:for_all AS boolean) OR shared)
    ORDER BY id DESC LIMIT :limit
    """
)
#: Stuck workflows. Each part reads all late rows, of any organization; there are few, except in an outage.
_STUCK = text(
    """
    SELECT kind, id, status, since, workflow_id FROM (
        SELECT 'escrow' AS kind, id, status, next_deadline_at AS since, workflow_id FROM escrows
        WHERE next_deadline_at < :late AND :org_id IN (org_id, payee_org_id)
        UNION ALL SELECT 'payment', id, status, wake_at, workflow_id FROM payments
        WHERE wake_at < :late AND org_id = :org_id
        UNION ALL SELECT 'payout', id, status, wake_at, 'payout/' || id FROM payouts
        WHERE wake_at < :late AND org_id = :org_id
        UNION ALL SELECT 'invoice', invoice_id, status, wake_at, 'invoice/' || invoice_id FROM invoice_collections
        WHERE wake_at < :late AND org_id = :org_id
    ) stuck ORDER BY since LIMIT :limit
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """An object that was found; the amount is its own or what is left of it, in minor units.

    `parent_id` is the object that it belongs to, such as the payment of a refund, or that it is about.
    """

    kind: str
    id: str
    org_id: str | None
    agent_id: str | None
    title: str
    status: str | None
    amount_minor: int | None
    currency: str | None
    workflow_id: str | None
    parent_id: str | None
    external_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAlert:
    id: str
    kind: str
    severity: str
    subject: str
    detail: str
    raised_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckRun:
    """An object whose workflow should have acted at `since` and has not."""

    kind: str
    id: str
    status: str
    since: datetime
    workflow_id: str


async def find(
    session: AsyncSession,
    wanted: str,
    *,
    org_id: str | None,
    agent_id: str | None = None,
    finds_keys: bool = False,
    finds_webhooks: bool = False,
    limit: int,
) -> Sequence[SearchHit]:
    """Return up to `limit` objects that a text names: by id, external id, number, a provider's reference or name.

    Args:
        session: of a tenant, or the platform's.
        wanted: the text.
        org_id: the tenant; None searches all organizations.
        agent_id: only objects of this agent.
        finds_keys: whether API keys are found as well.
        finds_webhooks: whether webhook endpoints are.
        limit: how many at most.
    """
    escaped = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    asked = {"exact": wanted, "limit": limit, "org_id": org_id, "agent_id": agent_id}
    whose = "" if org_id is None else "AND org_id = :org_id"
    statement = _OF_ALL if org_id is None else _OF_TENANT if agent_id is None else _OF_AGENT
    statement += _REFERENCED.format(whose=whose)
    if finds_keys:
        statement += _KEYS.format(whose=whose.replace("AND", "WHERE"))
    named = {**asked, "within": f"%{escaped}%", "providers": list(PROVIDERS)}
    found = await session.scalars(text(statement), named)
    ids = [*found, *([wanted] if is_id(wanted, wanted[:-27]) else [])]
    ids += [dispute_id_of(provider, wanted) for provider in PROVIDERS]
    numbers = {
        "transfer": _number(wanted, "tr"),
        "lot": _number(wanted, "lot"),
        "spend": _number(wanted, "spd") or _number(wanted, "hold"),
        "control": _number(wanted, "ctl"),
        "refunded_payment": await _refunded_payment(session, wanted, org_id),
    }
    may = {"finds_keys": finds_keys, "finds_webhooks": finds_webhooks}
    rows = await session.execute(text(HITS), {**asked, **numbers, **may, "ids": ids})
    return [SearchHit(**{name: row._mapping[name] for name in SearchHit.__slots__}) for row in rows]


async def _refunded_payment(session: AsyncSession, wanted: str, org_id: str | None) -> str | None:
    # A payment that was made at the provider has the provider's reference.
    if not is_id(wanted, "rfd") and not wanted.startswith("re_"):
        return None
    whose = "" if org_id is None else "AND org_id = :org_id"
    asked = {"exact": wanted, "refunded": _REFUNDED_STATES, "purposes": list(PurposeKind)}
    found = await session.scalars(text(_REFUNDED.format(whose=whose)), asked | ({"org_id": org_id} if org_id else {}))
    return found.one_or_none()


def _number(wanted: str, prefix: str) -> UUID | None:
    return uuid_of(wanted) if is_id(wanted, prefix) else None


async def open_alerts(session: AsyncSession, org_id: str, *, for_all: bool, limit: int) -> Sequence[OpenAlert]:
    """Return the newest alerts about an organization that are not resolved; those it reads itself, or all."""
    rows = await session.execute(_ALERTS, {"org_id": org_id, "for_all": for_all, "limit": limit})
    return [OpenAlert(**row._mapping) for row in rows]


async def stuck(session: AsyncSession, org_id: str, now: datetime, *, limit: int) -> Sequence[StuckRun]:
    """Return an organization's objects whose workflows are stuck. Needs the platform's session."""
    rows = await session.execute(_STUCK, {"org_id": org_id, "late": now - LATE, "limit": limit})
    return [StuckRun(**row._mapping) for row in rows]
