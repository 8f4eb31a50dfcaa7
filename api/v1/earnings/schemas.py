"""Schemas of agents' earnings in credits."""

from datetime import datetime, timedelta
from typing import Self

from pydantic import Field

from api.fields import Amount, Currency, Exact, RequestModel, ResponseModel, example
from domain.common.ids import transfer_id
from domain.common.money import CREDIT, format_amount, parse_amount
from domain.payouts.earnings import EarningsKind
from repositories.payouts.earnings import AgentEarnings, KindEarnings
from services.payouts.earnings import Conversion
from services.payouts.waiver import Waiver, WaiverRequest


class EarnedView(ResponseModel):
    """An agent's earnings of one kind, in credits."""

    amount: Exact
    convertible: Exact = Field(
        description="Can be converted now. Expired credits of own work and sales that can still be refunded cannot."
    )
    next_convertible_at: datetime | None = Field(
        default=None, description="When the first sale that can still be refunded becomes convertible."
    )

    @classmethod
    def of(cls, earned: KindEarnings, refunds: timedelta) -> Self:
        """Show an amount; `refunds` is the refund window of a bought agent."""
        return cls(
            amount=format_amount(earned.amount, CREDIT),
            convertible=format_amount(earned.convertible, CREDIT),
            next_convertible_at=None if earned.sold_at is None else earned.sold_at + refunds,
        )


class EarningsView(ResponseModel):
    """An agent's earnings in credits that were neither converted nor paid out."""

    agent_id: str
    agent_name: str
    currency: str = CREDIT
    granted: EarnedView = Field(description="Earned in granted credits. They are never paid out.")
    own_work: EarnedView = Field(description="Credits that its own organization paid to it. They are never paid out.")
    paid: EarnedView = Field(description="Credits that can be paid out.")

    @classmethod
    def of(cls, row: AgentEarnings, name: str, refunds: timedelta) -> Self:
        shown = {kind.value: EarnedView.of(row.earned[kind], refunds) for kind in EarningsKind}
        return cls(agent_id=row.id, agent_name=name, **shown)


class ConversionCreate(RequestModel):
    """Earnings to convert into credits."""

    model_config = example(agent_id="agt_01kar6h2d8e4wvq3r5s7t9x1zy", amount="25.00")

    agent_id: str = Field(max_length=64)
    kind: EarningsKind = Field(
        default=EarningsKind.GRANTED,
        description="The earnings to convert. `paid` earnings that are converted can no longer be paid out.",
    )
    amount: Amount | None = Field(default=None, description="All that can be converted when left out.")


class ConversionView(ResponseModel):
    """Earnings that became credits."""

    id: str = Field(description="The id of the transfer in `GET /credits/transactions`.")
    organization_id: str
    agent_id: str
    kind: EarningsKind
    amount: Exact
    currency: str = CREDIT
    created_at: datetime

    @classmethod
    def of(cls, made: Conversion) -> Self:
        return cls.from_row(
            made,
            id=transfer_id(made.transfer_id),
            amount=format_amount(made.amount_minor, CREDIT),
            created_at=made.converted_at,
        )


class WaiverCreate(RequestModel):
    """Earnings to waive."""

    model_config = example(currency="USD", amount="3.20")

    kind: EarningsKind = Field(
        default=EarningsKind.PAID,
        description="`paid` earnings that are too little for a payout, or `own_work`, which is never paid out; or "
        "`granted` credits.",
    )
    currency: Currency
    amount: Amount = Field(description="Exactly what is left of the kind. It states the organization's consent.")

    def wanted(self, org_id: str, command_id: str) -> WaiverRequest:
        amount_minor = parse_amount(self.amount, self.currency)
        return WaiverRequest(
            org_id=org_id, currency=self.currency, amount_minor=amount_minor, kind=self.kind, command_id=command_id
        )


class WaiverView(ResponseModel):
    """Earnings that were waived."""

    id: str = Field(description="The id of the transfer in the books.")
    organization_id: str
    kind: EarningsKind
    amount: Exact
    currency: str
    created_at: datetime

    @classmethod
    def of(cls, made: Waiver) -> Self:
        return cls.from_row(
            made,
            id=transfer_id(made.transfer_id),
            amount=format_amount(made.amount_minor, made.currency),
            created_at=made.waived_at,
        )
