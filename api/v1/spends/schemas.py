"""What using and reserving credits looks like over HTTP."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from sqlalchemy import RowMapping

from api.fields import (
    AgentId,
    Amount,
    DepartmentId,
    Exact,
    Flag,
    Moment,
    Note,
    Period,
    ProjectId,
    RequestModel,
    ResponseModel,
    Whole,
    example,
)
from api.v1.usage.schemas import UsageEventView
from domain.common.ids import transfer_id, uuid_id
from domain.common.money import CREDIT, format_amount
from domain.common.text import is_storable, rfc3339
from domain.credits.action_cost import is_action
from ledger.spends import ChangeResult, NewSpend, OnLimit, SpendOutcome, SpendResult, SpendStatus
from models.credits.spend import Spend, SpendChange
from models.marketplace.marketplace import MarketplaceAgreedUse, MarketplaceUse
from repositories.credits.spend import public_id
from repositories.marketplace.marketplace import BoughtBySpend

#: How long a reservation lasts unless the request says.
RESERVATION_PERIOD = timedelta(minutes=10)
MAX_QUANTITY = 10**9


def _action(name: str) -> str:
    if not is_action(name):
        raise ValueError("An action's name must consist of lower case letters, digits, _, ., : and -, at most 64.")
    return name


def _run(text: str) -> str:
    if not is_storable(text) or not text.isprintable() or not text.strip():
        raise ValueError("A run's id must consist of printable characters.")
    return text


ActionName = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_action)]
RunId = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_run)]
ReservationId = Annotated[str, StringConstraints(max_length=64)]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=40)]
_Value = Annotated[str, StringConstraints(max_length=500)] | int | bool
Metadata = Annotated[dict[_Name, _Value], Field(max_length=20)]


class SpendCreate(RequestModel):
    """The fields of every request that spends credits."""

    action: ActionName | None = Field(
        default=None, description="The action to charge, at its cost unless `amount` is given."
    )
    quantity: Whole = Field(default=1, ge=1, le=MAX_QUANTITY)
    amount: Amount | None = Field(
        default=None, description="The credits for the whole spend, instead of the action's cost."
    )
    agent_id: AgentId | None = None
    department_id: DepartmentId | None = None
    project_id: ProjectId | None = None
    run_id: RunId | None = Field(default=None, description="Your id for a run of several steps.")
    payee_agent_id: AgentId | None = Field(
        default=None,
        description="The agent of the library to use, priced by usage: `action` is its meter, `quantity` the units.",
    )
    metadata: Metadata | None = Field(
        default=None, description="Up to 20 names with short values, stored with the spend."
    )

    @model_validator(mode="after")
    def _costs_something(self) -> Self:
        if self.action is None and self.amount is None:
            raise ValueError("Send an action or an amount.")
        return self


class NamedPool(StrEnum):
    """A pool of a budget."""

    OPERATING = "operating"
    RESERVE = "reserve"
    EMERGENCY = "emergency"


class PooledCreate(SpendCreate):
    """A spend that may draw another pool of the budgets above it than the operating one."""

    pool: NamedPool = Field(
        default=NamedPool.OPERATING,
        description="The pool that it draws. The emergency pool is open while an emergency is declared.",
    )
    on_limit: OnLimit = Field(
        default=OnLimit.REFUSE,
        description="`reserve` draws the reserve if the operating pool does not suffice and the reserve does.",
    )

    @model_validator(mode="after")
    def _draws_what_it_may(self) -> Self:
        plain = self.pool is NamedPool.OPERATING and self.on_limit is OnLimit.REFUSE
        if self.payee_agent_id is not None and not plain:
            raise ValueError("The use of an agent of the library draws the operating pool only.")
        return self


class UseCreate(PooledCreate):
    """A use of credits: an action at its cost, an amount of credits, or the use of an agent of the marketplace."""

    model_config = example(action="api_call", quantity=1)


class ReserveCreate(PooledCreate):
    """Credits to reserve until they are captured, released or expired."""

    model_config = example(amount="7", expires_in="PT10M")

    expires_in: Period = Field(
        default=RESERVATION_PERIOD,
        description="How long the reservation lasts: at most 30 days; 10 minutes when left out.",
    )


class CaptureReservation(RequestModel):
    """How much of a reservation to capture."""

    model_config = example(amount="2.50", final_capture=False)

    amount: Amount | None = Field(default=None, description="The credits to capture; all that is held when left out.")
    quantity: Whole | None = Field(
        default=None,
        ge=1,
        le=MAX_QUANTITY,
        description="The units used, instead of `amount`, if the reservation is for an agent of the marketplace.",
    )
    final_capture: Flag = Field(default=True, description="Whether the rest is released; `false` keeps it held.")


class Release(RequestModel):
    """The reservation to release."""

    model_config = example(reservation_id="hold_01kar6h2d8e4wvq3r5s7t9x1zy")

    reservation_id: ReservationId


class Extension(RequestModel):
    """The new end of a reservation: a duration from now, or a time."""

    model_config = example(expires_in="PT10M")

    expires_in: Period | None = None
    expires_at: Moment | None = None

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        if (self.expires_in is None) == (self.expires_at is None):
            raise ValueError("Send either expires_in or expires_at.")
        return self


class SpendRefundCreate(RequestModel):
    """Refunds `amount` of a spend, or all that remains when it is left out."""

    model_config = example(amount="2.50", reason="The model answered nothing.")

    amount: Amount | None = Field(default=None, description="All that is not refunded yet when left out.")
    reason: Annotated[Note, StringConstraints(min_length=1, max_length=500)] | None = Field(
        default=None, description="Stored in the audit trail."
    )


class _SpendView(ResponseModel):
    id: str
    status: SpendStatus
    action: str
    quantity: int
    amount: Exact
    currency: str = CREDIT
    agent_id: str | None
    department_id: str | None
    project_id: str | None
    run_id: str | None
    created_at: datetime


class UseView(_SpendView):
    """Credits that were used."""

    available: Exact = Field(description="The credits that the organization could spend right after it.")
    payee_agent_id: str | None = Field(default=None, description="The agent of the marketplace that was used.")


class ReservationView(_SpendView):
    """Credits that are reserved."""

    available: Exact = Field(description="The credits that the organization could spend right after it.")
    expires_at: datetime
    payee_agent_id: str | None = Field(
        default=None, description="The agent of the marketplace that the credits are for."
    )


class ChangeView(ResponseModel):
    """A reservation after a capture, release or extension."""

    id: str
    status: SpendStatus
    amount: Exact = Field(description="What this request captured or released; for an extension, what is still held.")
    captured: Exact
    released: Exact
    refunded: Exact
    held: Exact
    available: Exact = Field(description="The credits that the organization could spend right after it.")
    expires_at: datetime | None
    transfer_id: str | None

    @classmethod
    def of(cls, changed: ChangeResult) -> "ChangeView":
        return cls.from_row(
            changed,
            id=uuid_id("hold", changed.spend_id),
            amount=_credits(changed.amount_minor),
            captured=_credits(changed.captured_minor),
            released=_credits(changed.released_minor),
            refunded=_credits(changed.refunded_minor),
            held=_credits(changed.held_minor),
            available=_credits(changed.available_minor),
            transfer_id=None if changed.transfer_id is None else transfer_id(changed.transfer_id),
        )


class SpendView(_SpendView):
    """A use or a reservation of credits in its current state."""

    captured: Exact = Field(description="What was used, including what was refunded since.")
    released: Exact
    refunded: Exact
    held: Exact
    key_id: str | None
    principal: str | None
    expires_at: datetime | None = Field(description="When the reservation ends; null for a use.")
    metadata: dict[str, Any] | None

    @classmethod
    def of(cls, row: Spend) -> "SpendView":
        return cls.from_row(
            row,
            id=public_id(row),
            amount=_credits(row.amount),
            captured=_credits(row.captured),
            released=_credits(row.released),
            refunded=_credits(row.refunded),
            held=_credits(row.amount - row.captured - row.released),
            created_at=row.at,
            expires_at=row.held_until,
            metadata=row.details,
        )


class SpendDetail(SpendView):
    """A use or a reservation of credits in its current state, how its price was made up, and how it ended."""

    organization_id: str
    expired: bool = Field(description="Whether the reservation expired. What was captured before stays captured.")
    unit_amount: Exact | None = Field(
        description="`amount` by `quantity`; null where it is no whole number of the smallest unit."
    )
    payee_agent_id: str | None = Field(description="The agent of the marketplace that was used or bought.")
    payee_agent_name: str | None
    meter: str | None = Field(description="The unit by which `payee_agent_id` is paid, where it is paid by usage.")
    purchase_id: str | None = Field(description="The purchase that was paid, or that entitles to the use.")
    usage_event: UsageEventView | None = Field(description="The usage event that was charged, with its own cost.")

    @classmethod
    def ended(cls, row: Spend, *, expired: bool, bought: BoughtBySpend | None, event: UsageEventView | None) -> Self:
        unit, rest = divmod(row.amount, row.quantity)
        return cls(
            **SpendView.of(row).model_dump(),
            organization_id=row.org_id,
            expired=expired,
            unit_amount=None if rest else _credits(unit),
            payee_agent_id=None if bought is None else bought.agent_id,
            payee_agent_name=None if bought is None else bought.agent_name,
            meter=None if bought is None else bought.meter,
            purchase_id=None if bought is None else bought.purchase_id,
            usage_event=event,
        )


class SpendRefundView(ResponseModel):
    """One refund of a spend, and the state after it."""

    id: str
    spend_id: str
    amount: Exact
    currency: str = CREDIT
    refunded: Exact = Field(description="The total refunded of the spend, including this refund.")
    available: Exact = Field(description="The credits that the organization could spend right after it.")
    transfer_id: str
    created_at: datetime

    @classmethod
    def of(cls, spend: Spend, row: SpendChange) -> "SpendRefundView":
        assert row.transfer_id is not None
        return cls(
            id=uuid_id("rfd", row.id),
            spend_id=public_id(spend),
            amount=_credits(row.amount),
            refunded=_credits(row.refunded),
            available=_credits(row.available),
            transfer_id=transfer_id(row.transfer_id),
            created_at=row.at,
        )


class TotalView(ResponseModel):
    """A total of spends with one key."""

    key: str | None = Field(description="The action, id, model or day; null for spends without one.")
    amount: Exact = Field(description="The credits used, less refunds.")
    held: Exact = Field(description="The credits held by open reservations.")
    quantity: int
    count: int


class UsageSummary(ResponseModel):
    """Totals of the credits used in a period, by the time of their charge or reservation."""

    organization_id: str
    since: datetime = Field(serialization_alias="from")
    until: datetime = Field(serialization_alias="to")
    total: TotalView
    by_action: list[TotalView]
    by_agent: list[TotalView]
    by_department: list[TotalView]
    by_model: list[TotalView] = Field(description="By the `model` in the metadata.")
    by_day: list[TotalView] = Field(description="By day, in UTC.")


#: What each list of a summary is grouped by: the bit that is clear in `grouped`, and the column.
_GROUPS = {"by_action": "action", "by_agent": "agent_id", "by_department": "department_id", "by_model": "model"}
_BITS = {"action": 0b01111, "agent_id": 0b10111, "department_id": 0b11011, "model": 0b11101, "day": 0b11110}


def summary_view(org_id: str, since: datetime, until: datetime, rows: Sequence[RowMapping]) -> UsageSummary:
    """Show the totals that `repositories.credits.spend_day.summary` returned."""
    (whole,) = (row for row in rows if row["grouped"] == 0b11111)
    days = sorted((row for row in rows if row["grouped"] == _BITS["day"]), key=lambda row: row["day"])
    return UsageSummary(
        organization_id=org_id,
        since=since,
        until=until,
        total=_total(whole, None),
        by_day=[_total(row, row["day"]) for row in days],
        **{
            name: [_total(row, row[column]) for row in rows if row["grouped"] == _BITS[column]]
            for name, column in _GROUPS.items()
        },
    )


def _total(row: RowMapping, key: str | date | None) -> TotalView:
    return TotalView(
        key=None if key is None else str(key),
        amount=_credits(row["used"] or 0),
        held=_credits(row["held"] or 0),
        quantity=row["quantity"] or 0,
        count=row["spends"],
    )


def spent_document(spent: SpendResult, spend: NewSpend) -> dict[str, Any]:
    """Show what was charged or reserved, as `UseView` or `ReservationView`; built by hand, because it is asked most."""
    assert spent.spend_id is not None
    reserved = spent.expires_at is not None
    document = {
        "id": uuid_id("hold" if reserved else "spd", spent.spend_id),
        "status": spent.outcome.value,
        "action": spend.action,
        "quantity": spend.quantity,
        "amount": _credits(spent.amount_minor),
        "currency": CREDIT,
        "available": _credits(spent.available_minor),
        "agent_id": spend.spender.agent_id,
        "department_id": spend.spender.department_id,
        "project_id": spend.spender.project_id,
        "run_id": spend.spender.run_id,
        "created_at": rfc3339(spent.at),
    }
    if spent.expires_at is not None:
        document["expires_at"] = rfc3339(spent.expires_at)
    return document


def used_document(use: MarketplaceUse | MarketplaceAgreedUse, spend: Spend) -> dict[str, Any]:
    """Show the use of an agent of the marketplace as `UseView`, or one that is reserved as `ReservationView`."""
    document = {
        "id": public_id(spend),
        "status": SpendOutcome.CHARGED.value,
        "action": use.meter,
        "quantity": use.quantity,
        "amount": _credits(use.quantity * use.unit_minor),
        "currency": CREDIT,
        "available": _credits(spend.available),
        "agent_id": spend.agent_id,
        "department_id": spend.department_id,
        "project_id": spend.project_id,
        "run_id": spend.run_id,
        "created_at": rfc3339(spend.at),
        "payee_agent_id": use.agent_id,
    }
    if isinstance(use, MarketplaceAgreedUse) and spend.expires_at is not None:
        document |= {"status": SpendOutcome.RESERVED.value, "expires_at": rfc3339(spend.expires_at)}
    return document


def _credits(amount_minor: int) -> str:
    return format_amount(amount_minor, CREDIT)
