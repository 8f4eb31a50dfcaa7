"""Decisions against fraud on work, feedback, keys and payouts, in force over HTTP, and what cases hold."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from domain.common.ids import escrow_id_of
from domain.risk.act import Outcome, Point
from domain.risk.case import HoldKind, NewHold
from models.risk.decision import RiskCluster
from repositories.risk import case as cases
from runtime.database import Database
from runtime.identity import new_id
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.test_creators import Bureau, bureau as bureau
from tests.api.test_payouts import earned, pay_out, payer as payer, studio as studio
from tests.api.test_reputation import buy, work
from tests.repositories.test_risk_decisions import set_rule

pytestmark = pytest.mark.db

#: What this module's rules name: no other act has these.
CENTS, DIGEST = 29_91, "ab" * 32
RULES = {
    "work_risk_payout": (f"amount == {CENTS} && payouts_before == 0 && first_earning_hours >= 700", Outcome.REVIEW),
    "work_risk_deliver": ("delivered_minutes >= 120 && artifact_organizations == 1", Outcome.BLOCK),
    "work_risk_award": ("amount == 7919 && currency == 'USD'", Outcome.BLOCK),
    "work_risk_key": ("organization_keys_1h > 1", Outcome.BLOCK),
}
POINTS = dict(zip(RULES, (Point.PAYOUT, Point.DELIVER, Point.AWARD, Point.KEY), strict=True))


@pytest.fixture(scope="module", autouse=True)
async def enforcing(bureau: Bureau, database: Database) -> AsyncIterator[None]:
    """Decisions have an effect, and a loaded machine answers later than production must."""
    risk = bureau.deps.risk
    risk.settings = replace(risk.settings, enforced=True, key=b"a key of the tests", within=timedelta(minutes=1))
    for name, (expression, action) in RULES.items():
        await set_rule(database, name, expression, action, POINTS[name])
    yield
    for name, (_, action) in RULES.items():
        await set_rule(database, name, "false", action, POINTS[name])


@pytest.fixture
async def parties(bureau: Bureau, new_tenant: NewTenant) -> tuple[Tenant, Tenant]:
    found = [await new_tenant("owner", "agent", "admin") for _ in range(2)]
    for each in found:
        each.callers = {role: bureau.at(caller) for role, caller in each.callers.items()}
    return found[0], found[1]


async def decisions(database: Database, org_id: str) -> list[Any]:
    query = "SELECT point, outcome, subject, facts, entities FROM risk_decisions WHERE org_id = :org_id ORDER BY id"
    async with database.platform() as session:
        return list(await session.execute(text(query), {"org_id": org_id}))


async def release(database: Database, case_id: str) -> None:
    decided = "UPDATE risk_cases SET status = 'closed', state = state || '{\"result\": \"release\"}' WHERE id = :id"
    async with database.platform() as session:
        await session.execute(text(decided), {"id": case_id})


async def held(database: Database, kind: HoldKind, subject: str, org_id: str) -> str:
    """Place a hold, and return its case's id."""
    async with database.platform() as session:
        case_id, hold = new_id(cases.PREFIX), NewHold(kind=kind, subject=subject, org_id=org_id)
        await cases.hold(session, case_id, [hold], datetime.now(UTC))
    return case_id


async def ended(database: Database, case_id: str) -> None:
    async with database.platform() as session:
        await cases.end_holds(session, case_id, datetime.now(UTC))


async def test_payout_in_review_is_made_when_repeated_after_the_release(
    database: Database, payer: Tenant, studio: Tenant
) -> None:
    await earned(database, payer, studio, 1_000, CENTS)
    key = new_key()
    first, second = [refused(await pay_out(studio.owner, key), 202, "risk.in_review") for _ in "12"]
    assert first["case_id"] == second["case_id"]
    assert good(await studio.auditor.get("/billing/payouts"))["data"] == []
    await release(database, first["case_id"])
    assert good(await pay_out(studio.owner, key), 201)["amount"] == "29.91"
    made = [row for row in await decisions(database, studio.org_id) if row.point == "payout"]
    assert [(row.outcome, row.facts["first_earning_hours"] // 24) for row in made] == [("review", 30)]
    assert made[0].facts["destination_age_hours"] >= 72


async def test_new_payout_account_is_decided_once_and_linked_with_its_organization(
    database: Database, studio: Tenant, bureau: Bureau
) -> None:
    account = await bureau.account(studio)
    await bureau.deliver("account.updated", account.ref)
    [linked] = [row.entities for row in await decisions(database, studio.org_id) if row.subject == account.ref][:1]
    [entity] = [each for each in linked if each.startswith("payout_account:")]
    async with database.platform() as session:
        owners = await session.scalars(text("SELECT org_id FROM risk_links WHERE entity = :one"), {"one": entity})
        assert studio.org_id in list(owners)


async def test_nothing_is_paid_out_while_a_case_holds_the_earnings(
    database: Database, payer: Tenant, studio: Tenant
) -> None:
    await earned(database, payer, studio, 100, 10_00)
    case_id = await held(database, HoldKind.EARNINGS, studio.org_id, studio.org_id)
    key = new_key()
    assert refused(await pay_out(studio.owner, key), 202, "risk.in_review")["case_id"] == case_id
    assert good(await studio.auditor.get("/billing/payouts/preview"))["refused"] == "risk.in_review"
    await ended(database, case_id)
    assert good(await pay_out(studio.owner, key), 201)["amount"] == "10.00"


async def test_feedback_between_linked_organizations_waits_for_a_case(
    database: Database, operator: Caller, parties: tuple[Tenant, Tenant]
) -> None:
    client, studio = parties
    await buy(database, client)
    contract_id = await work(operator, database, client, studio, at=datetime.now(UTC))
    async with database.platform() as session:
        for each in parties:
            at = datetime.now(UTC)
            session.add(RiskCluster(org_id=each.org_id, cluster=client.org_id, organizations=2, seen_at=at))
    body = {"contract_id": contract_id, "ratings": {"quality": 5}}
    refused(await client.owner.post("/reputation/feedback", body), 202, "risk.in_review")
    assert [row[:3] for row in await decisions(database, client.org_id)] == [("feedback", "review", contract_id)]
    assert good(await studio.owner.get("/reputation/feedback", params={"agent_id": studio.agent_id}))["data"] == []


async def test_delivery_is_decided_by_its_time_and_artifact(
    database: Database, operator: Caller, parties: tuple[Tenant, Tenant]
) -> None:
    client, studio = parties
    await buy(database, client)
    earlier = datetime.now(UTC) - timedelta(hours=2, minutes=1)
    contract_id = await work(operator, database, client, studio, at=earlier, score=None)
    escrow_id = escrow_id_of(contract_id)
    body = {"artifacts": [{"uri": "https://studio.example/1", "sha256": DIGEST}]}
    refused(await studio.owner.post(f"/escrows/{escrow_id}/delivery", body), 403, "risk.blocked")
    [row] = await decisions(database, studio.org_id)
    assert row[:3] == ("deliver", "block", escrow_id)
    assert row.facts["delivered_minutes"] in {121, 122, 123}
    assert {f"artifact:{DIGEST}", f"agent:{studio.agent_id}"} <= set(row.entities)


async def test_award_is_decided_by_its_price_and_that_of_an_operator_is_not(
    database: Database, operator: Caller, bureau: Bureau, parties: tuple[Tenant, Tenant]
) -> None:
    client, studio = parties
    body: dict[str, Any] = {"agent_id": studio.agent_id, "title": "work", "price": "79.19", "currency": "USD"}
    body["signatories"] = ["procurement"]
    refused(await client.owner.post("/contracts", body), 403, "risk.blocked")
    good(await bureau.at(operator).post("/contracts", {**body, "organization_id": client.org_id}), 201)
    assert [row[:3] for row in await decisions(database, client.org_id)] == [("award", "block", studio.agent_id)]


async def test_second_key_within_an_hour_is_blocked(database: Database, parties: tuple[Tenant, Tenant]) -> None:
    client, _ = parties
    names = [new_id("p"), new_id("p")]
    first, second = [{"principal": name, "role": "auditor"} for name in names]
    good(await client.owner.post("/api-keys", first), 201)
    refused(await client.owner.post("/api-keys", second), 403, "risk.blocked")
    held_by = {each["principal"] for each in good(await client.owner.get("/api-keys"))["data"]}
    assert names[0] in held_by
    assert names[1] not in held_by
