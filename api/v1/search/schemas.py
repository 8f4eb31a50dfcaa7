"""What a search answers over HTTP."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self
from urllib.parse import quote

from pydantic import Field

from api.fields import Exact, ResponseModel
from api.v1.summary.schemas import SummaryView
from domain.common.money import format_amount
from repositories.tenants.search import OpenAlert, SearchHit

#: Where each kind is read on; an object that has no address of its own is in a list.
_READ_AT = {
    "organization": "/organizations/{id}/summary",
    "agent": "/agents/{id}",
    "contract": "/contracts/{id}",
    "escrow": "/escrows/{id}",
    "payment": "/payments/{id}",
    "invoice": "/billing/invoices/{id}",
    "payout": "/billing/payouts/{id}",
    "project": "/projects",
    "transfer": "/ledger/transfers/{id}",
    "grant": "/credits/grants/{id}",
    "lot": "/credits/lots",
    "spend": "/credits/spends/{id}",
    "api_key": "/api-keys",
    "purchase": "/marketplace/purchases/{id}",
    "dispute": "/disputes/{id}",
    "department": "/departments/{id}",
    "subscription": "/billing/subscription",
    "refund": "/payments/{parent}/refunds",
    "credit_note": "/billing/invoices/{parent}",
    "alert": "/alerts?subject={parent}",
    "spend_control": "/spend-controls/{id}",
    "webhook_endpoint": "/webhook-endpoints/{id}",
    "event": "/events?subject={parent}",
}


class OpenAlertView(ResponseModel):
    """An alert that is not resolved."""

    id: str
    kind: str
    severity: str
    subject: str
    detail: str
    raised_at: datetime

    @classmethod
    def of(cls, found: OpenAlert) -> Self:
        return cls.from_row(found)


class StuckRunView(ResponseModel):
    """Something that should have continued automatically a while ago."""

    kind: str
    id: str
    status: str
    since: datetime = Field(description="When it should have continued.")
    workflow_url: str = Field(description="The address of its run in the Temporal UI.")


class WhereaboutsView(ResponseModel):
    """Where an organization's money is, and what is stuck."""

    summary: SummaryView
    open_alerts: list[OpenAlertView] = Field(description="The newest 20 alerts that are not resolved.")
    stuck: list[StuckRunView] = Field(description="For operators: up to 20 objects that are late, oldest first.")


class SearchHitView(ResponseModel):
    """One object that was found."""

    kind: str = Field(
        description="`organization`, `agent`, `contract`, `escrow`, `payment`, `invoice`, `payout`, `project`, "
        "`transfer`, `grant`, `lot`, `spend`, `purchase`, `dispute`, `department`, `api_key`, `subscription`, "
        "`refund`, `credit_note`, `alert`, `spend_control`, `webhook_endpoint` or `event`."
    )
    id: str
    external_id: str | None
    organization_id: str | None
    title: str
    status: str | None
    amount: Exact | None = Field(
        description="What an escrow holds or an invoice has due; for other objects, their amount."
    )
    currency: str | None
    url: str = Field(description="The path of the object.")
    workflow_url: str | None = Field(description="For operators: the address of its run in the Temporal UI.")
    customer: WhereaboutsView | None = Field(description="For the first three organizations that were found.")

    @classmethod
    def of(cls, hit: SearchHit, workflow_url: str | None, customer: WhereaboutsView | None) -> Self:
        has_amount = hit.amount_minor is not None and hit.currency is not None
        return cls.from_row(
            hit,
            amount=format_amount(hit.amount_minor or 0, hit.currency or "") if has_amount else None,
            url="/api/v1" + _READ_AT[hit.kind].format(id=hit.id, parent=quote(hit.parent_id or "", safe="")),
            workflow_url=workflow_url,
            customer=customer,
        )


class SearchView(ResponseModel):
    """The objects that were found: organizations first, then agents, contracts, escrows and others."""

    data: list[SearchHitView]
    shortened: bool = Field(
        description="Whether more was found than is shown. If so, search for a longer part of the name."
    )

    @classmethod
    def of(cls, hits: Sequence[SearchHitView], limit: int) -> Self:
        return cls(data=list(hits[:limit]), shortened=len(hits) > limit)
