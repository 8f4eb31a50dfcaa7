"""Statements about the trust in organizations as clients."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.reputation.clients import EVIDENCE_SHARES_E4
from domain.reputation.conduct import ClientAct
from domain.reputation.escrow_evidence import stakes_of
from domain.reputation.policy import EvidencePolicy
from models.reputation.reputation import ReputationClientRow

#: The maximum number of events that are read, and of those that are returned.
_READ, _SHOWN = 100, 20


async def record_act(
    connection: asyncpg.Connection,
    event_id: str,
    conduct: ClientAct,
    *,
    at: datetime,
    policy: EvidencePolicy = EvidencePolicy(),
) -> bool:
    """Record a fact about a client, once for its key; False if it was recorded before or has no weight.

    Call it last in the transaction, because of the order of locks. Needs the platform's role.

    Args:
        connection: of the transaction in which it happened.
        event_id: the event's id.
        conduct: the fact. In a currency without a known value, or between related organizations, it has no weight.
        at: when it happened.
        policy: who may count, and what credits are worth.
    """
    stakes = stakes_of(conduct.currency, policy.credit)
    if stakes is None:
        return False
    good_e4, bad_e4 = EVIDENCE_SHARES_E4[conduct.fact]
    event = {
        "id": event_id,
        "org_id": conduct.org_id,
        "kind": conduct.fact.value,
        "key": conduct.key,
        "subject": conduct.subject,
        "at": at.isoformat(),
        "value_minor": conduct.value_minor,
        "commission_minor": conduct.commission_minor,
        "typical_minor": stakes.typical_minor,
        "unit_commission_minor": stakes.unit_commission_minor,
        "good_e4": good_e4,
        "bad_e4": bad_e4,
        "escrow_id": conduct.escrow_id,
        "counterparty_org_id": conduct.counterparty_org_id,
        "exempt": list(policy.registrars),
    }
    taken: bool = await connection.fetchval("SELECT reputation_take_client($1)", json.dumps(event))
    return taken


async def row_of(session: AsyncSession, org_id: str) -> ReputationClientRow | None:
    """Return the trust in an organization; None for a newcomer, or if the session may not see it."""
    return await session.get(ReputationClientRow, org_id)


_LATEST = text("""
SELECT * FROM (
    SELECT id, seq, CASE WHEN client_bad_e6 > 0 THEN 'dispute_lost' ELSE 'paid' END AS kind, subject,
        client_good_e6 AS good_e6, client_bad_e6 AS bad_e6, at, void_reason
    FROM (SELECT * FROM reputation_events WHERE counterparty_org_id = :org_id ORDER BY seq DESC LIMIT :read) e
    WHERE client_good_e6 + client_bad_e6 > 0
    UNION ALL
    (SELECT id, seq, kind, subject, good_e6, bad_e6, at, NULL
     FROM reputation_client_events WHERE org_id = :org_id ORDER BY seq DESC LIMIT :shown)
) known ORDER BY seq DESC LIMIT :shown
""")


async def latest(session: AsyncSession, org_id: str) -> Sequence[Mapping[str, Any]]:
    """Return the latest events of an organization as a client, newest first, at most twenty."""
    found = await session.execute(_LATEST, {"org_id": org_id, "read": _READ, "shown": _SHOWN})
    return [dict(row) for row in found.mappings()]
