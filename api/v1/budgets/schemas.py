"""What budgets look like over HTTP."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints

from api.fields import Amount, Exact, Moment, Note, RequestModel, ResponseModel, Storable, example
from api.v1.spend_controls.schemas import ControlTermsView, ControlVersionView, NewSet, TermsSet, WindowSet
from api.v1.spends.schemas import NamedPool
from domain.budgets.budget import BudgetTerms, Pools, PoolState, WindowState, tightest_window
from domain.common.calendar import Window
from domain.common.errors import Invalid
from domain.common.money import format_amount, parse_amount
from domain.credits.spend.control import shown_amount
from models.budgets.budget_emergency import BudgetEmergency
from models.credits.spend_control import SpendControl, SpendControlVersion

Reason = Annotated[Note, StringConstraints(min_length=1)]


_POOLS = ("reserve", "emergency", "carry_over", "may_draw_reserve")


class BudgetSet(TermsSet):
    """Everything that a budget allows."""

    limits: list[WindowSet] = Field(
        max_length=len(Window), description="What may be spent in each window: at least one, each with an amount."
    )
    reserve: Amount | None = Field(default=None, description="The part of the amount of `pools_of` kept in reserve.")
    emergency: Amount | None = Field(default=None, description="The part of that amount for declared emergencies.")
    pools_of: Window | None = Field(
        default=None, description="The window whose amount the pools are parts of; the longest when left out."
    )
    carry_over: Amount | None = Field(
        default=None, description="The most that is carried over from one such window into the next; nothing if null."
    )
    may_draw_reserve: Amount | None = Field(
        default=None,
        description=(
            "The most that agents below draw from the reserve in such a window without a person; if null, this budget "
            "lets them draw none."
        ),
    )

    def terms(self, currency: str) -> BudgetTerms:
        """Return the same as a rule reads it.

        Raises:
            Invalid: it contradicts itself, or an amount is none of the currency.
        """
        amounts = {f"{name}_minor": self._minor(name, currency) for name in _POOLS}
        return BudgetTerms(
            allowance=self.allowing(self.limits, currency), pools=Pools(pools_of=self.pools_of, **amounts)
        )

    def _minor(self, name: str, currency: str) -> int | None:
        amount: str | None = getattr(self, name)
        try:
            return None if amount is None else parse_amount(amount, currency, zero=True)
        except Invalid as refusal:
            raise Invalid(refusal.detail, extra={"field": name}) from None


class BudgetCreate(BudgetSet, NewSet):
    """A new budget. It counts what is spent from its creation on. An operator sets the organization."""

    model_config = example(
        subject={"type": "project", "id": "prj_01kar6h2d8e4wvq3r5s7t9x1zy"},
        currency="CAD",
        limits=[{"window": "week", "amount": "100"}],
        reserve="50",
        emergency="20",
        may_draw_reserve="10",
    )


class BudgetChange(BudgetSet):
    """What a budget allows from now on. Fields that are left out are reset, as in a new budget."""

    model_config = example(limits=[{"window": "week", "amount": "120"}], reserve="50", version=3, reason="A launch.")

    version: Storable | None = Field(
        default=None,
        description="The version that you have read. If the budget has changed since, the request is refused.",
    )


class PoolMove(RequestModel):
    """An amount to move from one pool of the present window into another."""

    model_config = example(**{"from": "reserve", "to": "operating", "amount": "20", "reason": "The launch is today."})

    source: NamedPool = Field(alias="from")
    target: NamedPool = Field(alias="to")
    amount: Amount
    reason: Reason


class EmergencyDeclare(RequestModel):
    """Opens the emergency pool. Another person sends the same to confirm it."""

    model_config = example(reason="The provider is down.", until="2026-11-30T18:00:00Z")

    reason: Reason
    until: Moment = Field(description="When the emergency ends: at most seven days from now.")


class PoolView(ResponseModel):
    """One pool of a window."""

    amount: Exact = Field(description="Its size, with what was moved and carried over.")
    held: Exact
    spent: Exact = Field(description="What was charged and captured, less refunds.")
    remaining: Exact

    @classmethod
    def of(cls, state: PoolState, currency: str) -> "PoolView":
        amounts = (state.amount_minor, state.held_minor, state.spent_minor, state.remaining_minor)
        amount, held, spent, remaining = (format_amount(each, currency) for each in amounts)
        return cls(amount=amount, held=held, spent=spent, remaining=remaining)


class BudgetWindowView(ResponseModel):
    """A window of a budget, and what is left of each of its pools."""

    window: Window
    amount: Exact = Field(description="The most that can go in this window, from all pools together.")
    uses: int | None
    uses_spent: int
    uses_remaining: int | None
    operating: PoolView
    reserve: PoolView | None = Field(description="Null in all windows but `pools_of`, and where none was stated.")
    emergency: PoolView | None
    allowance: PoolView | None = Field(
        description="What agents have drawn from reserves without a person, of `may_draw_reserve`."
    )
    starts_at: datetime | None = Field(description="When the window began; null for a lifetime.")
    resets_at: datetime | None = Field(description="When the next window begins; null for a lifetime.")

    @classmethod
    def of(cls, state: WindowState, currency: str) -> "BudgetWindowView":
        pools = {pool.value: PoolView.of(each, currency) for pool, each in state.pools.items()}
        return cls.from_row(
            state,
            window=state.limit.window,
            amount=format_amount(state.limit.amount_minor or 0, currency),
            uses=state.limit.uses,
            uses_spent=state.uses,
            **{name: pools.get(name) for name in ("reserve", "emergency", "allowance")},
            operating=pools["operating"],
        )


class EmergencyView(ResponseModel):
    """An emergency that was declared and has not ended."""

    reason: str
    until: datetime
    declared_by: str
    declared_at: datetime
    confirmed_by: str | None = Field(description="The second person; null while it waits for one, or if one suffices.")
    begun_at: datetime | None = Field(description="When the pool was opened; null while it waits for a second person.")

    @classmethod
    def of(cls, row: BudgetEmergency) -> "EmergencyView":
        return cls.from_row(row, until=row.ends_at)


class PoolTermsView(ResponseModel):
    """The pools of a budget as they were stated."""

    pools_of: Window | None
    reserve: Exact | None
    emergency: Exact | None
    carry_over: Exact | None
    may_draw_reserve: Exact | None
    emergency_until: datetime | None = Field(description="Until when the emergency pool can be drawn, unless ended.")


class BudgetView(ControlTermsView, PoolTermsView):
    """A budget and what is left of its pools."""

    limits: list[BudgetWindowView]
    binding: Window | None = Field(description="The window that refuses first: the least is left to operate with.")
    emergencies: list[EmergencyView] = Field(description="The emergencies that were declared and have not ended.")

    @classmethod
    def of(
        cls, row: SpendControl, states: Sequence[WindowState], emergencies: Sequence[BudgetEmergency], name: str | None
    ) -> "BudgetView":
        """Show a row, with what counts at a moment, and the name of its subject."""
        first = tightest_window(states)
        return cls.with_terms(
            row,
            name,
            limits=[BudgetWindowView.of(state, row.asset) for state in states],
            binding=None if first is None else first.limit.window,
            emergencies=[EmergencyView.of(each) for each in emergencies],
            **pools_shown(row, row.asset),
        )


class BudgetVersionView(ControlVersionView, PoolTermsView):
    """What a budget allowed from one change to the next, and who made the change."""

    @classmethod
    def of(cls, row: SpendControlVersion, currency: str, **more: Any) -> Self:
        return super().of(row, currency, **pools_shown(row, currency), **more)


def pools_shown(row: SpendControl | SpendControlVersion, currency: str) -> dict[str, Any]:
    """Return the fields of a `PoolTermsView`."""
    shown: dict[str, Any] = {name: shown_amount(getattr(row, name), currency) for name in _POOLS}
    window = None if row.pools_of is None else Window(row.pools_of)
    return shown | {"pools_of": window, "emergency_until": row.emergency_until}
