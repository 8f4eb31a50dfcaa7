"""Meters: what is counted of usage events, and what they counted."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field
from starlette.responses import Response

from api.auth import ActorDep, SpendingKeyDep, permit, require
from api.deps import DepsDep
from api.errors import errors
from api.fields import Currency, Exact, Name, OrganizationId, RequestModel, ResponseModel, SearchText, example
from api.idempotency import MayRepeat
from api.lists import CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.tenancy import known_organization, listed_organization
from api.v1.spends.own import confined_key, refuse_totals
from api.v1.usage.periods import EndDate, Since, StartDate, Until, days, period
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.errors import Forbidden, Invalid, NotFound
from domain.usage.amounts import format_pico, without_trailing_zeros
from domain.usage.charge import check_chargeable
from domain.usage.charge_model import charge_to_json, parse_charge, rate_quantity
from domain.usage.meter import ALL, Aggregation, check_meter
from models.usage.meter import MeterRow
from repositories.usage import meter as meters
from repositories.usage.meter import MeterCount
from runtime.identity import new_id
from services.usage import meter

router = Resource(tags=["meters"])

ForOperators = Annotated[OrganizationId | None, Query(description="For operators.")]


class MeterCreate(RequestModel):
    """A new meter. It counts events that arrive from now on.

    An event of its type that lacks its property is invalid.
    """

    model_config = example(name="tokens", event_type="llm.call", aggregation="sum", property="tokens")

    name: Name
    event_type: SearchText = Field(description="The type of the events to count.")
    aggregation: Aggregation
    property: str | None = Field(
        default=None,
        max_length=400,
        description="The path of the value in `data`, such as `tokens` or `usage.total`. Not for `count`.",
    )
    dimensions: list[str] = Field(
        default=[], max_length=5, description="Totals are kept by day, and by these attributes or properties of `data`."
    )
    price: dict[str, Any] | None = Field(
        default=None,
        description='What a quantity costs: `{"model": "per_unit", "unit_price": "0.002", "free_units": "100"}`; '
        "`graduated` and `volume` with `tiers`, `package` with `size` and `price`.",
    )
    currency: Currency | None = None


class MeterView(ResponseModel):
    """A meter."""

    id: str
    organization_id: str | None = Field(
        description="Null for a meter of the platform, which counts for every organization."
    )
    name: str
    event_type: str
    aggregation: Aggregation
    property: str | None
    dimensions: list[str]
    price: dict[str, Any] | None
    currency: str | None
    created_at: datetime
    charged_at: datetime | None = Field(description="Since when what it counts is charged; null if it is not charged.")
    closed_at: datetime | None

    @classmethod
    def of(cls, row: MeterRow) -> "MeterView":
        return cls.from_row(row)


class MeterLine(ResponseModel):
    """What a meter counted for one group."""

    group: str | None = Field(
        description="The day, or the value of the dimension; null for events without one, and for the total."
    )
    events: int
    quantity: Exact


class MeterUsageView(ResponseModel):
    """What a meter counted for an organization, in whole days in UTC."""

    meter: MeterView
    organization_id: str
    start_date: str
    end_date: str
    total: MeterLine
    cost: Exact | None = Field(description="The exact cost of the total at the meter's price; null without a price.")
    data: list[MeterLine]


@router.post(
    "/usage/meters",
    status_code=201,
    response_model=MeterView,
    responses=errors(refusals.MeterExists, refusals.MeterLimitReached),
)
async def create_meter(
    body: MeterCreate, deps: DepsDep, once: MayRepeat, actor: Actor = require(Permission.MANAGE_METERS)
) -> Response:
    """Create a meter of the organization.

    A meter that an operator creates is the platform's and counts for everybody.
    """
    check_meter(body.aggregation, body.property, body.dimensions)
    if (body.price is None) != (body.currency is None):
        raise Invalid("Send price and currency together.", extra={"field": "currency"})
    price = None if body.price is None else charge_to_json(parse_charge(body.price))
    async with once, deps.database.platform() as session:
        row = MeterRow(
            id=new_id("mtr"),
            org_id=actor.org_id,
            name=body.name,
            event_type=body.event_type,
            aggregation=body.aggregation.value,
            property=body.property,
            dimensions=body.dimensions,
            price=price,
            currency=body.currency,
            created_by=actor.qualified(),
            command_id=once.command_id,
        )
        return once.answer(MeterView.of(await meter.create(session, actor, row)))


_LIST = ListEndpoint("meters", MeterView, *(*CREATED, "organization_id", "q"), order=["mtr"])


@_LIST.get(router, "/usage/meters", NotFound)
async def list_meters(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ)) -> Items:
    """List the meters that count in the organization: its own and the platform's, newest first."""
    wanted = asked.wanted(listed_organization(actor, asked.organization_id))
    return await asked.rows(deps.session_for(actor), meters.page, wanted, MeterView.of)


@router.get("/usage/meters/{meter_id}")
async def get_meter_usage(
    meter_id: str,
    deps: DepsDep,
    since: Since = None,
    until: Until = None,
    start_date: StartDate = None,
    end_date: EndDate = None,
    group_by: Annotated[str, Query(max_length=400, description="`day`, or a dimension of the meter.")] = "day",
    organization_id: ForOperators = None,
    *,
    key: SpendingKeyDep,
    actor: Actor = require(Permission.READ),
) -> MeterUsageView:
    """Show what a meter counted, for whole days in UTC. The default is the last 30 days.

    Keys that read the usage of their agent, department or project only are refused: a meter counts all of it.
    """
    async with deps.session_for(actor) as session:
        row = await meters.get(session, meter_id)
    org_id = await known_organization(deps, actor, organization_id)
    refuse_totals(confined_key(actor, key))
    first, end = days(period(since, until, start_date, end_date), datetime.now(UTC))
    async with deps.session_for(actor) as session:
        if row.org_id not in {None, org_id}:
            raise NotFound(meters.MISSING)
        if group_by not in {"day", *row.dimensions}:
            raise Invalid(
                "The meter does not have this dimension. Send day, or one of its dimensions.",
                extra={"field": "group_by"},
            )
        by_day = group_by == "day"
        whole = await meters.counts(session, row, org_id, first, end, dimension=ALL, by_day=False)
        found = await meters.counts(
            session, row, org_id, first, end, dimension=ALL if by_day else group_by, by_day=by_day
        )
    total = whole[0] if whole else MeterCount("", 0, Decimal(0))
    return MeterUsageView(
        meter=MeterView.of(row),
        organization_id=org_id,
        start_date=first.isoformat(),
        end_date=(end - timedelta(days=1)).isoformat(),
        total=_line(total),
        cost=None
        if row.price is None
        else format_pico(rate_quantity(max(total.quantity, Decimal(0)), parse_charge(row.price))),
        data=[_line(each) for each in found],
    )


@router.post("/usage/meters/{meter_id}/charge", responses=errors(refusals.MeterClosed, refusals.MeterNotChargeable))
async def charge_meter(meter_id: str, deps: DepsDep, actor: ActorDep) -> MeterView:
    """Charge organizations' credits for what a meter counts from now on, once for each event.

    An event is charged at the meter's price, or at its own cost if the meter has none. This cannot be undone: to stop,
    close the meter and create another one.
    """
    async with deps.session_for(actor) as session:
        row = await meters.get(session, meter_id)
    permit(actor, Permission.OPERATE)
    check_chargeable(Aggregation(row.aggregation), row.price)
    async with deps.database.platform() as session:
        return MeterView.of(await meter.charge(session, actor, meter_id, now=datetime.now(UTC)))


@router.delete("/usage/meters/{meter_id}")
async def close_meter(meter_id: str, deps: DepsDep, actor: ActorDep) -> MeterView:
    """Close a meter. It counts nothing more; what it counted stays."""
    async with deps.session_for(actor) as session:
        row = await meters.get(session, meter_id)
    permit(actor, Permission.MANAGE_METERS)
    if row.org_id != actor.org_id and not actor.is_platform:
        raise Forbidden("Only operators can close a meter of the platform.")
    async with deps.database.platform() as session:
        return MeterView.of(await meter.close(session, actor, meter_id, now=datetime.now(UTC)))


def _line(counted: MeterCount) -> MeterLine:
    return MeterLine(
        group=counted.group or None, events=counted.events, quantity=f"{without_trailing_zeros(counted.quantity):f}"
    )
