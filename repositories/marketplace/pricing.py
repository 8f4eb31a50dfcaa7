"""Statements about pricing rules, their facts, and quotes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

import asyncpg
from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.ids import is_id
from domain.marketplace.pricing.expression import Compile
from domain.marketplace.pricing.rule import Rule, RuleType, Stacking
from domain.marketplace.pricing.stored_terms import terms_from_json
from domain.reputation.levels import Ladder
from models.marketplace.pricing import PricingAgent, PricingBook, PricingQuote, PricingRule
from repositories.common.command import add_once
from repositories.common.listing import ListFilter, Listing, ListPage, Part, of_owner
from repositories.common.required import get_required, require_found
from repositories.reputation.level import NEWEST, SEASONED, ladder_of

MISSING = "There is no such pricing rule."
NO_QUOTE = "There is no such quote."
_QUOTED = ("org_id", "agent_id", "quantity")


Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


class PriceQuestion(NamedTuple):
    """Request for a price.

    Attributes:
        org_id: the client; None for the platform without a client.
        currency: of the price; None for the listing's.
        buyer_id: the client's requesting agent, if any.
    """

    agent_id: str
    org_id: str | None
    currency: str | None
    buyer_id: str | None


@dataclass(frozen=True, slots=True)
class PriceFactsRow:
    """Facts of a price, in the order of the statement's columns.

    Facts that were not requested are 0 or None. `seller_e6` is the rank of the agent, a share in millionths, from
    `seller_events` events; both are None without events. `seasoned_e6` is its rank for levels, `buyer_e6` that of the
    requesting agent, and `client_e6` the trust in its organization, from `client_units` of evidence. In these three,
    good evidence counts only after the chargeback window.
    """

    version: int
    at: datetime
    payee_org_id: str
    visibility: str
    price_minor: int | None
    price_currency: str | None
    seller_e6: int | None
    seller_events: int | None
    seasoned_e6: int | None
    seasoned_events: int | None
    buyer_e6: int | None
    buyer_events: int | None
    client_e6: int | None
    client_units: int | None
    is_related: bool
    tier: str | None
    capacity: int | None
    calls_per_day: int | None
    bears_discounts: bool
    open_jobs: int
    calls: int
    volume_minor: int


# Calls of the last 24 hours: today's, and a proportional part of yesterday's. Days are in UTC.
CALLS = """
    SELECT d.org_id, sum(CASE WHEN d.day = now.day THEN d.events
                              ELSE d.events * (86400 - now.passed) / 86400 END) AS number
    FROM usage_days d, LATERAL (
        SELECT date_trunc('day', utc)::date AS day, extract(epoch FROM utc - date_trunc('day', utc))::bigint AS passed
        FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS utc) clock) AS now
    WHERE d.dimension = 'agent_id' AND d.value = a.id AND d.day BETWEEN now.day - 1 AND now.day
    GROUP BY d.org_id
"""


# An open escrow counts as a job if it is worth at least half of the listed price, so that contracts of a cent raise no
# demand. Without a listed price all count.
_JOBS = """
    SELECT e.org_id, count(*) AS number FROM escrows e
    WHERE e.agent_id = a.id AND e.status IN ('funded', 'delivered', 'disputed')
        AND (a.price_minor IS NULL
             OR e.currency = a.price_currency AND 2 * (e.funded_minor - e.refunded_minor) >= a.price_minor)
    GROUP BY e.org_id
"""


# Payments of the client to each organization within 30 days, past the chargeback window; of credits only the paid part,
# by the lots that funded the escrow.
_PAID = """
    SELECT e.payee_org_id,
           sum(div((e.released_minor + e.commission_minor) * coalesce(used.paid, 1), coalesce(used.whole, 1))) AS paid
    FROM escrows e LEFT JOIN LATERAL (
        SELECT coalesce(sum(u.amount) FILTER (WHERE u.cost > 0), 0) AS paid, coalesce(sum(u.amount), 1) AS whole
        FROM escrow_events v JOIN ledger.lot_uses u ON u.transfer_id = v.transfer_id
        WHERE v.escrow_id = e.id AND v.kind = 'funded'
    ) used ON e.currency = 'CREDIT'
    WHERE e.org_id = q.org_id AND e.status IN ('released', 'split')
        AND e.updated_at <= now() - $10 * interval '1 day'
        AND e.updated_at > now() - ($10 + 30) * interval '1 day' AND e.currency = coalesce(q.currency, a.price_currency)
        AND NOT EXISTS (SELECT FROM reputation_recalls r WHERE r.escrow_id = e.id AND r.restored_at IS NULL)
    GROUP BY e.payee_org_id
"""


# Prevents the planner from testing the relation for each row instead of each organization.
_ONCE_EACH = "OFFSET 0"


def _demand(by_organization: str, limit: str) -> str:
    """Return the query of the demand of unrelated organizations for the agent `a`.

    Related organizations count as one, up to the limit: a quarter of the agent's capacity, so that no single one brings
    the demand above 0.25. Calls cost nothing, so their limit may be zero; for jobs it is at least one.

    Args:
        by_organization: a query of `org_id` and `number`.
        limit: an SQL expression of the maximum of one counterparty.
    """
    return f"""
        SELECT coalesce(sum(least(number, {limit})), 0)::bigint FROM (
            SELECT sum(number)::bigint AS number FROM ({by_organization} {_ONCE_EACH}) AS each
            WHERE reputation_excluded(each.org_id, a.org_id, $8) IS NULL
            GROUP BY reputation_counterparty(each.org_id, $8)
        ) AS counterparties"""


# Whether no case holds the score of an agent.
_COUNTS = """NOT EXISTS (
    SELECT FROM risk_holds h
    WHERE h.kind = 'score' AND h.subject = {agent} AND h.ended_at IS NULL AND h.until > clock_timestamp())"""


_READ = f"""
SELECT q.place, b.version, clock_timestamp() AS at, a.org_id AS payee_org_id, a.visibility,
       a.price_minor, a.price_currency,
       s.rank_e6 AS seller_e6, s.evidence_e6 / 1000000 AS seller_events,
       seasoned.rank_e6 AS seasoned_e6, seasoned.evidence_count AS seasoned_events,
       buyer.rank_e6 AS buyer_e6, buyer.evidence_count AS buyer_events,
       c.standing_e6 AS client_e6, c.units AS client_units,
       coalesce(a.org_id = q.org_id OR (($7 OR $9) AND reputation_excluded(q.org_id, a.org_id, $8) IS NOT NULL), false)
           AS is_related,
       o.tier, p.capacity, p.calls_per_day, coalesce(p.bears_discounts, false) AS bears_discounts,
       CASE WHEN $5 AND p.capacity IS NOT NULL THEN (
           {_demand(_JOBS, "greatest(1, p.capacity / 4)")})
       ELSE 0 END AS open_jobs,
       CASE WHEN $5 AND p.calls_per_day IS NOT NULL THEN (
           {_demand(CALLS, "p.calls_per_day / 4")})
       ELSE 0 END AS calls,
       CASE WHEN $6 THEN (
           SELECT coalesce(sum(paid), 0)::bigint FROM ({_PAID} {_ONCE_EACH}) AS each
           WHERE reputation_excluded(q.org_id, payee_org_id, $8) IS NULL)
       ELSE 0 END AS volume_minor
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
    WITH ORDINALITY AS q (agent_id, org_id, currency, buyer_id, place)
JOIN agents a ON a.id = q.agent_id
JOIN pricing_book b ON b.id = 1
LEFT JOIN pricing_agents p ON p.agent_id = a.id
LEFT JOIN reputation_agents s ON s.agent_id = a.id AND {_COUNTS.format(agent="a.id")}
LEFT JOIN reputation_agents y ON $7 AND y.agent_id = q.buyer_id AND {_COUNTS.format(agent="q.buyer_id")}
LEFT JOIN organizations o ON o.id = q.org_id
LEFT JOIN LATERAL (
    SELECT * FROM reputation_client_terms(q.org_id, CAST(clock_timestamp() AT TIME ZONE 'UTC' AS date)) WHERE $7
) c ON true
{SEASONED.format(agent="a.id", wanted="$9", name="seasoned")}
{SEASONED.format(agent="y.agent_id", wanted="y.agent_id IS NOT NULL", name="buyer")}
"""

_BOOK = f"""
SELECT b.version AS book, {NEWEST} AS ladder, r.* FROM pricing_book b
LEFT JOIN pricing_rules r ON r.ended_at IS NULL AND (r.valid_until IS NULL OR r.valid_until > now())
"""


async def read_facts(
    pool: Pool,
    questions: Sequence[PriceQuestion],
    *,
    demand: bool,
    volume: bool,
    client: bool,
    exempt: Sequence[str],
    levels: bool,
    chargeback_days: int,
) -> dict[PriceQuestion, PriceFactsRow]:
    """Read the facts of prices in one statement; unknown agents are left out.

    Args:
        pool: with the platform's role, because demand is work for other organizations.
        questions: the agents and clients.
        demand: whether to count open jobs and calls.
        volume: whether to sum the client's payments.
        client: whether to read the scores of the client and its agent.
        exempt: registrars, who create unrelated organizations.
        levels: whether there are levels by reputation.
        chargeback_days: the chargeback window: younger work does not count as volume.
    """
    columns = [list(column) for column in zip(*questions, strict=True)]
    rows = await pool.fetch(_READ, *columns, demand, volume, client, list(exempt), levels, chargeback_days)
    return {questions[place - 1]: PriceFactsRow(*values) for place, *values in rows}


async def read_rules(pool: Pool, compiler: Compile) -> tuple[int, list[Rule], Ladder]:
    """Return the version of the rules, the compiled rules that apply now or later, and the levels by reputation."""
    rows = await pool.fetch(_BOOK)
    rules = [
        rule_of(PricingRule(**{**_columns(row), "terms": json.loads(row["terms"])}), compiler)
        for row in rows
        if row["id"] is not None
    ]
    return rows[0]["book"], rules, ladder_of(rows[0]["ladder"])


def _columns(row: asyncpg.Record) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in {"book", "ladder"}}


def rule_of(row: PricingRule, compiler: Compile) -> Rule:
    return Rule(
        id=row.id,
        name=row.name,
        priority=row.priority,
        terms=terms_from_json(RuleType(row.type), row.terms, compiler),
        stacking=Stacking(row.stacking),
        agent_id=row.agent_id,
        org_id=row.org_id,
        floor_bps=row.floor_bps,
        ceiling_bps=row.ceiling_bps,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
    )


async def next_version(session: AsyncSession) -> int:
    """Increment the version of the rules; other changes wait until the transaction ends."""
    counted = update(PricingBook).values(version=PricingBook.version + 1).returning(PricingBook.version)
    return (await session.execute(counted)).scalar_one()


async def in_force(session: AsyncSession) -> Sequence[PricingRule]:
    return (await session.scalars(select(PricingRule).where(PricingRule.ended_at.is_(None)))).all()


async def get(session: AsyncSession, rule_id: str) -> PricingRule:
    """Return the rule, ended or not; NotFound if it does not exist."""
    return await get_required(session, PricingRule, rule_id, "prl", MISSING)


_RULES = Listing(of=PricingRule, order=[PricingRule.id], prefix="prl")


async def page(session: AsyncSession, wanted: ListFilter, *, ended: bool) -> ListPage[PricingRule]:
    """Return a page of the rules in force, newest first; with `ended` of all rules."""
    part: Part = of_owner(PricingRule.org_id, wanted)
    if not ended:
        part = (*part, PricingRule.ended_at.is_(None))
    return await _RULES.page(session, wanted, [part])


async def terms_of_agent(session: AsyncSession, agent_id: str) -> PricingAgent | None:
    """Return the pricing terms of an agent; None if unset, or the session may not see them."""
    return await session.get(PricingAgent, agent_id)


async def set_terms_of_agent(session: AsyncSession, row: PricingAgent) -> PricingAgent:
    changed = {name: getattr(row, name) for name in ("capacity", "calls_per_day", "bears_discounts", "updated_by")}
    statement = (
        insert(PricingAgent)
        .values(agent_id=row.agent_id, org_id=row.org_id, **changed)
        .on_conflict_do_update(index_elements=["agent_id"], set_={**changed, "updated_at": func.now()})
        .returning(PricingAgent)
    )
    return (await session.scalars(statement.execution_options(populate_existing=True))).one()


async def add_quote(session: AsyncSession, quote: PricingQuote) -> tuple[PricingQuote, bool]:
    return await add_once(session, quote, _QUOTED)


async def get_quote(session: AsyncSession, quote_id: str, *, lock: bool = False) -> PricingQuote:
    """Return the quote, optionally locked; NotFound if it does not exist or the session may not see it."""
    query = select(PricingQuote).where(PricingQuote.id == quote_id)
    query = query.with_for_update() if lock else query
    return require_found((await session.scalars(query)).one_or_none() if is_id(quote_id, "quo") else None, NO_QUOTE)


async def database_time(session: AsyncSession) -> datetime:
    """Return the time of the database; read it after a lock, so that it includes the wait."""
    now: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return now


async def past_quotes(
    session: AsyncSession, *, agent_id: str | None, org_id: str | None, since: datetime, limit: int
) -> Sequence[PricingQuote]:
    """Return the newest quotes since a time, of an agent and a client or of all."""
    query = select(PricingQuote).where(
        PricingQuote.created_at >= since,
        or_(agent_id is None, PricingQuote.agent_id == agent_id),  # type: ignore[arg-type]
        or_(org_id is None, PricingQuote.org_id == org_id),  # type: ignore[arg-type]
    )
    return (await session.scalars(query.order_by(PricingQuote.created_at.desc()).limit(limit))).all()


def details_of(row: PricingRule) -> dict[str, Any]:
    names = ("name", "type", "priority", "stacking", "agent_id", "org_id", "floor_bps", "ceiling_bps", "terms")
    times = {
        name: None if (it := getattr(row, name)) is None else it.isoformat() for name in ("valid_from", "valid_until")
    }
    return {**{name: getattr(row, name) for name in names}, **times, "version": row.version}
