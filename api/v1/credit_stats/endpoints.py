"""Statistics of an organization's credits: from its lots and its days, never from its history."""

from datetime import UTC, datetime, time, timedelta
from typing import Annotated

from fastapi import Query

from api.auth import SpendingKeyDep, require
from api.deps import DepsDep
from api.errors import errors
from api.fields import OrganizationId
from api.routing import Resource
from api.tenancy import known_organization
from api.v1.credit_stats.schemas import CreditStats
from api.v1.spends.own import confined_key, refuse_totals
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound
from domain.common.money import CREDIT, format_amount
from domain.credits.burn import RECENT_DAYS, burn_rate
from repositories.books import balance as balances
from repositories.credits import credit_day as days
from repositories.insight import spent

router = Resource(tags=["credits"])

_BOUGHT, _REWARDED = frozenset({"purchase"}), frozenset({"reward"})
_GRANTED = frozenset({"promotion", "signup", "subscription", "adjustment"})


@router.get("/credits/stats", responses=errors(NotFound))
async def get_credit_stats(
    deps: DepsDep,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    *,
    key: SpendingKeyDep,
    actor: Actor = require(Permission.READ_BILLING),
) -> CreditStats:
    """Show how many credits an organization bought, received and used, the burn rate, and how long the rest lasts.

    A key of a member that is attributed to a department or project is refused: these are the organization's figures.
    """
    refuse_totals(confined_key(actor, key))
    org_id = await known_organization(deps, actor, organization_id)
    now = datetime.now(UTC)
    today = now.date()
    recent = datetime.combine(today - timedelta(days=RECENT_DAYS - 1), time(), UTC)
    async with deps.session_for(actor) as session:
        got = await days.received_by_source(session, org_id)
        earned = await days.earned(session, org_id)
        used = await days.use_of(session, org_id, today=today, recent_days=RECENT_DAYS)
        others = await spent.elsewhere(session, org_id, [recent, now])
    balance = await deps.pool.read(lambda pool: balances.read(pool, org_id, CREDIT))
    available = balance.posted - balance.pending_out
    jobs = sum(each.minor for each in others if each.is_credits)
    rate = burn_rate(used.recent + jobs, today=today, first_day=used.first_day)

    def of(sources: frozenset[str]) -> str:
        return _credits(sum(amount for source, amount in got.items() if source in sources))

    return CreditStats(
        organization_id=org_id,
        available=_credits(available),
        reserved=_credits(balance.pending_out),
        purchased=of(_BOUGHT),
        granted=of(_GRANTED),
        rewarded=of(_REWARDED),
        earned=_credits(earned),
        used=_credits(used.used),
        refunded=_credits(used.refunded),
        expired=_credits(used.expired),
        burn_rate=_credits(rate.per_day_minor),
        burn_days=rate.days,
        days_left=rate.days_left(available),
    )


def _credits(amount_minor: int) -> str:
    return format_amount(amount_minor, CREDIT)
