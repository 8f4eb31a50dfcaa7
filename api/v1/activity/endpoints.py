"""Activity of an organization: one row for each fact."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from api.auth import SpendingKeyDep, require
from api.deps import DepsDep
from api.fields import Moment
from api.lists import Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.tenancy import known_organization
from api.v1.activity.schemas import FactView
from api.v1.spends.own import confined_key, refuse_totals
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound
from domain.payouts.activity import Category
from repositories.payouts import activity

router = Resource(tags=["billing"])

_LIST = ListEndpoint(
    "activity",
    FactView,
    *("organization_id", "currency"),
    order=[UUID],
    since=Annotated[Moment | None, Query(alias="from", description="Only facts effective at or after this time.")],
    until=Annotated[Moment | None, Query(alias="to", description="Only facts effective before this time.")],
    category=Annotated[Category | None, Query(description="Only facts of this category.")],
)


@_LIST.get(router, "/billing/activity", NotFound)
async def list_activity(
    deps: DepsDep, asked: ListRequest, *, key: SpendingKeyDep, actor: Actor = require(Permission.READ_BILLING)
) -> Items:
    """List what happened to the organization's money, the last changed first: one row for each fact.

    A fact is a transfer, or all transfers of an escrow or a payout: held money and its release are one row with a
    status. Each row says what it was about, who caused it, and what it changed by currency. `GET /billing/transactions`
    lists the entries of the same transfers. A key of a member that is attributed to a department or project is refused.

    A page may be short or empty while `next_cursor` is not null, because a page scans at most 1,000 transfers.
    Continue until it is null. With `Accept: text/csv` the response contains everything that matches, from the cursor
    on, as CSV.
    """
    refuse_totals(confined_key(actor, key))
    wanted = asked.wanted(await known_organization(deps, actor, asked.organization_id))
    return await asked.rows(deps.session_for(actor), activity.page, wanted, FactView.of)
