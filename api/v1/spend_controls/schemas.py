"""HTTP schemas of spend controls."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from api.fields import (
    Amount,
    ControlId,
    Currency,
    Exact,
    Flag,
    Moment,
    Note,
    OrganizationId,
    RequestModel,
    ResponseModel,
    Share,
    Storable,
    Whole,
    example,
)
from domain.common.calendar import Window
from domain.common.ids import uuid_id, uuid_of
from domain.common.money import CREDIT, format_amount, format_ratio, parse_amount, parse_ratio
from domain.credits.spend.control import (
    MAX_THRESHOLDS,
    MAX_USES,
    THRESHOLDS_E4,
    ControlKind,
    ControlStatus,
    Limit,
    LimitTerms,
    NewControl,
    SubjectKind,
    limits_of,
    shown_amount,
)
from domain.credits.spend.presentation import CounterValues, LimitState, limit_states
from ledger.spends import FUND_ESCROW, PURCHASE_ORDER
from models.credits.spend import EscrowCount, PurchaseCount, Spend, SpendRefusal
from models.credits.spend_control import SpendControl, SpendControlVersion

_Uses = Annotated[Whole, Field(ge=0, le=MAX_USES)]


class SubjectSet(RequestModel):
    """By whom or for whom credits are spent."""

    type: SubjectKind
    id: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None,
        description=(
            "The id of the department, project, agent or key, or the `run_id` of a run. Leave it out for the "
            "organization. A key is that key only: to limit all keys of an agent, name the agent."
        ),
    )


class WindowSet(RequestModel):
    """The limit of one window. `amount`, `uses` or both are required."""

    window: Window
    amount: Amount | None = Field(default=None, description="The amount; 0 allows nothing, null sets no limit.")
    uses: _Uses | None = Field(default=None, description="The number of spends; 0 allows none, null sets no limit.")

    def limit(self, currency: str) -> Limit:
        amount = None if self.amount is None else parse_amount(self.amount, currency, zero=True)
        return Limit(window=self.window, amount_minor=amount, uses=self.uses)


class LimitSet(WindowSet):
    """The limit of one window. `amount`, `uses` or both are required."""

    hard: Flag = Field(default=True, description="Whether the limit refuses spends. If not, it only raises alerts.")

    def limit(self, currency: str) -> Limit:
        return replace(super().limit(currency), hard=self.hard)


class TermsSet(RequestModel):
    """Terms of both limits and budgets, except for their windows."""

    per_spend: Amount | None = Field(default=None, description="The largest amount of one spend.")
    thresholds: list[Share] = Field(
        default_factory=lambda: [format_ratio(part) for part in THRESHOLDS_E4],
        max_length=MAX_THRESHOLDS,
        description="The shares of a limit at which an alert is raised, above 0 and at most 1.",
    )
    starts_at: Moment | None = Field(default=None, description="When the control begins to apply; null for at once.")
    ends_at: Moment | None = Field(default=None, description="When the control stops to apply; null for never.")
    parent_id: ControlId | None = Field(
        default=None, description="The control above this one, whose limits apply here too."
    )
    reason: Note | None = Field(default=None, description="Stored with the version.")

    def allowing(self, limits: Iterable[WindowSet], currency: str) -> LimitTerms:
        return LimitTerms(
            limits=tuple(limit.limit(currency) for limit in limits),
            per_spend_minor=None if self.per_spend is None else parse_amount(self.per_spend, currency, zero=True),
            thresholds_e4=tuple(parse_ratio(part, "thresholds") for part in self.thresholds),
            starts_at=self.starts_at,
            ends_at=self.ends_at,
        )

    def parent(self) -> UUID | None:
        return None if self.parent_id is None else uuid_of(self.parent_id)


class AllowanceSet(TermsSet):
    """Everything that a control allows."""

    limits: list[LimitSet] = Field(default_factory=list, max_length=len(Window))

    def terms(self, currency: str) -> LimitTerms:
        """Return the same as a rule reads it; raises as `allowing`."""
        return self.allowing(self.limits, currency)


class NewSet(RequestModel):
    """The immutable part of a control."""

    subject: SubjectSet
    currency: Currency = CREDIT
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=60)] = Field(
        default="UTC",
        description="IANA name of the time zone in which windows begin. It never changes.",
        examples=["UTC"],
    )
    week_starts: Annotated[Whole, Field(ge=1, le=7)] = Field(
        default=1, description="The first day of the week, 1 (Monday) to 7 (Sunday). It never changes."
    )
    organization_id: OrganizationId | None = None

    def new(self, org_id: str, kind: ControlKind = ControlKind.LIMIT) -> NewControl:
        subject_id = self.subject.id
        if subject_id is None:
            subject_id = org_id if self.subject.type is SubjectKind.ORGANIZATION else ""
        return NewControl(
            subject_kind=self.subject.type,
            subject_id=subject_id,
            asset=self.currency,
            time_zone=self.time_zone,
            week_starts=self.week_starts,
            kind=kind,
        )


class ControlCreate(AllowanceSet, NewSet):
    """A new spend control. It counts spends from its creation on. An operator sets the organization."""

    model_config = example(
        subject={"type": "department", "id": "dep_01kar6h2d8e4wvq3r5s7t9x1zy"},
        time_zone="Europe/Vienna",
        limits=[{"window": "day", "amount": "100"}, {"window": "month", "amount": "2000"}],
        per_spend="25",
    )


class ControlChange(AllowanceSet):
    """The new terms of a control. Omitted fields are reset, as in a new control."""

    model_config = example(limits=[{"window": "day", "amount": "150"}], version=3, reason="More for the launch.")

    version: Storable | None = Field(
        default=None,
        description="The version that you have read. If the control has changed since, the request is refused.",
    )


class StatusChange(RequestModel):
    """The reason to freeze, unfreeze or close a control, and the version that you have read."""

    model_config = example(reason="The agent loops.")

    reason: Note | None = None
    version: Storable | None = None


class SubjectView(ResponseModel):
    """By whom or for whom credits are spent."""

    type: SubjectKind
    id: str
    name: str | None = Field(default=None, description="Its name; null for a run and a key, which have none.")


class LimitTermsView(ResponseModel):
    """A limit in a version of a control."""

    window: Window
    amount: Exact | None
    uses: int | None
    hard: bool


class SpendLimitView(LimitTermsView):
    """A limit and its rest in the current window."""

    spent: Exact = Field(description="What was charged and captured, less refunds.")
    held: Exact = Field(description="What is reserved and neither captured nor released.")
    remaining: Exact | None
    uses_spent: int
    uses_remaining: int | None
    starts_at: datetime | None = Field(description="When the window began; null for a lifetime.")
    resets_at: datetime | None = Field(description="When the next window begins; null for a lifetime.")

    @classmethod
    def of(cls, state: LimitState, currency: str) -> "SpendLimitView":
        return cls.from_row(
            state,
            window=state.limit.window,
            amount=shown_amount(state.limit.amount_minor, currency),
            uses=state.limit.uses,
            hard=state.limit.hard,
            spent=format_amount(state.counted.spent_minor, currency),
            held=format_amount(state.counted.held_minor, currency),
            remaining=shown_amount(state.remaining_minor, currency),
            uses_spent=state.counted.uses,
        )


class ControlTermsView(ResponseModel):
    """Fields of both limits and budgets."""

    id: str
    organization_id: str
    subject: SubjectView
    parent_id: str | None
    path: list[str] = Field(description="The ids from the topmost control to this one.")
    currency: str
    time_zone: str
    week_starts: int
    status: ControlStatus
    version: int
    per_spend: Exact | None
    thresholds: list[Exact]
    starts_at: datetime | None
    ends_at: datetime | None
    created_at: datetime = Field(description="Spending counts from here on.")

    @classmethod
    def with_terms(cls, row: SpendControl, name: str | None, **more: Any) -> Self:
        return cls.from_row(
            row,
            id=uuid_id("ctl", row.id),
            subject=SubjectView(type=SubjectKind(row.subject_kind), id=row.subject_id, name=name),
            parent_id=shown_parent(row.parent_id),
            path=[uuid_id("ctl", part) for part in row.path],
            currency=row.asset,
            time_zone=row.zone,
            per_spend=shown_amount(row.per_spend, row.asset),
            thresholds=[format_ratio(part) for part in row.thresholds_e4],
            **more,
        )


class ControlView(ControlTermsView):
    """A spend control and the rest of its limits."""

    limits: list[SpendLimitView]

    @classmethod
    def of(
        cls, row: SpendControl, counters: Mapping[Window, CounterValues], at: datetime, name: str | None
    ) -> "ControlView":
        limits = [SpendLimitView.of(state, row.asset) for state in states_of(row, counters, at)]
        return cls.with_terms(row, name, limits=limits)


class ControlVersionView(ResponseModel):
    """A version of a control, and who made the change."""

    version: int
    parent_id: str | None
    status: ControlStatus
    limits: list[LimitTermsView]
    per_spend: Exact | None
    thresholds: list[Exact]
    starts_at: datetime | None
    ends_at: datetime | None
    changed_at: datetime
    changed_by: str
    reason: str | None

    @classmethod
    def of(cls, row: SpendControlVersion, currency: str, **more: Any) -> Self:
        return cls.from_row(
            row,
            parent_id=shown_parent(row.parent_id),
            limits=[
                LimitTermsView.from_row(limit, amount=shown_amount(limit.amount_minor, currency))
                for limit in limits_of(row.windows, row.amounts, row.uses, row.hard)
            ],
            per_spend=shown_amount(row.per_spend, currency),
            thresholds=[format_ratio(part) for part in row.thresholds_e4],
            **more,
        )


class CountedType(StrEnum):
    """A spend that counts in a control: a charge or reservation of credits, an escrow, or an external purchase."""

    SPEND = "spend"
    ESCROW = "escrow"
    PURCHASE = "purchase"


class CountedSpendView(ResponseModel):
    """A spend, an escrow or a purchase that counts in a control."""

    id: str = Field(description="Of the spend (`spd_…`), the escrow (`esc_…`) or the purchase order (`por_…`).")
    type: CountedType
    status: str = Field(
        description=(
            "Of an escrow or a purchase: `reserved` while something is held, then `captured`, or `released` if nothing "
            "was paid."
        )
    )
    action: str
    quantity: int
    amount: Exact
    currency: str = Field(description="What the amounts are in: `CREDIT`, or the currency of a purchase.")
    captured: Exact = Field(
        description=(
            "Of an escrow, what it has paid out. `captured` and `released` are parts of `amount`, `refunded` is one of "
            "`captured`."
        )
    )
    released: Exact = Field(description="Of an escrow, what it has refunded.")
    refunded: Exact
    counted: Exact = Field(
        description=(
            "What all of `amount` counts, in the control's currency; a part of it counts by its share. A spend that "
            "has captured less than it held counts by what was paid for the credits that it captured."
        )
    )
    agent_id: str | None
    department_id: str | None
    project_id: str | None
    run_id: str | None
    key_id: str | None
    principal: str | None
    at: datetime
    expires_at: datetime | None

    @classmethod
    def of(cls, row: Spend | EscrowCount | PurchaseCount, counted_minor: int, currency: str) -> "CountedSpendView":
        own: dict[str, Any]
        asset = CREDIT
        if isinstance(row, Spend):
            own = {"id": uuid_id("spd", row.id), "type": CountedType.SPEND, "expires_at": row.held_until}
            parts = (row.captured, row.released, row.refunded)
        elif isinstance(row, EscrowCount):
            own = {"id": row.escrow_id, "type": CountedType.ESCROW, "expires_at": None, "run_id": None}
            own |= {"action": FUND_ESCROW, "quantity": 1}
            parts = (row.spent, row.returned, 0)
        else:
            asset = row.asset
            own = {"id": row.order_id, "type": CountedType.PURCHASE, "expires_at": None, "run_id": None}
            own |= {"action": PURCHASE_ORDER, "quantity": 1}
            parts = (row.spent, row.returned, row.refunded)
        captured, released, refunded = (format_amount(part, asset) for part in parts)
        return cls.from_row(
            row,
            amount=format_amount(row.amount, asset),
            currency=asset,
            captured=captured,
            released=released,
            refunded=refunded,
            counted=format_amount(counted_minor, currency),
            **own,
        )


class RefusalView(ResponseModel):
    """A spend that a control refused, or that the organization had not enough credits for."""

    id: str
    control_id: str | None = Field(description="Null if there were not enough credits.")
    subject: SubjectView | None = Field(
        description="The subject of the control; without its name where the key cannot read the control."
    )
    reason: str = Field(
        description=(
            "`limit`, `uses`, `per_spend`, `frozen`, `rate`; `payment`: payments with credits are not limited, so none "
            "is made under a limit; `funds`: not enough credits."
        )
    )
    window: Window | None
    pool: str | None = Field(description="The pool of the window: `operating`, `reserve`, `emergency` or `allowance`.")
    limit: Exact | None = Field(description="The limit that refused it, in `limit_currency` or in uses.")
    remaining: Exact | None
    limit_currency: str | None = Field(description="The control's currency.")
    resets_at: datetime | None
    action: str
    amount: Exact = Field(description="The amount of the spend.")
    currency: str = Field(description="What the amount is in: `CREDIT`, or the currency of a purchase.")
    agent_id: str | None
    department_id: str | None
    project_id: str | None
    run_id: str | None
    key_id: str | None
    principal: str | None
    at: datetime

    @classmethod
    def of(cls, row: SpendRefusal, names: Mapping[str, str]) -> "RefusalView":
        """Show a row; `names` has the names of controls by their ids."""

        def shown(number: int | None) -> str | None:
            is_count = row.reason == "uses" and number is not None
            return str(number) if is_count else shown_amount(number, row.asset or CREDIT)

        control_id, kind = shown_parent(row.control_id), row.subject_kind
        subject = kind and SubjectView(
            type=SubjectKind(kind), id=row.subject_id or "", name=names.get(control_id or "")
        )
        return cls.from_row(
            row,
            id=uuid_id("rfs", row.id),
            control_id=control_id,
            subject=subject,
            limit_currency=row.asset,
            window=None if row.window is None else Window(row.window),
            limit=shown(row.limit_amount),
            remaining=shown(row.remaining),
            amount=format_amount(row.amount, row.spend_asset),
            currency=row.spend_asset,
        )


class DepartmentLimitsSet(RequestModel):
    """The limits of a department in credits. Limits that are left out or null are removed."""

    model_config = example(daily="100", monthly="2000")

    daily: Amount | None = None
    monthly: Amount | None = None

    def minor(self) -> tuple[int | None, int | None]:
        """Return the two in minor units."""
        daily, monthly = (
            None if it is None else parse_amount(it, CREDIT, zero=True) for it in (self.daily, self.monthly)
        )
        return daily, monthly


class DepartmentLimitView(ResponseModel):
    """A limit of a department and its rest."""

    limit: Exact
    spent: Exact = Field(description="What is spent or reserved in the current window.")
    remaining: Exact
    resets_at: datetime


class DepartmentLimitsView(ResponseModel):
    """The limits of a department in credits; null if there is no such limit."""

    department_id: str
    control_id: str | None = Field(description="The spend control that holds these limits.")
    daily: DepartmentLimitView | None
    monthly: DepartmentLimitView | None

    @classmethod
    def of(
        cls, department_id: str, row: SpendControl | None, counters: Mapping[Window, CounterValues], at: datetime
    ) -> "DepartmentLimitsView":
        states = [] if row is None else states_of(row, counters, at)
        shown = {state.limit.window: _department_limit(state) for state in states}
        return cls(
            department_id=department_id,
            control_id=None if row is None else uuid_id("ctl", row.id),
            daily=shown.get(Window.DAY),
            monthly=shown.get(Window.MONTH),
        )


def states_of(row: SpendControl, counters: Mapping[Window, CounterValues], at: datetime) -> list[LimitState]:
    limits = limits_of(row.windows, row.amounts, row.uses, row.hard)
    return limit_states(limits, counters, row.zone, row.week_starts, at)


def _department_limit(state: LimitState) -> DepartmentLimitView | None:
    limit, remaining = state.limit.amount_minor, state.remaining_minor
    if limit is None or remaining is None or state.resets_at is None:
        return None
    used = state.counted.spent_minor + state.counted.held_minor
    return DepartmentLimitView(
        limit=format_amount(limit, CREDIT),
        spent=format_amount(used, CREDIT),
        remaining=format_amount(remaining, CREDIT),
        resets_at=state.resets_at,
    )


def shown_parent(parent_id: UUID | None) -> str | None:
    return None if parent_id is None else uuid_id("ctl", parent_id)
