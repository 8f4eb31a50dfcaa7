"""Decisions against fraud made again from what they stored: facts, lists and the versions of rules of their time."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from domain.common.access import Actor, Role
from domain.common.credits import CreditPrice
from domain.common.money import amounts_from
from domain.risk.act import EntityKind, Outcome, Point, RiskAct
from domain.risk.rule import ALLOW_LIST, BLOCK_LIST, DEFAULTS, ListName, Mode, Rule, compiled, decide
from domain.risk.settings import RiskSettings
from domain.tenants.metadata import Precondition
from models.risk.decision import RiskDecision
from models.risk.model import RiskModel
from models.risk.rule import RiskRule
from providers.expressions import compile_rule
from repositories.risk import rule as stored_rules
from runtime.database import Database
from runtime.identity import new_id
from services.risk import list_item, rule as rules
from services.risk.decision import Risk
from tests.support.seeds import RUN_SEED

pytestmark = pytest.mark.db

KEY = b"a key of this test"
START = datetime(2026, 3, 4, 12, tzinfo=UTC)
OPERATOR = Actor(principal="op", role=Role.OPERATOR)
SETTINGS = RiskSettings(
    key=KEY,
    enforced=True,
    review_above=amounts_from("500.00"),
    price=CreditPrice(price=Decimal("0.10"), currency="USD"),
    # A loaded machine answers later than production must.
    within=timedelta(minutes=1),
)
EXPRESSIONS = (
    "amount > 5000",
    "organization_attempts_1h > 2",
    "device_organizations_1d >= 2",
    "address_attempts_10m > 3 && currency == 'USD'",
    "instruments_1h * 2 > organization_attempts_1h",
    "organization_attempts_1d % 2 == 0 || amount < 100",
)


def drawn_rule(chance: random.Random, name: str) -> Rule:
    return Rule(
        name=name,
        version=0,
        points=frozenset(chance.sample([Point.PAYMENT, Point.TOPUP, Point.FUND], 2)),
        expression=chance.choice(EXPRESSIONS),
        action=chance.choice(list(Outcome)),
        priority=chance.randrange(3),
        mode=chance.choice([Mode.OFF, Mode.SHADOW]),
        sentence="A rule of this test.",
    )


def drawn_act(chance: random.Random, orgs: list[str]) -> RiskAct:
    org_id = chance.choice(orgs)
    device = chance.choice([None, "device-1", "device-2"])
    address = chance.choice(["8.8.4.4", "9.9.9.9", "10.0.0.1"])
    return RiskAct(
        point=chance.choice([Point.PAYMENT, Point.TOPUP, Point.FUND]),
        actor=Actor(principal="buyer", role=Role.OWNER, org_id=org_id, address=address, device=device),
        org_id=org_id,
        subject=new_id("pay"),
        command_id=new_id("cmd"),
        amount_minor=chance.choice([50, 1_000, 10_000]),
        currency=chance.choice(["USD", "EUR"]),
        provider="stripe",
        seen={EntityKind.INSTRUMENT: f"card-{chance.randrange(6)}"},
    )


async def change_rules(database: Database, chance: random.Random, now: datetime) -> None:
    """Write a new version of a drawn rule, and switch it by chance."""
    written = {"command_id": new_id("cmd"), "now": now}
    async with database.platform() as session:
        name = f"rule-{chance.randrange(4)}"
        present = await stored_rules.current(session)
        drawn = drawn_rule(chance, name)
        if name in present:
            await rules.change(session, OPERATOR, drawn, Precondition(), compiler=compile_rule, **written)
        else:
            await rules.create(session, OPERATOR, drawn, compiler=compile_rule, **written)
        version = (await stored_rules.version(session, name)).version
        mode = chance.choice([Mode.ON, Mode.ON, Mode.SHADOW])
        await rules.activate(session, OPERATOR, name, mode, version, command_id=new_id("cmd"), now=now)


async def list_entity(database: Database, chance: random.Random, org_id: str, now: datetime) -> None:
    async with database.platform() as session:
        await list_item.add(
            session,
            OPERATOR,
            chance.choice(list(ListName)),
            EntityKind.ORGANIZATION,
            org_id,
            reason="A test.",
            ends_at=now + timedelta(minutes=3),
            key=KEY,
            command_id=new_id("cmd"),
            now=now,
        )


def rules_at(rows: list[RiskRule], at: datetime) -> list[Rule]:
    """Return the rules of a time."""
    found = {rule.name: rule for rule in DEFAULTS}
    found |= {
        row.name: stored_rules.rule_of(row) for row in sorted(rows, key=lambda row: row.version) if row.created_at <= at
    }
    return list(found.values())


@pytest.mark.slow
async def test_stored_decisions_are_made_again_from_their_facts_and_the_rules_of_their_time(
    fresh_database: Database,
) -> None:
    chance, orgs = random.Random(RUN_SEED), [new_id("org") for _ in range(4)]
    # Two processes, which compile the rules apart.
    risks = [Risk(SETTINGS, compile_rule), Risk(SETTINGS, compile_rule)]
    now = START
    for number in range(120):
        now += timedelta(seconds=20)
        if number % 8 == 0:
            await change_rules(fresh_database, chance, now)
        if number % 30 == 10:
            await list_entity(fresh_database, chance, chance.choice(orgs), now)
        async with fresh_database.platform() as session:
            await chance.choice(risks).decide(session, drawn_act(chance, orgs), now)
    async with fresh_database.platform() as session:
        rows = list(await session.scalars(select(RiskRule)))
        stored = list(await session.scalars(select(RiskDecision)))
    assert len(stored) == 120
    again = {}
    for row in stored:
        listed = {ALLOW_LIST: {ListName.ALLOW}, BLOCK_LIST: {ListName.BLOCK}}.get(row.rule or "", set())
        book = [compiled(rule, compile_rule) for rule in rules_at(rows, row.created_at)]
        decision = decide(book, Point(row.point), row.facts, frozenset(listed))
        again[row.id] = (decision.outcome.value, decision.rule, decision.version, dict(decision.shadow))
    assert again == {row.id: (row.outcome, row.rule, row.rule_version, row.shadow) for row in stored}
    assert len({row.outcome for row in stored}) > 1


async def test_score_of_the_stored_champion_is_a_fact_of_its_rules(fresh_database: Database) -> None:
    tree = {"feature": [0, -1, -1], "threshold": [5_000.0, 0.0, 0.0], "left": [1, -1, -1], "right": [2, -1, -1]}
    document = {"features": [["amount", ""]], "base": 0.0, "trees": [{**tree, "value": [0.0, -3.0, 3.0]}]}
    async with fresh_database.platform() as session:
        session.add(RiskModel(version=1, status="champion", document=document, report={}, created_at=START))
        rule = replace(drawn_rule(random.Random(1), "scored"), expression="model_score > 9000", action=Outcome.BLOCK)
        rule = replace(rule, points=frozenset({Point.PAYMENT}))
        await rules.create(session, OPERATOR, rule, compiler=compile_rule, command_id=new_id("cmd"), now=START)
        await rules.activate(session, OPERATOR, "scored", Mode.ON, 1, command_id=new_id("cmd"), now=START)
    risk, found = Risk(SETTINGS, compile_rule), []
    for amount in (1_000, 10_000):
        act = replace(drawn_act(random.Random(1), [new_id("org")]), point=Point.PAYMENT, amount_minor=amount)
        async with fresh_database.platform() as session:
            verdict = await risk.decide(session, replace(act, command_id=new_id("cmd")), START)
            found.append((verdict.outcome, verdict.rule))
    assert found == [(Outcome.ALLOW, None), (Outcome.BLOCK, "scored")]
