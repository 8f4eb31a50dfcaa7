"""Decisions against fraud on a real database: counters under concurrency, repeated commands, and the fallback."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from domain.common.access import Actor, Role
from domain.common.credits import CreditPrice
from domain.common.errors import RiskBlocked, RiskBusy, RiskInReview
from domain.common.money import amounts_from
from domain.risk.act import EntityKind, Outcome, Point, RiskAct
from domain.risk.settings import RiskSettings
from models.risk.model import RiskModel
from models.risk.rule import RiskRule
from providers.expressions import compile_rule
from runtime.database import Database
from runtime.identity import new_id
from services.risk.decision import Risk

pytestmark = pytest.mark.db

NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
SETTINGS = RiskSettings(
    key=b"a key of this test",
    enforced=True,
    review_above=amounts_from("500.00"),
    price=CreditPrice(price=Decimal("0.10"), currency="USD"),
    # A loaded machine answers later than production must.
    within=timedelta(minutes=1),
)


def made_risk(**changes: Any) -> Risk:
    return Risk(replace(SETTINGS, **changes), compile_rule)


def payment(org_id: str, address: str | None = None, **changes: Any) -> RiskAct:
    actor = Actor(principal="buyer", role=Role.OWNER, org_id=org_id, address=address)
    given: dict[str, Any] = {"amount_minor": 1_000, "currency": "USD", "provider": "stripe", **changes}
    given.setdefault("point", Point.PAYMENT)
    return RiskAct(actor=actor, org_id=org_id, subject=new_id("pay"), command_id=new_id("cmd"), **given)


async def set_rule(database: Database, name: str, expression: str, action: Outcome, *points: Point) -> None:
    async with database.platform() as session:
        found = await session.scalar(text("SELECT max(version) FROM risk_rules WHERE name = :name"), {"name": name})
        session.add(
            RiskRule(
                name=name,
                version=(found or 0) + 1,
                points=[point.value for point in points or (Point.PAYMENT,)],
                expression=expression,
                action=action.value,
                priority=1,
                mode="on",
                sentence="A rule of this test.",
                created_by="operator",
                command_id=new_id("cmd"),
                created_at=NOW,
            )
        )


async def outcome(database: Database, risk: Risk, act: RiskAct, now: datetime = NOW) -> Outcome:
    async with database.platform() as session:
        return (await risk.decide(session, act, now)).outcome


async def test_of_200_attempts_at_once_as_many_pass_as_the_limit_allows(database: Database) -> None:
    await set_rule(database, "limit_of_five", "address_attempts_10m - address_paid_10m > 5", Outcome.BLOCK)
    risk, found = made_risk(), []

    async def attempt() -> None:
        try:
            async with database.platform() as session:
                await risk.require(session, payment(new_id("org"), "8.8.4.4"), NOW)
                found.append("passed")
        except RiskBlocked:
            found.append("blocked")

    # A session per connection of the pool at a time; the others wait for one.
    for _ in range(10):
        await asyncio.gather(*(attempt() for _ in range(20)))
    assert (found.count("passed"), found.count("blocked")) == (5, 195)
    async with database.platform() as session:
        counted = await session.scalar(
            text("SELECT count(*) FROM risk_decisions WHERE facts->>'address_attempts_10m' = '200'")
        )
    assert counted == 1
    await set_rule(database, "limit_of_five", "false", Outcome.BLOCK)


async def test_repeated_command_gets_its_first_decision_and_counts_once(database: Database) -> None:
    risk, act = made_risk(), payment(new_id("org"), "9.9.9.9")
    assert await outcome(database, risk, act) is await outcome(database, risk, act) is Outcome.ALLOW
    again = payment(new_id("org"), "9.9.9.9")
    async with database.platform() as session:
        await risk.decide(session, again, NOW)
        facts = await session.scalar(
            text("SELECT facts FROM risk_decisions WHERE command_id = :id"), {"id": again.command_id}
        )
    assert facts["address_attempts_10m"] == facts["network_attempts_1d"] == 2
    assert facts["organization_attempts_30d"] == 1


async def test_windows_end_with_their_minutes_hours_and_days(database: Database) -> None:
    risk, org_id = made_risk(), new_id("org")
    for minutes in (0, 5, 20, 90, 60 * 30):
        await outcome(database, risk, payment(org_id), NOW - timedelta(minutes=minutes))
    last = payment(org_id)
    async with database.platform() as session:
        await risk.decide(session, last, NOW)
        facts = await session.scalar(
            text("SELECT facts FROM risk_decisions WHERE command_id = :id"), {"id": last.command_id}
        )
    found = {window: facts[f"organization_attempts_{window}"] for window in ("10m", "1h", "1d", "30d")}
    assert found == {"10m": 3, "1h": 4, "1d": 5, "30d": 6}


async def test_refusal_is_committed_with_its_decision(database: Database) -> None:
    risk, org_id = made_risk(), new_id("org")
    await set_rule(database, "large", "amount > 100000", Outcome.REVIEW)
    act = payment(org_id, amount_minor=200_000)
    with pytest.raises(RiskInReview) as refused:
        async with database.platform() as session:
            await risk.require(session, act, NOW)
    async with database.platform() as session:
        stored = (
            await session.execute(
                text("SELECT outcome, rule, case_id FROM risk_decisions WHERE command_id = :id"), {"id": act.command_id}
            )
        ).one()
    assert (stored.outcome, stored.rule) == ("review", "large")
    assert stored.case_id == refused.value.extra["case_id"] is not None
    await set_rule(database, "large", "false", Outcome.REVIEW)


async def test_act_is_decided_by_its_amount_if_the_decision_takes_too_long(database: Database) -> None:
    risk, org_id = made_risk(within=timedelta(0)), new_id("org")
    found = [await outcome(database, risk, payment(org_id, amount_minor=amount)) for amount in (50_000, 50_001)]
    assert found == [Outcome.ALLOW, Outcome.REVIEW]


async def test_instruments_and_their_organizations_are_counted(database: Database) -> None:
    risk, org_id = made_risk(), new_id("org")
    for card in ("one", "two", "two", "three"):
        act = payment(org_id, seen={EntityKind.INSTRUMENT: card})
        await outcome(database, risk, act)
    async with database.platform() as session:
        other = payment(new_id("org"), seen={EntityKind.INSTRUMENT: "two"})
        await risk.decide(session, other, NOW)
        rows: dict[str, Any] = dict(
            (
                await session.execute(
                    text("SELECT command_id, facts FROM risk_decisions WHERE command_id IN (:one, :two)"),
                    {"one": act.command_id, "two": other.command_id},
                )
            ).all()
        )
    assert rows[act.command_id]["instruments_1h"] == 3
    assert rows[other.command_id]["instrument_organizations_1d"] == 2


async def test_score_of_the_champion_is_a_fact_of_rules(fresh_database: Database) -> None:
    tree = {"feature": [0, -1, -1], "threshold": [500.0, 0, 0], "left": [1, -1, -1], "right": [2, -1, -1]}
    document = {"features": [["amount", ""]], "trees": [{**tree, "value": [0, -3.0, 3.0]}], "base": 0.0}
    async with fresh_database.platform() as session:
        session.add(RiskModel(version=1, status="champion", document=document, report={}, created_at=NOW))
    await set_rule(fresh_database, "likely_fraud", "model_score > 9000", Outcome.BLOCK)
    risk, org_id = made_risk(), new_id("org")
    found = [await outcome(fresh_database, risk, payment(org_id, amount_minor=amount)) for amount in (400, 600)]
    assert found == [Outcome.ALLOW, Outcome.BLOCK]


async def test_act_that_waits_for_acts_at_once_is_refused_and_not_allowed(database: Database) -> None:
    risk, org_id = made_risk(lock_wait=timedelta(milliseconds=1)), new_id("org")
    patient = made_risk()
    async with database.platform() as first:
        await patient.decide(first, payment(org_id), NOW)
        with pytest.raises(RiskBusy):
            async with database.platform() as session:
                await risk.decide(session, payment(org_id), NOW)


async def test_rule_whose_fact_is_gone_stops_no_act(database: Database) -> None:
    await set_rule(database, "outdated", "shoe_size > 3", Outcome.BLOCK)
    assert await outcome(database, made_risk(), payment(new_id("org"))) is Outcome.ALLOW
    await set_rule(database, "outdated", "false", Outcome.BLOCK)
