"""Spent amounts of an organization, by part, agent and service."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from fastapi import Query
from pydantic import Field

from api.auth import SpendingKeyDep, require
from api.deps import DepsDep
from api.errors import errors
from api.fields import Currency, DayOrMoment, Exact, OrganizationId, ResponseModel, SearchText
from api.routing import Resource
from api.tenancy import known_organization
from api.v1.spends.own import confined_key, refuse_totals
from domain.books.account_statement import period
from domain.common.access import Actor, Permission
from domain.common.calendar import zone_of
from domain.common.errors import AnalyticsNoRate, NotFound, QueryTooLarge
from domain.common.money import format_amount
from domain.insight.query import Compare, Query as MetricQuery
from domain.insight.spent import SpentGroup, SpentPart, service_name
from models.marketplace.agent import Agent
from services.insight import spent
from services.insight.spent import SpentAmount

router = Resource(tags=["analytics"])


class SpentPartView(ResponseModel):
    """A part of a spent amount."""

    part: SpentPart
    amount: Exact
    before: Exact | None = Field(description="In the preceding period; null if it was not queried.")


class SpentTotalView(ResponseModel):
    """Spent amount in a currency. The parts add up to `total`."""

    currency: str
    total: Exact
    before: Exact | None = Field(description="The total of the preceding period; null if it was not queried.")
    parts: list[SpentPartView] = Field(description="All five, in this order.")

    @classmethod
    def of(cls, found: SpentAmount) -> Self:
        return cls(**_total(found))


class SpentByAgentView(ResponseModel):
    """Amount of the agent that spent or, for jobs and agents bought without one, of the agent that was paid."""

    agent_id: str | None = Field(description="Null for people and systems, and for the rest.")
    agent_name: str | None
    is_own: bool = Field(description="Whether the agent belongs to the organization, so that it can have a budget.")
    amount: Exact
    is_rest: bool = Field(description="Whether it is the sum of all others; such a row is the last.")


class SpentByServiceView(ResponseModel):
    """Amount of a service: the action of uses, or the kind of purchase."""

    service: str | None = Field(description="The value of the dimension `action`; null for uses without, and the rest.")
    name: str | None = Field(description="The name to show.")
    amount: Exact
    is_rest: bool = Field(description="Whether it is the sum of all others; such a row is the last.")


class SpentInCurrencyView(SpentTotalView):
    """Spent amount in a currency. The parts, the agents, and the services each add up to `total`."""

    by_agent: list[SpentByAgentView] = Field(description="Largest first, then the rest.")
    by_service: list[SpentByServiceView] = Field(description="Largest first, then the rest.")

    @classmethod
    def named(cls, found: SpentAmount, agents: Mapping[str, Agent], org_id: str) -> Self:
        def shown(each: SpentGroup) -> dict[str, Any]:
            return {"amount": format_amount(each.amount_minor, found.asset), "is_rest": each.is_rest}

        by_agent = [
            SpentByAgentView(
                agent_id=each.name,
                agent_name=agent.name if agent else None,
                is_own=agent is not None and agent.org_id == org_id,
                **shown(each),
            )
            for each in found.by_agent
            for agent in (agents.get(each.name or ""),)
        ]
        by_service = [
            SpentByServiceView(service=each.name, name=each.name and service_name(each.name), **shown(each))
            for each in found.by_service
        ]
        return cls(**_total(found), by_agent=by_agent, by_service=by_service)


class SpentView(ResponseModel):
    """Spent amounts of an organization in a period, by currency."""

    organization_id: str
    since: datetime = Field(serialization_alias="from")
    until: datetime = Field(serialization_alias="to")
    as_of: datetime = Field(description="The time that the figures are of.")
    complete: bool = Field(description="Whether the period is over.")
    currencies: list[SpentInCurrencyView] = Field(
        description="Credits first, always there; with `currency` only that, with everything converted into it."
    )
    left_out: list[str] = Field(description="Left-out currencies without a rate to `currency`.")


def _total(found: SpentAmount) -> dict[str, Any]:
    def shown(amount_minor: int | None) -> str | None:
        return None if amount_minor is None else format_amount(amount_minor, found.asset)

    before = found.before
    return {
        "currency": found.asset,
        "total": shown(found.total_minor),
        "before": shown(sum(before.values()) if before else None),
        "parts": [
            {"part": p, "amount": shown(minor), "before": shown(before.get(p))} for p, minor in found.parts.items()
        ],
    }


@router.get("/analytics/spent", responses=errors(NotFound, QueryTooLarge, AnalyticsNoRate))
async def get_spent(
    deps: DepsDep,
    since: Annotated[
        DayOrMoment | None,
        Query(alias="from", description="The start, as a day or a time. The first of this month when left out."),
    ] = None,
    until: Annotated[
        DayOrMoment | None,
        Query(alias="to", description="The end: up to and including this day, or before this time. Now when left out."),
    ] = None,
    zone: Annotated[SearchText, Query(description="The IANA time zone of days, such as `Europe/Berlin`.")] = "UTC",
    currency: Annotated[
        Currency | None,
        Query(description="Convert everything at each day's rate; in money credits count at their purchase price."),
    ] = None,
    compare: Annotated[Compare, Query(description="The preceding period.")] = Compare.PREVIOUS,
    limit: Annotated[int, Query(ge=1, le=100, description="How many agents and services besides the rest.")] = 10,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    *,
    key: SpendingKeyDep,
    actor: Actor = require(Permission.READ_BILLING),
) -> SpentView:
    """Show what an organization has spent: uses, jobs, agents bought, purchases outside and subscriptions.

    These are the figures of the metric `spending`. Holds are not spent: a reservation, an escrow, a purchase order or a
    bill counts once it is captured or paid. Credits count when they are used, not when they are bought. Refunds reduce
    their part at the time of what they refund.

    A key of a member that is attributed to a department or project is refused: these are the organization's figures.
    """
    refuse_totals(confined_key(actor, key))
    org_id, now = await known_organization(deps, actor, organization_id), datetime.now(UTC)
    asked = period(since, until, zone_of(zone, "zone"), now)
    query = MetricQuery(metrics=(), since=asked.since, until=asked.until, zone=zone, currency=currency, compare=compare)
    async with deps.asking(actor, org_id) as session:
        found, agents, answer = await spent.spent(session, org_id, query, limit=limit, now=now)
    return SpentView(
        organization_id=org_id,
        since=asked.since,
        until=asked.until,
        as_of=now,
        complete=answer.is_complete,
        currencies=[SpentInCurrencyView.named(each, agents, org_id) for each in found],
        left_out=list(answer.left_out),
    )
