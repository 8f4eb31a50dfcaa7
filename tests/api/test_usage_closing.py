"""Usage of an organization in closure is charged first; usage of a closed one is refused."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from domain.common.access import Actor, Role
from domain.common.errors import OrganizationClosed
from domain.usage.charge import WaitReason
from repositories.usage import usage_charge
from repositories.usage.model_price import PriceBook
from runtime.database import Database
from services.usage import usage
from services.usage.rating import Rates
from services.usage.usage_validation import Delivery
from tests.api.conftest import Caller, NewTenant, Tenant, good, refused
from tests.api.metering import event, send, statuses
from tests.api.test_usage_charges import charged_meter, kind
from tests.support.locks import somebody_waits

pytestmark = pytest.mark.db

REASON = {"reason": "The customer has left."}
OPERATOR = Actor(principal="collector", role=Role.OPERATOR)


@pytest.fixture
async def leaver(new_tenant: NewTenant) -> Tenant:
    return await new_tenant("owner")


def delivery(tenant: Tenant) -> Delivery:
    return Delivery(
        actor=OPERATOR,
        org_id=tenant.org_id,
        at=datetime.now(UTC),
        late=timedelta(days=35),
        rates=Rates(prices=PriceBook()),
    )


def this_month() -> str:
    return f"{datetime.now(UTC):%Y-%m}"


async def test_closing_waits_for_usage_being_recorded(leaver: Tenant, operator: Caller, database: Database) -> None:
    type_ = kind()
    await charged_meter(leaver.owner, operator, type_)
    async with database.platform() as session:
        [recorded] = await usage.record(session, delivery(leaver), [event(type=type_, data={"n": 3})])
        closing = asyncio.create_task(operator.post(f"/organizations/{leaver.org_id}/close", REASON))
        waiting = asyncio.create_task(somebody_waits(database))
        await asyncio.wait({closing, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        assert not closing.done()
    assert recorded.status is usage.EventStatus.ACCEPTED
    left = refused(await closing, 409, "organization.not_empty")["left"]
    assert left == [{"kind": "uncharged_usage", "ids": [this_month()]}]


async def test_usage_of_a_closed_organization_is_refused_and_not_recorded(
    leaver: Tenant, operator: Caller, database: Database
) -> None:
    type_ = kind()
    await charged_meter(leaver.owner, operator, type_)
    good(await operator.post(f"/organizations/{leaver.org_id}/close", REASON))
    path, sent = f"/usage/events?organization_id={leaver.org_id}", event(type=type_, data={"n": 3})
    answer = await operator.post(path, sent)
    assert refused(answer, 409, "organization.closed")["organization_id"] == leaver.org_id
    # A batch is refused as a whole, also where none of its events could be recorded.
    for batch in ([sent, event()], [event(type=type_)]):
        refused(await operator.post(path, batch), 409, "organization.closed")
    with pytest.raises(OrganizationClosed):
        async with database.platform() as session:
            await usage.record(session, delivery(leaver), [sent])
    logged = good(await operator.get("/usage/logs", params={"organization_id": leaver.org_id}))["data"]
    assert logged == []


async def test_usage_of_a_suspended_organization_is_recorded(leaver: Tenant, operator: Caller) -> None:
    good(await operator.post(f"/organizations/{leaver.org_id}/suspend", REASON))
    assert statuses(await send(leaver.owner, event())) == ["accepted"]


@pytest.mark.parametrize("why", list(WaitReason))
async def test_organization_stays_open_while_its_usage_waits_to_be_charged(
    leaver: Tenant, operator: Caller, database: Database, why: WaitReason
) -> None:
    type_ = kind()
    await charged_meter(leaver.owner, operator, type_)
    await send(leaver.owner, event(type=type_, data={"n": 3}))
    async with database.platform() as session:
        events = list(
            await session.scalars(
                text("SELECT event FROM usage_charges WHERE org_id = :org_id"), {"org_id": leaver.org_id}
            )
        )
        await usage_charge.postpone(session, leaver.org_id, events, why, datetime.now(UTC) + timedelta(hours=1))
    answer = await operator.post(f"/organizations/{leaver.org_id}/close", REASON)
    left = refused(answer, 409, "organization.not_empty")["left"]
    assert left == [{"kind": "uncharged_usage", "ids": [this_month()]}]
