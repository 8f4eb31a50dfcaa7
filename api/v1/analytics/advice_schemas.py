"""Schemas of advice and comparisons."""

from datetime import date, datetime
from typing import Final, Literal

from pydantic import Field

from api.fields import Exact, Flag, RequestModel, ResponseModel, example
from domain.budgets.policy import PolicyScope
from domain.common.money import format_amount
from domain.insight.advice.insight import AdviceKind, AmountMeaning, Insight
from domain.insight.advice.proposal import OrderProposal, PolicyProposal
from domain.insight.peers import SENTENCES, MemberKind, PeerMetric, PeerReason, sentence_of
from models.insight.insight_take import InsightTake
from services.insight.advice import Advice
from services.insight.peers import PeerQuery

_PERCENTILES: Final[tuple[Literal[25], Literal[50], Literal[75], Literal[100]]] = (25, 50, 75, 100)


class InsightActView(ResponseModel):
    """The API call that applies the advice, without fields that only the caller knows, such as the payment method."""

    method: str
    path: str = Field(description="The path below `/api/v1`.")
    body: dict[str, str] = Field(description="Fields of the body that follow from the advice.")


class InsightTakeView(ResponseModel):
    """The proposal of applied advice."""

    status: Literal["proposed", "approved"] = Field(
        description="Of a payment policy. A purchase order has a status of its own, and is always `proposed` here."
    )
    purchase_order_id: str | None
    policy_scope: PolicyScope | None = Field(description="The scope of the payment policy to change.")
    policy_subject_id: str | None
    policy_change: str | None = Field(description="The change, in a sentence.")
    taken_by: str
    taken_at: datetime
    approved_by: str | None
    approved_at: datetime | None

    @classmethod
    def of(cls, row: InsightTake) -> "InsightTakeView":
        policy = row.policy
        return cls.from_row(
            row,
            status="proposed" if row.approved_at is None else "approved",
            purchase_order_id=row.order_id,
            policy_scope=None if policy is None else PolicyScope(policy["scope"]),
            policy_subject_id=None if policy is None else policy["subject_id"],
            policy_change=None if policy is None else PolicyProposal.kept(policy["change"]).sentence,
        )


class InsightView(ResponseModel):
    """A piece of advice about last month."""

    id: str = Field(description="The same advice has the same id every month.")
    kind: AdviceKind
    meaning: AmountMeaning = Field(
        description=(
            "`saving`: the amount would have been saved. `stopped`: it could not be spent or received. `earning`: it "
            "would have been earned. `at_risk`: it depends on one source."
        )
    )
    amount: Exact
    currency: str
    title: str = Field(description="A sentence for people.")
    how: list[str] = Field(description="How the amount was computed, as sentences with the figures.")
    figures: dict[str, str | int] = Field(
        description="The same figures by name: amounts as decimal strings, counts as numbers."
    )
    act: InsightActView
    takes: Literal["purchase_order", "payment_policy"] | None = Field(
        description="The proposal that `take` creates; null if the act is another call."
    )
    taken: InsightTakeView | None = Field(description="The proposal for this month; null if there is none.")
    link: str = Field(description="The path of the console's page for the advice.")

    @classmethod
    def of(cls, insight: Insight, org_id: str, taken: InsightTake | None = None) -> "InsightView":
        takes: Literal["purchase_order", "payment_policy"] = (
            "purchase_order" if isinstance(insight.proposes, OrderProposal) else "payment_policy"
        )
        return cls.from_row(
            insight,
            amount=format_amount(insight.amount_minor, insight.currency),
            figures=dict(insight.figures),
            act=InsightActView(method=insight.act.method, path=insight.act.path, body=dict(insight.act.body)),
            takes=None if insight.proposes is None else takes,
            taken=None if taken is None else InsightTakeView.of(taken),
            link=f"/console/{org_id}{insight.page}",
        )


class SpentInView(ResponseModel):
    """Spent amount of the month in a currency."""

    currency: str
    amount: Exact


class InsightsView(ResponseModel):
    """The advice about last month, the most important first."""

    organization_id: str
    month: date = Field(description="The first day of the calendar month (UTC) that the advice is about.")
    spending: list[SpentInView] = Field(
        description="What was spent in the month, as in `GET /analytics/spent`. Advice about less than 1 % of what was "
        "spent or paid in, by currency, is left out."
    )
    data: list[InsightView]

    @classmethod
    def of(cls, org_id: str, advice: Advice) -> "InsightsView":
        spent = sorted((code, minor) for code, minor in advice.spending.items() if minor)
        return cls(
            organization_id=org_id,
            month=advice.month,
            spending=[SpentInView(currency=code, amount=format_amount(minor, code)) for code, minor in spent],
            data=[InsightView.of(each, org_id, advice.taken.get(each.id)) for each in advice.insights],
        )


class PeerComparisonView(ResponseModel):
    """The quartile of an organization or an agent among others, without figures of anybody."""

    metric: PeerMetric
    compares: MemberKind
    month: date = Field(description="The first day of the calendar month (UTC) that is compared.")
    category: str | None = Field(description="The plan of organizations, the category of agents.")
    percentile: Literal[25, 50, 75, 100] | None = Field(
        description="The upper end of its quartile; null if there is a `reason` instead."
    )
    reason: PeerReason | None
    sentence: str
    agreed_at: datetime | None = Field(description="When the organization agreed to be compared.")

    @classmethod
    def of(cls, asked: PeerQuery, quarter: int | None, reason: PeerReason | None) -> "PeerComparisonView":
        """Show the quartile of a member, or the reason for its absence."""
        return cls.from_row(
            asked,
            compares=asked.metric.of,
            month=asked.month.first,
            category=asked.category or None,
            percentile=None if quarter is None else _PERCENTILES[quarter - 1],
            reason=reason,
            sentence=SENTENCES[reason] if reason is not None else sentence_of(asked.metric, quarter or 1),
        )


class PeersConsentSet(RequestModel):
    """The organization's consent to comparisons with others."""

    model_config = example(agrees=True)

    agrees: Flag


class PeersConsentView(ResponseModel):
    """The organization's consent to comparisons."""

    agrees: bool
    agreed_at: datetime | None = Field(description="Its figures count from the first month that begins after this.")
