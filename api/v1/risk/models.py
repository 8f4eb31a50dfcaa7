"""Models that score acts, for operators."""

from datetime import datetime

from pydantic import Field, JsonValue

from api.auth import require
from api.deps import DepsDep
from api.fields import ResponseModel
from api.lists import CREATED, Int32, Items, ListEndpoint, ListRequest
from api.routing import Resource
from domain.common.access import Actor, Permission
from domain.risk.training import ModelStatus
from models.risk.model import RiskModel
from repositories.risk import model as models

router = Resource(tags=["risk"])


class RiskModelView(ResponseModel):
    """A trained model. The challenger scores without effect; rules see the score of the champion as `model_score`."""

    version: int
    status: ModelStatus
    report: dict[str, JsonValue] = Field(
        description="Figures of the later weeks: `rules`, `champion` and `challenger` with the share of frauds that "
        "each flags and its false positives, in ten-thousandths; `newcomers`: the false positives of organizations "
        "younger than 30 days, and of others; `reason`: why the model has its status."
    )
    created_at: datetime

    @classmethod
    def of(cls, row: RiskModel) -> "RiskModelView":
        return cls.from_row(row)


_LIST = ListEndpoint("risk-models", RiskModelView, *CREATED, order=[Int32])


@_LIST.get(router, "/risk/models")
async def list_risk_models(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.RISK_READ)) -> Items:
    """List the models that score acts, newest first."""
    return await asked.rows(deps.session_for(actor), models.page, asked.wanted(None), RiskModelView.of)
