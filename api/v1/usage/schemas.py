"""What usage events and their answers look like over HTTP."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from api.fields import (
    AgentId,
    Amount,
    Day,
    Exact,
    Moment,
    Note,
    OrganizationId,
    RequestModel,
    ResponseModel,
    SearchText,
    example,
)
from api.v1.payments.schemas import MoneyView
from domain.common.ids import uuid_id
from domain.common.money import CREDIT, format_amount
from domain.usage.adapters import ModelCall
from domain.usage.amounts import format_pico, to_minor
from domain.usage.arrears import BilledStatus
from domain.usage.call import Cost
from domain.usage.run import RunCost, RunTotal as RunTotal
from models.usage.usage import UsageEventRow
from models.usage.usage_charge import UsageChargeRow
from repositories.credits.lot_price import LotPrice
from repositories.insight.own_rates import price_shown
from repositories.usage.usage_bill import BillState
from repositories.usage.usage_report import UsageTotal
from services.usage.usage import EventOutcome, EventStatus

_COUNTS = ("events", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
_PICO = ("cost_pico", "creator_pico", "platform_pico")
_SHARES = ("cost", "creator_share", "platform_share")

#: An event in the OpenAPI document; what it may hold is judged by `domain/usage/event.py`, event by event.
EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1, "maxLength": 200},
        "source": {"type": "string", "minLength": 1, "maxLength": 200},
        "type": {"type": "string", "minLength": 1, "maxLength": 200},
        "subject": {"type": "string", "maxLength": 200},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "data": {"type": "object"},
    },
    "examples": [
        {
            "specversion": "1.0",
            "id": "call-8231",
            "source": "research-crew",
            "type": "llm.call",
            "time": "2026-01-31T12:00:00Z",
            "data": {"run_id": "run-17", "step_id": "search", "action": "summarise", "model": "gpt-4o"},
        }
    ],
}
EVENTS_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        # One type, because generated clients cannot tell lists of several types apart.
        "description": "An event or a list of events. The types `application/cloudevents+json`, "
        "`application/cloudevents-batch+json` and, with one event a line, `application/x-ndjson` are accepted as "
        "well.",
        "content": {
            "application/json": {"schema": {"anyOf": [EVENT, {"type": "array", "items": EVENT, "maxItems": 5000}]}}
        },
    }
}


class EventResult(ResponseModel):
    """The outcome of one event."""

    status: EventStatus = Field(
        description=(
            "accepted: it counts now. duplicate: it counted before. invalid: it does not count; `code` says why."
        )
    )
    id: str | None = Field(description="Bursar's id of an accepted event.")
    source: str | None
    event_id: str | None = Field(description="The id with which it was sent.")
    code: str | None = Field(default=None, description="Why it is invalid.")
    detail: str | None = None

    @classmethod
    def of(cls, outcome: EventOutcome) -> "EventResult":
        error = outcome.error
        return cls.from_row(
            outcome, code=None if error is None else error.error_code, detail=None if error is None else error.detail
        )


class EventsView(ResponseModel):
    """The outcome of the events of a request. Accepted events are stored permanently."""

    accepted: int
    duplicates: int
    invalid: int
    events: list[EventResult] = Field(description="One outcome for each event, in the order in which they were sent.")


class CurrencyCostView(ResponseModel):
    """What usage cost in one currency, exactly: amounts have up to twelve decimals."""

    currency: str
    cost: Exact
    creator_share: Exact = Field(description="The part of the cost that is the share of agents' creators.")
    platform_share: Exact


class UsageLine(ResponseModel):
    """The totals of one group of events."""

    group: str | None = Field(
        description="The day, or the value that events are grouped by; null for events without one."
    )
    events: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    costs: list[CurrencyCostView] = Field(description="One cost for each currency; empty if nothing is rated.")


class UsageView(ResponseModel):
    """Usage of an organization in whole days in UTC."""

    organization_id: str
    start_date: date
    end_date: date = Field(description="The last day.")
    group_by: str
    total: UsageLine
    data: list[UsageLine]

    @classmethod
    def of(cls, org_id: str, first: date, end: date, group_by: str, found: Sequence[UsageTotal]) -> "UsageView":
        """Show what was added up, which has a row for each group and currency."""
        groups: dict[str, list[UsageTotal]] = {}
        for total in found:
            groups.setdefault(total.group, []).append(total)
        return cls(
            organization_id=org_id,
            start_date=first,
            end_date=end - timedelta(days=1),
            group_by=group_by,
            total=_line(None, found),
            data=[_line(group or None, totals) for group, totals in groups.items()],
        )


def _line(group: str | None, totals: Sequence[UsageTotal]) -> UsageLine:
    counted, pico = Counter[str](), dict[str, Counter[str]]()
    for total in totals:
        counted.update({name: total.counted[name] for name in _COUNTS})
        if total.currency:
            pico.setdefault(total.currency, Counter()).update({name: total.counted[name] for name in _PICO})
    costs = [
        CurrencyCostView(currency=currency, **dict(zip(_SHARES, split_money(sums), strict=True)))
        for currency, sums in sorted(pico.items())
    ]
    return UsageLine(group=group, costs=costs, **{name: counted[name] for name in _COUNTS})


def split_money(sums: Mapping[str, int]) -> list[str]:
    """Write cost, creator's share and platform's share as decimals."""
    return [format_pico(sums[name]) for name in _PICO]


class SyncOrder(RequestModel):
    """From when on usage is pulled."""

    model_config = example(start_date="2026-01-31")

    start_date: Day | None = Field(
        default=None, description="From this day (UTC) on. If left out, from where the last sync ended."
    )


class ChargeVoid(RequestModel):
    """Why a usage event is never charged."""

    model_config = example(organization_id="org_01kar6h2d8e4wvq3r5s7t9x1zy", reason="The reporter counted in bytes.")

    organization_id: OrganizationId
    reason: Annotated[Note, StringConstraints(min_length=1)] = Field(
        description="Kept in the audit trail, which the organization reads too."
    )


class EventChargeView(ResponseModel):
    """The outcome of the charge of one event."""

    status: Literal["due", "waiting", "charged", "void"] = Field(
        description="`void`: an operator decided that it is never charged. The audit trail says why."
    )
    waits_for: str | None = Field(
        description=(
            "`rate`: it waits for an exchange rate of its currency. `amount`, `event`, `books`: for an operator, who "
            "has an alert. `credits`, `limit`: for credits, or for a limit, that the use of an agent needs."
        )
    )
    amount: Exact | None = Field(description="The amount charged, in credits.")
    spend_id: str | None
    charged_at: datetime | None

    @classmethod
    def of(cls, row: UsageChargeRow) -> "EventChargeView":
        return cls.from_row(
            row,
            status=_charge_status(row),
            amount=None if row.amount is None else format_amount(row.amount, CREDIT),
            spend_id=None if row.spend_id is None else uuid_id("spd", row.spend_id),
        )


#: The charge of an event that was taken off its bill: nothing was charged to credits, and nothing is.
VOID = EventChargeView(status="void", waits_for=None, amount=None, spend_id=None, charged_at=None)


def _charge_status(row: UsageChargeRow) -> Literal["due", "waiting", "charged", "void"]:
    if row.voided_at is not None:
        return "void"
    return "charged" if row.spend_id is not None else "due" if row.waits_for is None else "waiting"


class UsageEventView(ResponseModel):
    """One usage event and its own cost."""

    id: str
    source: str
    event_id: str
    type: str
    subject: str | None
    action: str
    occurred_at: datetime
    received_at: datetime
    agent_id: str | None
    department_id: str | None
    project_id: str | None
    run_id: str | None
    step_id: str | None
    parent_id: str | None
    provider: str | None
    model: str | None
    spend_id: str | None
    usage: dict[str, Any] | None = Field(
        description="What a model call used, by unit. `tools` has the usage of other models that its tools called."
    )
    currency: str | None
    cost: Exact | None = Field(
        description="The cost at the price of its time; null if the event has no cost of its own."
    )
    creator_share: Exact | None
    platform_share: Exact | None
    rated_by: str | None = Field(description="agent: by the price of its agent. model: by the price of its model.")
    price_ref: str | None = Field(description="The price that was used.")
    estimated: list[str] = Field(
        description="Units of the call without a price in the list, which cost what a stated substitute does."
    )
    charge: EventChargeView | None = Field(
        description="The charge of an event that is charged to credits; null for others."
    )
    billed_status: BilledStatus = Field(
        description=(
            "prepaid: credits paid for it, so it is never billed. unbilled: it will be billed. billed: it was billed. "
            "void: an operator took it off its bill, so it is never billed."
        )
    )
    invoice_id: str | None = Field(description="The invoice that bills it; null also if its bill came to nothing.")
    billed_at: datetime | None
    data: dict[str, Any]

    @classmethod
    def of(cls, row: UsageEventRow, charge: UsageChargeRow | None, billed: BillState) -> "UsageEventView":
        money = {
            shown: None if pico is None else format_pico(int(pico))
            for shown, pico in zip(_SHARES, (row.cost_pico, row.creator_pico, row.platform_pico), strict=True)
        }
        shown = None if charge is None else EventChargeView.of(charge)
        return cls.from_row(
            row,
            id=uuid_id("uev", row.id),
            estimated=row.estimated or [],
            charge=shown,
            billed_status=billed.status,
            invoice_id=billed.invoice_id,
            billed_at=billed.billed_at,
            **money,
        )


class RunCostView(ResponseModel):
    """What a part of a run cost."""

    events: int
    tokens: int
    unrated: int = Field(description="The number of events without a cost of their own.")
    costs: dict[str, Exact] = Field(description="The cost by currency.")

    @classmethod
    def of(cls, cost: RunTotal) -> "RunCostView":
        costs = {currency: format_pico(pico) for currency, pico in sorted(cost.pico.items())}
        return cls.from_row(cost, costs=costs)


class RunAgentView(RunCostView):
    """What one agent's part of a run cost."""

    agent_id: str | None


class RunStepView(ResponseModel):
    """One step of a run."""

    step_id: str
    parent_id: str | None
    agents: list[str]
    own: RunCostView = Field(description="The cost of its own events.")
    total: RunCostView = Field(description="The cost with all steps below it.")


class UsageRunView(ResponseModel):
    """What a run of agents cost."""

    run_id: str
    total: RunCostView
    agents: list[RunAgentView]
    steps: list[RunStepView]

    @classmethod
    def of(cls, run_id: str, run: RunCost) -> "UsageRunView":
        return cls(
            run_id=run_id,
            total=RunCostView.of(run.total),
            agents=[
                RunAgentView(agent_id=agent or None, **RunCostView.of(cost).model_dump())
                for agent, cost in run.by_agent.items()
            ],
            steps=[
                RunStepView.from_row(
                    step, step_id=step.id, own=RunCostView.of(step.own), total=RunCostView.of(step.total)
                )
                for step in run.steps
            ],
        )


class EstimateRequest(RequestModel):
    """Usage to rate: a model's usage, a vendor's answer, or the use of an agent of the marketplace."""

    model_config = example(model="gpt-4o", usage={"input_tokens": 1200, "output_tokens": 300})

    model: SearchText | None = None
    provider: SearchText | None = None
    usage: dict[str, Any] | None = Field(
        default=None, description="The quantity by unit: `input_tokens`, `output_tokens`, …."
    )
    shape: SearchText | None = Field(default=None, description="The form of `answer`, such as `openai.chat`.")
    answer: dict[str, Any] | None = Field(default=None, description="The vendor's answer; its usage is enough.")
    agent_id: AgentId | None = Field(default=None, description="The agent that did the work, as in `data` of an event.")
    payee_agent_id: AgentId | None = Field(
        default=None, description="The agent of the library that is used. It is paid for `quantity` units of `action`."
    )
    action: SearchText | None = Field(default=None, description="The meter by which `payee_agent_id` is paid.")
    quantity: Amount = "1"
    at: Moment | None = Field(default=None, description="The time whose prices apply; now when left out.")


class EstimateLine(ResponseModel):
    """What one unit of a call costs."""

    model: str = Field(description="Whose price applies: the call's model, or that of one of its tools.")
    unit: str
    quantity: int
    unit_price: Exact
    amount: Exact
    estimated: bool = Field(description="The list has no price for the unit; `priced_as` names its substitute.")
    priced_as: str


class EstimateView(ResponseModel):
    """What usage costs, exactly. The shares add up to the cost."""

    currency: str
    cost: Exact
    creator_share: Exact
    platform_share: Exact
    credits: Exact | None = Field(
        description="The credits that a charge of this cost with its markup would take; null for the platform, and "
        "without an exchange rate."
    )
    priced_at: MoneyView | None = Field(
        description="The price of one credit in this: what was paid for the lots that would be taken next. Null where "
        "nothing was converted."
    )
    rated_by: str
    price_ref: str
    usage: dict[str, Any] | None
    lines: list[EstimateLine]

    @classmethod
    def of(cls, cost: Cost, call: ModelCall | None, taken: LotPrice | None) -> "EstimateView":
        in_credits = to_minor(cost.cost_pico, CREDIT) if cost.currency == CREDIT else None
        credits_minor = in_credits if taken is None else taken.credits_minor
        priced_at = None if taken is None else price_shown(taken)
        each = () if cost.rated is None else (cost.rated, *cost.tools)
        return cls.from_row(
            cost,
            cost=format_pico(cost.cost_pico),
            creator_share=format_pico(cost.creator_pico),
            platform_share=format_pico(cost.platform_pico),
            credits=None if credits_minor is None else format_amount(credits_minor, CREDIT),
            priced_at=None if priced_at is None else MoneyView(**priced_at),
            usage=None if call is None else call.to_json(),
            lines=[
                EstimateLine.from_row(
                    line,
                    model=rated.model,
                    unit_price=f"{line.unit_price:f}",
                    amount=f"{line.amount:f}",
                    estimated=line.is_estimated,
                )
                for rated in each
                for line in rated.lines
            ],
        )


class SyncView(ResponseModel):
    """A sync that was started."""

    workflow_id: str = Field(description="The id of its workflow, as in the Temporal UI.")
