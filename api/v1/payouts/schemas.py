"""Schemas of earnings and payouts."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Self

from pydantic import Field

from api.fields import Amount, Currency, Exact, RequestModel, ResponseModel, Whole, example
from api.v1.creators.schemas import CreatorAccountView
from contracts.payouts.payout import MAX_REASON
from domain.common.money import format_amount
from domain.payouts.payable import EarningsShare, PayableState
from domain.payouts.payout.schedule import PayoutInterval, PayoutSchedule
from domain.payouts.payout.state import Payout
from models.payouts.payout import PayoutRow, PayoutScheduleRow
from repositories.payouts.payable import Flow
from repositories.payouts.payout import state_of


class PayableView(ResponseModel):
    """Value of earnings for payouts in one currency: the money received for them, less the platform's share."""

    currency: str
    available: Exact = Field(description="Can be paid out now.")
    pending: Exact = Field(description="Held back until it is old enough.")
    frozen: Exact = Field(description="Frozen by a chargeback of the payment behind it.")

    @classmethod
    def of(cls, currency: str, shares: Sequence[EarningsShare]) -> Self:
        def worth(state: PayableState) -> str:
            return format_amount(sum(share.worth_minor for share in shares if share.state is state), currency)

        return cls(
            currency=currency,
            available=worth(PayableState.AVAILABLE),
            pending=worth(PayableState.PENDING),
            frozen=worth(PayableState.FROZEN),
        )


def payables(shares: Sequence[EarningsShare]) -> list[PayableView]:
    currencies = sorted({share.currency for share in shares if share.currency is not None})
    return [
        PayableView.of(currency, [share for share in shares if share.currency == currency]) for currency in currencies
    ]


class AgentEarningsView(ResponseModel):
    """An agent's earnings in one asset in a period, and its balances now, in units of the asset."""

    agent_id: str
    agent_name: str
    asset: str
    earned: Exact = Field(
        description="Earned in the period, including work for its own organization and granted credits."
    )
    paid_out: Exact = Field(description="Paid out in the period, including payouts on their way.")
    available: Exact = Field(description="Old enough to be paid out; `payable` has its value in money.")
    pending: Exact
    frozen: Exact
    granted: Exact = Field(description="Earned in granted credits. They can be spent and are never paid out.")
    payable: list[PayableView]

    @classmethod
    def of(
        cls, agent_id: str, name: str, asset: str, shares: Sequence[EarningsShare], flow: Flow, granted_minor: int
    ) -> Self:
        def amount(state: PayableState) -> int:
            return sum(share.amount_minor for share in shares if share.state is state)

        return cls(
            agent_id=agent_id,
            agent_name=name,
            asset=asset,
            earned=format_amount(flow.earned_minor, asset),
            paid_out=format_amount(flow.paid_out_minor, asset),
            available=format_amount(amount(PayableState.AVAILABLE), asset),
            pending=format_amount(amount(PayableState.PENDING), asset),
            frozen=format_amount(amount(PayableState.FROZEN), asset),
            granted=format_amount(amount(PayableState.GRANTED) + granted_minor, asset),
            payable=payables(shares),
        )


class CreatorEarningsView(ResponseModel):
    """Earnings of an organization's agents, by agent and asset, newest agents first."""

    organization_id: str
    start_date: str | None = Field(description="The requested day; null if none was given.")
    end_date: str | None
    payable: list[PayableView] = Field(description="The sums for all agents of this page.")
    data: list[AgentEarningsView]
    next_cursor: str | None = None


class PayoutCreate(RequestModel):
    """Earnings to pay out."""

    model_config = example(amount="120.00", currency="USD")

    amount: Amount | None = Field(default=None, description="All that can be paid out when left out.")
    currency: Currency | None = Field(
        default=None, description="The bank account's currency when left out. Required with `amount`."
    )


class PayoutLineView(ResponseModel):
    """The part of a payout from the earnings of one agent."""

    agent_id: str
    asset: str
    amount: Exact = Field(description="The amount taken, in units of the asset.")
    paid: Exact = Field(description="The amount paid out for it, in the payout's currency.")


class PayoutView(ResponseModel):
    """A payout and its status."""

    id: str
    organization_id: str
    status: str = Field(description="`requested`, `waiting_for_funds`, `unknown`, `paid` or `failed`.")
    amount: Exact
    currency: str
    provider: str
    account_id: str
    transfer_id: str | None = Field(description="The provider's id of the transfer; null until it is sent.")
    reversed: Exact = Field(description="The part that was reversed at the provider.")
    failure_code: str | None
    failure: str | None
    lines: list[PayoutLineView]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: PayoutRow, reversed_minor: int = 0) -> Self:
        return cls.at(state_of(row), row.created_at, row.updated_at, reversed_minor)

    @classmethod
    def at(cls, payout: Payout, created_at: datetime, updated_at: datetime, reversed_minor: int) -> Self:
        return cls.from_row(
            payout,
            id=payout.payout_id,
            status=payout.status.value,
            amount=format_amount(payout.amount_minor, payout.currency),
            account_id=payout.account_ref,
            transfer_id=payout.transfer_ref,
            reversed=format_amount(reversed_minor, payout.currency),
            lines=[
                PayoutLineView.from_row(
                    line,
                    amount=format_amount(line.amount_minor, line.asset),
                    paid=format_amount(line.money_minor, payout.currency),
                )
                for line in payout.lines
            ],
            created_at=created_at,
            updated_at=updated_at,
        )


class PayoutGiveUp(RequestModel):
    """Why a payout is given up."""

    model_config = example(reason="Not at Stripe: no transfer of this group.")

    reason: str = Field(max_length=MAX_REASON, min_length=1)


class PayoutScheduleUpdate(RequestModel):
    """Schedule of payouts of all available earnings, as in Stripe's payout schedules."""

    model_config = example(interval="weekly", weekly_anchor="friday")

    interval: PayoutInterval
    weekly_anchor: str | None = Field(default=None, max_length=9, description="The day of the week, with `weekly`.")
    monthly_anchor: Annotated[Whole, Field(ge=1, le=31)] | None = Field(
        default=None, description="The day of the month, with `monthly`; in a shorter month, its last day."
    )

    def schedule(self) -> PayoutSchedule:
        """Return the schedule; `Invalid` names a field that does not fit the interval."""
        return PayoutSchedule(
            interval=self.interval, weekly_anchor=self.weekly_anchor, monthly_anchor=self.monthly_anchor
        )


class PayoutScheduleView(ResponseModel):
    """The schedule of an organization's automatic payouts. Days are in UTC."""

    organization_id: str
    interval: str
    weekly_anchor: str | None = None
    monthly_anchor: int | None = None
    next_on: date | None = Field(default=None, description="The day of the next payout.")
    last_on: date | None = Field(default=None, description="The last day on which a payout was due.")
    last_payout_id: str | None = None
    last_refusal: str | None = Field(
        default=None, description="The code of the reason that nothing was paid out on `last_on`."
    )

    @classmethod
    def of(cls, org_id: str, row: PayoutScheduleRow | None) -> Self:
        """Show a row; without one, payouts are manual."""
        if row is None:
            return cls(organization_id=org_id, interval=PayoutInterval.MANUAL.value)
        return cls(
            organization_id=org_id,
            interval=row.interval,
            weekly_anchor=row.weekly_anchor,
            monthly_anchor=row.monthly_anchor,
            next_on=row.next_on,
            last_on=row.last_on,
            last_payout_id=row.last_payout_id,
            last_refusal=row.last_refusal,
        )


class PayoutPreview(ResponseModel):
    """Preview of a payout: available earnings and the account."""

    organization_id: str
    account: CreatorAccountView | None
    payable: list[PayableView]
    minimum: Exact = Field(
        description="The minimum of a payout, in the currency of the bank account; in USD without one."
    )
    refused: str | None = Field(
        description="The error code that would refuse a payout of all available earnings, if any."
    )
    detail: str | None

    @classmethod
    def of(
        cls,
        org_id: str,
        account: CreatorAccountView | None,
        shares: Sequence[EarningsShare],
        minimum: str,
        why: Mapping[str, str],
    ) -> Self:
        return cls(
            organization_id=org_id,
            account=account,
            payable=payables(shares),
            minimum=minimum,
            refused=why.get("code"),
            detail=why.get("detail"),
        )
