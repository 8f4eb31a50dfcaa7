"""Pricing rules of operators, with trials on past quotes, and quotes for clients."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import Invalid, NotFound, PricingQuoteMismatch, PricingTooManyRules
from domain.common.money import format_amount
from domain.marketplace.pricing.book import Price, RuleBook
from domain.marketplace.pricing.expression import Compile
from domain.marketplace.pricing.facts import PricingFacts
from domain.marketplace.pricing.quote import QUOTE_LIFETIME, commission_of, discount_limit_bps, require_usable
from domain.marketplace.pricing.rule import Rule, refuse_overlap
from domain.marketplace.pricing.stored_terms import terms_to_json
from domain.reputation.levels import Level, commission_source
from models.escrow.contract import Contract
from models.marketplace.pricing import PricingAgent, PricingQuote, PricingRule
from providers.expressions import compile_expression
from repositories.common.command import existing_row, lock_command
from repositories.escrow import contract as contracts
from repositories.marketplace import agent as agents, pricing as rows
from repositories.reputation import level as levels
from repositories.tenants import audit, organization as organizations
from runtime.identity import new_id

#: The maximum number of rules in force: each price evaluates those of its agent and client.
MAX_RULES = 500
MAX_TRIAL_QUOTES = 1_000
_ASKED = (
    *("name", "type", "priority", "stacking", "agent_id", "org_id", "floor_bps", "ceiling_bps", "terms"),
    *("valid_from", "valid_until"),
)
COMPILE: Compile = compile_expression


async def set_agent(session: AsyncSession, actor: Actor, wanted: PricingAgent) -> PricingAgent:
    """Set the capacities of an agent, and whether it bears discounts."""
    row = await rows.set_terms_of_agent(session, wanted)
    details = {name: getattr(wanted, name) for name in ("capacity", "calls_per_day", "bears_discounts")}
    await audit.record(session, actor, "pricing.agent", row.agent_id, details, row.org_id)
    return row


async def create(session: AsyncSession, actor: Actor, rule: Rule, command_id: str) -> PricingRule:
    """Add a rule, or return the one of the command.

    Raises:
        NotFound: the agent or organization does not exist.
    """
    rule.check()
    row = PricingRule(
        id=new_id("prl"), **_columns(rule), version=1, created_by=actor.qualified(), command_id=command_id
    )
    await lock_command(session, command_id)
    done = await existing_row(session, row, _ASKED)
    if done is not None:
        return done
    row.book_version = await _fit_in(session, replace(rule, id=row.id))
    session.add(row)
    await session.flush()
    await session.refresh(row)
    await audit.record(session, actor, "pricing.rule_create", row.id, rows.details_of(row), row.org_id)
    return row


async def change(session: AsyncSession, actor: Actor, rule_id: str, rule: Rule) -> PricingRule:
    """Replace a rule for later prices; quotes do not change.

    Raises:
        NotFound: the rule in force, agent or organization does not exist.
    """
    rule.check()
    row = await rows.get(session, rule_id)
    version = await _fit_in(session, replace(rule, id=row.id))
    # Read under the lock of the rules, so the rule cannot be ended concurrently.
    await session.refresh(row)
    if row.ended_at is not None:
        raise NotFound(rows.MISSING)
    row.book_version = version
    for name, value in _columns(rule).items():
        setattr(row, name, value)
    row.version += 1
    row.updated_at = await rows.database_time(session)
    await session.flush()
    await audit.record(session, actor, "pricing.rule_change", row.id, rows.details_of(row), row.org_id)
    return row


async def end(session: AsyncSession, actor: Actor, rule_id: str) -> PricingRule:
    """End a rule permanently. Idempotent.

    Raises:
        NotFound: the rule does not exist.
    """
    row = await rows.get(session, rule_id)
    if row.ended_at is None:
        version = await rows.next_version(session)
        await session.refresh(row)
        if row.ended_at is None:
            row.ended_at, row.book_version = await rows.database_time(session), version
            await session.flush()
            await audit.record(session, actor, "pricing.rule_end", row.id, rows.details_of(row), row.org_id)
    return row


async def _fit_in(session: AsyncSession, rule: Rule) -> int:
    """Lock the rules, check the new one against the others, and return the rule book's new version."""
    if rule.agent_id is not None:
        await agents.get(session, rule.agent_id)
    if rule.org_id is not None:
        await organizations.get(session, rule.org_id)
    version = await rows.next_version(session)
    now = await rows.database_time(session)
    others = [row for row in await rows.in_force(session) if _applies_after(row, now)]
    if len(others) >= MAX_RULES and all(other.id != rule.id for other in others):
        raise PricingTooManyRules(f"There are {MAX_RULES} rules in force. End one that is not needed.")
    refuse_overlap(rule, [rows.rule_of(other, COMPILE) for other in others])
    return version


def _applies_after(row: PricingRule, now: datetime) -> bool:
    """Return whether a rule can still apply. Expired rules neither overlap nor count towards the limit."""
    return row.valid_until is None or row.valid_until > now


def _columns(rule: Rule) -> dict[str, object]:
    names = ("name", "priority", "agent_id", "org_id", "floor_bps", "ceiling_bps", "valid_from", "valid_until")
    return {
        **{name: getattr(rule, name) for name in names},
        "type": rule.type.value,
        "stacking": rule.stacking.value,
        "terms": terms_to_json(rule.terms),
    }


@dataclass(frozen=True, slots=True)
class QuoteTrial:
    """Price of a past quote with and without a rule. Amounts are minor units of `currency`."""

    quote_id: str
    currency: str
    base_minor: int
    before_minor: int
    after_minor: int


async def try_rule(
    session: AsyncSession,
    rule: Rule,
    replaces: str | None,
    *,
    commission_bps: int,
    most_bps: int | None,
    since: datetime,
    limit: int,
) -> list[QuoteTrial]:
    """Price the newest quotes again by the present rules, without and with a rule. Store nothing.

    A discount is limited by the present setting, and by the commission of the quote: its level's, or the usual one.

    Args:
        session: of the platform.
        rule: the rule; its validity is ignored, because the quotes are past.
        replaces: the replaced rule.
        commission_bps: the platform's usual commission.
        most_bps: the platform's limit of discounts, as a share of the price; None for its commission.
        since: quotes created since this time.
        limit: the number of quotes, at most `MAX_TRIAL_QUOTES`.

    Raises:
        NotFound: the replaced rule does not exist.
    """
    rule.check()
    in_force, now = await rows.in_force(session), await rows.database_time(session)
    current = [rows.rule_of(row, COMPILE) for row in in_force]
    if replaces is not None and replaces not in {other.id for other in current}:
        raise NotFound(rows.MISSING)
    others = [other for other in current if other.id != replaces]
    expired = {row.id for row in in_force if not _applies_after(row, now)}
    refuse_overlap(rule, [other for other in others if other.id not in expired])
    before, after = RuleBook(current), RuleBook([*others, replace(rule, valid_from=None, valid_until=None)])
    quotes = await rows.past_quotes(
        session, agent_id=rule.agent_id, org_id=rule.org_id, since=since, limit=min(limit, MAX_TRIAL_QUOTES)
    )
    bearing = {
        agent_id: (it := await rows.terms_of_agent(session, agent_id)) is not None and it.bears_discounts
        for agent_id in {quote.agent_id for quote in quotes}
    }
    commissions = await levels.commissions(
        session, {quote.level_version for quote in quotes if quote.level_version is not None}
    )

    def tried(quote: PricingQuote) -> QuoteTrial:
        facts, of_level = PricingFacts.from_json(quote.facts), commissions.get((quote.level_version, quote.level_name))
        commission = commission_bps if of_level is None else of_level
        borne = discount_limit_bps(commission, most_bps, bears_discounts=bearing[quote.agent_id])
        old, new = (book.price(facts, discount_limit_bps=borne).adjusted_minor for book in (before, after))
        return QuoteTrial(quote.id, quote.currency, quote.base_minor, old, new)

    # With many rules this takes seconds, which would block the event loop.
    return await asyncio.to_thread(lambda: [tried(quote) for quote in quotes])


def trial_totals(tried: Iterable[QuoteTrial]) -> dict[str, tuple[int, int, int]]:
    """Total the trials by currency: number, before and after."""
    found: dict[str, tuple[int, int, int]] = {}
    for one in tried:
        number, before, after = found.get(one.currency, (0, 0, 0))
        found[one.currency] = (number + 1, before + one.before_minor, after + one.after_minor)
    return found


@dataclass(frozen=True, slots=True)
class PriceRequest:
    """Facts and rules of a requested price."""

    facts: PricingFacts
    book: RuleBook
    payee_org_id: str
    bears_discounts: bool
    level_version: int = 0
    level: Level | None = None

    def commission_bps(self, usual_bps: int) -> int:
        """Return the commission before a discount: of the agent's level, or the platform's usual one.

        Between related organizations it is at least the usual one.
        """
        by_level = usual_bps if self.level is None or self.level.commission_bps is None else self.level.commission_bps
        is_other = self.facts.org_id is not None and self.facts.org_id != self.payee_org_id
        return max(by_level, usual_bps) if is_other and self.facts.is_related else by_level

    def price(self, usual_bps: int, most_bps: int | None) -> Price:
        """Compute the price, with the discount limited by the commission and `most_bps`."""
        borne = discount_limit_bps(self.commission_bps(usual_bps), most_bps, bears_discounts=self.bears_discounts)
        return self.book.price(self.facts, discount_limit_bps=borne)


async def make_quote(
    session: AsyncSession,
    actor: Actor,
    asked: PriceRequest,
    *,
    org_id: str,
    usual_bps: int,
    most_bps: int | None,
    command_id: str,
) -> PricingQuote:
    """Quote a price to a client for fifteen minutes, or return the quote of the command.

    Args:
        session: of the platform.
        actor: the requester.
        asked: facts and rules.
        org_id: the client.
        usual_bps: the platform's usual commission.
        most_bps: the platform's limit of discounts, as a share of the price; None for its commission.
        command_id: of the request.
    """
    facts, level, commission_bps = asked.facts, asked.level, asked.commission_bps(usual_bps)
    price = asked.price(usual_bps, most_bps)
    quote = PricingQuote(
        id=new_id("quo"),
        org_id=org_id,
        agent_id=facts.agent_id,
        payee_org_id=asked.payee_org_id,
        quantity=facts.quantity,
        currency=facts.currency,
        base_minor=price.base_minor,
        price_minor=price.adjusted_minor,
        multiplier_bps=price.multiplier_bps,
        commission_bps=commission_of(
            price.base_minor, price.adjusted_minor, commission_bps, bears_discounts=asked.bears_discounts
        ),
        commission_from=commission_source(level).value,
        level_version=None if level is None else asked.level_version,
        level_name=None if level is None else level.name,
        facts=facts.to_json(),
        adjustments=[line._asdict() for line in price.adjustments],
        borne_by=price.borne_by,
        book_version=asked.book.version,
        created_by=actor.qualified(),
        command_id=command_id,
        expires_at=facts.at + QUOTE_LIFETIME,
    )
    row, is_new = await rows.add_quote(session, quote)
    if is_new:
        details = {"agent_id": row.agent_id, "price": format_amount(row.price_minor, row.currency)}
        await audit.record(session, actor, "pricing.quote", row.id, {**details, "currency": row.currency}, org_id)
    return row


async def quote_to_use(
    session: AsyncSession, quote_id: str, *, org_id: str, agent_id: str, quantity: int | None, command_id: str
) -> PricingQuote:
    """Return the quote for a new contract, locked until the transaction ends.

    Raises:
        NotFound: the quote does not exist, or belongs to another organization.
    """
    quote = await rows.get_quote(session, quote_id, lock=True)
    if quote.org_id != org_id:
        raise NotFound(rows.NO_QUOTE)
    for name, given, said in (("agent_id", agent_id, quote.agent_id), ("quantity", quantity, quote.quantity)):
        if given is not None and given != said:
            raise quote_mismatch(name, f"The quote is for {name} {said}.")
    if quote.contract_id is not None:
        used_by = await contracts.find(session, quote.contract_id)
        if used_by is not None and used_by.command_id == command_id:
            return quote
    require_usable(quote.used_at is not None, quote.expires_at, await rows.database_time(session))
    return quote


def quote_mismatch(field: str, detail: str) -> Invalid:
    """Return the refusal of a contract that differs from its quote."""
    return PricingQuoteMismatch(detail, extra={"field": field})


async def undiscounted_bps(session: AsyncSession, quote: PricingQuote, usual_bps: int) -> int | None:
    """Return the commission before the quote's discount; None if it bears no discount."""
    if quote.price_minor >= quote.base_minor:
        return None
    versions = set() if quote.level_version is None else {quote.level_version}
    before_bps = (await levels.commissions(session, versions)).get((quote.level_version, quote.level_name), usual_bps)
    return before_bps if quote.commission_bps < before_bps else None


async def use_quote(session: AsyncSession, quote: PricingQuote, contract: Contract) -> None:
    """Mark the quote as used by the contract."""
    quote.contract_id, quote.used_at = contract.id, await rows.database_time(session)
    await session.flush()
