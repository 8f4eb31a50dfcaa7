"""What the costs of actions look like over HTTP."""

from datetime import datetime

from pydantic import Field

from api.fields import Amount, Exact, Note, OrganizationId, RequestModel, ResponseModel, example
from domain.common.money import CREDIT, format_amount
from domain.credits.action_cost import ActionPrice, CostSource
from models.credits.action_cost import ActionCost


class CostChange(RequestModel):
    """The new cost of an action."""

    model_config = example(cost="2.50", note="Price list of March")

    cost: Amount | None = Field(description="The cost of one action, in credits; `0` is free. Null removes the price.")
    organization_id: OrganizationId | None = Field(
        default=None, description="The organization with which the price was agreed; everybody when left out."
    )
    note: Note | None = None


class ActionCostView(ResponseModel):
    """What an action costs."""

    action: str
    cost: Exact = Field(description="The cost of one action, in credits.")
    source: CostSource = Field(
        description=(
            "`organization` if it was agreed with it, `platform` if an operator set it for everybody, or `default`."
        )
    )
    version: int = Field(
        description="The number of the price among those of this source for the action; 0 for a default."
    )

    @classmethod
    def of(cls, cost: ActionPrice) -> "ActionCostView":
        return cls.from_row(cost, cost=format_amount(cost.cost_minor, CREDIT))


class CostList(ResponseModel):
    """What each action costs, by name."""

    data: list[ActionCostView]
    next_cursor: None = None


class CostVersionView(ResponseModel):
    """A price that the operator set for an action."""

    id: str
    action: str
    organization_id: str | None = Field(
        description="The organization with which it was agreed; null if it is for everybody."
    )
    version: int
    cost: Exact | None = Field(description="The cost of one action, in credits; null if the price was removed.")
    note: str | None
    created_by: str | None = Field(description="Who set it; shown to operators and auditors of the platform.")
    created_at: datetime

    @classmethod
    def of(cls, row: ActionCost, *, with_author: bool) -> "CostVersionView":
        return cls.from_row(
            row,
            cost=None if row.cost_minor is None else format_amount(row.cost_minor, CREDIT),
            note=row.note if with_author else None,
            created_by=row.created_by if with_author else None,
        )
