"""Schemas of revenue events, their attribution and returns."""

from collections.abc import Sequence
from datetime import date, datetime
from fractions import Fraction
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo

from api.fields import (
    AgentId,
    Amount,
    Currency,
    Exact,
    Moment,
    Note,
    ProjectId,
    RequestModel,
    ResponseModel,
    SearchText,
    Whole,
    example,
)
from api.v1.analytics.spent import SpentTotalView
from api.v1.spends.schemas import RunId
from domain.budgets.free_text import check_free_text
from domain.common.ids import transfer_id
from domain.common.money import format_amount, parse_amount
from domain.insight.metrics import decimal_text
from domain.returns.revenue_event import (
    ALL_BPS,
    MOST_LINES,
    MOST_PARTS,
    RequestedShare,
    RevenueSource,
    RevenueStatus,
    ShareRule,
)
from domain.returns.roi import CostKind, Projection, Roi, RoiScope
from models.returns.revenue_event import Attribution, RevenueEvent
from services.returns.revenue_event import StatementLine


def _free(text: str, info: ValidationInfo) -> str:
    check_free_text(text, info.field_name or "text")
    return text


Reference = Annotated[SearchText, AfterValidator(_free)]


class RevenueCreate(RequestModel):
    """Reported revenue from outside."""

    model_config = example(
        source="app_store",
        reference="2026-01/GAME-17",
        amount="120.00",
        currency="USD",
        agent_id="agt_01kar6h2d8e4wvq3r5s7t9x1zy",
        evidence="Financial report of January, line 17.",
    )

    source: RevenueSource = Field(
        description="`app_store`, `ads`, `service` or `other`; Bursar records the others itself."
    )
    reference: Reference = Field(description="The reference in the statement; unique for the source.")
    amount: Amount
    currency: Currency
    agent_id: AgentId | None = Field(
        default=None, description="The agent that earned it; by default the agent of the key."
    )
    project_id: ProjectId | None = None
    run_id: RunId | None = Field(
        default=None, description="The run that earned it; its costs can determine the shares."
    )
    evidence: Annotated[Note, StringConstraints(max_length=1000), AfterValidator(_free)] | None = Field(
        default=None, description="Evidence, such as a document and line."
    )
    occurred_at: Moment | None = Field(default=None, description="Now by default.")


class RevenueConfirm(RequestModel):
    """The received amount."""

    model_config = example(amount="24.00")

    amount: Amount | None = Field(default=None, description="The reported amount by default.")


class RevenueReverse(RequestModel):
    """Total refunded or charged back outside so far."""

    model_config = example(reversed_amount="5.00")

    reversed_amount: Amount


class StatementLineSet(RequestModel):
    """A line of a statement."""

    reference: Reference
    amount: Amount
    currency: Currency
    reversed_amount: Amount | None = Field(
        default=None, description="The total reversed so far; unchanged when left out."
    )

    def line(self) -> StatementLine:
        back = None if self.reversed_amount is None else parse_amount(self.reversed_amount, self.currency, zero=True)
        return StatementLine(
            reference=self.reference,
            currency=self.currency,
            amount_minor=parse_amount(self.amount, self.currency),
            reversed_minor=back,
        )


class RevenueSettle(RequestModel):
    """The statement of a source, which confirms reported revenue."""

    model_config = example(
        source="app_store", lines=[{"reference": "2026-01/GAME-17", "amount": "24.00", "currency": "USD"}]
    )

    source: RevenueSource = Field(description="The source of the reports.")
    lines: list[StatementLineSet] = Field(min_length=1, max_length=MOST_LINES)


class ShareSet(RequestModel):
    """An agent or a project with a share of revenue."""

    agent_id: AgentId | None = None
    project_id: ProjectId | None = None
    weight: Annotated[Whole, Field(ge=0, le=1_000_000_000)] | None = Field(
        default=None, description="Basis points for `fixed`, any whole number for `manual`, left out for `equal`."
    )


class RevenueSharesSet(RequestModel):
    """The new shares of revenue."""

    model_config = example(
        rule="fixed",
        parts=[
            {"agent_id": "agt_01kar6h2d8e4wvq3r5s7t9x1zy", "weight": 7500},
            {"project_id": "prj_01kar6h2d8e4wvq3r5s7t9x1zy", "weight": 2500},
        ],
    )

    rule: ShareRule = Field(
        description="`direct`: all to its own agent and project. `run`: by what each agent cost in its run. `fixed`: "
        "by basis points that make 10,000. `equal`. `manual`: by weights."
    )
    parts: list[ShareSet] = Field(default=[], max_length=MOST_PARTS)
    version: Annotated[Whole, Field(ge=0, le=1_000_000_000)] | None = Field(
        default=None, description="The version that you have read; 409 if there is a newer one."
    )

    def wanted(self) -> list[RequestedShare]:
        return [
            RequestedShare(agent_id=part.agent_id, project_id=part.project_id, weight=part.weight)
            for part in self.parts
        ]


class ShareView(ResponseModel):
    """A share of revenue in basis points."""

    agent_id: str | None
    project_id: str | None
    bps: int


class RevenueMoneyView(ResponseModel):
    """The purchase price of the credits of revenue, in one currency."""

    currency: str
    amount: Exact = Field(description="Including commission; the amount less commission can be paid out.")
    commission: Exact
    reversed_amount: Exact


class RevenueView(ResponseModel):
    """A revenue event with its shares."""

    id: str
    organization_id: str
    source: RevenueSource
    reference: str = Field(description="Id of the escrow, purchase or use, or the reported reference.")
    status: RevenueStatus = Field(description="Only `confirmed` revenue counts; `reversed` means all of it.")
    amount: Exact = Field(description="The received amount including commission.")
    commission: Exact = Field(description="The platform's part of the amount.")
    reversed_amount: Exact = Field(description="The amount refunded, charged back or recovered.")
    reported_amount: Exact | None
    currency: str
    money: list[RevenueMoneyView] = Field(
        description="The purchase price of earned credits; empty for granted credits and other currencies."
    )
    agent_id: str | None
    project_id: str | None
    run_id: str | None
    evidence: str | None
    transfer_id: str | None = Field(description="The transfer that paid it; null for reported revenue.")
    shares_rule: ShareRule
    shares_version: int
    shares: list[ShareView]
    reported_by: str | None
    confirmed_by: str | None = Field(
        description="The person who confirmed or rejected it; null for unreported revenue."
    )
    occurred_at: datetime
    confirmed_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, row: RevenueEvent, shared: Attribution | None) -> Self:
        own = [{"agent_id": row.agent_id, "project_id": row.project_id, "bps": ALL_BPS}]
        reported = None if row.reported_minor is None else format_amount(row.reported_minor, row.currency)
        return cls.from_row(
            row,
            amount=format_amount(row.amount_minor, row.currency),
            commission=format_amount(row.commission_minor, row.currency),
            reversed_amount=format_amount(row.reversed_minor, row.currency),
            reported_amount=reported,
            money=[
                RevenueMoneyView(
                    currency=asset,
                    amount=format_amount(amount, asset),
                    reversed_amount=format_amount(back, asset),
                    commission=format_amount(commission, asset),
                )
                for asset, (amount, back, commission) in sorted(row.money.items())
            ],
            transfer_id=None if row.transfer_id is None else transfer_id(row.transfer_id),
            shares_rule=ShareRule.DIRECT if shared is None else ShareRule(shared.rule),
            shares=[ShareView(**part) for part in (own if shared is None else shared.parts)],
        )


class RevenueSettledView(ResponseModel):
    """Result of an imported statement."""

    changed: list[RevenueView] = Field(description="The confirmed or changed revenue events.")
    unknown: list[str] = Field(
        description="References without reported revenue in the currency, or with rejected revenue."
    )


class RevenueByStatusView(ResponseModel):
    """Revenue by status; only `confirmed` counts, and excludes reversals."""

    reported: Exact
    confirmed: Exact
    rejected: Exact
    reversed: Exact


class CostsByKindView(ResponseModel):
    """Costs by kind: what was spent, without invoices; recorded usage that was charged nowhere; and commission."""

    usage: Exact = Field(description="Uses that are spent, and recorded usage at its cost.")
    purchases: Exact = Field(description="Jobs, agents bought and purchases outside, without fees.")
    subscriptions: Exact = Field(description="Plans and slots.")
    fees: Exact
    commission: Exact
    shared: Exact = Field(description="Costs of no agent, divided by own costs.")


class RoiPointView(ResponseModel):
    """A day, or the week that starts on it."""

    day: date
    revenue: Exact
    costs: Exact


class RoiProjectionView(ResponseModel):
    """The projected margin of the next days, with an 80 % interval."""

    days: int
    margin: Exact
    low: Exact
    high: Exact


class MadeOfView(ResponseModel):
    """The list endpoint with the items of a figure."""

    figure: str
    path: str = Field(description="Below `/api/v1`.")


class RoiView(ResponseModel):
    """Cost and revenue of an agent, a project, a model or the organization."""

    id: str | None = Field(description="The agent, project, model or organization; null for items without one.")
    revenue: RevenueByStatusView
    costs: CostsByKindView
    total_costs: Exact
    margin: Exact = Field(description="Confirmed revenue less all costs.")
    roi: Exact | None = Field(description="The margin for each unit of cost, with four decimals; null without costs.")
    roi_lower: Exact | None = Field(description="Its lower bound by the variance of days; null for too few days.")
    payback_days: int | None = Field(description="Days until revenue permanently covered the costs; null if not yet.")
    trend: list[RoiPointView]
    projection: RoiProjectionView | None
    made_of: list[MadeOfView]

    @classmethod
    def of(cls, roi: Roi, currency: str, made_of: Sequence[MadeOfView]) -> Self:
        def shown(minor: int) -> str:
            return format_amount(minor, currency)

        return cls.from_row(
            roi,
            revenue=RevenueByStatusView(**{status.value: shown(roi.revenue[status]) for status in RevenueStatus}),
            costs=CostsByKindView(**{kind.value: shown(roi.costs[kind]) for kind in CostKind}),
            total_costs=shown(roi.cost_minor),
            margin=shown(roi.margin_minor),
            roi=_ratio(roi.roi),
            roi_lower=_ratio(roi.roi_lower),
            trend=[
                RoiPointView(day=each.day, revenue=shown(each.revenue_minor), costs=shown(each.cost_minor))
                for each in roi.trend
            ],
            projection=None if roi.projection is None else _projection(roi.projection, currency),
            made_of=list(made_of),
        )


def _projection(made: Projection, currency: str) -> RoiProjectionView:
    margin, low, high = (format_amount(each, currency) for each in (made.margin_minor, made.low_minor, made.high_minor))
    return RoiProjectionView(days=made.days, margin=margin, low=low, high=high)


def _ratio(value: Fraction | None) -> str | None:
    return None if value is None else decimal_text(value, 4)


class RoiListView(ResponseModel):
    """Returns of a period, highest margin first."""

    scope: RoiScope
    since: date = Field(serialization_alias="from")
    until: date = Field(serialization_alias="to", description="The day after the last one.")
    zone: str
    currency: str
    left_out: list[str] = Field(description="Currencies without an exchange rate, whose amounts are omitted.")
    data: list[RoiView]
    rows: int = Field(description="The total number of rows; `data` has the first ones.")
    total: RoiView = Field(description="The figures of the organization.")
    spent: SpentTotalView = Field(
        description="What was spent in the period, as in `GET /analytics/spent`, converted into `currency`. Costs have "
        "the cost of recorded usage in place of invoices, and the commission on sales."
    )
