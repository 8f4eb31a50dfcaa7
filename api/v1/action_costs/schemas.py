"""What the costs of actions look like over HTTP."""

from datetime import datetime

from pydantic import Field

from api.fields import Amount, Exact, Note, OrganizationId, RequestModel, ResponseModel, example
from domain.action_cost import Cost, CostSource
from domain.money import CREDIT, format_amount
from models.action_cost import ActionCost


class CostChange(RequestModel):
    """What an action costs from now on."""

    model_config = example(cost="2.50", note="Price list of March")

    cost: Amount | None = Field(description="In credits, of one; `0` is free. Null takes the price back.")
    organization_id: OrganizationId | None = Field(
        default=None, description="With whom the price was agreed; everybody when left out."
    )
    note: Note | None = None


class ActionCostView(ResponseModel):
    """What an action costs."""

    action: str
    cost: Exact = Field(description="In credits, of one.")
    source: CostSource = Field(
        description="`organization` as agreed with it, `platform` as the operator set it, or `default`."
    )
    version: int = Field(description="Counts the prices that this source set for the action; 0 for a default.")

    @classmethod
    def of(cls, cost: Cost) -> "ActionCostView":
        """Show a cost."""
        return cls(
            action=cost.action,
            cost=format_amount(cost.cost_minor, CREDIT),
            source=cost.source,
            version=cost.version,
        )


class CostList(ResponseModel):
    """What each action costs, by name."""

    data: list[ActionCostView]
    next_cursor: None = None


class CostVersionView(ResponseModel):
    """A price that the operator set for an action."""

    id: str
    action: str
    organization_id: str | None = Field(description="With whom it was agreed; null when it is everybody's.")
    version: int
    cost: Exact | None = Field(description="In credits, of one; null when the price was taken back.")
    note: str | None
    created_by: str | None = Field(description="For operators.")
    created_at: datetime

    @classmethod
    def of(cls, row: ActionCost, *, with_author: bool) -> "CostVersionView":
        """Show a row."""
        return cls(
            id=row.id,
            action=row.action,
            organization_id=row.org_id,
            version=row.version,
            cost=None if row.cost_minor is None else format_amount(row.cost_minor, CREDIT),
            note=row.note if with_author else None,
            created_by=row.created_by if with_author else None,
            created_at=row.created_at,
        )
