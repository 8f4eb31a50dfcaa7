"""Requests of payments and refunds with checks against fraud in force."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from domain.risk.act import Outcome, Point
from models.risk.decision import RiskCluster
from models.risk.rule import RiskRule
from runtime.database import Database
from runtime.identity import new_id
from tests.api import escrowing
from tests.api.conftest import Caller, NewTenant, Tenant, new_key, refused
from tests.api.paying import Written, intents, paying_app

pytestmark = pytest.mark.db

#: An amount that only the rules of this module name, for each outcome.
AMOUNTS = {Outcome.CHALLENGE: 7_000_01, Outcome.BLOCK: 7_000_02, Outcome.REVIEW: 7_000_03}
POINTS = (Point.PAYMENT, Point.TOPUP, Point.REFUND)


async def set_rules(database: Database, *, on: bool) -> None:
    async with database.platform() as session:
        for outcome, amount in AMOUNTS.items():
            name = f"payment_risk_{outcome.value}"
            found = await session.scalar(text("SELECT max(version) FROM risk_rules WHERE name = :name"), {"name": name})
            session.add(
                RiskRule(
                    name=name,
                    version=(found or 0) + 1,
                    points=[point.value for point in POINTS],
                    expression=f"amount == {amount}" if on else "false",
                    action=outcome.value,
                    priority=1,
                    mode="on",
                    sentence="A rule of this module.",
                    created_by="operator",
                    command_id=new_id("cmd"),
                    created_at=datetime.now(UTC),
                )
            )


@pytest.fixture(scope="module")
async def enforcing(database_urls: Any, database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """An app where every provider is set up, no run ever answers, and decisions have an effect."""
    await set_rules(database, on=True)
    async with paying_app(database_urls, risk_enforced=True, risk_key="a key of the tests") as client:
        yield client
    await set_rules(database, on=False)


@pytest.fixture
async def payer(enforcing: httpx2.AsyncClient, new_tenant: NewTenant) -> Tenant:
    return (await new_tenant("owner")).through(enforcing)


def wanted(outcome: Outcome | None, provider: str = "stripe") -> dict[str, Any]:
    amount = 7_000_00 if outcome is None else AMOUNTS[outcome]
    return {"amount": f"{amount // 100}.{amount % 100:02}", "currency": "USD", "provider": provider}


async def requested(caller: Caller, body: dict[str, Any], key: str | None = None) -> None:
    """Request a payment that is allowed: its terms are stored, and then no run answers."""
    refused(await caller.post("/payments", body, key=key or new_key()), 503, "service.unavailable")


async def decisions_of(database: Database, org_id: str) -> list[tuple[Any, ...]]:
    query = "SELECT point, outcome, subject, facts->>'method' FROM risk_decisions WHERE org_id = :org_id ORDER BY id"
    async with database.platform() as session:
        return [tuple(row) for row in await session.execute(text(query), {"org_id": org_id})]


async def test_challenge_asks_for_authentication_at_stripe_alone(payer: Tenant, database: Database) -> None:
    for body in (wanted(None), wanted(Outcome.CHALLENGE), wanted(Outcome.CHALLENGE, "paypal")):
        await requested(payer.owner, body)
    stored = await intents(database, payer.org_id)
    assert [each["authenticate"] for each in stored] == [False, True, False]
    ids = [each["payment_id"] for each in stored]
    assert await decisions_of(database, payer.org_id) == [
        ("topup", outcome, payment_id, "on_session")
        for outcome, payment_id in zip(("allow", "challenge", "challenge"), ids, strict=True)
    ]


async def test_payment_that_funds_an_escrow_is_also_decided_as_its_funding(
    payer: Tenant, new_tenant: NewTenant, database: Database, operator: Caller
) -> None:
    studio = await new_tenant("owner")
    terms = {"price": "60.00", "currency": "USD"}
    escrow_id = await escrowing.escrow_between(operator, database, payer, studio, at=datetime.now(UTC), **terms)
    body = {"provider": "stripe", "purpose": "escrow", "escrow_id": escrow_id}
    await requested(payer.owner, body)
    [_, (_, _, payment_id, _)] = found = await decisions_of(database, payer.org_id)
    assert [row[:3] for row in found] == [("fund", "allow", escrow_id), ("payment", "allow", payment_id)]
    async with database.platform() as session:
        for each in (payer, studio):
            at = datetime.now(UTC)
            session.add(RiskCluster(org_id=each.org_id, cluster=payer.org_id, organizations=2, seen_at=at))
    other = await escrowing.escrow_between(operator, database, payer, studio, at=datetime.now(UTC), **terms)
    refused(await payer.owner.post("/payments", {**body, "escrow_id": other}, key=new_key()), 202, "risk.in_review")
    assert len(await intents(database, payer.org_id)) == 1


async def test_repeated_request_is_decided_once(payer: Tenant, database: Database) -> None:
    key, body = new_key(), wanted(None) | {"purpose": "balance", "payment_method": "pm_1", "off_session": True}
    await requested(payer.owner, body, key)
    await requested(payer.owner, body, key)
    [made] = await intents(database, payer.org_id)
    assert await decisions_of(database, payer.org_id) == [("topup", "allow", made["payment_id"], "off_session")]


async def test_blocked_request_gets_the_same_refusal_again_and_stores_nothing(
    payer: Tenant, database: Database
) -> None:
    key, body = new_key(), wanted(Outcome.BLOCK)
    first, second = [refused(await payer.owner.post("/payments", body, key=key), 403, "risk.blocked") for _ in "12"]
    assert first["decision_id"] == second["decision_id"]
    assert [each[:2] for each in await decisions_of(database, payer.org_id)] == [("topup", "block")]
    assert await intents(database, payer.org_id) == []


async def test_request_in_review_is_done_when_repeated_after_the_release(payer: Tenant, database: Database) -> None:
    key, body = new_key(), wanted(Outcome.REVIEW)
    first, second = [refused(await payer.owner.post("/payments", body, key=key), 202, "risk.in_review") for _ in "12"]
    assert first["case_id"] == second["case_id"]
    assert await intents(database, payer.org_id) == []
    async with database.platform() as session:
        decided = "UPDATE risk_cases SET status = 'closed', state = '{\"result\": \"release\"}' WHERE id = :id"
        await session.execute(text(decided), {"id": first["case_id"]})
    await requested(payer.owner, body, key)
    assert [each["amount_minor"] for each in await intents(database, payer.org_id)] == [AMOUNTS[Outcome.REVIEW]]
    assert len(await decisions_of(database, payer.org_id)) == 1


async def test_refund_by_the_payer_is_decided_and_that_of_an_operator_is_not(
    payer: Tenant, database: Database, operator: Caller
) -> None:
    paid = await Written(database, payer.org_id, amount_minor=8_000_00).begin()
    paid.there.pay()
    await paid.look()
    path, key = f"/payments/{paid.terms.payment_id}/refunds", new_key()
    body = {"amount": wanted(Outcome.BLOCK)["amount"]}
    refused(await payer.owner.post(path, body, key=key), 403, "risk.blocked")
    asking = Caller(payer.owner.http, operator.token)
    refused(await asking.post(path, body, key=new_key()), 503, "service.unavailable")
    assert [each[:2] for each in await decisions_of(database, payer.org_id)] == [("refund", "block")]


@pytest.mark.slow
async def test_counters_equal_the_recounted_decisions_under_50_callers(payer: Tenant, database: Database) -> None:
    await asyncio.gather(*(requested(payer.owner, wanted(None, each)) for each in ("stripe", "paypal") * 25))
    async with database.platform() as session:
        recounted = await session.execute(
            text("SELECT count(*), sum(value_minor) FROM risk_decisions WHERE org_id = :org_id"),
            {"org_id": payer.org_id},
        )
        counted = await session.execute(
            text(
                "SELECT sum(amount) FILTER (WHERE name = 'attempts'), sum(amount) FILTER (WHERE name = 'spent_value')"
                " FROM risk_counters WHERE entity = :one GROUP BY grain"
            ),
            {"one": f"organization:{payer.org_id}"},
        )
        rows = [tuple(row) for row in counted]
        assert rows == [tuple(recounted.one())] * 3 == [(50, 50 * 7_000_00)] * 3
        seen = await session.scalars(
            text("SELECT (facts->>'organization_attempts_1d')::int FROM risk_decisions WHERE org_id = :org_id"),
            {"org_id": payer.org_id},
        )
        assert sorted(seen) == list(range(1, 51))
