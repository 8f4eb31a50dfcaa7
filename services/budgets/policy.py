"""Payment policies, free options, and payment methods, set by owners, admins and operators.

Setting the same value again changes nothing, so repeated requests are safe.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.free_text import check_free_text, normalize_name
from domain.budgets.policy import (
    FreeOption,
    Method,
    MethodKind,
    Policy,
    PolicyScope,
    is_nearly_used,
    quota_window_start,
    rank_methods,
)
from domain.common import errors as refusals
from domain.common.access import Actor
from domain.common.errors import NotFound
from domain.common.text import rfc3339
from domain.messages.alert.kinds import FREE_QUOTA, POLICY_WAITING
from models.budgets.free_option import FreeOptionRow
from models.budgets.payment_policy import PaymentPolicy
from models.budgets.purchase_method import PurchaseMethod
from repositories.billing import project as projects
from repositories.budgets import free_option as options, payment_policy as policies, purchase_method as methods
from repositories.common.command import lock_command
from repositories.credits import department as departments
from repositories.marketplace import agent as agents
from repositories.messages import alert
from repositories.tenants import audit, organization
from runtime.identity import new_id

#: The maximum number of free options, and of methods, of an organization.
MAX_OPTIONS, MAX_METHODS = 200, 50


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodDeclaration:
    """Payment method declared by an organization; see `models.budgets.purchase_method`."""

    name: str
    label: str
    kind: MethodKind
    fee_share_e4: int | None = None
    fee_fixed_minor: int | None = None
    fee_currency: str | None = None
    rank: int | None = None


async def policy_for(session: AsyncSession, org_id: str, *, agent_id: str | None, project_id: str | None) -> Policy:
    """Return the policy for purchases of an agent for a project.

    Only the nearest one applies: the agent's, else the project's, else the organization's, else the default.
    """
    row = await policies.nearest(session, org_id, agent_id=agent_id, project_id=project_id)
    return Policy() if row is None else policies.policy_of(row)


async def options_for(session: AsyncSession, org_id: str, category: str, *, at: datetime) -> list[FreeOption]:
    """Return the free options of a category by name, with the used part of their quotas."""
    rows = await options.listed(session, org_id)
    return [options.option_of(row, at) for row in rows if normalize_name(row.category) == normalize_name(category)]


async def methods_of(
    session: AsyncSession,
    org_id: str,
    policy: Policy,
    *,
    amount_minor: int,
    currency: str,
    issued: Method | None = None,
) -> list[Method]:
    """Return the organization's methods in the order of a policy, with their expected fees for an amount.

    `issued` is a card of the platform, left out if the policy excludes cards, or a declared method has its name.
    """
    rows = await methods.listed(session, org_id)
    found = [methods.method_of(row, amount_minor=amount_minor, currency=currency) for row in rows]
    if issued is not None and issued.kind in policy.order and issued.name not in {each.name for each in found}:
        found.append(issued)
    return rank_methods(policy, found)


async def count_attempt(session: AsyncSession, org_id: str, method_name: str, *, succeeded: bool) -> None:
    """Count a finished attempt of a declared method, for its success rate."""
    await methods.count_attempt(session, org_id, method_name, succeeded=succeeded)


async def count_free_use(session: AsyncSession, org_id: str, name: str, *, at: datetime) -> None:
    """Count a use of a free option in its window, and raise an alert once a window from 80 % of the quota on.

    An unknown option is ignored. The caller's unique row ensures that a use counts once.
    """
    wanted = normalize_name(name)
    row = next(
        (row for row in await options.listed(session, org_id, lock=True) if normalize_name(row.name) == wanted), None
    )
    if row is None or row.quota_window is None:
        return
    began = quota_window_start(row.quota_window, at)
    if row.used_since is None or row.used_since < began:
        row.used, row.used_since = 0, began
    row.used += 1
    await session.flush()
    option = options.option_of(row, row.used_since)
    key = f"{FREE_QUOTA}:{row.id}:{rfc3339(row.used_since)}"
    await alert.close_other_dates(session, row.id, FREE_QUOTA, FREE_QUOTA, key)
    if is_nearly_used(option):
        await alert.raise_alert(
            session,
            kind=FREE_QUOTA,
            subject=row.id,
            detail=f"The free option {row.name} was used {row.used} of {row.quota} times this {row.quota_window}.",
            org_id=org_id,
            key=key,
            shared=True,
            for_operators=False,
        )


async def check_subject(session: AsyncSession, org_id: str, scope: PolicyScope, subject_id: str | None) -> str:
    """Return the id of a policy's subject.

    Raises:
        NotFound: the organization has no such project or agent.
    """
    match scope:
        case PolicyScope.ORGANIZATION:
            await organization.get(session, org_id)
            if subject_id not in {None, org_id}:
                raise NotFound(organization.MISSING)
            return org_id
        case PolicyScope.PROJECT:
            if subject_id is None or not await departments.project_exists(session, org_id, subject_id):
                raise NotFound(projects.MISSING)
        case PolicyScope.AGENT:
            if subject_id is None or (await agents.get(session, subject_id)).org_id != org_id:
                raise NotFound(agents.MISSING)
    return subject_id


async def set_policy(
    session: AsyncSession,
    actor: Actor,
    org_id: str,
    scope: PolicyScope,
    subject_id: str | None,
    policy: Policy,
    *,
    expected_version: int | None,
    now: datetime,
) -> PaymentPolicy:
    """Set the policy of an organization, a project or an agent, replacing the whole policy.

    Raises:
        NotFound: the organization has no such project or agent.
    """
    policy.check_texts()
    subject = await check_subject(session, org_id, scope, subject_id)
    await lock_command(session, f"payment_policies:{org_id}")
    row = await policies.of_subject(session, org_id, scope, subject)
    if row is not None and policies.policy_of(row) == policy:
        return row
    standing = 0 if row is None else row.version
    if expected_version not in {None, standing}:
        raise refusals.PaymentPolicyVersion(
            "The policy was changed meanwhile. Read it again.", extra={"version": standing}
        )
    if row is None:
        row = PaymentPolicy(id=new_id("pol"), org_id=org_id, scope=scope.value, subject_id=subject, version=0)
        session.add(row)
    policies.fill(row, policy)
    row.version += 1
    row.updated_by, row.updated_at = actor.qualified(), now
    await session.flush()
    await _end_proposals(session, row)
    await audit.record(session, actor, "payment_policy.set", row.id, _shown(row), org_id)
    return row


async def delete_policy(session: AsyncSession, actor: Actor, policy_id: str) -> None:
    """Delete a policy, so that the next nearest one applies.

    Raises:
        NotFound: there is none.
    """
    row = await policies.get(session, policy_id)
    await lock_command(session, f"payment_policies:{row.org_id}")
    await audit.record(session, actor, "payment_policy.delete", row.id, _shown(row), row.org_id)
    await _end_proposals(session, row)
    await session.delete(row)
    await session.flush()


async def _end_proposals(session: AsyncSession, row: PaymentPolicy) -> None:
    """Resolve the alerts of proposed changes that are based on the previous policy, or on having none."""
    await alert.close_cases_of(session, [row.id, row.subject_id], [POLICY_WAITING])


async def set_option(
    session: AsyncSession, actor: Actor, org_id: str, option: FreeOption, *, now: datetime
) -> FreeOptionRow:
    """Add a free option to the catalogue, or replace the one of that name, keeping its counted uses."""
    for field in ("name", "category", "address"):
        text = getattr(option, field)
        if text is not None:
            check_free_text(text, field)
    await organization.get(session, org_id)
    await lock_command(session, f"free_options:{org_id}")
    rows = await options.listed(session, org_id, lock=True)
    row = next((row for row in rows if normalize_name(row.name) == normalize_name(option.name)), None)
    wanted = {name: getattr(option, name) for name in ("name", "category", "address", "quota", "quota_window")}
    if row is None:
        if len(rows) >= MAX_OPTIONS:
            raise refusals.FreeOptionLimitReached(
                f"The catalogue already has {MAX_OPTIONS} options. Delete one first.", extra={"limit": MAX_OPTIONS}
            )
        row = FreeOptionRow(id=new_id("fro"), org_id=org_id, used=0)
        session.add(row)
    elif all(getattr(row, name) == value for name, value in wanted.items()):
        return row
    elif row.quota_window != option.quota_window:
        # Uses are counted by the window that they were made in.
        row.used, row.used_since = 0, None
    for name, value in wanted.items():
        setattr(row, name, value)
    row.updated_by, row.updated_at = actor.qualified(), now
    await session.flush()
    await audit.record(session, actor, "free_option.set", row.id, wanted, org_id)
    return row


async def delete_option(session: AsyncSession, actor: Actor, option_id: str) -> None:
    """Delete a free option from the catalogue, and resolve its alert.

    Raises:
        NotFound: there is none.
    """
    row = await options.get(session, option_id)
    await alert.close_cases(session, row.id, (FREE_QUOTA,))
    await audit.record(session, actor, "free_option.delete", row.id, {"name": row.name}, row.org_id)
    await session.delete(row)
    await session.flush()


async def set_method(
    session: AsyncSession, actor: Actor, org_id: str, declared: MethodDeclaration, *, now: datetime
) -> PurchaseMethod:
    """Declare a method, or replace the one of that name, keeping its counted attempts."""
    check_free_text(declared.label, "label")
    await organization.get(session, org_id)
    await lock_command(session, f"purchase_methods:{org_id}")
    rows = await methods.listed(session, org_id)
    row = next((row for row in rows if row.name == declared.name), None)
    wanted: dict[str, object] = {
        "label": declared.label,
        "kind": declared.kind.value,
        "fee_share_e4": declared.fee_share_e4,
        "fee_fixed": declared.fee_fixed_minor,
        "fee_currency": declared.fee_currency,
        "rank": declared.rank,
    }
    if declared.rank is None:
        wanted["rank"] = 1 + max((each.rank for each in rows), default=0) if row is None else row.rank
    if row is None:
        if len(rows) >= MAX_METHODS:
            raise refusals.PurchaseMethodLimitReached(
                f"There are already {MAX_METHODS} methods. Delete one first.", extra={"limit": MAX_METHODS}
            )
        row = PurchaseMethod(id=new_id("pmd"), org_id=org_id, name=declared.name, attempts=0, succeeded=0)
        session.add(row)
    elif all(getattr(row, name) == value for name, value in wanted.items()):
        return row
    for name, value in wanted.items():
        setattr(row, name, value)
    row.updated_by, row.updated_at = actor.qualified(), now
    await session.flush()
    await audit.record(session, actor, "purchase_method.set", row.id, {"name": row.name} | wanted, org_id)
    return row


async def delete_method(session: AsyncSession, actor: Actor, method_id: str) -> None:
    """Delete a declared method, with its counted attempts.

    Raises:
        NotFound: there is none.
    """
    row = await methods.get(session, method_id)
    await audit.record(session, actor, "purchase_method.delete", row.id, {"name": row.name}, row.org_id)
    await session.delete(row)
    await session.flush()


def _shown(row: PaymentPolicy) -> dict[str, object]:
    left_out = {"id", "org_id", "updated_by", "updated_at"}
    columns = PaymentPolicy.__table__.columns
    return {column.name: getattr(row, column.name) for column in columns if column.name not in left_out}
