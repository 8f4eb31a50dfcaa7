"""Nightly allocation of projects' budgets to their agents: settings, proposals, acceptance."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import ceil
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.budget import BudgetTerms as BudgetTerms
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.calendar import Window, first_moment, zone_of
from domain.common.errors import AllocationExpired, AllocationNoBudget, AllocationStale, DomainError, Invalid
from domain.common.ids import allocation_key
from domain.common.money import CREDIT, cent_of
from domain.credits.spend.control import (
    MAX_LEVELS,
    ControlKind,
    ControlStatus,
    Limit,
    LimitTerms,
    NewControl,
    SubjectKind,
    limits_of,
)
from domain.returns.allocation import (
    HORIZON_DAYS,
    MAX_AGENTS,
    PROPOSAL_VALID_FOR,
    AgentFactors,
    AllocationLine,
    AllocationMode,
    AllocationStatus,
    LineBound,
    ShareBounds,
    day_bounds,
    divide,
    estimates_e6,
    reinvested_minor,
    time_e6,
)
from domain.returns.roi import DailyResult
from ledger.gateway import Ledger
from models.credits.spend_control import SpendControl
from models.returns.allocation import Allocation, AllocationSetting
from repositories.budgets.budget import pools_of, states as budget_states
from repositories.common.command import lock_command
from repositories.insight.own_rates import OwnRates
from repositories.returns import allocation as allocations
from repositories.tenants import audit
from runtime.database import driver_connection
from runtime.identity import new_id
from services.credits import spend_control
from services.credits.spend_control import ControlCommand
from services.returns import roi

#: The actor that applies allocations in the mode `auto`.
ACTOR = Actor(principal="allocation", role=Role.OPERATOR)
_DAY = timedelta(days=1)
_OVER = (
    "This allocation cannot be accepted any more: its time is over, or its settings were changed since. "
    "The next night proposes another one."
)
_STALE = (
    "A budget of the project or of one of its agents was changed, opened or closed after this allocation was proposed. "
    "Wait for the next night, which proposes another one, or change the budgets by hand."
)
_NO_BUDGET = "The project has no open budget in {currency}. Open one with a daily limit first."


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationRequest:
    """Requested settings of a project's allocation; amounts in minor units of `currency`."""

    mode: AllocationMode
    currency: str
    daily_minor: int
    bounds: ShareBounds
    reinvest_bps: int


async def set_allocation(
    session: AsyncSession, actor: Actor, org_id: str, project_id: str, wanted: AllocationRequest, *, now: datetime
) -> AllocationSetting:
    """Set a project's allocation settings from the next night on. Idempotent.

    Open proposals by earlier settings expire.

    Raises:
        Invalid: its budget is on the lowest level, so no agent's can be below it.
    """
    await lock_command(session, f"allocation:{project_id}")
    budget = await project_budget(session, org_id, project_id, wanted.currency)
    if wanted.mode is not AllocationMode.OFF and len(budget.path) == MAX_LEVELS:
        raise Invalid(
            f"The project's budget is on level {MAX_LEVELS}, the lowest: budgets of agents cannot be below it. "
            "Give it a parent on a higher level first."
        )
    before = await allocations.setting(session, project_id, lock=True)
    zone = zone_of(budget.zone)
    night = now.astimezone(zone).date() + _DAY
    if before is not None and before.next_at is not None:
        night = before.next_night
    is_same = before is not None and (before.reinvest_bps, before.currency) == (wanted.reinvest_bps, wanted.currency)
    values = {
        "mode": wanted.mode.value,
        "currency": wanted.currency,
        "daily_minor": wanted.daily_minor,
        "floor_e4": wanted.bounds.floor_e4,
        "ceiling_e4": wanted.bounds.ceiling_e4,
        "reinvest_bps": wanted.reinvest_bps,
        # A new share is of new profit.
        "reinvests_from": before.reinvests_from if before is not None and is_same else night,
        "next_night": night,
        "next_at": None if wanted.mode is AllocationMode.OFF else first_moment(night, zone),
    }
    if before is not None and all(getattr(before, name) == value for name, value in values.items()):
        return before
    who = {"project_id": project_id, "org_id": org_id, "updated_by": actor.qualified(), "updated_at": now}
    row = await allocations.put(session, **values, **who)
    await allocations.expire(session, project_id)
    if wanted.mode is AllocationMode.OFF:
        await end_raise(session, actor, project_id, before=date.max, now=now)
    details = {"mode": row.mode, "daily_minor": row.daily_minor, "reinvest_bps": row.reinvest_bps}
    await audit.record(session, actor, "allocation.set", project_id, details, org_id)
    return row


async def propose(
    session: AsyncSession, project_id: str, night: date, *, matures: timedelta, now: datetime
) -> tuple[Allocation | None, str]:
    """Create the allocation of a night, once; in the mode `auto`, apply it.

    Args:
        session: of the platform.
        project_id: the project.
        night: the date of the day.
        matures: the refund period of revenue; days within it do not count.
        now: the time.

    Returns:
        The existing or new allocation, and the reason if there is none.
    """
    setting = await allocations.setting(session, project_id, lock=True)
    assert setting is not None
    made = await allocations.of_night(session, project_id, night)
    if setting.next_at is None:
        return made, "" if made is not None else "it is switched off"
    found = await allocations.budgets_of(session, setting.org_id, SubjectKind.PROJECT, [project_id], setting.currency)
    budget = found.get(project_id)
    zone = zone_of("UTC" if budget is None else budget.zone)
    today = now.astimezone(zone).date()
    # In the zone of another budget, the night may not have begun yet.
    following = max(night if night > today else night + _DAY, today)
    setting.next_night, setting.next_at = following, first_moment(following, zone)
    if made is not None:
        return made, ""
    if night != today:
        return None, f"the day {night} is not now"
    if budget is None or budget.status != ControlStatus.ACTIVE:
        return None, "the project has no active budget"
    try:
        rates = OwnRates(session, setting.currency, setting.org_id)
        total, added, lines, versions, left_out = await _divided(session, setting, budget, night, matures, rates, now)
    except Invalid as refusal:
        return None, refusal.detail
    if not lines:
        return None, "the project has no agents that can spend"
    row = Allocation(
        id=new_id(allocations.PREFIX),
        org_id=setting.org_id,
        project_id=project_id,
        night=night,
        currency=setting.currency,
        total_minor=total,
        reinvested_minor=added,
        lines=[line_to_json(line) for line in lines],
        versions=versions,
        left_out=left_out,
        priced_at=rates.priced_at,
        status=AllocationStatus.PROPOSED.value,
        # Not longer than the day: the next night proposes anew.
        answer_by=min(now + PROPOSAL_VALID_FOR, setting.next_at),
        created_at=now,
    )
    try:
        async with session.begin_nested():
            await allocations.add(session, row)
            if setting.mode == AllocationMode.AUTO:
                await _apply(session, ACTOR, row, now)
    except DomainError as refusal:
        if refusal.retryable:
            raise
        if isinstance(refusal, AllocationStale):
            # Of what a person has changed meanwhile, the next sweep divides anew.
            setting.next_night, setting.next_at = night, first_moment(night, zone)
        return None, refusal.detail
    return row, ""


async def end_raise(session: AsyncSession, actor: Actor, project_id: str, *, before: date, now: datetime) -> None:
    """Undo an earlier day's reinvestment in the project's daily budget, unless a person changed it since."""
    row = await allocations.raised_allocation(session, project_id, before)
    if row is None:
        return
    credits = accounts.org_credits(row.org_id)
    await Ledger(await driver_connection(session)).lock_balances([], if_open=[credits])
    found = await allocations.budgets_of(session, row.org_id, SubjectKind.PROJECT, [project_id], row.currency)
    if project_id in found and _operating_minor(found[project_id]) == row.total_minor:
        order = ControlCommand(
            actor=actor,
            org_id=row.org_id,
            command_id=allocation_key(row.id, "raise"),
            at=now,
            reason=f"The day of allocation {row.id} is over",
            kind=ControlKind.BUDGET,
        )
        await _set_day(session, order, found[project_id], row.total_minor - row.reinvested_minor)
    row.is_raised = False
    await session.flush()


async def accept(session: AsyncSession, actor: Actor, allocation_id: str, *, now: datetime) -> Allocation:
    """Apply a proposed allocation; one that was applied is returned."""
    row = await allocations.get(session, allocation_id, lock=True)
    if row.status == AllocationStatus.APPLIED:
        return row
    if row.answer_by is None or now >= row.answer_by:
        raise AllocationExpired(_OVER)
    await _apply(session, actor, row, now)
    return row


async def expire(session: AsyncSession, allocation_id: str, *, now: datetime) -> Allocation:
    """Expire a proposal that was not accepted in time; budgets do not change."""
    row = await allocations.get(session, allocation_id, lock=True)
    if row.answer_by is not None and now >= row.answer_by:
        row.status, row.answer_by = AllocationStatus.EXPIRED.value, None
        await session.flush()
    return row


def line_to_json(line: AllocationLine) -> dict[str, object]:
    """Return the JSON of a line."""
    return {
        "agent_id": line.agent_id,
        "old_minor": line.old_minor,
        "new_minor": line.new_minor,
        "bound": line.bound.value,
        **asdict(line.terms),
    }


def lines_of(row: Allocation) -> list[AllocationLine]:
    """Parse the lines of an allocation."""
    return [
        AllocationLine(
            agent_id=each["agent_id"],
            old_minor=each["old_minor"],
            new_minor=each["new_minor"],
            bound=LineBound(each["bound"]),
            terms=AgentFactors(**{name: each[name] for name in AgentFactors.__dataclass_fields__}),
        )
        for each in row.lines
    ]


async def _divided(
    session: AsyncSession,
    setting: AllocationSetting,
    budget: SpendControl,
    night: date,
    matures: timedelta,
    rates: OwnRates,
    now: datetime,
) -> tuple[int, int, Sequence[AllocationLine], dict[str, int], list[str]]:
    """Return the daily money, the reinvested amount, the lines, the versions of budgets, and left-out currencies."""
    org_id, project_id, currency = setting.org_id, setting.project_id, setting.currency
    ids = await allocations.agents_of(session, org_id, project_id, limit=MAX_AGENTS)
    budgets = await allocations.budgets_of(session, org_id, SubjectKind.AGENT, ids, currency)
    day, times = day_bounds(night, budget.zone), dict[str, int]()
    spent = await _spent(session, list(budgets.values()), day, now)
    for each in ids:
        own = budgets.get(each)
        part = time_e6(day, None if own is None else own.starts_at, None if own is None else own.ends_at)
        if part and (own is None or (own.status == ControlStatus.ACTIVE and own.id not in spent)):
            times[each] = part
    # By UTC, a day is over a day later.
    through = now.astimezone(UTC).date() - _DAY - matures
    nights, left_out = await roi.daily_results(
        session,
        org_id,
        project_id=project_id,
        since=through - (HORIZON_DAYS - 1) * _DAY,
        until=through + _DAY,
        currency=currency,
        now=now,
    )
    allowed = _operating_minor(budget)
    total = setting.daily_minor if allowed is None else min(setting.daily_minor, allowed)
    added = 0
    # Without a limit of a day there is nothing that falls back.
    if setting.reinvest_bps and allowed is not None and total == setting.daily_minor:
        added = await _reinvested(session, setting, budget, night, through, nights, rates, now)
    total += added
    if not times:
        return total, added, (), {}, []
    equal = Fraction(total, len(times))
    success = estimates_e6(nights, list(times), through=through, equal_minor=equal)
    scores = await allocations.reputations(session, times)
    work, missing = await _tasks(session, org_id, times, nights, rates, now)
    agents = {
        each: (
            None if each not in budgets else _operating_minor(budgets[each]),
            AgentFactors(
                performance_e6=scores.get(each, 0), task_minor=work.get(each, 0), time_e6=part, success_e6=success[each]
            ),
        )
        for each, part in times.items()
    }
    bounds = ShareBounds(floor_e4=setting.floor_e4, ceiling_e4=setting.ceiling_e4)
    lines = divide(total, agents, bounds, cent_minor=cent_of(setting.currency))
    versions = {each: budgets[each].version for each in agents if each in budgets}
    return total, added, lines, {project_id: budget.version, **versions}, sorted({*left_out, *missing})


async def _spent(
    session: AsyncSession, budgets: Sequence[SpendControl], day: tuple[datetime, datetime], now: datetime
) -> set[UUID]:
    return {
        control_id
        for control_id, states in (await budget_states(session, budgets, now)).items()
        if any(
            state.limit.hard
            and state.limit.window is not Window.DAY
            and (state.resets_at is None or state.resets_at >= day[1])
            and (state.operating.remaining_minor == 0 or state.uses_remaining == 0)
            for state in states
        )
    }


async def _tasks(
    session: AsyncSession,
    org_id: str,
    agents: Iterable[str],
    nights: Sequence[DailyResult],
    rates: OwnRates,
    now: datetime,
) -> tuple[Mapping[str, int], set[str]]:
    """Estimate the cost of each agent's open work: its price times the agent's cost per unit earned.

    The second value has the currencies without a rate, which are left out.
    """
    found = await allocations.open_work(session, org_id, list(agents), in_money=rates.currency != CREDIT)
    for _, currency, amount in found if rates.currency == CREDIT else ():
        await rates.take(currency, amount, now)
    left_out = {*await roi.assets_without_rate(rates, ((currency, now) for _, currency, _ in found))}
    costs = dict[str, Fraction]()
    for agent_id, currency, amount in found:
        if currency in left_out:
            continue
        own = [night for night in nights if night.agent_id == agent_id]
        cost, earned = sum(each.cost_minor for each in own), sum(each.revenue_minor for each in own)
        of_each = min(Fraction(1), Fraction(cost, earned)) if earned > 0 else Fraction(1)
        price = Fraction(rates.converted(amount, currency, now))
        costs[agent_id] = costs.get(agent_id, Fraction(0)) + price * of_each
    return {agent_id: int(cost) for agent_id, cost in costs.items()}, left_out


async def _reinvested(
    session: AsyncSession,
    setting: AllocationSetting,
    budget: SpendControl,
    night: date,
    through: date,
    nights: Sequence[DailyResult],
    rates: OwnRates,
    now: datetime,
) -> int:
    """Return the reinvested profit, see `domain.returns.allocation.reinvested_minor`."""
    first = max(setting.reinvests_from, night - (HORIZON_DAYS - 1) * _DAY)
    zone = zone_of(budget.zone)
    # The day whose profit the first of these nights was the first to count.
    since = through - (now.astimezone(UTC).date() - first_moment(first, zone).date())
    profit = sum(each.revenue_minor - each.cost_minor for each in nights if each.day >= since)
    already = await allocations.reinvested_minor(session, setting.project_id, first)
    wallets = [accounts.org_credits(setting.org_id)]
    if setting.currency != CREDIT:
        wallets.append(accounts.org_cash(setting.org_id, setting.currency))
    # Two projects do not count on the same money.
    await lock_command(session, f"reinvestment:{setting.org_id}")
    there = await Ledger(await driver_connection(session)).available(wallets, now)
    money = [(wallet.asset, minor) for wallet, minor in zip(wallets, there, strict=True)]
    others = await allocations.daily_money_of_others(session, setting, night - 2 * _DAY)
    await _load(rates, [*money, *others], now)
    free = sum(int(rates.converted(minor, asset, now)) for asset, minor in money)
    free -= sum(ceil(rates.converted(minor, asset, now)) for asset, minor in others)
    return reinvested_minor(
        profit, setting.reinvest_bps, already_minor=already, daily_minor=setting.daily_minor, there_minor=free
    )


async def _load(rates: OwnRates, amounts: Sequence[tuple[str, int]], now: datetime) -> None:
    """Load the rates of amounts; the first amount in credits sets the price of a credit."""
    for asset, minor in amounts:
        await rates.take(asset, minor, now)
    await rates.load((asset, now) for asset, _ in amounts)


async def _apply(session: AsyncSession, actor: Actor, row: Allocation, now: datetime) -> None:
    """Write a version of each changed budget, in the caller's transaction, which holds the row's lock.

    Agents that have left the project get nothing.
    """
    # As every writer of controls, before they are read: nobody changes them meanwhile.
    credits = accounts.org_credits(row.org_id)
    await Ledger(await driver_connection(session)).lock_balances([], if_open=[credits])
    project = await project_budget(session, row.org_id, row.project_id, row.currency)
    there = set(await allocations.agents_of(session, row.org_id, row.project_id, limit=MAX_AGENTS))
    lines = [line for line in lines_of(row) if line.agent_id in there]
    budgets = await allocations.budgets_of(
        session, row.org_id, SubjectKind.AGENT, [line.agent_id for line in lines], row.currency
    )
    versions = {row.project_id: project.version} | {each: budget.version for each, budget in budgets.items()}
    if any(
        versions.get(each) != row.versions.get(each) for each in (row.project_id, *(line.agent_id for line in lines))
    ):
        raise AllocationStale(_STALE)
    order = ControlCommand(
        actor=actor,
        org_id=row.org_id,
        command_id=allocation_key(row.id, row.project_id),
        at=now,
        reason=f"Allocation {row.id} of {row.night}",
        kind=ControlKind.BUDGET,
    )
    # First, so that it is never below what its agents get.
    if row.reinvested_minor:
        await _set_day(session, order, project, row.total_minor)
        row.is_raised = True
    for line in lines:
        of_agent = replace(order, command_id=allocation_key(row.id, line.agent_id))
        own = budgets.get(line.agent_id)
        if own is not None:
            await _set_day(session, of_agent, own, line.new_minor)
            continue
        new = NewControl(
            subject_kind=SubjectKind.AGENT,
            subject_id=line.agent_id,
            asset=row.currency,
            time_zone=project.zone,
            week_starts=project.week_starts,
            kind=ControlKind.BUDGET,
        )
        limits = (Limit(window=Window.DAY, amount_minor=line.new_minor),)
        await spend_control.create(session, of_agent, new, BudgetTerms(allowance=LimitTerms(limits=limits)), project.id)
    row.status, row.answer_by = AllocationStatus.APPLIED.value, None
    row.applied_at, row.applied_by = now, actor.qualified()
    await session.flush()
    details = {"night": row.night.isoformat(), "agents": len(lines), "reinvested_minor": row.reinvested_minor}
    await audit.record(session, actor, "allocation.apply", row.id, details, row.org_id)


async def _set_day(session: AsyncSession, order: ControlCommand, budget: SpendControl, operating_minor: int) -> None:
    amount = operating_minor + _kept_back(budget)
    if _operating_minor(budget) != operating_minor:
        await spend_control.set_amount(session, order, budget, Window.DAY, amount)


def _operating_minor(budget: SpendControl) -> int | None:
    """Return the daily operating pool of a budget; None without a daily limit."""
    limits = {each.window: each for each in limits_of(budget.windows, budget.amounts, budget.uses, budget.hard)}
    amount = limits[Window.DAY].amount_minor if Window.DAY in limits else None
    return None if amount is None else max(0, amount - _kept_back(budget))


def _kept_back(budget: SpendControl) -> int:
    pools = pools_of(budget)
    return 0 if pools.pools_of is not Window.DAY else (pools.reserve_minor or 0) + (pools.emergency_minor or 0)


async def project_budget(session: AsyncSession, org_id: str, project_id: str, currency: str) -> SpendControl:
    """Return the open budget of a project in a currency."""
    found = await allocations.budgets_of(session, org_id, SubjectKind.PROJECT, [project_id], currency)
    if project_id not in found:
        raise AllocationNoBudget(_NO_BUDGET.format(currency=currency))
    return found[project_id]
