"""What an agent reads of its budget, and the template that an organization sets for it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.free_text import check_free_text
from domain.budgets.policy import NOT_IN_POLICY
from domain.budgets.prompt import PoolBalance, PromptFigures, check_template, pace_ends_at, preferred, render
from domain.common.access import Actor
from domain.common.calendar import zone_of
from ledger.spends import Spender
from models.budgets.prompt_template import PromptTemplate
from repositories.budgets import prompt_template as templates
from repositories.budgets.remaining import PoolRemaining, remaining
from repositories.tenants import audit
from services.budgets import policy


@dataclass(frozen=True, slots=True)
class Prompt:
    """The text, and the figures that it was made from."""

    text: str
    figures: PromptFigures


async def prompt_of(session: AsyncSession, org_id: str, spender: Spender, *, at: datetime) -> Prompt:
    """Return what an agent reads at a moment. Needs a platform session."""
    left = await remaining(session, org_id, spender, at=at)
    own = left.daily or left.binding
    rules = await policy.policy_for(session, org_id, agent_id=spender.agent_id, project_id=spender.project_id)
    declared = await policy.methods_of(
        session,
        org_id,
        rules,
        amount_minor=0 if own is None else own.remaining_minor,
        currency=rules.currency if own is None else own.asset,
    )
    labels = [method.label for method in declared if method.why_not != NOT_IN_POLICY]
    figures = PromptFigures(
        own=_left(own),
        methods=preferred(rules, labels),
        project=_left(left.project),
        reserve=_left(left.reserve),
        allowance=_left(left.allowance),
        pace_ends_at=_pace(left.daily, at),
        crypto=[kind.value for kind in rules.crypto.in_order],
    )
    template = await templates.get(session, org_id)
    return Prompt(render(None if template is None else template.template, figures), figures)


async def set_template(session: AsyncSession, actor: Actor, org_id: str, template: str | None, at: datetime) -> None:
    """Set an organization's template, or with None the standard one. The same again changes nothing."""
    if template is not None:
        check_template(template)
        check_free_text(template, "template")
    row = await templates.get(session, org_id, lock=True)
    if (None if row is None else row.template) == template:
        return
    changed = PromptTemplate(org_id=org_id, template=template, changed_by=actor.qualified(), changed_at=at)
    await templates.put(session, changed)
    await audit.record(session, actor, "budget.prompt_template", org_id, {"standard": template is None}, org_id)


def _left(left: PoolRemaining | None) -> PoolBalance | None:
    if left is None:
        return None
    return PoolBalance(
        amount_minor=left.amount_minor,
        remaining_minor=left.remaining_minor,
        currency=left.asset,
        window=left.window,
        resets_at=left.resets_at,
    )


def _pace(left: PoolRemaining | None, at: datetime) -> datetime | None:
    if left is None or left.starts_at is None or left.resets_at is None:
        return None
    return pace_ends_at(
        used_minor=left.amount_minor - left.remaining_minor,
        remaining_minor=left.remaining_minor,
        starts_at=left.starts_at,
        resets_at=left.resets_at,
        at=at,
        zone=zone_of(left.zone),
    )
