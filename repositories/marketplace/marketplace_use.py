"""Uses of agents that are charged at once, with one statement that reads and one that writes, for speed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from domain.marketplace.offer import Offer, OfferModel, OfferStatus
from ledger.account_ids import AccountIds
from ledger.errors import translated
from ledger.sales import SELL, SaleResult, SaleShares, sale_result, sell_arguments
from ledger.spends import NewSpend
from models.marketplace.marketplace import MarketplaceUse
from repositories.reputation.organization_trait import share_an_owner_sql

# The agent must be visible to the organization, as in the table's policy. Aliases are long, because the condition on
# both organizations uses the short ones.
_FIND = f"""
SELECT offer.org_id, agent.name, agent.accepts_granted, offer.model, offer.price_minor, offer.currency,
    offer.creator_bps, offer.status,
    offer.usage_prices::text AS offered, offer.included_uses, bought.id AS purchase_id,
    bought.usage_prices::text AS prices,
    {share_an_owner_sql("$1::text", "offer.org_id", "$3::text[]")} AS related
FROM marketplace_offers offer
JOIN agents agent ON agent.id = offer.agent_id AND (agent.visibility = 'public' OR agent.org_id = $1::text)
JOIN marketplace_purchases bought ON bought.org_id = $1::text AND bought.agent_id = offer.agent_id
WHERE offer.agent_id = $2::text
  AND bought.status = 'active' AND bought.ends_at IS NULL AND bought.usage_prices IS NOT NULL
  AND NOT EXISTS (SELECT FROM organizations seller WHERE seller.id = offer.org_id AND seller.status <> 'active')
"""
# The seller's debts are locked before the purchase, as in refunds. The purchase is locked when it is looked up, and is
# not found if it has changed since it was read. The seller is locked too, as it may have been closed meanwhile.
_CHARGE = f"""
WITH owed AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(hashtextextended('debt:' || $14::text, 0))::text AS locked
), bought AS MATERIALIZED (
    SELECT p.id FROM marketplace_purchases p
    WHERE p.id = (
        SELECT CASE WHEN o.locked IS NOT NULL THEN
            CASE WHEN organization_status($14::text) = 'active' THEN $27::text END
        END FROM owed o
    )
      AND p.status = 'active' AND p.ends_at IS NULL AND p.usage_prices = $28::jsonb
    FOR SHARE
), sold AS MATERIALIZED (
    SELECT s.answer, s.transfer_id, s.granted FROM bought, LATERAL {SELL} s
), written AS (
    INSERT INTO marketplace_uses (
        id, org_id, purchase_id, agent_id, payee_org_id, meter, quantity, unit_minor, price_minor, creator_bps,
        creator_minor, commission_minor, granted_minor, taken_minor, spend_id, transfer_id, used_at
    )
    SELECT $23::text, $1::text, $27::text, $29::text, $14::text, $30::text, $4::bigint, $31::bigint, $5::bigint,
        $32::bigint, $19::bigint, $5::bigint - $19::bigint, s.granted, 0, (s.answer).spend_id, s.transfer_id,
        $24::timestamptz
    FROM sold s WHERE s.transfer_id IS NOT NULL
)
SELECT (s.answer).*, s.transfer_id AS shared_by, s.granted FROM sold s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsableAgent:
    """An agent that an organization has bought and pays by usage, with the prices of the purchase."""

    offer: Offer
    purchase_id: str
    prices: Mapping[str, int]
    related: bool
    accepts_granted: bool


async def find(connection: asyncpg.Connection, org_id: str, agent_id: str, exempt: Sequence[str]) -> UsableAgent | None:
    """Return the agent and whether the two organizations are related; None if the full check is needed."""
    row = await connection.fetchrow(_FIND, org_id, agent_id, list(exempt))
    if row is None:
        return None
    offer = Offer(
        agent_id=agent_id,
        org_id=row["org_id"],
        name=row["name"],
        model=OfferModel(row["model"]),
        price_minor=row["price_minor"],
        currency=row["currency"],
        creator_bps=row["creator_bps"],
        status=OfferStatus(row["status"]),
        usage_prices=None if row["offered"] is None else json.loads(row["offered"]),
        included_uses=row["included_uses"],
    )
    return UsableAgent(
        offer=offer,
        purchase_id=row["purchase_id"],
        prices=json.loads(row["prices"]),
        related=bool(row["related"]),
        accepts_granted=row["accepts_granted"],
    )


async def charge(
    connection: asyncpg.Connection,
    use: MarketplaceUse,
    prices: Mapping[str, int],
    spend: NewSpend,
    shares: SaleShares,
    *,
    expires_at: datetime,
    at: datetime,
) -> SaleResult | None:
    """Charge, share and record a use in one statement, which is its own transaction, or return the refusal.

    None, without any effect, if the purchase has changed since it was read, or its seller was stopped or has ever had a
    debt in credits.

    Raises: as `ledger.spending.Spending`.
    """
    arguments = await sell_arguments(connection, use.org_id, spend, shares, expires_at=expires_at, at=at)
    more = (use.purchase_id, json.dumps(dict(prices)), use.agent_id, use.meter, use.unit_minor, use.creator_bps)
    with translated(connection, AccountIds(connection).forget, use.org_id):
        return sale_result(await connection.fetchrow(_CHARGE, *arguments, *more))
