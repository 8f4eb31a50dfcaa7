"""What an entry of the log of economic events looks like over HTTP."""

from datetime import datetime
from typing import Self

from pydantic import Field

from api.fields import Exact, ResponseModel
from api.v1.purchase_orders.schemas import BudgetRemainingView
from domain.budgets.economics import LogEntry, TransactionType
from domain.common.cells import cell_text
from domain.common.ids import uuid_id
from domain.common.money import format_amount

#: The columns of a file of CSV.
COLUMNS = (
    *("id", "timestamp", "agent_id", "agent_name", "agent_external_id", "project", "project_id", "transaction_type"),
    *("object_id", "item", "amount", "currency", "payment_method", "status", "alternative_action", "reason"),
    *("budget_remaining_daily", "budget_remaining_project"),
)


class EntryAmountView(ResponseModel):
    """An amount, never negative: the type of the entry says which way it went."""

    value: Exact
    currency: str


class EconomicEntryView(ResponseModel):
    """One entry of the log: what an agent bought, used, earned or was refused, and what it did instead."""

    id: str
    timestamp: datetime
    agent_id: str | None = Field(
        description="The agent that spent or, where none did, the one that is paid; null for a payout."
    )
    agent_name: str | None
    agent_external_id: str | None = Field(description="Your own id of the agent.")
    project: str | None = Field(description="The slug of the project that it was for.")
    project_id: str | None
    transaction_type: TransactionType
    object_id: str | None = Field(
        description="The purchase order, use, escrow, agent or payout that it is about; of a refused use the spend "
        "control that refused."
    )
    item: str = Field(
        description="What was bought; of a use its action or meter, of an escrow its title, of a sale the agent."
    )
    amount: EntryAmountView
    payment_method: str | None = Field(description="The name of a declared method, or `credits`.")
    status: str = Field(description="The result, such as `succeeded`, `declined_over_budget` or `refunded`.")
    alternative_action: str | None = Field(description="What the agent did instead.")
    reason: str | None = Field(description="Why a person has corrected what was reported of a purchase.")
    budget_remaining: BudgetRemainingView

    @classmethod
    def of(cls, entry: LogEntry) -> Self:
        return cls.from_row(
            entry,
            id=uuid_id("ent", entry.place),
            timestamp=entry.at,
            amount=EntryAmountView(value=format_amount(entry.amount_minor, entry.currency), currency=entry.currency),
            budget_remaining=BudgetRemainingView(
                daily=entry.budget_remaining.get("daily"), project=entry.budget_remaining.get("project")
            ),
        )

    def cells(self) -> list[str]:
        """Return the cells of a line of CSV, in the order of `COLUMNS`."""
        values = self.model_dump(mode="json")
        amount, left = values["amount"], values["budget_remaining"]
        values |= {"amount": amount["value"], "currency": amount["currency"]}
        values |= {f"budget_remaining_{name}": left[name] for name in left}
        return [cell_text(values[name]) for name in COLUMNS]
