"""Default delivery of each notification type, set by operators for everybody without own choices."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from domain.messages.notification.types import BY_NAME
from models.tenants.audit import AuditEntry
from repositories.messages import notification as notifications
from runtime.database import Database
from tests.api.conftest import Caller, NewTenant, good, refused
from tests.api.test_notifications import verified

pytestmark = pytest.mark.db

PATH = "/notifications/defaults"
TYPE = "credits_expired"


@pytest.fixture
async def finance(sealing: httpx2.AsyncClient, new_tenant: NewTenant) -> Caller:
    tenant = await new_tenant("finance")
    return Caller(sealing, tenant.callers["finance"].token, tenant.org_id)


async def ways(caller: Caller) -> dict[str, str]:
    types = good(await caller.get("/notifications/preferences"))["types"]
    return dict(next(each for each in types if each["type"] == TYPE)["channels"])


async def shown(operator: Caller) -> dict[str, Any]:
    return next(each for each in good(await operator.get(PATH))["data"] if each["type"] == TYPE)


async def test_operator_defaults_apply_without_own_choices_and_can_be_undone(
    operator: Caller, finance: Caller, database: Database
) -> None:
    channel, chosen = await verified(database, finance), await verified(database, finance)
    good(await finance.ask("PUT", "/notifications/preferences", json={"types": {TYPE: {chosen: "hourly"}}}))
    assert await ways(finance) == {"inbox": "instant", channel: "weekly", chosen: "hourly"}
    assert (await shown(operator))["changed"] is False
    try:
        for usual, told in (("instant", "instant"), ("inbox", "off")):
            put = good(await operator.ask("PUT", f"{PATH}/{TYPE}", json={"roles": {"finance": usual}}))
            assert put == await shown(operator)
            assert (put["roles"], put["changed"]) == ({"finance": usual}, True)
            assert await ways(finance) == {"inbox": "instant", channel: told, chosen: "hourly"}
        good(await operator.ask("PUT", f"{PATH}/{TYPE}", json={"roles": {}}))
        assert await ways(finance) == {"inbox": "off", channel: "off", chosen: "hourly"}
        # Whoever tells reads the same.
        async with database.platform() as session:
            people = (await notifications.people(session, [finance.org_id]))[finance.org_id]
        assert [set(each.ways(BY_NAME[TYPE])) for each in people] == [{chosen}]
    finally:
        assert (await operator.ask("DELETE", f"{PATH}/{TYPE}")).status_code == 204
    assert await ways(finance) == {"inbox": "instant", channel: "weekly", chosen: "hourly"}
    async with database.platform() as session:
        rows = await session.execute(
            select(AuditEntry.action, AuditEntry.details)
            .where(AuditEntry.target == TYPE, AuditEntry.principal == await _principal(operator))
            .order_by(AuditEntry.id)
        )
        actions = [row.action.rpartition(".")[2] for row in rows]
    assert actions == ["set", "set", "set", "reset"]


async def _principal(caller: Caller) -> str:
    entries = good(await caller.get("/audit?limit=1"))["data"]
    return str(entries[0]["principal"])


@pytest.mark.parametrize(
    ("kind", "roles", "field"),
    [
        (TYPE, {"agent": "instant"}, "roles.agent"),
        ("chargeback", {"owner": "instant"}, "roles.admin"),
        ("chargeback", {"owner": "instant", "admin": "instant", "finance": "inbox"}, "roles.finance"),
        (TYPE, {"finance": "off"}, "roles.finance"),
        (TYPE, {"nobody": "instant"}, "roles.nobody"),
    ],
)
async def test_defaults_without_mandatory_or_with_no_recipients_are_refused(
    operator: Caller, kind: str, roles: dict[str, str], field: str
) -> None:
    problem = refused(await operator.ask("PUT", f"{PATH}/{kind}", json={"roles": roles}), 422, "request.invalid")
    assert field in (problem.get("field"), *(each["field"] for each in problem.get("errors", [])))


async def test_unknown_type_has_no_defaults(operator: Caller) -> None:
    refused(await operator.ask("PUT", f"{PATH}/nothing", json={"roles": {}}), 404, "not_found")
    refused(await operator.ask("DELETE", f"{PATH}/nothing"), 404, "not_found")
