"""Cost and success of models, and their comparison."""

from datetime import UTC, date, datetime, time
from typing import Annotated

from fastapi import Query

from api.auth import SpendingKeyDep, require
from api.deps import DepsDep
from api.errors import errors
from api.fields import Amount, Currency, OrganizationId, SearchText
from api.lists import several
from api.routing import Resource
from api.tenancy import known_organization
from api.v1.economics.model_schemas import ModelComparisonView, ModelFiguresView
from api.v1.spends.own import confined_key, refuse_totals
from api.v1.usage.periods import Since, Until, days, period
from domain.common.access import Actor, Permission
from domain.common.errors import Invalid, NotFound
from domain.common.money import parse_amount
from domain.returns.model_economics import Grouping, ModelChoice
from domain.usage.amounts import minor_pico
from domain.usage.price_map import CURRENCY
from services.returns import model_economics

router = Resource(tags=["economics"])

ForOrganization = Annotated[OrganizationId | None, Query(description="For operators.")]
_MODEL = "A model, or a model in one mode, such as `gpt-5:thinking`."


@router.get("/economics/models", responses=errors(NotFound))
async def list_model_figures(
    deps: DepsDep,
    by: several(Grouping, "The dimensions to group by; model and mode when left out.") = None,  # type: ignore[valid-type]
    since: Since = None,
    until: Until = None,
    organization_id: ForOrganization = None,
    *,
    key: SpendingKeyDep,
    actor: Actor = require(Permission.READ_BILLING),
) -> ModelFiguresView:
    """Show calls, costs and results of models, for whole days in UTC. The default is the last 30 days.

    Grouped by `task_kind`, lines have only calls of runs with a result, whose kind is known. One of a run's results
    counts: that of an escrow, else the latest one. At most the latest 20,000 results are read.
    """
    refuse_totals(confined_key(actor, key))
    org_id = await known_organization(deps, actor, organization_id)
    now = datetime.now(UTC)
    first, end = days(period(since, until, None, None), now)
    wanted = by or [Grouping.MODEL, Grouping.MODE]
    async with deps.questions.turn(actor.org_id), deps.session_for(actor) as session:
        found = await model_economics.figures(session, org_id, wanted, since=_midnight(first), until=_midnight(end))
        classes = await model_economics.classes(session, deps.prices, found.lines, at=now)
    return ModelFiguresView.of(org_id, first, end, wanted, found, classes)


@router.get("/economics/models/compare", responses=errors(NotFound))
async def compare_models(
    deps: DepsDep,
    a: Annotated[SearchText, Query(description=_MODEL)],
    b: Annotated[SearchText, Query(description=f"{_MODEL} It is compared with `a`.")],
    value: Annotated[
        Amount | None, Query(description="The value of an accepted result; the mean `value` of results when left out.")
    ] = None,
    currency: Annotated[Currency, Query(description="The currency of costs and of `value`.")] = CURRENCY,
    since: Since = None,
    until: Until = None,
    organization_id: ForOrganization = None,
    *,
    key: SpendingKeyDep,
    actor: Actor = require(Permission.READ_BILLING),
) -> ModelComparisonView:
    """Compare model `b` with model `a`: cost and success of a run, and the conclusion.

    Only runs of the same kind of task and similar size of input are compared, because harder tasks go to dearer models.
    Unless `randomised` is true, the choice of the model may still depend on the difficulty of the task.
    """
    refuse_totals(confined_key(actor, key))
    org_id = await known_organization(deps, actor, organization_id)
    choices = ModelChoice.of(a), ModelChoice.of(b)
    if choices[0].meets(choices[1]):
        raise Invalid("Send two different models, or two modes of one.", extra={"field": "b"})
    worth = None if value is None else parse_amount(value, currency, zero=True) * minor_pico(currency)
    first, end = days(period(since, until, None, None), datetime.now(UTC))
    async with deps.questions.turn(actor.org_id), deps.session_for(actor) as session:
        (found,) = await model_economics.compare(
            session,
            org_id,
            pairs=[choices],
            since=_midnight(first),
            until=_midnight(end),
            currency=currency,
            value_pico=worth,
        )
    return ModelComparisonView.of(org_id, first, end, found)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
