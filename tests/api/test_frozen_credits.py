"""A frozen spend control also refuses to fund an escrow with credits, which would get round it."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.common.access import Actor, Role
from domain.common.ids import uuid_of
from domain.credits.spend.control import ControlStatus
from domain.escrow import commands
from runtime.database import Database
from runtime.identity import new_id
from services.credits import spend_control
from services.credits.spend_control import ControlCommand
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.escrowing import NOW, escrow_between, record, state
from tests.api.paying import paying_app
from tests.api.spending import balance, grant
from tests.conftest import DatabaseUrls
from tests.support.locks import somebody_waits

pytestmark = pytest.mark.db


async def frozen(payer: Tenant, kind: str, subject_id: str) -> str:
    """Open a control and freeze it; returns its id."""
    body: dict[str, Any] = {"subject": {"type": kind, "id": subject_id}, "limits": []}
    control = str(good(await payer.owner.post("/spend-controls", body), 201)["id"])
    good(await payer.owner.post(f"/spend-controls/{control}/freeze"))
    return control


@pytest.mark.parametrize("kind", ["organization", "key", "department", "project"])
async def test_frozen_funds_no_escrow_with_credits(
    operator: Caller, database: Database, new_tenant: NewTenant, kind: str
) -> None:
    payer, payee = await new_tenant("owner", "member"), await new_tenant("owner")
    await grant(operator, payer.org_id, "10")
    before = await balance(payer.owner)
    made = await escrow_between(operator, database, payer, payee)
    key_id = str(good(await payer.member.get("/me"))["key_id"])
    if kind in {"department", "project"}:
        subject = str(good(await payer.owner.post(f"/{kind}s", {"name": "Research"}, key=new_key()), 201)["id"])
        good(await payer.owner.ask("PUT", f"/api-keys/{key_id}/attribution", json={f"{kind}_id": subject}))
    else:
        subject = {"organization": payer.org_id, "key": key_id}[kind]
    control = await frozen(payer, kind, subject)
    actor = Actor(principal="member", role=Role.MEMBER, org_id=payer.org_id, key_id=key_id)
    funding = commands.fund(await state(database, made), actor=actor, source=commands.CREDITS, now=NOW)
    recorded = await record(database, funding, actor=actor)
    assert recorded.declined is not None
    assert (recorded.declined.code, recorded.declined.extra["control_id"]) == ("spend.limit_exceeded", control)
    assert await balance(payer.owner) == before
    other = Actor(principal="owner", role=Role.OWNER, org_id=payer.org_id)
    funding = commands.fund(await state(database, made), actor=other, source=commands.CREDITS, now=NOW)
    assert ((await record(database, funding, actor=other)).declined is None) == (kind != "organization")


async def test_funding_that_waits_for_a_freeze_is_refused(
    operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    payer, payee = await new_tenant("owner"), await new_tenant("owner")
    await grant(operator, payer.org_id, "10")
    made = await escrow_between(operator, database, payer, payee)
    body: dict[str, Any] = {"subject": {"type": "organization", "id": payer.org_id}, "limits": []}
    control = str(good(await payer.owner.post("/spend-controls", body), 201)["id"])
    owner = Actor(principal="owner", role=Role.OWNER, org_id=payer.org_id)
    funding = commands.fund(await state(database, made), actor=owner, source=commands.CREDITS, now=NOW)
    async with database.platform() as session:
        order = ControlCommand(actor=owner, org_id=payer.org_id, command_id=new_id("cmd"), at=datetime.now(UTC))
        await spend_control.set_status(session, order, uuid_of(control), ControlStatus.FROZEN)
        paying = asyncio.create_task(record(database, funding, actor=owner))
        await somebody_waits(database)
    declined = (await paying).declined
    assert declined is not None
    assert (declined.code, declined.extra["control_id"]) == ("spend.limit_exceeded", control)
    assert (await state(database, made)).status == "open"
    assert (await balance(payer.owner))[0] == "10.00"


async def test_frozen_key_makes_no_payment_with_credits_for_an_escrow(
    operator: Caller, database: Database, database_urls: DatabaseUrls, new_tenant: NewTenant
) -> None:
    payer, payee = await new_tenant("owner", "member"), await new_tenant("owner")
    made = await escrow_between(operator, database, payer, payee)
    control = await frozen(payer, "key", str(good(await payer.member.get("/me"))["key_id"]))
    async with paying_app(database_urls) as http:
        owner, member = (Caller(http, caller.token) for caller in (payer.owner, payer.member))
        for path, body in (
            ("/payments", {"purpose": "escrow", "escrow_id": made, "provider": "credits"}),
            (f"/escrows/{made}/fund", {"provider": "credits"}),
        ):
            refusal = refused(await member.post(path, body, key=new_key()), 402, "spend.limit_exceeded")
            assert (refusal["reason"], refusal["control_id"]) == ("frozen", control)
            # Nothing is frozen of the owner, and there is no run that answers.
            refused(await owner.post(path, body, key=new_key()), 503, "service.unavailable")
