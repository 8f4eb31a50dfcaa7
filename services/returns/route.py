"""Routing of calls: rank models and agents for a kind of task, draw one, and record the outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import Invalid, RoutingNoChoice, RoutingOutcomeExists, RoutingRunDecided
from domain.common.ids import contract_id_of, is_id
from domain.escrow.state import Terms
from domain.marketplace.renewal import is_over
from domain.returns.route import (
    MOST_MULTIPLE,
    ONE,
    START_E6,
    BudgetPace,
    Candidate,
    ExclusionReason,
    OutcomeSums,
    RoutingRequest,
    calls_left,
    draw_choice,
    elapsed_e6,
    rank_candidates,
)
from domain.usage.amounts import minor_pico
from domain.usage.rating import rate
from domain.usage.token_usage import TokenUsage
from ledger.spends import Spender
from models.returns.route import RoutingDecision
from repositories.budgets.remaining import PoolRemaining, remaining
from repositories.common.command import existing_row, lock_command
from repositories.insight.own_rates import OwnRates
from repositories.returns import route as routes
from repositories.returns.route import ALL_KINDS, AgentTerms
from repositories.tenants import metadata
from repositories.usage.model_price import PriceBook, PriceKey
from runtime.identity import new_id

#: The reference call by whose price models are compared without measured costs.
REFERENCE = TokenUsage(input_tokens=1000, output_tokens=500)
#: The maximum number of candidates of a decision.
MOST_CANDIDATES = 20
#: The period whose most used models are default candidates, with agents that are paid by use for the kind.
USED_WITHIN = timedelta(days=30)
_MOST_MODELS = MOST_CANDIDATES // 2
_CURRENCY = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallToRoute:
    """A call to be routed.

    Attributes:
        spender: whose budgets pace it.
        run_id: the run whose result will be the outcome; None for the decision's own id.
        candidates: names of models and ids of agents; empty for the default ones.
        currency: of the constraints; None for that of the binding budget, or USD.
        markup_e6: the markup on the cost of a model, in 10^-6 of it.
        granted_minor: the maximum of such costs that granted credits pay, see `ledger.spends.MoneyCost`.
    """

    org_id: str
    spender: Spender
    task_kind: str
    run_id: str | None = None
    candidates: Sequence[str] = ()
    wish: RoutingRequest = field(default_factory=RoutingRequest)
    currency: str | None = None
    markup_e6: int = 0
    granted_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOutcome:
    """Outcome of a routed call.

    Attributes:
        source: `result` or `api`; `reference` is the result's id or the reporter.
        cost_pico: in the currency of the decision; None to read it from the usage of the run.
    """

    score_e6: int
    source: str
    reference: str
    cost_pico: int | None = None


async def decide(
    session: AsyncSession, book: PriceBook, question: CallToRoute, *, decided_by: str, command_id: str, now: datetime
) -> RoutingDecision:
    """Choose a candidate and store the odds, or return the decision that the command made.

    It reads the candidates, the budgets, the lots for the most expensive candidate, and one earlier decision. All
    amounts are converted at one price of a credit. No money moves. Needs the platform's session.
    """
    row = _new(question, decided_by, command_id, now)
    await lock_command(session, command_id)
    made = await existing_row(session, row, ("org_id", "agent_id", "task_kind", "wish"))
    if made is not None:
        return made
    left = (await remaining(session, question.org_id, question.spender, at=now)).binding
    row.currency = question.currency or (_CURRENCY if left is None else left.asset)
    rates = OwnRates(session, row.currency, row.org_id, granted_minor=question.granted_minor)
    candidates = await _candidates(session, book, question, rates, left, now)
    pace = None if left is None else await _pace(session, row, left, rates, now)
    row.priced_at = rates.priced_at
    # After the budget's lock, so that ids are in the order in which its decisions move the price.
    row.id = new_id(routes.PREFIX)
    row.run_id = question.run_id or row.id
    ranked = rank_candidates(candidates, question.wish, pace)
    row.ranking = [asdict(each) for each in ranked]
    # By its own id, which the caller cannot choose: a key that was picked for its draw would skew the odds.
    choice = draw_choice(ranked, row.id)
    if choice is not None:
        assert choice.cost_pico is not None
        row.choice, row.odds_e6 = choice.name, choice.odds_e6
        row.expected_pico = Decimal(choice.cost_pico)
        reference = next(each.reference_pico or 0 for each in candidates if each.name == choice.name)
        # Usage says what a model costs without the markup.
        markup_e6 = 0 if is_id(choice.name, "agt") else question.markup_e6
        row.reference_pico = Decimal(reference * ONE // (ONE + markup_e6))
        row.next_price_e6 = 0 if pace is None else pace.next_price_e6(choice.cost_pico)
    if not await routes.add(session, row):
        raise RoutingRunDecided(
            "The run has a routing decision for this kind of task. Leave run_id out, and give the id of the decision "
            "as run_id to the usage and the result of the call."
        )
    return await routes.get(session, row.id)


async def record_outcome(session: AsyncSession, row: RoutingDecision, outcome: CallOutcome, *, now: datetime) -> None:
    """Write the outcome of a decision and add it to the sums. Idempotent; the caller has locked the decision."""
    if row.choice is None:
        raise RoutingNoChoice("The decision has no choice, so it has no outcome.")
    if row.outcome_at is not None:
        if _is_same(row, outcome):
            return
        raise RoutingOutcomeExists("The decision has an outcome.")
    cost_pico = outcome.cost_pico
    if cost_pico is None:
        cost_pico = await _cost_of_run(session, row, row.choice, now)
    reference = int(row.reference_pico or 0)
    multiple_e6 = None
    if cost_pico is not None and reference:
        multiple_e6 = min(MOST_MULTIPLE * ONE, cost_pico * ONE // reference)
    row.score_e6, row.multiple_e6 = outcome.score_e6, multiple_e6
    row.cost_pico = None if cost_pico is None else Decimal(cost_pico)
    row.outcome_source, row.outcome_reference, row.outcome_at = outcome.source, outcome.reference, now
    added = OutcomeSums(results=1, score_e6=outcome.score_e6)
    if multiple_e6 is not None:
        added = OutcomeSums(
            results=1, score_e6=outcome.score_e6, costs=1, cost_e6=multiple_e6, square_e6=multiple_e6**2 // ONE
        )
    await session.flush()
    await routes.add_to_sums(session, row.org_id, row.choice, (row.task_kind, ALL_KINDS), added)


async def note_run_result(
    session: AsyncSession, org_id: str, run_id: str, task_kind: str, outcome: CallOutcome, *, now: datetime
) -> None:
    """Write the result of a run as the outcome of its decision for that kind of task; the first one counts.

    Of several decisions, it is the one for the run's agent, else the one for no agent. Runs that called only other
    models are ignored. The caller leaves out self-reported results. Needs the platform's session.
    """
    found = await routes.lock_of_run(session, org_id, run_id, task_kind)
    if not found:
        return
    agents = await routes.agents_of_run(session, org_id, run_id)
    rows = [row for row in found if row.agent_id in agents] or [row for row in found if row.agent_id is None]
    rows = rows or ([] if agents else list(found))
    if len(rows) != 1 or rows[0].choice is None:
        return
    choice = rows[0].choice
    if is_id(choice, "agt") or not await routes.has_other_models(session, org_id, run_id, choice):
        await _record_first(session, rows[0], outcome, now)


async def note_contract_result(
    session: AsyncSession, terms: Terms, outcome: CallOutcome, *, paid_minor: int, now: datetime
) -> None:
    """Write the result of a contract as the outcome of the payer's decision, named by the contract's `external_id`.

    The cost is what the escrow has paid so far, if there is an exchange rate.
    """
    own = await metadata.get(session, contract_id_of(terms.escrow_id), terms.payer_org_id)
    row = None
    if own is not None and own.external_id is not None:
        row = await routes.lock_named(session, terms.payer_org_id, own.external_id)
    if row is not None and row.choice == terms.agent_id:
        paid = paid_minor * minor_pico(terms.currency), terms.currency
        cost_pico, _ = await _converted(_rates_of(session, row, now), paid, now)
        await _record_first(session, row, replace(outcome, cost_pico=cost_pico), now)


async def _record_first(session: AsyncSession, row: RoutingDecision, outcome: CallOutcome, now: datetime) -> None:
    if row.choice is not None and row.outcome_at is None:
        await record_outcome(session, row, outcome, now=now)


def _is_same(row: RoutingDecision, outcome: CallOutcome) -> bool:
    known = (row.score_e6, row.outcome_source, row.outcome_reference)
    same = known == (outcome.score_e6, outcome.source, outcome.reference)
    return same and outcome.cost_pico in {None, row.cost_pico}


def _new(question: CallToRoute, decided_by: str, command_id: str, now: datetime) -> RoutingDecision:
    return RoutingDecision(
        org_id=question.org_id,
        agent_id=question.spender.agent_id,
        task_kind=question.task_kind,
        wish=asdict(question.wish)
        | {"candidates": list(question.candidates), "currency": question.currency, "run_id": question.run_id},
        next_price_e6=0,
        decided_by=decided_by,
        command_id=command_id,
        decided_at=now,
    )


async def _candidates(
    session: AsyncSession,
    book: PriceBook,
    question: CallToRoute,
    rates: OwnRates,
    left: PoolRemaining | None,
    now: datetime,
) -> list[Candidate]:
    org_id, kind = question.org_id, question.task_kind
    names = list(dict.fromkeys(question.candidates))
    if not names:
        since = (now - USED_WITHIN).date()
        names += await routes.used_models(session, org_id, since=since, limit=_MOST_MODELS)
        names += await routes.metered_agents(session, org_id, kind, limit=MOST_CANDIDATES - len(names))
    prices = await _prices(session, book, question, names, now)
    await _take(rates, [each for each in prices.values() if each is not None and each[0]], left, now)
    sums = await routes.sums(session, org_id, names, kind)
    found = []
    for name in names:
        pico, out = await _converted(rates, prices[name], now)
        found.append(
            Candidate(
                name=name,
                reference_pico=pico,
                out=out,
                is_whole=is_id(name, "agt"),
                of_kind=sums.get((name, kind), OutcomeSums()),
                all_round=sums.get((name, ALL_KINDS), OutcomeSums()),
            )
        )
    return found


async def _prices(
    session: AsyncSession, book: PriceBook, question: CallToRoute, names: Sequence[str], now: datetime
) -> Mapping[str, tuple[int, str] | None]:
    """Return the cost of a reference call by candidate, in pico of a currency; None without a price."""
    agents = await routes.agent_terms(session, question.org_id, [name for name in names if is_id(name, "agt")])
    models = {name: PriceKey(name, None, now) for name in names if not is_id(name, "agt")}
    listed = await book.prices_of(session, models.values()) if models else {}
    found: dict[str, tuple[int, str] | None] = {
        name: _price_of_agent(agents[name], question.task_kind, now) if name in agents else None for name in names
    }
    for name, wanted in models.items():
        price = listed[wanted]
        try:
            rated = None if price is None else rate(REFERENCE, price, at=now)
        except Invalid:  # it has no price for tokens
            rated = None
        if rated is not None:
            found[name] = rated.amount_pico * (ONE + question.markup_e6) // ONE, rated.currency
    return found


async def _take(rates: OwnRates, prices: Sequence[tuple[int, str]], left: PoolRemaining | None, now: datetime) -> None:
    """Price a credit at the lots for the most expensive candidate, if credits and money are compared."""
    assets = {asset for _, asset in prices} | {rates.currency} | ({left.asset} if left is not None else set())
    if "CREDIT" not in assets:
        return
    # What is priced in credits takes them as they come; a cost in money only those that may pay it.
    for pico, asset in sorted(prices, key=lambda each: (each[1] != "CREDIT", -each[0])):
        await rates.take(asset, Fraction(pico, minor_pico(asset)), now)


def _price_of_agent(terms: AgentTerms, kind: str, now: datetime) -> tuple[int, str] | None:
    """Return the cost of an agent's task, in pico of a currency: by its purchase, else by its listed price."""
    agent, bought = terms
    if bought is not None and not is_over(bought.ends_at, now):
        if bought.usage_prices is None:
            return 0, "CREDIT"
        prices = bought.usage_prices
        unit = prices.get(kind, next(iter(prices.values())) if len(prices) == 1 else None)
        return None if unit is None else (unit * minor_pico("CREDIT"), "CREDIT")
    if agent.pricing_model == "free":
        return 0, "CREDIT"
    if agent.price_minor is None or agent.price_currency is None or agent.pricing_model == "monthly":
        return None
    return agent.price_minor * minor_pico(agent.price_currency), agent.price_currency


async def _converted(
    rates: OwnRates, price: tuple[int, str] | None, now: datetime
) -> tuple[int | None, ExclusionReason]:
    if price is None:
        return None, ExclusionReason.NO_PRICE
    pico, asset = price
    try:
        return await _in_currency(rates, pico, asset, now), ExclusionReason.NO_PRICE
    except Invalid:
        return None, ExclusionReason.NO_RATE


async def _in_currency(rates: OwnRates, pico: int, asset: str, now: datetime) -> int:
    """Convert pico of an asset; `Invalid` without a rate."""
    if not pico or asset == rates.currency:
        return pico
    await rates.take(asset, Fraction(pico, minor_pico(asset)), now)
    await rates.load([(asset, now)])
    minor = rates.converted(Fraction(pico, minor_pico(asset)), asset, now)
    return int(minor * minor_pico(rates.currency))


async def _pace(
    session: AsyncSession, row: RoutingDecision, left: PoolRemaining, rates: OwnRates, now: datetime
) -> BudgetPace:
    """Return the pace of the binding budget, and store the data for the next decision.

    Decisions of a budget are serialised by a lock here, so that each counts in the next one.
    """
    left_pico = await _in_currency(rates, left.remaining_minor * minor_pico(left.asset), left.asset, now)
    await lock_command(session, f"routing:{left.control_id}")
    last = await routes.last_of_budget(session, left.control_id)
    row.control_id, row.window_starts_at, row.window_calls = left.control_id, left.starts_at, 1
    first_at = now
    price_e6 = START_E6
    if last is not None:
        price_e6 = last.next_price_e6
        if last.window_starts_at == left.starts_at:
            row.window_calls, row.window_calls_before = (last.window_calls or 0) + 1, last.window_calls_before
            first_at = last.window_first_at or now
        else:
            row.window_calls_before = last.window_calls
    row.next_price_e6, row.window_first_at = price_e6, first_at
    if left.starts_at is None or left.resets_at is None:
        return BudgetPace(left_pico=left_pico)
    calls = calls_left(
        calls=row.window_calls,
        before=row.window_calls_before,
        elapsed_e6=elapsed_e6(left.starts_at, left.resets_at, now),
        first_e6=elapsed_e6(left.starts_at, left.resets_at, first_at),
    )
    return BudgetPace(left_pico=left_pico, per_call_pico=left_pico // calls, price_e6=price_e6)


async def _cost_of_run(session: AsyncSession, row: RoutingDecision, choice: str, now: datetime) -> int | None:
    """Return the cost of the choice by the usage of the run; None without usage or a rate."""
    costs = await routes.costs_of_run(session, row.org_id, row.run_id, choice)
    rates, total = _rates_of(session, row, now), 0
    try:
        for currency, pico in costs.items():
            total += await _in_currency(rates, pico, currency, now)
    except Invalid:
        return None
    return total if costs else None


def _rates_of(session: AsyncSession, row: RoutingDecision, now: datetime) -> OwnRates:
    """Return rates with the decision's price of a credit, so that actual and expected cost are comparable."""
    rates = OwnRates(session, row.currency, row.org_id)
    if row.priced_at is not None:
        rates.fix(row.priced_at, now)
    return rates
