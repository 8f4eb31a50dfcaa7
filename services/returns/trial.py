"""Trials of agents: creation, payment of due stages, and stop at insufficient evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.budget import BudgetTerms
from domain.common.access import Actor, Role
from domain.common.calendar import Window
from domain.common.errors import Invalid
from domain.common.ids import trial_key, uuid_id
from domain.credits.spend.control import ControlKind, ControlStatus, Limit, LimitTerms, NewControl, SubjectKind
from domain.returns.roi import RoiScope
from domain.returns.trial import StopReason, TrialEvidence, TrialStage, TrialStatus, check_stages, unmet_requirement
from models.marketplace.agent import Agent
from models.returns.trial import Trial
from repositories.common.command import lock_command, require_same_request, row_of_command
from repositories.credits import spend_control as controls
from repositories.returns import allocation as allocations, trial as trials
from repositories.tenants import audit
from runtime.identity import new_id
from services.credits import spend_control
from services.credits.spend_control import ControlCommand
from services.returns import roi

#: The actor that pays the stages.
ACTOR = Actor(principal="trial", role=Role.OPERATOR)
#: The maximum period of figures, in days.
_LONGEST = 366
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRequest:
    """A requested trial; the amount is in minor units of the currency."""

    currency: str
    amount_minor: int
    stages: tuple[TrialStage, ...]


async def create(
    session: AsyncSession, actor: Actor, agent: Agent, wanted: TrialRequest, *, command_id: str, now: datetime
) -> Trial:
    """Create a trial with an empty budget of the agent, or return the one that its command created.

    The budget is below that of the agent's project in the currency, if there is one.

    Raises:
        Invalid: the stages are wrong; it names the field.
    """
    await lock_command(session, command_id)
    check_stages(wanted.stages, wanted.amount_minor)
    row = Trial(
        org_id=agent.org_id,
        agent_id=agent.id,
        currency=wanted.currency,
        amount_minor=wanted.amount_minor,
        stages=[stage.stored() for stage in wanted.stages],
        paid=0,
        paid_minor=0,
        status=TrialStatus.RUNNING.value,
        next_at=wanted.stages[0].due_at,
        created_by=actor.qualified(),
        command_id=command_id,
        created_at=now,
    )
    made = await row_of_command(session, Trial, command_id)
    if made is not None:
        require_same_request(made, row, ("org_id", "agent_id", "currency", "amount_minor", "stages"))
        return made
    if wanted.stages[-1].due_at > now + _LONGEST * _DAY:
        raise Invalid("All stages must be due within a year.", extra={"field": "stages"})
    row.id = new_id(trials.PREFIX)
    above = None
    if agent.project_id is not None:
        found = await allocations.budgets_of(
            session, agent.org_id, SubjectKind.PROJECT, [agent.project_id], wanted.currency
        )
        above = found.get(agent.project_id)
    new = NewControl(
        subject_kind=SubjectKind.AGENT,
        subject_id=agent.id,
        asset=wanted.currency,
        time_zone="UTC" if above is None else above.zone,
        kind=ControlKind.BUDGET,
    )
    terms = BudgetTerms(allowance=LimitTerms(limits=(Limit(window=Window.LIFETIME, amount_minor=0),)))
    budget = await spend_control.create(
        session, _order(actor, row, 0, now), new, terms, None if above is None else above.id
    )
    row.control_id = budget.id
    session.add(row)
    await session.flush()
    details = {"agent_id": agent.id, "amount_minor": row.amount_minor, "currency": row.currency}
    await audit.record(session, actor, "trial.create", row.id, details, row.org_id)
    return row


async def pay(session: AsyncSession, trial_id: str, *, matures: timedelta, now: datetime) -> Trial:
    """Pay the due stages by raising the agent's lifetime budget, each once; or stop the trial.

    Args:
        session: of the platform.
        trial_id: the trial.
        matures: the refund period of revenue; days within it do not count.
        now: the time.
    """
    row = await trials.locked(session, trial_id)
    stages = stages_of(row)
    parts = check_stages(stages, row.amount_minor)
    while row.next_at is not None and row.next_at <= now:
        stage = stages[row.paid]
        budget = await controls.get(session, uuid_id("ctl", row.control_id))
        why = StopReason.BUDGET_CLOSED if budget.status == ControlStatus.CLOSED else None
        why = why or unmet_requirement(stage, await _shown(session, row, stage, matures, now))
        if why is not None:
            row.status, row.next_at, row.stopped_by = TrialStatus.STOPPED.value, None, why.value
            await audit.record(session, ACTOR, "trial.stop", row.id, {"why": why.value}, row.org_id)
            break
        lifetime = dict(zip(budget.windows, budget.amounts, strict=True)).get(Window.LIFETIME) or 0
        raised = lifetime + parts[row.paid]
        order = _order(ACTOR, row, row.paid + 1, now)
        await spend_control.set_amount(session, order, budget, Window.LIFETIME, raised)
        row.paid_minor += parts[row.paid]
        row.paid += 1
        if row.paid == len(stages):
            row.status, row.next_at = TrialStatus.FINISHED.value, None
        else:
            row.next_at = stages[row.paid].due_at
    await session.flush()
    return row


def stages_of(row: Trial) -> Sequence[TrialStage]:
    """Parse the stages of a trial."""
    return [TrialStage.kept(each) for each in row.stages]


async def _shown(
    session: AsyncSession, row: Trial, stage: TrialStage, matures: timedelta, now: datetime
) -> TrialEvidence:
    results, lower = 0, None
    if stage.results:
        results = await trials.results(session, row.org_id, row.agent_id, row.created_at)
    until = now.astimezone(UTC).date() - matures
    since = max(row.created_at.astimezone(UTC).date(), until - _LONGEST * _DAY)
    if stage.roi_e4 is not None and since < until:
        found = await roi.figures(
            session, row.org_id, scope=RoiScope.AGENT, since=since, until=until, currency=row.currency, now=now
        )
        lower = next((each.roi_lower for each in found if each.id == row.agent_id), None)
    return TrialEvidence(results=results, roi_e4=None if lower is None else lower * 10_000 // 1)


def _order(actor: Actor, row: Trial, stage: int, now: datetime) -> ControlCommand:
    return ControlCommand(
        actor=actor,
        org_id=row.org_id,
        command_id=trial_key(row.id, stage),
        at=now,
        reason=f"Trial {row.id}" + (f", stage {stage}" if stage else ""),
        kind=ControlKind.BUDGET,
    )
