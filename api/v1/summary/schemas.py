"""Schemas of the summary of an organization."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Self

from pydantic import Field

from api.fields import Exact, ResponseModel
from domain.common.money import CREDIT, format_amount
from domain.payouts.summary import AssetSummary, Earnings
from domain.tenants.organization import OrganizationStatus
from repositories.payouts.summary import MAX_LISTED, DueInvoice, LiveEscrow, PendingInEscrow
from services.payouts.summary import Summary

#: Most amounts of a summary are among a few values, mainly zero, so formatting is cached.
_written = lru_cache(maxsize=4096)(format_amount)


class EarningsSummaryView(ResponseModel):
    """Balance of agents' earnings in one currency. The parts add up to `total`."""

    available: Exact = Field(description="Can be paid out now.")
    pending: Exact = Field(description="Held back until it is old enough.")
    pending_until: datetime | None = Field(description="When the first part of `pending` can be paid out.")
    frozen: Exact = Field(description="Frozen by a chargeback of the payment behind it.")
    granted: Exact = Field(description="Earned in granted credits. It can become credits, and is never paid out.")
    own_work: Exact = Field(description="Earned by work for their own organization. It is never paid out.")
    total: Exact

    @classmethod
    def of(cls, earned: Earnings) -> Self:
        return cls(**_earned(earned))


class AgentEarningsSummaryView(EarningsSummaryView):
    """Balance of one agent's earnings in one currency."""

    agent_id: str
    currency: str

    @classmethod
    def of(cls, earned: Earnings) -> Self:
        return cls(agent_id=earned.agent_id, currency=earned.asset, **_earned(earned))


class AssetSummaryView(ResponseModel):
    """An organization's balances in one currency, or in slots.

    `total` = `available` + `held` + `expired` + `in_use` + `in_escrow` + `in_payments` + `in_payouts` +
    `earnings.total` - `owed` - `invoiced`.
    """

    currency: str
    available: Exact = Field(description="Can be spent now.")
    held: Exact = Field(description="Held by reservations.")
    expired: Exact = Field(description="Expired, and booked as expired within minutes.")
    in_use: Exact = Field(description="The slots that deployed projects occupy.")
    in_escrow: Exact = Field(description="Held by escrows that are not settled.")
    in_payments: Exact = Field(description="Held by payments: on its way to an escrow or back, or disputed.")
    in_payouts: Exact = Field(description="Held by payouts: taken out of earnings and not sent yet.")
    earnings: EarningsSummaryView
    owed: Exact = Field(description="The debts. The next incoming money pays them.")
    invoiced: Exact = Field(description="The amount due on invoices.")
    total: Exact = Field(description="The total in the books.")
    pending: Exact = Field(
        description="Held by escrows of others for the organization's agents, before commission. Not in `total`."
    )
    pending_until: datetime | None = Field(description="The next deadline of these escrows.")

    @classmethod
    def of(cls, found: AssetSummary, pending: PendingInEscrow | None) -> Self:
        names = (
            *("available", "held", "expired", "in_use", "in_escrow", "in_payments", "in_payouts"),
            *("owed", "invoiced", "total"),
        )
        amounts = {name: _written(getattr(found, name), found.asset) for name in names}
        return cls(
            currency=found.asset,
            earnings=EarningsSummaryView.of(found.earnings),
            pending=_written(0 if pending is None else pending.held_minor, found.asset),
            pending_until=None if pending is None else pending.due_at,
            **amounts,
        )


class EscrowSummaryView(ResponseModel):
    """An escrow that holds money."""

    id: str
    contract_id: str
    agent_id: str
    role: str = Field(description="`payer`, `payee`, or `both` if an organization pays its own agent.")
    status: str
    amount: Exact = Field(description="The amount that the escrow holds.")
    currency: str
    until: datetime | None = Field(description="When its next deadline takes effect, unless someone acts before.")

    @classmethod
    def of(cls, found: LiveEscrow) -> Self:
        role = "both" if found.pays and found.earns else "payer" if found.pays else "payee"
        return cls.from_row(found, role=role, amount=_written(found.held, found.currency), until=found.next_deadline_at)


class ExpiringLotView(ResponseModel):
    """Credits that expire."""

    amount: Exact
    currency: str = CREDIT
    expires_at: datetime


class DueInvoiceView(ResponseModel):
    """An invoice that is not fully paid."""

    id: str
    number: str | None
    currency: str
    total: Exact
    due: Exact = Field(description="The amount still due.")
    due_at: datetime

    @classmethod
    def of(cls, found: DueInvoice) -> Self:
        return cls.from_row(
            found, total=_written(found.total_minor, found.currency), due=_written(found.due_minor, found.currency)
        )


class SummaryView(ResponseModel):
    """All money of an organization at one moment. Each list has at most 100 rows; `assets` counts all of them."""

    organization_id: str
    as_of: datetime
    status: OrganizationStatus = Field(
        description="Unless it is `active`, nothing new can begin with the organization."
    )
    assets: list[AssetSummaryView]
    earnings: list[AgentEarningsSummaryView] = Field(description="Earnings by agent and currency.")
    escrows: list[EscrowSummaryView] = Field(description="The escrows that hold money, by their next deadline.")
    expiring: list[ExpiringLotView] = Field(description="The free part of credits that expire, soonest first.")
    invoices_due: list[DueInvoiceView] = Field(description="Open invoices, by due date.")
    shortened: list[str] = Field(description="The names of lists that have more rows than are shown.")

    @classmethod
    def of(cls, found: Summary) -> Self:
        row = found.row
        pending = {each.asset: each for each in row.pending}
        # An organization may earn in an asset that it never had.
        missing = sorted(set(pending) - {each.asset for each in found.assets})
        assets = [*found.assets, *(AssetSummary.empty(asset) for asset in missing)]
        lists: dict[str, Sequence[object]] = {
            "earnings": found.earnings,
            "escrows": row.escrows,
            "expiring": row.expiring,
            "invoices_due": row.invoices,
        }
        return cls(
            organization_id=found.org_id,
            as_of=found.at,
            status=OrganizationStatus(row.status or OrganizationStatus.ACTIVE),
            assets=[AssetSummaryView.of(each, pending.get(each.asset)) for each in assets],
            earnings=[AgentEarningsSummaryView.of(each) for each in found.earnings[:MAX_LISTED]],
            escrows=[EscrowSummaryView.of(each) for each in row.escrows[:MAX_LISTED]],
            expiring=[
                ExpiringLotView(amount=_written(free, CREDIT), expires_at=at) for free, at in row.expiring[:MAX_LISTED]
            ],
            invoices_due=[DueInvoiceView.of(each) for each in row.invoices[:MAX_LISTED]],
            shortened=[name for name, rows in lists.items() if len(rows) > MAX_LISTED],
        )


def _earned(earned: Earnings) -> dict[str, str | datetime | None]:
    names = ("available", "pending", "frozen", "granted", "own_work", "total")
    amounts = {name: _written(getattr(earned, name), earned.asset) for name in names}
    return {**amounts, "pending_until": earned.pending_until}
