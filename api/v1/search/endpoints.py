"""Find by id, external id, number or name: where a customer's money is, and what is stuck."""

from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession

from api.auth import SpendingKeyDep, require
from api.deps import Deps, DepsDep
from api.fields import SearchText
from api.routing import Resource
from api.v1.search.schemas import OpenAlertView, SearchHitView, SearchView, StuckRunView, WhereaboutsView
from api.v1.spends.own import confined_key, reads_spend, require_readable
from api.v1.summary.schemas import SummaryView
from domain.common.access import Actor, Permission
from domain.common.errors import Forbidden, NotFound
from domain.common.ids import uuid_of
from domain.credits.spend.scope import SpendingKey
from repositories.books import transfer as transfers
from repositories.credits import department as departments, spend_control as controls
from repositories.tenants import search
from repositories.tenants.search import SearchHit
from services.payouts.summary import summary_within

router = Resource(tags=["search"])

#: Of how many organizations a search says where the money is, and how many alerts and runs it lists of each.
_CUSTOMERS, _LISTED = 3, 20


@router.get("/search", operation_id="search.find")
async def search_objects(
    deps: DepsDep,
    q: Annotated[
        SearchText,
        Query(description="An id, an external id, a document number, a provider's id of a payment, or a name."),
    ],
    limit: Annotated[int, Query(ge=1, le=50, description="The maximum number of objects.")] = 20,
    *,
    key: SpendingKeyDep,
    actor: Actor = require(Permission.READ),
) -> SearchView:
    """Find objects by id, external id, document number, provider's id or name.

    Organizations are shown with their money, open alerts and what is stuck. A tenant finds its own objects, an agent's
    key only those of the agent, an operator everything. The number of a document finds its object, and a provider's id
    finds its payment, subscription or chargeback. API keys and webhook endpoints are found only by callers who may list
    them, and never by their secret. Any part of a name matches, among the newest 5,000 objects of each kind.
    """
    if actor.is_platform and not actor.may(Permission.INSPECT):
        raise Forbidden(f"The role {actor.role.value} may not do this ({Permission.INSPECT.value}).")
    async with deps.session_for(actor) as session:
        hits = await search.find(
            session,
            q.strip(),
            org_id=actor.org_id,
            agent_id=actor.agent_id,
            finds_keys=actor.may(Permission.READ_AUDIT),
            finds_webhooks=actor.may(Permission.READ_WEBHOOKS),
            limit=limit + 1,
        )
        hits = [hit for hit in hits if await _is_shown(session, actor, key, hit)]
    customers = [hit.id for hit in hits if hit.kind == "organization"][:_CUSTOMERS]
    about = {org_id: await _customer(deps, actor, org_id) for org_id in customers}
    return SearchView.of([_shown(deps, actor, hit, about.get(hit.id)) for hit in hits], limit)


async def _is_shown(session: AsyncSession, actor: Actor, key: SpendingKey, hit: SearchHit) -> bool:
    """Return whether a key that reads its department's or project's usage only may find an object."""
    if (of := confined_key(actor, key)) is None:
        return True
    if hit.kind in {"grant", "lot"}:
        return False
    try:
        if hit.kind == "transfer":
            moved = await transfers.find(session, uuid_of(hit.id))
            spend_id = None if moved is None else await transfers.spend_of(session, moved)
            return await reads_spend(session, actor, key, spend_id)
        if hit.kind == "spend":
            await require_readable(session, actor, key, hit.id)
        if hit.kind == "spend_control":
            return await controls.is_own(session, await controls.get(session, hit.id), of)
        if hit.kind == "department" and (own := of.attribution.department_id) is not None:
            return own in (await departments.get(session, hit.id)).path
    except NotFound:
        return False
    return True


def _shown(deps: Deps, actor: Actor, hit: SearchHit, customer: WhereaboutsView | None) -> SearchHitView:
    runs = actor.is_platform and hit.workflow_id is not None
    return SearchHitView.of(hit, _run(deps, hit.workflow_id or "") if runs else None, customer)


async def _customer(deps: Deps, actor: Actor, org_id: str) -> WhereaboutsView:
    now = datetime.now(UTC)
    async with deps.database.platform() as session:
        found = await summary_within(session, org_id, deps.settings.hold_back, now=now)
        alerts = await search.open_alerts(session, org_id, for_all=actor.is_platform, limit=_LISTED)
        late = await search.stuck(session, org_id, now, limit=_LISTED) if actor.is_platform else ()
    return WhereaboutsView(
        summary=SummaryView.of(found),
        open_alerts=[OpenAlertView.of(each) for each in alerts],
        stuck=[StuckRunView.from_row(each, workflow_url=_run(deps, each.workflow_id)) for each in late],
    )


def _run(deps: Deps, workflow_id: str) -> str:
    settings = deps.settings
    runs = f"{settings.temporal_ui_url.rstrip('/')}/namespaces/{quote(settings.temporal_namespace, safe='')}/workflows"
    return f"{runs}/{quote(workflow_id, safe='')}"
