"""Payment policies. Writing needs a platform session; tenants read their own."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.policy import CryptoPreferences, FreeFirst, MethodKind, Policy, PolicyScope, WalletCreation
from models.budgets.payment_policy import PaymentPolicy
from repositories.common.listing import ListFilter, Listing, ListPage, of_owner
from repositories.common.required import get_required

MISSING = "There is no such payment policy."

_NEAREST = (PolicyScope.AGENT, PolicyScope.PROJECT, PolicyScope.ORGANIZATION)


async def get(session: AsyncSession, policy_id: str) -> PaymentPolicy:
    return await get_required(session, PaymentPolicy, policy_id, "pol", MISSING, fresh=True)


async def of_subject(session: AsyncSession, org_id: str, scope: PolicyScope, subject_id: str) -> PaymentPolicy | None:
    query = select(PaymentPolicy).where(
        PaymentPolicy.org_id == org_id, PaymentPolicy.scope == scope, PaymentPolicy.subject_id == subject_id
    )
    return (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()


async def nearest(
    session: AsyncSession, org_id: str, *, agent_id: str | None, project_id: str | None
) -> PaymentPolicy | None:
    """Return the policy of the agent, or else of the project, or else of the organization; None without any."""
    subjects = {PolicyScope.AGENT: agent_id, PolicyScope.PROJECT: project_id, PolicyScope.ORGANIZATION: org_id}
    query = select(PaymentPolicy).where(
        PaymentPolicy.org_id == org_id,
        or_(
            *(
                (PaymentPolicy.scope == scope) & (PaymentPolicy.subject_id == subject)
                for scope, subject in subjects.items()
                if subject is not None
            )
        ),
    )
    found = {row.scope: row for row in await session.scalars(query)}
    return next((found[scope] for scope in _NEAREST if scope in found), None)


_LIST = Listing(of=PaymentPolicy, order=[PaymentPolicy.id], created="updated_at", prefix="pol")


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[PaymentPolicy]:
    """Return a page of the policies that the session may see, newest first."""
    return await _LIST.page(session, wanted, [of_owner(PaymentPolicy.org_id, wanted)])


def fill(row: PaymentPolicy, policy: Policy) -> None:
    crypto = policy.crypto
    row.currency, row.free_first, row.free_first_above = (
        policy.currency,
        policy.free_first.value,
        policy.free_first_above_minor,
    )
    row.methods = [kind.value for kind in policy.methods]
    row.crypto = {
        "primary": None if crypto.primary is None else crypto.primary.value,
        "fallbacks": [kind.value for kind in crypto.fallbacks],
        "reasoning": crypto.reasoning,
        "wallet_creation": crypto.wallet_creation.value,
    }
    for name in ("vendors_allowed", "vendors_refused", "categories_allowed", "categories_refused"):
        setattr(row, name, list(getattr(policy, name)))
    row.per_purchase = policy.per_purchase_minor
    row.approval_above, row.two_persons_above = policy.approval_above_minor, policy.two_persons_above_minor
    row.answer_within_seconds = int(policy.answer_within.total_seconds())


def policy_of(row: PaymentPolicy) -> Policy:
    crypto = row.crypto
    return Policy(
        currency=row.currency,
        free_first=FreeFirst(row.free_first),
        free_first_above_minor=row.free_first_above,
        methods=_kinds(row.methods),
        crypto=CryptoPreferences(
            primary=None if crypto["primary"] is None else MethodKind(crypto["primary"]),
            fallbacks=_kinds(crypto["fallbacks"]),
            reasoning=crypto["reasoning"],
            wallet_creation=WalletCreation(crypto["wallet_creation"]),
        ),
        vendors_allowed=tuple(row.vendors_allowed),
        vendors_refused=tuple(row.vendors_refused),
        categories_allowed=tuple(row.categories_allowed),
        categories_refused=tuple(row.categories_refused),
        per_purchase_minor=row.per_purchase,
        approval_above_minor=row.approval_above,
        two_persons_above_minor=row.two_persons_above,
        answer_within=timedelta(seconds=row.answer_within_seconds),
    )


def _kinds(names: Sequence[str]) -> tuple[MethodKind, ...]:
    return tuple(MethodKind(name) for name in names)
