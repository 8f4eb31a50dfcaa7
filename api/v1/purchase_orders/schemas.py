"""What purchase orders look like over HTTP."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo

from api.fields import (
    AgentId,
    Amount,
    ControlId,
    Currency,
    Exact,
    Flag,
    Name,
    ProjectId,
    RequestModel,
    ResponseModel,
    example,
)
from api.metadata import MetadataUpdate, MetadataView, WithMetadata, shown
from api.v1.payment_policies.schemas import MethodName
from api.v1.payments.schemas import MoneyView
from domain.budgets.free_text import check_free_text
from domain.budgets.policy import Alternative
from domain.budgets.purchase_order import (
    MAX_ALTERNATIVES,
    AttemptStatus,
    DecisionCode,
    LiftedLimit,
    PurchaseOnLimit,
    PurchaseOrderStatus,
    Term,
)
from domain.common.calendar import Window
from domain.common.money import format_amount, parse_amount
from ledger.spends import Pool
from models.budgets.purchase_order import PurchaseAttempt, PurchaseGrant, PurchaseOrder
from models.tenants.metadata import ObjectMetadata
from services.budgets.purchase_approval import ApprovalDecision, digest_of
from services.budgets.purchase_confirmation import digest_of_reports
from services.budgets.purchase_payment import AttemptResult


def _free(text: str, info: ValidationInfo) -> str:
    if not text.strip():
        raise ValueError("This must not be blank.")
    check_free_text(text, info.field_name or "text")
    return text


#: What agents and people write about a purchase: it is shown to others, so it holds no secret and no card number.
_Name = Annotated[Name, StringConstraints(max_length=80), AfterValidator(_free)]
_Item = Annotated[Name, AfterValidator(_free)]
_Reason = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_free)]
_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_DIGEST_EXAMPLE = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_Url = Annotated[str, StringConstraints(max_length=500, pattern=r"^https?://"), AfterValidator(_free)]


class DrawnPool(StrEnum):
    """The pool of a budget that a purchase draws."""

    OPERATING = "operating"
    RESERVE = "reserve"
    EMERGENCY = "emergency"


class PurchaseAlternativeSet(RequestModel):
    """Something else that the agent has looked at."""

    name: _Name
    url: _Url | None = None
    cost: Amount | None = Field(default=None, description="In the purchase's currency; 0 if it is free.")
    fits: Flag = Field(default=False, description="Whether it would do.")
    why: _Reason | None = Field(default=None, description="Why it fits or not.")

    def alternative(self, currency: str) -> Alternative:
        cost = None if self.cost is None else parse_amount(self.cost, currency, zero=True)
        return Alternative(name=self.name, url=self.url, cost_minor=cost, fits=self.fits, why=self.why or "")


class PurchaseOrderCreate(WithMetadata):
    """What an agent wants to buy outside."""

    model_config = example(
        agent_id="agt_01kar6h2d8e4wvq3r5s7t9x1zy",
        item="GitHub Copilot subscription",
        vendor="GitHub",
        category="coding",
        amount="10",
        currency="USD",
        alternatives=[{"name": "Codeium", "cost": "0", "fits": False, "why": "It does not know our language."}],
        why="Completes code in the game's scripts.",
    )

    agent_id: AgentId | None = Field(default=None, description="The agent that buys; an agent's key leaves it out.")
    project_id: ProjectId | None = Field(default=None, description="The agent's own project by default.")
    item: _Item
    vendor: _Name
    category: _Name
    amount: Amount
    currency: Currency
    term: Term | None = Field(default=None, description="How often it renews; null if it is bought once.")
    alternatives: list[PurchaseAlternativeSet] = Field(default=[], max_length=MAX_ALTERNATIVES)
    pool: DrawnPool = Field(default=DrawnPool.OPERATING, description="The pool of the budget that it draws.")
    on_limit: PurchaseOnLimit = Field(
        default=PurchaseOnLimit.REFUSE,
        description="If it does not fit: `refuse` declines it, `ask` asks a person, `reserve` tries the reserve.",
    )
    why: _Reason = Field(description="What it is for.")


class PurchaseOrderUpdate(MetadataUpdate):
    """Your own `external_id` and `metadata` of a purchase order."""

    model_config = example(external_id="order-6735")


class PurchaseAttemptCreate(RequestModel):
    """An attempt to pay, before it is made."""

    model_config = example(method="card_primary")

    method: MethodName = Field(description="The name of a method, as `methods` of the order lists them.")


class PurchaseAttemptResult(RequestModel):
    """The result of an attempt."""

    model_config = example(result="succeeded", amount="10.00", reference="ch_3MtwBwLkdIwHu7ix")

    result: Literal[AttemptStatus.SUCCEEDED, AttemptStatus.DECLINED, AttemptStatus.UNKNOWN]
    amount: Amount | None = Field(default=None, description="All that was charged; the order's amount by default.")
    fee: Amount | None = Field(default=None, description="The part of the amount that is a fee.")
    reference: _Item | None = Field(default=None, description="Of the payment, where it was made.")
    receipt_url: _Url | None = None
    reason: _Reason | None = Field(default=None, description="Of a person who corrects a result that was reported.")

    def read(self, currency: str) -> AttemptResult:
        return AttemptResult(
            status=AttemptStatus(self.result),
            charged_minor=None if self.amount is None else parse_amount(self.amount, currency),
            fee_minor=None if self.fee is None else parse_amount(self.fee, currency, zero=True),
            reference=self.reference,
            receipt=self.receipt_url,
            reason=self.reason,
        )


class PurchaseAbandonCreate(RequestModel):
    """What was done instead of the purchase."""

    model_config = example(alternative_action="Codeium", saved="10.00")

    alternative_action: _Item | None = Field(
        default=None, description="The name of a free option of the catalogue counts as a use of it."
    )
    saved: Amount | None = Field(default=None, description="What that saves, in the purchase's currency.")


class PurchaseRefundCreate(RequestModel):
    """A refund that came back."""

    model_config = example(amount="10.00", reference="re_1Nispe2eZvKYlo2C")

    amount: Amount
    reference: _Item | None = None


class PurchaseConfirmationCreate(RequestModel):
    """The figures of a purchase that a person confirms: all that was charged and refunded."""

    model_config = example(charged="10.00", refunded="0.00", digest=_DIGEST_EXAMPLE)

    charged: Amount = Field(description="All that was charged; 0 if nothing was.")
    refunded: Amount = Field(description="All that came back of it.")
    digest: _Digest = Field(description="The `digest` of what is `reported`, as you have read it.")
    reason: _Reason | None = Field(default=None, description="Required if it is not what was `reported`.")


class LiftSet(RequestModel):
    """A window of a budget that does not refuse this purchase. The purchase still counts in it."""

    budget_id: ControlId
    window: Window


class PurchaseGrantCreate(RequestModel):
    """The approval of exactly what the digest is of."""

    model_config = example(digest=_DIGEST_EXAMPLE)

    digest: _Digest = Field(description="The order's `digest`, as you have read it.")
    pool: DrawnPool | None = Field(default=None, description="The pool to draw instead of the one that was asked for.")
    lifts: list[LiftSet] | None = Field(default=None, max_length=10, description="Windows that do not refuse it.")
    reason: _Reason | None = None

    def grant(self) -> ApprovalDecision:
        lifts = None
        if self.lifts is not None:
            lifts = tuple(LiftedLimit(budget_id=each.budget_id, window=each.window) for each in self.lifts)
        pool = None if self.pool is None else Pool(self.pool.value)
        return ApprovalDecision(digest=self.digest, pool=pool, lifts=lifts, reason=self.reason)


class PurchaseRefusalCreate(RequestModel):
    """Why a purchase is refused."""

    model_config = example(reason="We have a licence already.")

    reason: _Reason | None = None


class PurchaseDecisionView(ResponseModel):
    """Why an order has its status."""

    code: DecisionCode
    budget_id: str | None = Field(description="The budget that decided; null if none did.")
    window: Window | None
    remaining: Exact | None = Field(description="What is left in that window, in the budget's currency.")
    currency: str | None = Field(description="The budget's currency.")
    resets_at: datetime | None
    priced_at: MoneyView | None = Field(
        description="The price of one credit by which a budget in credits counts the purchase: what was paid for the "
        "credits that its card would take."
    )
    sentence: str

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "PurchaseDecisionView":
        remaining, currency = stored.get("remaining_minor"), stored.get("currency")
        return cls(
            code=stored["code"],
            budget_id=stored.get("budget_id"),
            window=stored.get("window"),
            remaining=None if remaining is None else format_amount(remaining, str(currency)),
            currency=currency,
            resets_at=stored.get("resets_at"),
            priced_at=stored.get("priced_at"),
            sentence=stored["sentence"],
        )


class PurchaseOrderMethodView(ResponseModel):
    """A method that the purchase can be paid with, in the order of the policy."""

    method: str
    label: str
    available: bool
    why_not: str | None


class BudgetRemainingView(ResponseModel):
    """What is left after the decision, in the currency of each budget; null where there is no such budget."""

    daily: Exact | None = None
    project: Exact | None = None


class PurchaseAlternativeView(ResponseModel):
    """Something else that the agent has looked at."""

    name: str
    url: str | None
    cost: Exact | None
    fits: bool
    why: str


class LiftView(ResponseModel):
    """A window of a budget that a grant lifts for this purchase."""

    budget_id: str
    window: Window


class PurchaseAttemptView(ResponseModel):
    """One try to pay."""

    number: int
    method: str
    status: AttemptStatus
    amount: Exact | None = Field(description="What was charged, as it was reported.")
    fee: Exact | None
    reference: str | None
    receipt_url: str | None
    begun_by: str
    begun_at: datetime
    result_at: datetime | None

    @classmethod
    def of(cls, row: PurchaseAttempt, currency: str) -> "PurchaseAttemptView":
        return cls.from_row(
            row,
            amount=_exact(row.charged_minor, currency),
            fee=_exact(row.fee_minor, currency),
            receipt_url=row.receipt,
            begun_by=row.begun_by.rpartition("/")[2],
        )


class PurchaseGrantView(ResponseModel):
    """What one person has decided."""

    principal: str
    granted: bool
    reason: str | None
    at: datetime

    @classmethod
    def of(cls, row: PurchaseGrant) -> "PurchaseGrantView":
        return cls.from_row(row, principal=row.principal.rpartition("/")[2])


class PurchaseReportedView(ResponseModel):
    """The figures of a purchase as they were reported, confirmed or not."""

    charged: Exact
    refunded: Exact
    digest: str = Field(description="Of these figures, what budgets count, and the attempts; it is to be confirmed.")


class PurchaseOrderView(MetadataView):
    """A purchase order: what is to be bought, what was decided, and what became of it."""

    id: str
    organization_id: str
    agent_id: str
    agent_name: str
    project_id: str | None
    principal: str = Field(description="Who proposed it.")
    status: PurchaseOrderStatus
    item: str
    vendor: str
    category: str
    why: str
    amount: Exact
    currency: str
    term: Term | None
    alternatives: list[PurchaseAlternativeView]
    pool: DrawnPool
    on_limit: PurchaseOnLimit
    lifts: list[LiftView]
    decision: PurchaseDecisionView
    methods: list[PurchaseOrderMethodView]
    budget_remaining: BudgetRemainingView
    digest: str = Field(description="Of what a grant of this order grants.")
    persons: int = Field(description="How many persons have to approve it.")
    grants: list[PurchaseGrantView]
    answer_by: datetime | None = Field(description="Until when they have to answer.")
    held_until: datetime | None = Field(description="When the hold of an approved order ends.")
    renews_at: datetime | None
    attempts: list[PurchaseAttemptView]
    spent: Exact = Field(description="What was charged, as budgets count it.")
    refunded: Exact = Field(description="What came back of it, as budgets count it.")
    reported: PurchaseReportedView
    unconfirmed_since: datetime | None = Field(
        description="Since when something was reported that lowers no budget before a person confirms it."
    )
    cancellation_reported_at: datetime | None = Field(
        description="When an agent reported that it does not renew; renewals count until a person cancels it."
    )
    alternative_action: str | None
    saved: Exact | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(
        cls,
        row: PurchaseOrder,
        agent_name: str,
        attempts: Sequence[PurchaseAttempt],
        grants: Sequence[PurchaseGrant],
        own: ObjectMetadata | None,
    ) -> "PurchaseOrderView":
        return cls.from_row(
            row,
            agent_name=agent_name,
            amount=format_amount(row.amount_minor, row.currency),
            alternatives=[
                PurchaseAlternativeView(**each, cost=_exact(each["cost_minor"], row.currency))
                for each in row.alternatives
            ],
            decision=PurchaseDecisionView.of(row.decision),
            digest=digest_of(row),
            grants=[PurchaseGrantView.of(each) for each in grants],
            attempts=[PurchaseAttemptView.of(each, row.currency) for each in attempts],
            spent=format_amount(row.spent_minor, row.currency),
            refunded=format_amount(row.refunded_minor, row.currency),
            reported=PurchaseReportedView(
                charged=format_amount(row.reported_spent_minor, row.currency),
                refunded=format_amount(row.reported_refunded_minor, row.currency),
                digest=digest_of_reports(row, attempts),
            ),
            cancellation_reported_at=row.cancel_reported_at,
            saved=_exact(row.saved_minor, row.currency),
            **shown(own),
        )


def _exact(amount_minor: int | None, currency: str) -> str | None:
    return None if amount_minor is None else format_amount(amount_minor, currency)
